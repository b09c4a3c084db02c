"""Pull requests of the made-up repositories: they are opened, pushed to, labelled and closed, and keep their story straight."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from gitbridge_console.simulator.cast import CODE_TITLES, DOC_TITLES, HOSTILE_TITLES, Repo
from gitbridge_console.simulator.diffs import FileDiff, fill
from gitbridge_console.simulator.payloads import API, WEB, label, reference, user
from gitbridge_console.simulator.snippets import CODE, DOCS, NOUNS, Snippet

HOSTILE_SHARE = 0.03
OPEN_MAX = 40


@dataclass(slots=True)
class PullRequest:
    """One pull request as it stands."""

    repo: Repo
    number: int
    title: str
    author: str
    opened_at: str
    base_sha: str
    head_sha: str
    files: list[FileDiff]
    noun: str
    draft: bool = False
    labels: list[str] = field(default_factory=list)
    commits: int = 1

    @property
    def diff(self) -> str:
        """The unified diff of all files."""
        return "".join(item.diff for item in self.files)

    def payload(self, at: str, *, closed: bool = False, merged: bool = False) -> dict[str, Any]:
        """The ``pull_request`` object of a delivery."""
        here = f"{self.repo.full_name}/pull/{self.number}"
        return {
            "id": self.repo.id * 10_000 + self.number,
            "number": self.number,
            "state": "closed" if closed else "open",
            "title": self.title,
            "body": f"What it says. Touches {len(self.files)} file(s) around {self.noun}s.",
            "user": user(self.author),
            "draft": self.draft,
            "locked": False,
            "labels": [label(name) for name in self.labels],
            "html_url": f"{WEB}/{here}",
            "diff_url": f"{WEB}/{here}.diff",
            "url": f"{API}/repos/{self.repo.full_name}/pulls/{self.number}",
            "created_at": self.opened_at,
            "updated_at": at,
            "closed_at": at if closed else None,
            "merged_at": at if merged else None,
            "merged": merged,
            "author_association": "MEMBER",
            "head": reference(self.repo, f"{self.author.removesuffix('[bot]')}/{self.noun}-{self.number}", self.head_sha, at),
            "base": reference(self.repo, "main", self.base_sha, at),
            "commits": self.commits,
            "additions": sum(item.additions for item in self.files),
            "deletions": sum(item.deletions for item in self.files),
            "changed_files": len(self.files),
        }


def sha(rng: random.Random) -> str:
    """A commit hash."""
    return f"{rng.getrandbits(160):040x}"


def changed_files(repo: Repo, rng: random.Random, noun: str, *, docs: bool) -> list[FileDiff]:
    """One to three files of the repository's languages under change, or of its documentation; paths do not repeat."""
    pool: list[Snippet] = [s for s in (DOCS if docs else CODE) if docs or s.language in repo.languages]
    chosen = rng.sample(pool, min(len(pool), rng.choice((1, 1, 1, 2, 2, 3))))
    return [fill(snippet, rng, noun) for snippet in chosen]


def opened(repo: Repo, number: int, author: str, at: str, rng: random.Random, *, docs: bool = False) -> PullRequest:
    """A new pull request; a few have a hostile title."""
    noun = rng.choice(NOUNS)
    title = rng.choice(DOC_TITLES if docs else CODE_TITLES).format(noun=noun)
    if rng.random() < HOSTILE_SHARE:
        title = rng.choice(HOSTILE_TITLES)
    return PullRequest(
        repo=repo,
        number=number,
        title=title,
        author=author,
        opened_at=at,
        base_sha=sha(rng),
        head_sha=sha(rng),
        files=changed_files(repo, rng, noun, docs=docs),
        noun=noun,
        draft=rng.random() < 0.05,
    )


def bumped(repo: Repo, number: int, bot: str, at: str, rng: random.Random) -> PullRequest:
    """A bot's pull request that raises a dependency."""
    package, old = rng.choice(("left-shelf", "http-kit", "yamlite", "tinycolour")), rng.randint(1, 8)
    body = f' [dependencies]\n-{package} = "{old}.2.0"\n+{package} = "{old}.3.0"\n'
    files = [fill(Snippet("toml", "deps.toml", "", body), rng, package)]
    title = f"Bump {package} from {old}.2.0 to {old}.3.0"
    return PullRequest(repo, number, title, bot, at, sha(rng), sha(rng), files, package, labels=["dependencies"])
