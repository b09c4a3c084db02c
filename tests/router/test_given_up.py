"""An attempt that is cancelled: the socket closes at once, what it took is booked, and the cancellation goes its way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as StoreGone

from gitbridge_console.domain.events import IncomingEvent, Priority
from gitbridge_console.domain.failures import FailureClass
from gitbridge_console.domain.tasks import Attempt
from gitbridge_console.providers.registry import build_provider, import_sdks
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.attempt import Outcome
from gitbridge_console.router.guards import Question, reserve_all
from gitbridge_console.router.last_words import write_last_words
from gitbridge_console.router.task_processor import TaskProcessor
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.routing import ProviderSettings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.reader import EventReader
from gitbridge_console.store.records import ClaimedJob, RoutePlan
from gitbridge_console.store.trouble import StoreTrouble
from tests.providers.wire import ANTHROPIC, KEY, PIECES, Connection, Received, ScriptedServer, answering, begin, scripted_server

pytestmark = pytest.mark.anyio

PUBLISHED = json.dumps({"action": "published", "repository": {"id": 1, "full_name": "acme/shop"}}).encode()
NOTED = json.dumps({"summary": "s", "verdict": "noted", "abstain_reason": None})
PLAN = RoutePlan("general", Priority.NORMAL, ("claude",), quorum=1, grace_s=0, deadline_s=120, expires_s=3600)


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    import_sdks(["anthropic"])


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as scripted:
        yield scripted


class Ledger:
    """A guard that keeps what it is settled with."""

    def __init__(self) -> None:
        self.settled: list[Outcome | None] = []

    async def reserve(self, question: Question) -> Ledger:
        return self

    async def settle(self, outcome: Outcome | None) -> None:
        self.settled.append(outcome)


class Desk:
    """One seat whose provider is the scripted server, asked by a real client."""

    def __init__(self, server: ScriptedServer, queue: RedisEventQueue, client: Redis, metrics: Metrics) -> None:
        own = ProviderSettings(api="anthropic", model="claude-sonnet-5-5", base_url=server.origin, timeout_total_s=30)
        settings = Settings(providers={**Settings().providers, "claude": own})
        self.server, self.queue, self.metrics, self.ledger = server, queue, metrics, Ledger()
        self.router = AIRouter(settings, {"claude": build_provider("claude", own, KEY)}, seed=1)
        self.reader = EventReader(client, queue.keys)
        self.tasks = TaskProcessor(queue, self.router, metrics, StoreTrouble(), lambda: settings, guards=[self.ledger], seed=1)
        self.first_token = asyncio.Event()

    async def seat(self) -> ClaimedJob:
        await self.queue.enqueue(IncomingEvent("d1", "release", PUBLISHED, "test"))
        (event,) = (await self.queue.claim("route", 1)).jobs
        await self.queue.route(event, PLAN)
        (job,) = (await self.queue.claim("claude", 1)).jobs
        return job

    async def asked(self) -> tuple[ClaimedJob, asyncio.Task[None]]:
        """A seat whose answer has begun and does not go on."""

        async def script(connection: Connection, request: Received) -> None:
            await begin(connection, ANTHROPIC, ANTHROPIC.opening, ANTHROPIC.delta(PIECES[0]))
            await connection.silence()

        self.server.script = script
        job = await self.seat()
        provider: Any = self.router.states["claude"].provider
        make = provider.collector

        def collector() -> Any:
            made = make()
            feed = made.feed

            def feed_and_tell(event: dict[str, Any]) -> None:
                feed(event)
                if made.started:
                    self.first_token.set()

            made.feed = feed_and_tell
            return made

        provider.collector = collector
        work = asyncio.create_task(self.tasks.work(job))
        async with asyncio.timeout(20):
            await self.first_token.wait()
        return job, work

    async def attempts(self, job: ClaimedJob) -> tuple[Attempt, ...]:
        event = await self.reader.event_detail(job.event_id)
        assert event is not None
        return event.tasks[0].attempts


@pytest.fixture
async def desk(server: ScriptedServer, queue: RedisEventQueue, client: Redis, metrics: Metrics) -> AsyncIterator[Desk]:
    made = Desk(server, queue, client, metrics)
    yield made
    await made.router.aclose()


async def cancelled(work: asyncio.Task[None]) -> bool:
    work.cancel()
    await asyncio.wait([work], timeout=20)
    return work.cancelled()


async def test_the_socket_closes_and_what_was_spent_is_on_the_tasks_record(desk: Desk) -> None:
    job, work = await desk.asked()
    assert await cancelled(work)
    async with asyncio.timeout(5):
        await desk.server.connections[0].client_left.wait()
    (attempt,) = await desk.attempts(job)
    assert (attempt.outcome, attempt.verdict, attempt.http_status, attempt.request_id) == ("neutral", "cancelled", 200, "req_1")
    assert (attempt.tokens_in, attempt.tokens_cached) == (1000, 200)
    assert attempt.cost_usd is not None
    event = await desk.reader.event_detail(job.event_id)
    assert event is not None
    assert (event.tasks[0].calls, event.tasks[0].state) == (1, "in_progress")


async def test_it_counts_in_the_metrics_and_for_the_guards_but_not_against_the_provider(desk: Desk) -> None:
    _, work = await desk.asked()
    assert await cancelled(work)
    (outcome,) = desk.ledger.settled
    assert outcome is not None
    assert outcome.failure is not None
    assert (outcome.failure.cls, outcome.attempt.tokens_in) == (FailureClass.NEUTRAL, 1000)
    state = desk.router.states["claude"]
    assert (state.in_flight, state.breaker.failures, desk.router.gate("claude").open) == (0, 0, True)
    await desk.metrics.flush()
    window = (await desk.metrics.read()).providers["claude"]
    assert (window.calls_1m, window.tokens_in, window.errors_by_class, window.error_rate) == (1, 1000, {}, 0.0)


async def test_a_task_that_was_taken_away_has_its_attempt_booked_all_the_same(desk: Desk) -> None:
    job, work = await desk.asked()
    await desk.queue.cancel([job.event_id], by="ana")
    assert await cancelled(work)
    (attempt,) = await desk.attempts(job)
    assert (attempt.verdict, attempt.tokens_in) == ("cancelled", 1000)


async def test_what_was_never_sent_is_no_attempt(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    job, begun = await desk.seat(), asyncio.Event()

    async def begin_and_wait(job: ClaimedJob) -> int:
        begun.set()
        await asyncio.Event().wait()
        return 1

    monkeypatch.setattr(desk.queue, "begin", begin_and_wait)
    work = asyncio.create_task(desk.tasks.work(job))
    await begun.wait()
    assert await cancelled(work)
    assert (await desk.attempts(job), desk.ledger.settled, desk.server.received) == ((), [None], [])


async def test_a_store_that_does_not_answer_keeps_the_cancellation_for_a_bounded_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    _, work = await desk.asked()
    monkeypatch.setattr("gitbridge_console.router.last_words.LAST_WORDS_S", 0.05)

    async def never(job: ClaimedJob, attempt: str) -> bool:
        await asyncio.Event().wait()
        return True

    monkeypatch.setattr(desk.queue, "book_attempt", never)
    assert await cancelled(work)


class Hanging:
    """A guard that does not come back, once it reserves or once it settles."""

    def __init__(self, where: str) -> None:
        self.where, self.begun = where, asyncio.Event()
        self.go_on = asyncio.Event()

    async def reserve(self, question: Question) -> Hanging:
        await self._hang("reserve")
        return self

    async def settle(self, outcome: Outcome | None) -> None:
        await self._hang("settle")

    async def _hang(self, where: str) -> None:
        if where == self.where:
            self.begun.set()
            await self.go_on.wait()


async def test_what_was_set_aside_is_given_back_when_it_is_cancelled_at_the_next_guard() -> None:
    ledger, hanging = Ledger(), Hanging("reserve")
    asking = asyncio.create_task(reserve_all([ledger, hanging], Question("1.1", "claude", 1, 1, Priority.NORMAL)))
    await hanging.begun.wait()
    assert await cancelled(asking)
    assert ledger.settled == [None]


async def test_an_answer_whose_seat_is_cancelled_while_it_is_settled_is_booked_everywhere(desk: Desk) -> None:
    hanging = Hanging("settle")
    desk.tasks = TaskProcessor(
        desk.queue, desk.router, desk.metrics, StoreTrouble(), desk.tasks._settings, guards=[hanging, desk.ledger], seed=1
    )
    desk.server.script = answering(ANTHROPIC, pieces=(NOTED,))
    job = await desk.seat()
    work = asyncio.create_task(desk.tasks.work(job))
    async with asyncio.timeout(20):
        await hanging.begun.wait()
    work.cancel()
    await asyncio.sleep(0)
    hanging.go_on.set()
    await asyncio.wait([work], timeout=20)
    assert work.cancelled()
    (outcome,) = desk.ledger.settled
    assert outcome is not None
    assert outcome.failure is None
    (attempt,) = await desk.attempts(job)
    assert (attempt.outcome, attempt.verdict) == ("ok", "cancelled")
    await desk.metrics.flush()
    assert (await desk.metrics.read()).providers["claude"].calls_1m == 1


async def test_last_words_are_finished_though_the_task_is_cancelled_again() -> None:
    begun, go_on, written = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await go_on.wait()
        written.set()

    async def cancelled_task() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await write_last_words(work(), StoreTrouble(), 20)

    task = asyncio.create_task(cancelled_task())
    await asyncio.sleep(0)
    task.cancel()
    await begun.wait()
    task.cancel()
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.wait([task], timeout=20)
    assert task.cancelled()
    assert written.is_set()


async def test_a_store_that_is_away_is_reported_and_raises_nothing() -> None:
    trouble = StoreTrouble()

    async def work() -> None:
        raise StoreGone("gone")

    await write_last_words(work(), trouble)
    assert trouble.last_error == "gone"
