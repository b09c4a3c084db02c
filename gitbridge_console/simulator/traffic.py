"""Believable deliveries of a code host, made from a seed: same seed, start and rate, same bytes."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.simulator import pull_requests
from gitbridge_console.simulator.cast import BOTS, COMMENTS, COMMITS, HOSTILE_TITLES, ISSUES, LABELS, PEOPLE, REPOS, Repo
from gitbridge_console.simulator.payloads import WEB, commit, common, encode, issue, label, user
from gitbridge_console.simulator.pull_requests import HOSTILE_SHARE, OPEN_MAX, PullRequest, sha
from gitbridge_console.simulator.seeds import seeded
from gitbridge_console.simulator.snippets import NOUNS

SOURCE = "demo"
Made = tuple[str, dict[str, Any], str | None]


class TrafficGenerator:
    """An endless, repeatable stream of deliveries. Bounded: each repository remembers at most 40 open pull requests."""

    def __init__(self, seed: int = 0, *, start: dt.datetime | None = None, rate_per_s: float = 2.0) -> None:
        """``start`` is the moment the stream begins (UTC; default 2026-01-05 09:00); gaps are exponential with ``rate_per_s``."""
        if rate_per_s <= 0:
            raise ValueError("rate_per_s must be above 0")
        self._rng = seeded("traffic", seed)
        self._gaps = seeded("gaps", seed)
        self._now = start or dt.datetime(2026, 1, 5, 9, tzinfo=dt.UTC)
        self._rate = rate_per_s
        self._open: dict[str, list[PullRequest]] = {repo.full_name: [] for repo in REPOS}
        self._numbers = {repo.full_name: 100 + 37 * place for place, repo in enumerate(REPOS)}
        self._heads = {repo.full_name: sha(self._rng) for repo in REPOS}
        self._makers: list[tuple[int, Callable[[Repo, str, str], Made]]] = [
            (17, self._opened),
            (16, self._synchronize),
            (7, self._docs_opened),
            (12, self._push),
            (9, self._issue_opened),
            (8, self._comment),
            (5, self._labeled),
            (6, self._closed),
            (3, self._issue_labeled),
            (3, self._bot_opened),
            (2, self._release),
            (4, self._workflow_run),
            (4, self._check_run),
            (1, self._ping),
            (3, self._star),
        ]

    def next(self) -> tuple[IncomingEvent, float]:
        """The next delivery and the gap before it, in seconds."""
        gap_s = self._gaps.expovariate(self._rate)
        self._now += dt.timedelta(seconds=gap_s)
        at = self._now.strftime("%Y-%m-%dT%H:%M:%SZ")
        rng = self._rng
        repo = rng.choices(REPOS, [item.weight for item in REPOS])[0]
        maker = rng.choices([make for _, make in self._makers], [weight for weight, _ in self._makers])[0]
        kind, payload, diff = maker(repo, rng.choice(PEOPLE), at)
        delivery = str(uuid.UUID(int=rng.getrandbits(128), version=4))
        return IncomingEvent(delivery=delivery, type=kind, payload=encode(payload), source=SOURCE, diff=diff), gap_s

    def _number(self, repo: Repo) -> int:
        self._numbers[repo.full_name] += 1
        return self._numbers[repo.full_name]

    def _remember(self, pull: PullRequest) -> PullRequest:
        pulls = self._open[pull.repo.full_name]
        pulls.append(pull)
        del pulls[:-OPEN_MAX]
        return pull

    def _pull_event(self, action: str, pull: PullRequest, sender: str, at: str, extra: dict[str, Any] | None = None) -> Made:
        closed = action == "closed"
        merged = closed and self._rng.random() < 0.8
        shown = pull.payload(at, closed=closed, merged=merged)
        payload = {"action": action, "number": pull.number, "pull_request": shown, **(extra or {}), **common(pull.repo, sender, at)}
        return "pull_request", payload, pull.diff

    def _opened(self, repo: Repo, person: str, at: str, *, docs: bool = False) -> Made:
        pull = self._remember(pull_requests.opened(repo, self._number(repo), person, at, self._rng, docs=docs))
        return self._pull_event("opened", pull, person, at)

    def _docs_opened(self, repo: Repo, person: str, at: str) -> Made:
        return self._opened(repo, person, at, docs=True)

    def _bot_opened(self, repo: Repo, person: str, at: str) -> Made:
        bot = self._rng.choice(BOTS)
        pull = self._remember(pull_requests.bumped(repo, self._number(repo), bot, at, self._rng))
        return self._pull_event("opened", pull, bot, at)

    def _synchronize(self, repo: Repo, person: str, at: str) -> Made:
        pulls = [pull for pull in self._open[repo.full_name] if pull.author in PEOPLE]
        if not pulls:
            return self._opened(repo, person, at)
        pull = self._rng.choice(pulls[-6:])
        docs = all(item.path.endswith(".md") for item in pull.files)
        before, pull.head_sha, pull.commits = pull.head_sha, sha(self._rng), pull.commits + 1
        pull.files = pull_requests.changed_files(repo, self._rng, pull.noun, docs=docs)
        return self._pull_event("synchronize", pull, pull.author, at, {"before": before, "after": pull.head_sha})

    def _labeled(self, repo: Repo, person: str, at: str) -> Made:
        if not self._open[repo.full_name]:
            return self._opened(repo, person, at)
        pull = self._rng.choice(self._open[repo.full_name])
        name = self._rng.choice(LABELS)
        pull.labels = list(dict.fromkeys([*pull.labels, name]))
        return self._pull_event("labeled", pull, person, at, {"label": label(name)})

    def _closed(self, repo: Repo, person: str, at: str) -> Made:
        pulls = self._open[repo.full_name]
        if not pulls:
            return self._opened(repo, person, at)
        return self._pull_event("closed", pulls.pop(self._rng.randrange(len(pulls))), person, at)

    def _push(self, repo: Repo, person: str, at: str) -> Made:
        rng, noun = self._rng, self._rng.choice(NOUNS)
        files = pull_requests.changed_files(repo, rng, noun, docs=False)
        paths = [item.path for item in files]
        messages = [rng.choice(COMMITS).format(noun=noun, Noun=noun.capitalize()) for _ in range(rng.choice((1, 1, 2, 3)))]
        commits = [commit(sha(rng), message, person, at, paths, repo) for message in messages]
        before, after = self._heads[repo.full_name], commits[-1]["id"]
        self._heads[repo.full_name] = after
        payload = {
            "ref": "refs/heads/main" if rng.random() < 0.8 else f"refs/heads/{person}/{noun}",
            "before": before,
            "after": after,
            "created": False,
            "deleted": False,
            "forced": rng.random() < 0.03,
            "base_ref": None,
            "compare": f"{WEB}/{repo.full_name}/compare/{before[:12]}...{after[:12]}",
            "commits": commits,
            "head_commit": commits[-1],
            "pusher": {"name": person, "email": f"{person}@users.noreply.github.com"},
            **common(repo, person, at),
        }
        return "push", payload, "".join(item.diff for item in files)

    def _issue(self, repo: Repo, person: str, at: str, labels: list[str]) -> dict[str, Any]:
        rng, noun = self._rng, self._rng.choice(NOUNS)
        title, body = (text.format(noun=noun, Noun=noun.capitalize()) for text in rng.choice(ISSUES))
        if rng.random() < HOSTILE_SHARE:
            title = rng.choice(HOSTILE_TITLES)
        return issue(repo, self._number(repo), title, body, person, labels, at)

    def _issue_opened(self, repo: Repo, person: str, at: str) -> Made:
        return "issues", {"action": "opened", "issue": self._issue(repo, person, at, []), **common(repo, person, at)}, None

    def _issue_labeled(self, repo: Repo, person: str, at: str) -> Made:
        name = self._rng.choice(LABELS)
        about = self._issue(repo, self._rng.choice(PEOPLE), at, [name])
        return "issues", {"action": "labeled", "issue": about, "label": label(name), **common(repo, person, at)}, None

    def _comment(self, repo: Repo, person: str, at: str) -> Made:
        about = self._issue(repo, self._rng.choice(PEOPLE), at, [])
        comment = {
            "id": self._rng.getrandbits(40),
            "body": self._rng.choice(COMMENTS),
            "user": user(person),
            "created_at": at,
            "updated_at": at,
            "author_association": "MEMBER",
            "html_url": f"{about['html_url']}#issuecomment",
        }
        return "issue_comment", {"action": "created", "issue": about, "comment": comment, **common(repo, person, at)}, None

    def _release(self, repo: Repo, person: str, at: str) -> Made:
        tag = f"v{self._rng.randint(1, 4)}.{self._rng.randint(0, 30)}.0"
        release = {
            "id": self._rng.getrandbits(32),
            "tag_name": tag,
            "name": tag,
            "body": "Fixes and small improvements.",
            "draft": False,
            "prerelease": False,
            "author": user(person),
            "created_at": at,
            "published_at": at,
            "html_url": f"{WEB}/{repo.full_name}/releases/tag/{tag}",
        }
        return "release", {"action": "published", "release": release, **common(repo, person, at)}, None

    def _run(self, at: str) -> dict[str, Any]:
        conclusion = self._rng.choices(("success", "failure", "cancelled", "timed_out"), (7, 3, 1, 1))[0]
        facts = {"id": self._rng.getrandbits(40), "status": "completed", "conclusion": conclusion, "head_sha": sha(self._rng)}
        return {**facts, "name": self._rng.choice(("test", "lint", "build")), "created_at": at, "updated_at": at}

    def _workflow_run(self, repo: Repo, person: str, at: str) -> Made:
        run = self._run(at)
        run |= {"head_branch": "main", "event": "push", "run_number": run["id"] % 5_000, "run_attempt": 1, "pull_requests": []}
        run["html_url"] = f"{WEB}/{repo.full_name}/actions/runs/{run['id']}"
        return "workflow_run", {"action": "completed", "workflow_run": run, **common(repo, person, at)}, None

    def _check_run(self, repo: Repo, person: str, at: str) -> Made:
        run = {**self._run(at), "started_at": at, "completed_at": at, "output": {"title": None, "summary": None}, "pull_requests": []}
        return "check_run", {"action": "completed", "check_run": run, **common(repo, person, at)}, None

    def _ping(self, repo: Repo, person: str, at: str) -> Made:
        hook = {"type": "Repository", "id": repo.id, "active": True, "events": ["*"], "config": {"content_type": "json"}}
        return "ping", {"zen": "Keep it logically awesome.", "hook_id": repo.id, "hook": hook, **common(repo, person, at)}, None

    def _star(self, repo: Repo, person: str, at: str) -> Made:
        return "star", {"action": "created", "starred_at": at, **common(repo, person, at)}, None
