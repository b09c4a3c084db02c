"""What a head commit shows of an event on its way: queued, running, done. Pure; as a commit status, or as a check run.

It never blocks anything: an event that ends without a decision leaves a success or a neutral conclusion with the reason in words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from gitbridge_console.actions.outside_text import clean
from gitbridge_console.actions.requests import DESCRIPTION_MAX, ActionRequest
from gitbridge_console.domain.events import FINISHED_STATES, GITHUB, EventFacts, EventState
from gitbridge_console.domain.names import REPOSITORY, SHA

Stage = Literal["queued", "running", "waiting", "done"]

_RUNNING = frozenset({EventState.CONSENSUS_PENDING.value})
_WORDS: Mapping[Stage, str] = {"queued": "queued", "running": "reviewers are asked", "waiting": "an operator decides", "done": "done"}


def watchable(facts: EventFacts, kind: str) -> dict[str, Any] | None:
    """What is kept of an event to tell its host how far it is; ``None`` where it has no commit that could show it."""
    if facts.host != GITHUB:
        return None  # nobody writes to other hosts, and a repository there may bear the name of one here
    if not REPOSITORY.fullmatch(facts.repository) or not SHA.fullmatch(facts.head_sha) or not re.fullmatch(r"[a-z_]{1,40}", kind):
        return None
    number = facts.number if facts.number is not None and facts.number > 0 else 0
    return {
        "repository": facts.repository,
        "sha": facts.head_sha,
        "kind": kind,
        "key": f"{facts.repository}#{number}:{kind}:{facts.head_sha}",
    }


def stage_of(state: str) -> Stage:
    """How far an event in this state is."""
    if state in FINISHED_STATES:
        return "done"
    if state == EventState.AWAITING_APPROVAL:
        return "waiting"
    return "running" if state in _RUNNING else "queued"


def progress_request(about: Mapping[str, Any], stage: Stage, how: Literal["status", "check_run"], end: str = "") -> ActionRequest:
    """The request that says it; ``end`` is how it ended, in words."""
    told = " ".join(clean(f"{_WORDS[stage]}: {end}" if end else _WORDS[stage], DESCRIPTION_MAX).split())
    name, repository = f"gitbridge/{about['kind']}", about["repository"]
    if how == "status":
        state = "success" if stage == "done" else "pending"
        return ActionRequest("POST", f"/repos/{repository}/statuses/{about['sha']}", {"state": state, "context": name, "description": told})
    status = {"queued": "queued", "running": "in_progress", "waiting": "in_progress", "done": "completed"}[stage]
    body: dict[str, Any] = {"name": name, "head_sha": about["sha"], "external_id": about["key"], "status": status}
    body |= {"output": {"title": told, "summary": told}} | ({"conclusion": "neutral"} if stage == "done" else {})
    return ActionRequest("POST", f"/repos/{repository}/check-runs", body)
