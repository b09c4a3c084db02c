"""How far an action may go, whatever was decided. Pure; everything that becomes a review or a check asks here.

A review comments. It requests changes only where the settings allow it and two vendors voted so, and it approves only by
an operator's word. Nothing blocks a merge unless the settings say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from gitbridge_console.domain.decisions import AnswerStatus, Decision
from gitbridge_console.settings.model import ActionSettings

ReviewEvent = Literal["COMMENT", "REQUEST_CHANGES", "APPROVE"]
ReviewWord = Literal["", "comment", "request_changes", "approve"]
"""What an operator may say a review is; empty: as the settings and the panel have it."""
REVIEW_WORDS: tuple[ReviewWord, ...] = ("comment", "request_changes", "approve")

PASSES = frozenset({"approve", "comment", "ok", "up_to_date", "triaged"})
FAILS = frozenset({"request_changes", "reject", "alert", "needs_update", "needs_info"})

BLOCKING = frozenset({"failure", "error"})
"""States of a commit status and conclusions of a check run that keep a merge back where they are required."""


def review_event(decision: Decision, settings: ActionSettings, word: ReviewWord = "") -> ReviewEvent:
    """What a review of this decision is; ``word`` is an operator's, never a panel's."""
    if word == "approve":
        return "APPROVE"
    if word == "request_changes":
        return "REQUEST_CHANGES"
    if word == "" and settings.request_changes and decision.verdict == "request_changes" and vendors_behind(decision) >= 2:
        return "REQUEST_CHANGES"
    return "COMMENT"


def may_send(body: Mapping[str, object], *, approved: bool, settings: ActionSettings) -> bool:
    """Whether a request may go out, asked once more right before it does: settings may be others than when it was made."""
    event = body.get("event")
    if event == "APPROVE":
        return approved
    if event == "REQUEST_CHANGES":
        return approved or settings.request_changes
    blocks = body.get("state") in BLOCKING or body.get("conclusion") in BLOCKING
    return not blocks or approved or settings.may_block


def vendors_behind(decision: Decision) -> int:
    """How many vendors voted for the verdict: two providers of one vendor are one voice."""
    votes = (one for one in decision.answers if one.status is AnswerStatus.OK and one.verdict == decision.verdict and not one.late)
    return len({answer.vendor or answer.provider for answer in votes})


def commit_state(decision: Decision, settings: ActionSettings) -> Literal["success", "failure", "error"]:
    """State of a commit status: it has no neutral one, so what may not block is a success that says the verdict in words."""
    if decision.verdict in PASSES or not settings.may_block:
        return "success"
    return "failure" if decision.verdict in FAILS else "error"


def conclusion(decision: Decision, settings: ActionSettings) -> Literal["neutral", "success", "failure"]:
    """Conclusion of a check run."""
    if not settings.may_block:
        return "neutral"
    return "success" if decision.verdict in PASSES else "failure" if decision.verdict in FAILS else "neutral"
