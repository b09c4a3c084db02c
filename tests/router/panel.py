"""One event with its seats, seen from the outside: what each provider says is written, and the event decided."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from gitbridge_console.actions.outbox import Outbox
from gitbridge_console.actions.outgoing_webhook import OutgoingWebhook
from gitbridge_console.domain.decisions import Answer, AnswerStatus, Decision
from gitbridge_console.domain.event_views import EventDetail
from gitbridge_console.domain.events import IncomingEvent, Priority
from gitbridge_console.domain.tasks import Attempt, TaskState
from gitbridge_console.hosts.github_api import GitHubApi
from gitbridge_console.router.act_stage import ActionStage
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.decision_stage import DecisionStage
from gitbridge_console.settings.model import Settings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.host_board import HostBoard
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.outbox import OutboxStore
from gitbridge_console.store.outcomes import OutcomeStore
from gitbridge_console.store.reader import EventReader
from gitbridge_console.store.records import ClaimedJob, RoutePlan

PULL = {"action": "opened", "number": 7, "pull_request": {"head": {"sha": "a" * 40}}, "repository": {"id": 1, "full_name": "acme/shop"}}


class Panel:
    """One event with its seats, from the outside."""

    def __init__(self, queue: RedisEventQueue, reader: EventReader, router: AIRouter, metrics: Metrics, settings: Settings) -> None:
        self.queue, self.reader, self.settings = queue, reader, settings
        self.stage = DecisionStage(queue, reader, router, OutcomeStore(queue.client, queue.keys), metrics, lambda: self.settings)
        self.act = dry_stage(queue, reader, metrics, lambda: self.settings)
        self.id = ""

    async def open(self, diff: str | None = None, **plan: Any) -> None:
        event = IncomingEvent("d1", "pull_request", json.dumps(PULL).encode(), "test", diff=diff)
        self.id = (await self.queue.enqueue(event)).id
        own = {
            "kind": "code_review",
            "priority": Priority.NORMAL,
            "lanes": ("claude", "grok"),
            "quorum": 2,
            "grace_s": 15,
            "deadline_s": 120,
        }
        self._plan = RoutePlan(**(own | {"expires_s": 3600} | plan))
        await self.route()

    async def route(self) -> None:
        """To its panel: for the first time, or after a replay."""
        await self.queue.route(await self.claim("route"), self._plan)

    async def claim(self, lane: str) -> ClaimedJob:
        (job,) = (await self.queue.claim(lane, 1)).jobs
        return job

    async def says(
        self,
        lane: str,
        verdict: str | None = "approve",
        status: AnswerStatus = AnswerStatus.OK,
        findings: Sequence[dict[str, Any]] = (),
        payload: dict[str, Any] | None = None,
    ) -> None:
        job = await self.claim(lane)
        await self.queue.begin(job)
        payload = payload or {"findings": list(findings), "summary": "s", "verdict": verdict, "abstain_reason": None}
        await self.settle(job, verdict, payload, status)

    async def settle(self, job: ClaimedJob, verdict: str | None, payload: dict[str, Any], status: AnswerStatus = AnswerStatus.OK) -> None:
        """The answer to a question in hand."""
        answer = Answer(task_id=job.id, provider=job.lane, status=status, verdict=verdict, payload=payload)
        voted = status is AnswerStatus.OK and "q" not in job.header
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

    async def decision(self) -> Decision:
        """Decide it; what was decided."""
        event = await self.decide()
        assert event.decision is not None, event.state
        return event.decision

    async def shown(self) -> EventDetail:
        event = await self.reader.event_detail(self.id)
        assert event is not None
        return event


def dry_stage(queue: RedisEventQueue, reader: EventReader, metrics: Metrics, settings: Callable[[], Settings]) -> ActionStage:
    """A stage that could publish, but for the dry run; it has no credential either."""
    api = GitHubApi(lambda: settings().hosts.github, lambda: None)
    store = OutboxStore(queue.client, queue.partitions)
    board = HostBoard(queue.client, queue.keys, "github")
    outbox = Outbox(api, OutgoingWebhook(lambda: settings().actions), store, board, settings)
    return ActionStage(queue, reader, metrics, settings, store, outbox)


def with_kind(settings: Settings, **changes: Any) -> Settings:
    kind = settings.kinds["code_review"].model_copy(update=changes)
    return settings.model_copy(update={"kinds": {**settings.kinds, "code_review": kind}})
