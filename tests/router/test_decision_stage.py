"""What becomes of an event when its panel has answered, or has not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gitbridge_console.domain.decisions import Answer, AnswerStatus
from gitbridge_console.domain.event_views import EventDetail
from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.domain.tasks import Attempt, TaskState
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.decision_stage import ActionStage, DecisionStage
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.routing import KindSettings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.outcomes import OutcomeStore
from gitbridge_console.store.reader import EventReader
from gitbridge_console.store.records import ClaimedJob, RoutePlan

pytestmark = pytest.mark.anyio

PULL = {"action": "opened", "number": 7, "pull_request": {"head": {"sha": "a" * 40}}, "repository": {"id": 1, "full_name": "acme/shop"}}


class Panel:
    """One event with its seats, from the outside."""

    def __init__(self, queue: RedisEventQueue, reader: EventReader, router: AIRouter, metrics: Metrics, settings: Settings) -> None:
        self.queue, self.reader, self.settings = queue, reader, settings
        self.stage = DecisionStage(queue, reader, router, OutcomeStore(queue.client, queue.keys), metrics, lambda: self.settings)
        self.act = ActionStage(queue, reader, metrics, lambda: self.settings)
        self.id = ""

    async def open(self, **plan: Any) -> None:
        event = IncomingEvent("d1", "pull_request", json.dumps(PULL).encode(), "test")
        self.id = (await self.queue.enqueue(event)).id
        own = {
            "kind": "code_review",
            "priority": Priority.NORMAL,
            "lanes": ("claude", "grok"),
            "quorum": 2,
            "grace_s": 15,
            "deadline_s": 120,
        }
        await self.queue.route(await self.claim("route"), RoutePlan(**(own | {"expires_s": 3600} | plan)))

    async def claim(self, lane: str) -> ClaimedJob:
        (job,) = (await self.queue.claim(lane, 1)).jobs
        return job

    async def says(self, lane: str, verdict: str | None = "approve", status: AnswerStatus = AnswerStatus.OK) -> None:
        job = await self.claim(lane)
        await self.queue.begin(job)
        payload = {"findings": [], "summary": "s", "verdict": verdict, "abstain_reason": None}
        answer = Answer(task_id=job.id, provider=lane, status=status, verdict=verdict, payload=payload)
        voted = status is AnswerStatus.OK
        await self.queue.settle_task(job, TaskState.SUCCEEDED, answer=answer.model_dump_json(), vote=voted)

    async def fails(self, lane: str, outcome: str = "silent", status: AnswerStatus = AnswerStatus.TIMEOUT) -> None:
        job = await self.claim(lane)
        await self.queue.begin(job)
        attempt = Attempt(
            provider=lane,
            model="m",
            started_at="2026-11-22T21:00:00Z",
            latency_ms=1,
            outcome=outcome,
            verdict="give_up",
            message="nobody home",
        )
        answer = Answer(task_id=job.id, provider=lane, status=status, reason="nobody home")
        await self.queue.settle_task(
            job, TaskState.FAILED, attempt=attempt.model_dump_json(), answer=answer.model_dump_json(), error_class=outcome
        )

    async def decide(self) -> EventDetail:
        await self.stage.work(await self.claim("decide"))
        return await self.shown()

    async def due_now(self) -> None:
        """As if the deadline had come."""
        await self.queue.client.zadd(self.queue.keys.waiting("decide"), {self.id: 1})

    async def shown(self) -> EventDetail:
        event = await self.reader.event_detail(self.id)
        assert event is not None
        return event


@pytest.fixture
def panel(queue: RedisEventQueue, reader: EventReader, router: AIRouter, metrics: Metrics, settings: Settings) -> Panel:
    return Panel(queue, reader, router, metrics, settings)


def with_kind(settings: Settings, **changes: Any) -> Settings:
    kind = settings.kinds["code_review"].model_copy(update=changes)
    return settings.model_copy(update={"kinds": {**settings.kinds, "code_review": kind}})


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
    await panel.queue.client.hset(panel.queue.keys.job(panel.id), "ran", "1")  # its run began long ago
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
