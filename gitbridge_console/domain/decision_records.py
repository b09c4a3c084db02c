"""What the log of decisions keeps: what was decided, an operator's word on it, what was done. Plain data; outside text stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitbridge_console.domain.decisions import Decision, Edit

SCHEMA = 1


def decision_record(decision: Decision, event: Mapping[str, str]) -> dict[str, Any]:
    """A decision with all it was made from; ``event`` says what it is about."""
    return {
        "type": "decision",
        "schema": SCHEMA,
        "at": decision.created_at,
        "event": {"id": decision.event_id, **event},
        "decision": decision.model_dump(mode="json", exclude={"feedback"}),
    }


def edit_record(decision: Decision, edit: Edit) -> dict[str, Any]:
    """An operator's word on a decision, and what it came to by it."""
    return {
        "type": "operator",
        "schema": SCHEMA,
        "at": edit.at,
        "event": {"id": decision.event_id},
        "decision_id": decision.id,
        "edit": edit.model_dump(mode="json"),
        "verdict": decision.verdict,
        "needs_operator": decision.needs_operator,
    }


def approval_record(event_id: str, *, at: str, by: str, approved: bool, note: str) -> dict[str, Any]:
    """An operator's leave to act, or refusal of it."""
    word = "approve" if approved else "reject"
    return {"type": "operator", "schema": SCHEMA, "at": at, "event": {"id": event_id}, "word": word, "by": by, "note": note}


def action_record(decision: Decision, action: Mapping[str, Any], *, at: str) -> dict[str, Any]:
    """What was done with a decision, or would have been."""
    return {
        "type": "action",
        "schema": SCHEMA,
        "at": at,
        "event": {"id": decision.event_id},
        "decision_id": decision.id,
        "action": dict(action),
    }
