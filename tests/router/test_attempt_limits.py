"""How often a seat asks, by the log of the wire: so many calls in all, so many of one provider, none past the deadline."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis

from gitbridge_console.domain.event_views import TaskDetail
from gitbridge_console.domain.events import IncomingEvent, Priority
from gitbridge_console.providers.registry import build_provider, import_sdks
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.task_processor import TaskProcessor
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.routing import KindSettings, ProviderSettings, RetrySettings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.reader import EventReader
from gitbridge_console.store.records import ClaimedJob, RoutePlan
from gitbridge_console.store.trouble import StoreTrouble
from tests.providers.wire import KEY, WIRES, Connection, Received, ScriptedServer, Wire, begin, refusing, scripted_server

pytestmark = pytest.mark.anyio

PUBLISHED = json.dumps({"action": "published", "repository": {"id": 1, "full_name": "acme/shop"}}).encode()
NAMES = ("first", "second", "third")
LOOKS_MAX = 20_000


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    import_sdks()


@pytest.fixture
async def servers() -> AsyncIterator[dict[str, ScriptedServer]]:
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(scripted_server()) for name in NAMES}


class Seat:
    """One seat that may go to three providers, worked on by hand; each provider speaks to a server of its own."""

    def __init__(
        self, wire: Wire, servers: dict[str, ScriptedServer], queue: RedisEventQueue, client: Redis, metrics: Metrics, **retry: Any
    ) -> None:
        own = {
            name: ProviderSettings(api=wire.api, model="m", base_url=server.origin + wire.prefix, timeout_stall_s=0.2)  # type: ignore[arg-type]
            for name, server in servers.items()
        }
        kinds = {"general": KindSettings(seats=1, quorum=1, prefer=NAMES)}
        self.settings = Settings(providers=own, kinds=kinds, retry=RetrySettings(backoff_base_s=0.001, backoff_cap_s=0.002, **retry))
        self.servers, self.queue = servers, queue
        self.router = AIRouter(self.settings, {name: build_provider(name, table, KEY) for name, table in own.items()}, seed=1)
        self.reader = EventReader(client, queue.keys)
        self.tasks = TaskProcessor(queue, self.router, metrics, StoreTrouble(), lambda: self.settings, seed=1)
        self.asked: list[str] = []

    def answer_all(self, script: Any) -> None:
        for name, server in self.servers.items():

            async def noting(connection: Connection, request: Received, name: str = name) -> None:
                self.asked.append(name)
                await script(connection, request)

            server.script = noting

    async def open(self, deadline_s: float = 120) -> None:
        await self.queue.enqueue(IncomingEvent("d1", "release", PUBLISHED, "test"))
        (job,) = (await self.queue.claim("route", 1)).jobs
        await self.queue.route(job, RoutePlan("general", Priority.NORMAL, ("first",), 1, 0, deadline_s, 3600))
        self.id = job.id

    async def next(self) -> ClaimedJob | None:
        """The seat, wherever it waits, as soon as it is due; ``None`` once it is over."""
        for _ in range(LOOKS_MAX):
            for name in NAMES:
                if jobs := (await self.queue.claim(name, 1)).jobs:
                    return jobs[0]
            if (await self.shown()).state in ("succeeded", "failed"):
                return None
        raise AssertionError("the seat neither comes due nor ends")

    async def shown(self) -> TaskDetail:
        event = await self.reader.event_detail(self.id)
        assert event is not None
        return event.tasks[0]


@pytest.fixture(params=WIRES, ids=[wire.api for wire in WIRES])
def wire(request: pytest.FixtureRequest) -> Wire:
    found: Wire = request.param
    return found


async def test_three_retries_are_four_requests_and_two_of_each_provider(
    wire: Wire, servers: dict[str, ScriptedServer], queue: RedisEventQueue, client: Redis, metrics: Metrics
) -> None:
    seat = Seat(wire, servers, queue, client, metrics)
    seat.answer_all(refusing(wire, 500, None, "api_error", "down"))
    await seat.open()
    while (job := await seat.next()) is not None:
        before = len(seat.asked)
        await seat.tasks.work(job)
        assert len(seat.asked) == before + 1, "one claim, one attempt"
    assert len(seat.asked) == 4
    assert seat.asked[:2] == ["first", "first"]
    assert len(set(seat.asked[2:])) == 1
    assert sum(len(server.received) for server in servers.values()) == 4
    shown = await seat.shown()
    assert (shown.state, len(shown.attempts), shown.calls) == ("failed", 4, 4)
    assert [attempt.verdict for attempt in shown.attempts] == ["retry", "fail_over", "retry", "give_up"]
    await seat.router.aclose()


async def test_after_the_last_attempt_the_seat_is_over_at_once(
    wire: Wire, servers: dict[str, ScriptedServer], queue: RedisEventQueue, client: Redis, metrics: Metrics
) -> None:
    seat = Seat(wire, servers, queue, client, metrics, attempts_max=1)
    seat.answer_all(refusing(wire, 429, None, "rate_limit_error", "slow down", {"retry-after": "60"}))
    await seat.open()
    job = await seat.next()
    assert job is not None
    await seat.tasks.work(job)
    assert (await seat.shown()).state == "failed"
    assert (await queue.stats(NAMES)).lanes["first"].waiting == 0
    await seat.router.aclose()


async def test_nothing_is_waited_for_past_the_deadline(
    wire: Wire, servers: dict[str, ScriptedServer], queue: RedisEventQueue, client: Redis, metrics: Metrics
) -> None:
    seat = Seat(wire, servers, queue, client, metrics)
    seat.answer_all(refusing(wire, 500, None, "api_error", "down"))
    await seat.open(deadline_s=30)
    for name in NAMES[1:]:
        seat.router.states[name].disabled = "no credit"
    seat.settings = seat.settings.model_copy(update={"retry": RetrySettings(backoff_base_s=60, backoff_cap_s=600)})
    seat.tasks._random.random = lambda: 0.999  # type: ignore[method-assign]
    job = await seat.next()
    assert job is not None
    await seat.tasks.work(job)
    assert (await seat.shown()).state == "failed", "a minute's wait would end after the event was decided"
    await seat.router.aclose()


async def test_the_time_an_attempt_gets_is_what_the_event_has_left(
    wire: Wire, servers: dict[str, ScriptedServer], queue: RedisEventQueue, client: Redis, metrics: Metrics
) -> None:
    seat = Seat(wire, servers, queue, client, metrics)

    async def endless(connection: Connection, request: Received) -> None:
        await begin(connection, wire, wire.opening)
        while True:
            await connection.chunk(wire.delta("x"))
            await asyncio.sleep(0.01)

    seat.answer_all(endless)
    await seat.open(deadline_s=600)
    job = await seat.next()
    assert job is not None
    deadline = await queue.begin(job)
    assert deadline is not None
    late = replace(job, event={**job.event, "state": "consensus_pending", "deadline": str(deadline)}, claimed_ms=deadline - 700)
    await seat.tasks.work(late)
    (attempt,) = (await seat.shown()).attempts
    assert attempt.outcome == "neutral", "it says nothing about the provider"
    assert 500 <= attempt.latency_ms < 2_000
    assert seat.router.gate("first").open
    await seat.router.aclose()
