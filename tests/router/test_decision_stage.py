"""What becomes of an event when its panel has answered, or has not."""

from __future__ import annotations

import json

import pytest

from gitbridge_console.domain.decisions import AnswerStatus
from gitbridge_console.domain.events import EventState
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.settings.routing import KindSettings
from gitbridge_console.store.replies import pack
from tests.headers import set_fields
from tests.router.panel import PULL, Panel, with_kind

pytestmark = pytest.mark.anyio


async def test_two_votes_decide_and_the_action_is_prepared_not_sent(panel: Panel) -> None:
    await panel.open()
    await panel.says("claude", "comment")
    await panel.says("grok", "comment")
    event = await panel.decide()
    assert event.state == "consensus_pending"
    await panel.act.work(await panel.claim("act"))
    event = await panel.shown()
    assert (event.state, event.decision and event.decision.state) == ("resolved", "complete")
    assert event.action is not None
    assert event.action["dry_run"] is True
    assert event.action["requests"][0]["path"] == "/repos/acme/shop/pulls/7/reviews"
    (row,) = await panel.reader.list_decisions()
    assert (row.event_id, row.state, row.verdict, row.agreement, row.needs_operator) == (panel.id, "complete", "comment", "2/2", False)


async def test_lists_name_the_types_of_conflicts_and_how_usual_the_agreement_is(panel: Panel) -> None:
    grave = {"path": "", "start_line": 0, "end_line": 0, "category": "bug", "body": "b", "evidence": "", "confidence": "low"}
    await panel.open()
    await panel.says("claude", "request_changes", findings=[grave | {"title": "tax is rounded twice", "severity": "medium"}])
    await panel.says("grok", "comment", findings=[grave | {"title": "orders are locked for minutes", "severity": "low"}])
    await panel.decide()
    (row,) = await panel.reader.list_decisions()
    assert (row.conflict_types, row.conflicts, row.band) == ("V", 1, "low")


async def test_what_was_decided_for_an_older_head_is_not_sent(panel: Panel) -> None:
    """An older head that was replayed after the newer one was through."""
    await panel.open(version=5, subject="pr:1:7")
    await panel.says("claude", "comment")
    await panel.says("grok", "comment")
    await panel.decide()
    at = {**PULL, "pull_request": {**PULL["pull_request"], "number": 7, "updated_at": "2026-11-22T21:00:00Z"}}  # type: ignore[dict-item]
    await panel.queue.client.set(panel.queue.keys.payload(panel.id), pack(json.dumps(at).encode()))
    await panel.queue.client.set(panel.queue.keys.newest_head("pr:1:7"), f"0000009900 {2**42}")
    await panel.act.work(await panel.claim("act"))
    event = await panel.shown()
    assert event.action is not None
    assert (event.state, event.action["requests"]) == ("resolved", [])
    assert event.action["reason"] == "stale: event 0000009900 has a newer head; replay that one"
    assert (event.action["conflict"]["type"], event.action["conflict"]["alternatives"]) == ("stale", ["replay", "post as outdated"])


async def test_a_kind_without_an_action_is_resolved_at_once(panel: Panel) -> None:
    panel.settings = with_kind(panel.settings, action="none")
    await panel.open()
    await panel.says("claude")
    await panel.says("grok")
    assert (await panel.decide()).state == "resolved"


async def test_after_an_abstention_the_reserve_steps_in_once(panel: Panel) -> None:
    await panel.open()
    await panel.says("claude", "comment")
    await panel.says("grok", "abstain", AnswerStatus.ABSTAIN)
    event = await panel.decide()
    assert [task.provider for task in event.tasks] == ["claude", "grok", "chatgpt"]
    await panel.says("chatgpt", "abstain", AnswerStatus.ABSTAIN)
    event = await panel.decide()
    assert event.state == "awaiting_approval"
    assert event.decision is not None
    assert event.decision.state == "degraded"


@pytest.mark.parametrize(("tokens", "asked"), [(1_000, ["claude", "grok", "chatgpt"]), (50_000, ["claude", "grok"])])
async def test_who_cannot_read_the_question_does_not_step_in(panel: Panel, router: AIRouter, tokens: int, asked: list[str]) -> None:
    state = router.states["chatgpt"]
    state.settings = state.settings.model_copy(update={"context_tokens": 20_000})
    await panel.open(tokens=tokens)
    await panel.says("claude", "comment")
    await panel.says("grok", "abstain", AnswerStatus.ABSTAIN)
    event = await panel.decide()
    assert [task.provider for task in event.tasks] == asked
    if len(asked) == 3:
        assert (await panel.claim("chatgpt")).number("tk") == tokens, "what a failover of the stand-in goes by"


async def test_what_one_refuses_is_not_passed_round(panel: Panel) -> None:
    await panel.open()
    await panel.says("claude", "comment")
    await panel.fails("grok", "policy", AnswerStatus.REFUSED)
    event = await panel.decide()
    assert [task.provider for task in event.tasks] == ["claude", "grok"]
    assert event.state == "awaiting_approval"


async def test_nobody_steps_in_when_the_deadline_is_near(panel: Panel) -> None:
    await panel.open(deadline_s=1)
    await panel.says("claude", "comment")
    await panel.fails("grok")
    assert (await panel.decide()).state == "awaiting_approval"


async def test_an_operator_can_be_asked_always(panel: Panel) -> None:
    panel.settings = with_kind(panel.settings, approval="operator")
    await panel.open()
    await panel.says("claude")
    await panel.says("grok")
    assert (await panel.decide()).state == "awaiting_approval"


async def test_at_the_deadline_it_is_decided_with_what_is_there(panel: Panel) -> None:
    panel.settings = with_kind(panel.settings, quorum=1)
    await panel.open(quorum=1)
    await panel.says("claude", "comment")
    await panel.due_now()
    event = await panel.decide()
    assert event.decision is not None
    assert event.decision.state == "partial"
    assert [task.state for task in event.tasks] == ["succeeded", "cancelled"]


async def test_with_no_answer_yet_it_is_parked_and_says_where_its_seats_wait(panel: Panel) -> None:
    await panel.open()
    await panel.due_now()
    event = await panel.decide()
    assert event.state == "parked"
    assert "seats wait in claude, grok" in event.timeline[-1].what
    await panel.says("claude")
    assert (await panel.shown()).state == "consensus_pending"


async def test_parked_for_too_long_it_fails_as_expired(panel: Panel) -> None:
    await panel.open()
    await set_fields(panel.queue, panel.id, ran=1)  # its run began long ago
    await panel.due_now()
    event = await panel.decide()
    assert event.error is not None
    assert (event.state, event.error.cls, event.error.code) == ("failed", "expired", "ERR_ROUTING_009")


async def test_when_everybody_failed_the_commonest_class_is_the_reason(panel: Panel) -> None:
    await panel.open()
    await panel.fails("claude", "silent")
    await panel.fails("grok", "silent")
    event = await panel.decide()
    assert event.error is not None
    assert (event.state, event.error.cls, event.error.code) == ("failed", "silent", "ERR_ROUTING_003")
    assert "nobody home" in event.error.message


async def test_when_everybody_abstained_it_is_resolved_without_an_action(panel: Panel) -> None:
    await panel.open()
    await panel.says("claude", "abstain", AnswerStatus.ABSTAIN)
    await panel.says("grok", "abstain", AnswerStatus.ABSTAIN)
    event = await panel.decide()
    assert (event.state, event.action) == ("resolved", None)
    assert "abstained" in event.reason


async def test_a_stale_fence_decides_nothing(panel: Panel) -> None:
    await panel.open()
    await panel.says("claude")
    await panel.says("grok")
    job = await panel.claim("decide")
    await panel.queue.cancel([panel.id], by="ana")
    await panel.stage.work(job)
    event = await panel.shown()
    assert (event.state, event.decision) == (EventState.CANCELLED, None)


def test_one_seat_kinds_have_a_quorum_of_one() -> None:
    assert KindSettings(seats=1, quorum=1).quorum == 1
    with pytest.raises(ValueError, match="quorum 2 is more than the 1 seats"):
        KindSettings(seats=1, quorum=2)
