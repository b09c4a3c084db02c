"""Two events beside each other: what they were asked with is among what may differ."""

from __future__ import annotations

from typing import Any

from gitbridge_console.domain.event_diff import differences
from gitbridge_console.domain.event_views import EventDetail, TaskDetail
from gitbridge_console.domain.tasks import Attempt

FACTS: dict[str, Any] = {
    "delivery": "d",
    "type": "pull_request",
    "repository": "acme/shop",
    "subject": "acme/shop#7",
    "kind": "code_review",
    "priority": "normal",
    "state": "resolved",
    "received_at": "2026-11-22T21:00:00Z",
    "payload_text": "{}",
}


def asked_with(event_id: str, *prompts: str) -> EventDetail:
    made: dict[str, Any] = {"provider": "claude", "model": "m", "started_at": "", "latency_ms": 1, "outcome": "ok", "verdict": "ok"}
    attempts = tuple(Attempt(**made, prompt=name) for name in prompts)
    seat = TaskDetail(id=f"{event_id}.1", provider="claude", seat="claude", state="succeeded", attempts=attempts)
    question = TaskDetail(id=f"{event_id}.2", provider="grok", seat="grok", state="succeeded", asks="verify", attempts=())
    return EventDetail(id=event_id, tasks=(seat, question), **FACTS)


def test_another_version_of_the_prompt_is_a_difference() -> None:
    old, new = asked_with("0100", "code_review@1.1", "code_review@1.1"), asked_with("0200", "code_review@1.strict-0f3a5c6d7e8b")
    assert list(differences(old, new)) == ["-prompt: code_review@1.1", "+prompt: code_review@1.strict-0f3a5c6d7e8b"]
    assert list(differences(old, asked_with("0300", "code_review@1.1"))) == []
    assert list(differences(old, asked_with("0300"))) == ["-prompt: code_review@1.1", "+prompt: -"]
