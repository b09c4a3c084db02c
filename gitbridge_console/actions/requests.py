"""From a decision to the exact requests that publish it on GitHub. Pure: nothing is sent here.

How far they go is for :mod:`gitbridge_console.actions.caps` to say: whatever the panel says, a review is a comment until the
settings or an operator decide otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gitbridge_console.actions.body import BESIDE, BODY_MAX, LEFT_OUT, finding_text, fit, summary_body
from gitbridge_console.actions.caps import ReviewWord, commit_state, conclusion, review_event
from gitbridge_console.actions.outside_text import clean, code, plain
from gitbridge_console.domain.decisions import Cluster, Decision, DecisionState
from gitbridge_console.domain.events import GITHUB, ChangedFile, EventFacts
from gitbridge_console.domain.loops import MARKER_START
from gitbridge_console.domain.names import REPOSITORY, SHA
from gitbridge_console.settings.model import ActionSettings
from gitbridge_console.settings.routing import KindSettings

COMMENTS_MAX = 30
"""Comments beside lines in one review; further findings are listed in its body."""
LABELS_MAX = 10
LABEL_MAX = 50
DESCRIPTION_MAX = 140
TEXT_LIMIT = BODY_MAX - 500
"""Characters of a text an operator wrote: the marker has to fit in too."""
_MARKERS = re.compile(r"<!--\s*gitbridge:[^>]*-->")
_HUNK = re.compile(r"@@ -\d{1,9}(?:,\d{1,9})? \+(\d{1,9})(?:,(\d{1,9}))? @@")


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """One HTTP request to the code host's REST API, without host and credentials."""

    method: str
    path: str
    body: dict[str, Any]

    def record(self) -> dict[str, Any]:
        """As stored and shown."""
        return {"method": self.method, "path": self.path, "body": self.body}


@dataclass(frozen=True, slots=True)
class ActionPlan:
    """What would be sent. ``marker`` is what a repetition looks for before it sends again, empty where none is needed."""

    type: str
    requests: tuple[ActionRequest, ...]
    marker: str = ""


@dataclass(frozen=True, slots=True)
class NoAction:
    """Nothing is sent, and why, in one line."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Target:
    """Where a decision is published; every part is checked to be fit for a URL."""

    repository: str
    number: int | None
    sha: str
    decision: Decision
    settings: ActionSettings
    word: ReviewWord = ""
    files: Sequence[ChangedFile] = field(default=())

    @property
    def marker(self) -> str:
        """The same for every run of an event, so that a replay updates instead of repeating."""
        return f"{MARKER_START}{self.key} -->"

    @property
    def key(self) -> str:
        return f"{self.repository}#{self.number or 0}:{self.decision.kind}:{self.sha or '-'}"


def build_action(policy: KindSettings, facts: EventFacts, decision: Decision, files: Sequence[ChangedFile] = ()) -> ActionPlan | None:
    """The plan, or ``None`` where nothing is to be sent; :func:`plan_action` also says why."""
    plan = plan_action(policy, facts, decision, files)
    return plan if isinstance(plan, ActionPlan) else None


def plan_action(
    policy: KindSettings,
    facts: EventFacts,
    decision: Decision,
    files: Sequence[ChangedFile] = (),
    settings: ActionSettings | None = None,
    word: ReviewWord = "",
) -> ActionPlan | NoAction:
    """What the kind's action means for this event. ``files`` (default: those of the facts) tell which lines can be commented.

    ``word`` is what an operator said a review is to be; nothing else may make it an approval.
    """
    if policy.action == "none":
        return NoAction("this kind has no action")
    if decision.state is DecisionState.FAILED or decision.verdict in {"", "none"}:
        return NoAction("nothing was decided")
    if facts.host != GITHUB and policy.action != "webhook":
        return NoAction(f"nothing is published on {facts.host}: there is no client that writes there")
    if not REPOSITORY.fullmatch(facts.repository):
        return NoAction("the event names no usable repository")
    if not re.fullmatch(r"[a-z_]{1,40}", decision.kind):
        return NoAction("the decision names no usable kind")
    number = facts.number if facts.number is not None and facts.number > 0 else None
    sha = facts.head_sha if SHA.fullmatch(facts.head_sha) else ""
    target = _Target(facts.repository, number, sha, decision, settings or ActionSettings(), word, files or facts.files)
    if policy.action == "review":
        return _review(target, facts.type)
    if policy.action == "comment":
        return _comment(target, facts.type)
    if policy.action == "labels":
        return _labels(target, facts.type)
    if policy.action == "check_run":
        return _check_run(target)
    if policy.action == "webhook":
        return _webhook(target)
    return _status(target)


def _review(target: _Target, event_type: str) -> ActionPlan | NoAction:
    if not event_type.startswith("pull_request") or target.number is None:
        return NoAction(f"a {event_type} is no pull request that could be reviewed")
    if not target.sha:
        return NoAction("the head commit is not known")
    standing = [cluster for cluster in target.decision.clusters if cluster.stands]
    beside = [cluster for cluster in standing if cluster.confirmed and _can_be_commented(cluster, target.files)][:COMMENTS_MAX]
    rest = [cluster for cluster in standing if cluster not in beside]
    body = {
        "commit_id": target.sha,
        "event": review_event(target.decision, target.settings, target.word),
        "body": summary_body(target.decision, target.marker, findings=rest),
        # Each comes back as an event of its own: the marker tells that it is ours.
        "comments": [{"path": c.path, "line": c.line, "side": "RIGHT", "body": f"{finding_text(c)}\n\n{target.marker}"} for c in beside],
    }
    request = ActionRequest("POST", f"/repos/{target.repository}/pulls/{target.number}/reviews", body)
    return ActionPlan("review", (request,), target.marker)


def _comment(target: _Target, event_type: str) -> ActionPlan | NoAction:
    if _is_issue(event_type) and target.number is not None:
        path = f"/repos/{target.repository}/issues/{target.number}/comments"
        of = target.sha
        # One for all heads, which each new one changes: its marker names none.
        target = replace(target, sha="")
    elif target.sha:
        path, of = f"/repos/{target.repository}/commits/{target.sha}/comments", ""
    else:
        return NoAction("there is neither an issue nor a commit to comment on")
    body = {"body": summary_body(target.decision, target.marker, of=of)}
    return ActionPlan("comment", (ActionRequest("POST", path, body),), target.marker)


def _labels(target: _Target, event_type: str) -> ActionPlan | NoAction:
    if not _is_issue(event_type) or target.number is None:
        return NoAction("there is no issue to label")
    labels = _label_names(target.decision.fields.get("labels"))
    if not labels:
        return NoAction("no labels were decided")
    request = ActionRequest("POST", f"/repos/{target.repository}/issues/{target.number}/labels", {"labels": labels})
    return ActionPlan("labels", (request,))


def _status(target: _Target) -> ActionPlan | NoAction:
    if not target.sha:
        return NoAction("the head commit is not known")
    decision = target.decision
    body = {
        "state": commit_state(decision, target.settings),
        "context": f"gitbridge/{decision.kind}",
        "description": " ".join(clean(_told(decision), DESCRIPTION_MAX).split()),
    }
    return ActionPlan("status", (ActionRequest("POST", f"/repos/{target.repository}/statuses/{target.sha}", body),))


def _check_run(target: _Target) -> ActionPlan | NoAction:
    if not target.sha:
        return NoAction("the head commit is not known")
    decision = target.decision
    body = {
        "name": f"gitbridge/{decision.kind}",
        "head_sha": target.sha,
        "external_id": target.key,
        "status": "completed",
        "conclusion": conclusion(decision, target.settings),
        "output": {"title": " ".join(clean(_told(decision), DESCRIPTION_MAX).split()), "summary": summary_body(decision, target.marker)},
    }
    return ActionPlan("check_run", (ActionRequest("POST", f"/repos/{target.repository}/check-runs", body),), target.marker)


def _webhook(target: _Target) -> ActionPlan | NoAction:
    """What the configured receiver is told; where that is and how it is signed is for the sender."""
    decision = target.decision
    if not target.settings.webhook_url:
        return NoAction("actions.webhook_url is not set")
    told = {
        "event": decision.event_id,
        "run": decision.run,
        "decision": decision.id,
        "kind": decision.kind,
        "repository": target.repository,
        "number": target.number,
        "head_sha": target.sha,
        "state": decision.state.value,
        "verdict": decision.verdict,
        "votes": {"for": decision.agreement.verdict_k, "of": decision.agreement.verdict_n},
        "fields": decision.fields,
        "text": summary_body(decision, ""),
    }
    body = {"type": "gitbridge.decision", "timestamp": decision.created_at, "data": told}
    return ActionPlan("webhook", (ActionRequest("POST", target.settings.webhook_url, body),))


def with_comments_in_body(request: ActionRequest) -> ActionRequest:
    """A review without comments beside lines: the same with them in the text, cut at whole comments to fit."""
    if not request.body.get("comments"):
        return request
    text, _, marker = str(request.body["body"]).rpartition("\n\n")
    ending = f"\n\n{marker}"
    said = [block for block in text.split("\n\n") if not BESIDE.fullmatch(block)]
    # Cut already, it leaves no room for the words that say so: they go last.
    was_cut = [said.pop()] if said[-1:] == [LEFT_OUT] else []
    moved = [f"{code('{path}:{line}'.format(**one), 300)} · {one['body'].removesuffix(ending)}" for one in request.body["comments"]]
    body = fit(["\n\n".join(said), *moved, *was_cut], marker)
    return ActionRequest(request.method, request.path, {**request.body, "comments": [], "body": body})


def with_text(request: ActionRequest, text: str) -> ActionRequest:
    """The same with an operator's words for text; the marker stays, and none that stands in the words does.

    Raises:
        ValueError: the request has no text, or there are no words.
    """
    if not isinstance(request.body.get("body"), str):
        raise ValueError("there is no text to edit: this action posts none")
    marker = request.body["body"].rpartition("\n\n")[2]
    words = _MARKERS.sub("", plain(text)).strip()
    if not words:
        raise ValueError("the text is empty")
    if len(words) > TEXT_LIMIT:
        raise ValueError(f"the text has {len(words):,} characters, the host takes {TEXT_LIMIT:,}")
    return ActionRequest(request.method, request.path, {**request.body, "body": f"{words}\n\n{marker}"})


def text_of_request(request: ActionRequest) -> str:
    """The text of a request as an operator edits it, without the marker; empty where it posts none."""
    body = request.body.get("body")
    return body.rpartition("\n\n")[0] if isinstance(body, str) else ""


def _told(decision: Decision) -> str:
    agreement = decision.agreement
    told = f"{decision.verdict} ({agreement.verdict_k} of {agreement.verdict_n})"
    if decision.state is not DecisionState.COMPLETE:
        told += f", {decision.state.value}: {decision.answered} of {decision.seats} answered"
    return told


def _is_issue(event_type: str) -> bool:
    """Whether the event's number is that of an issue or pull request, which share one sequence; discussions have their own."""
    return event_type.startswith(("pull_request", "issue"))


def _label_names(value: object) -> list[str]:
    rows: Iterable[object] = value if isinstance(value, (list, tuple)) else ()
    names = (" ".join(clean(name, LABEL_MAX + 1).split()) for name in rows if isinstance(name, str))
    return list(dict.fromkeys(name for name in names if 0 < len(name) <= LABEL_MAX))[:LABELS_MAX]


def _can_be_commented(cluster: Cluster, files: Sequence[ChangedFile]) -> bool:
    """Whether the host would take a comment at this place: it refuses a whole review for one line outside the diff."""
    path = cluster.path
    if cluster.line <= 0 or not path or path.startswith("/") or ".." in path.split("/") or clean(path, 1000) != path or "\n" in path:
        return False
    if not files:
        return True
    changed = next((file for file in files if file.path == path), None)
    return changed is not None and (changed.patch is None or cluster.line in commentable_lines(changed.patch))


def commentable_lines(patch: str) -> frozenset[int]:
    """Line numbers of the new file that a unified diff shows, added or as context."""
    found: set[int] = set()
    line = end = 0
    for text in patch.split("\n"):
        if header := _HUNK.match(text):
            line = int(header[1])
            end = line + int(header[2] or 1)
        # An empty line is context whose space was stripped on the way.
        elif line < end and text[:1] in {"+", " ", ""}:
            found.add(line)
            line += 1
    return frozenset(found)
