"""What a panel at work would decide: from the answers that are there, for this run alone, and never once it is decided."""

from __future__ import annotations

import json

import pytest

from gitbridge_console.domain.decisions import Answer, AnswerStatus, Basis, DecisionState
from gitbridge_console.domain.event_views import EventDetail, TaskDetail, TimelineEntry
from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.domain.timestamps import ms_from_iso
from gitbridge_console.operations.operations import Operations
from gitbridge_console.operations.preview import is_growing, so_far
from gitbridge_console.settings.model import Settings
from gitbridge_console.store.records import RoutePlan
from gitbridge_console.store.store import Store
from tests.consensus.panels import finding, vote

pytestmark = pytest.mark.anyio

ROUTED = "2026-11-22T21:11:40.000Z"
NOW = ms_from_iso(ROUTED) + 34_000
GRAVE = finding("roundTax rounds twice", "high")


def task(number: int, provider: str, answer: Answer | None = None, **more: str) -> TaskDetail:
    state = "succeeded" if answer is not None else "in_progress"
    return TaskDetail.model_validate({"id": f"7.{number}", "provider": provider, "seat": provider, "state": state, "answer": answer} | more)


def at_work(*tasks: TaskDetail, **more: object) -> EventDetail:
    base = {
        "id": "7",
        "delivery": "d",
        "type": "pull_request",
        "repository": "acme/shop",
        "subject": "acme/shop#7",
        "kind": "code_review",
        "priority": "normal",
        "state": "consensus_pending",
        "received_at": "2026-11-22T21:00:00.000Z",
        "timeline": (TimelineEntry(at=ROUTED, what="routed claude, grok", by="router"),),
        "tasks": tasks,
    }
    return EventDetail.model_validate(base | more)


CLAUDE = task(1, "claude", vote("claude", "request_changes", [GRAVE]))


def test_who_is_still_out_is_pending_since_the_seats_were_given() -> None:
    found = so_far(at_work(CLAUDE, task(2, "grok")), {}, NOW, Settings(), Basis())
    assert found is not None
    assert [(a.provider, a.status, a.latency_ms) for a in found.answers if a.provider == "grok"] == [
        ("grok", AnswerStatus.PENDING, 34_000.0)
    ]
    assert (found.state, found.answered, found.seats) == (DecisionState.DEGRADED, 1, 2)
    assert [cluster.title for cluster in found.clusters] == ["roundTax rounds twice"]


def test_it_grows_with_each_answer() -> None:
    both = so_far(at_work(CLAUDE, task(2, "grok", vote("grok", "comment", [GRAVE]))), {}, NOW, Settings(), Basis())
    assert both is not None
    assert (both.clusters[0].k, both.state) == (2, DecisionState.COMPLETE)


def test_seats_of_an_earlier_run_and_hedges_and_second_questions_are_no_seats_of_the_panel() -> None:
    event = at_work(
        task(1, "grok", vote("grok", "approve")),
        CLAUDE.model_copy(update={"id": "7.2"}),
        task(3, "chatgpt", hedge_of="7.2"),
        task(4, "grok", asks="verify"),
    )
    found = so_far(event, {"first": "2"}, NOW, Settings(), Basis())
    assert found is not None
    assert [answer.provider for answer in found.answers] == ["claude"]
    assert "verify asked of grok: not back yet" in found.flags


def test_before_anybody_was_asked_there_is_nothing_to_show() -> None:
    assert so_far(at_work(CLAUDE), {"first": "2"}, NOW, Settings(), Basis()) is None
    assert not is_growing(at_work())


@pytest.mark.parametrize(
    ("state", "growing"),
    [("routed", True), ("consensus_pending", True), ("parked", True), ("resolved", False), ("awaiting_approval", False)],
)
def test_only_a_panel_at_work_grows(state: str, growing: bool) -> None:
    assert is_growing(at_work(CLAUDE, state=state)) is growing


def test_what_is_decided_but_not_yet_acted_on_grows_no_more_and_a_replay_does_again() -> None:
    decided = so_far(at_work(CLAUDE), {}, NOW, Settings(), Basis())
    assert not is_growing(at_work(CLAUDE, decision=decided))
    assert is_growing(at_work(CLAUDE, decision=decided, run=2))


async def test_an_event_whose_seats_are_out_has_a_preview_and_its_head(door: Operations, store: Store) -> None:
    pull = {"action": "opened", "number": 7, "pull_request": {"head": {"sha": "a" * 40}}, "repository": {"id": 1, "full_name": "acme/shop"}}
    event = await door.submit(IncomingEvent("d1", "pull_request", json.dumps(pull).encode(), "test", diff=""))
    (job,) = (await store.queue.claim("route", 1)).jobs
    plan = RoutePlan("code_review", Priority.NORMAL, ("claude", "grok"), quorum=2, grace_s=0, deadline_s=60, expires_s=600)
    assert await door.preview(await door.show_event(event.id)) is None
    await store.queue.route(job, plan)
    shown = await door.show_event(event.id)
    found = await door.preview(shown)
    assert shown.state == EventState.ROUTED
    assert shown.head_sha == "a" * 40
    assert found is not None
    assert {answer.status for answer in found.answers} == {AnswerStatus.PENDING}
    assert found.verdict == "none"
