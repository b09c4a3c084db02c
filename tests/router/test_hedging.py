"""When a second provider is asked because the first takes long: the rules by example and by property, and a slow call hedged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from gitbridge_console.domain.event_views import EventDetail, TaskDetail
from gitbridge_console.domain.events import IncomingEvent, Priority
from gitbridge_console.domain.failures import Failure, FailureClass
from gitbridge_console.providers.base import ProviderError, ProviderReply, ProviderRequest, Usage
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.decision_stage import DecisionStage
from gitbridge_console.router.hedger import Hedger
from gitbridge_console.router.hedging import HedgeShare, Latencies, hedge_delay_s, one_per_seat
from gitbridge_console.router.lane import Lane
from gitbridge_console.router.leases import LeaseKeeper
from gitbridge_console.router.task_processor import TaskProcessor
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.routing import HedgingSettings, KindSettings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.outcomes import OutcomeStore
from gitbridge_console.store.reader import EventReader
from gitbridge_console.store.records import ClaimedJob, RoutePlan
from gitbridge_console.store.trouble import StoreTrouble
from gitbridge_console.store.wakeups import Wakeups

PUBLISHED = json.dumps({"action": "published", "repository": {"id": 1, "full_name": "acme/shop"}}).encode()
NOTED = json.dumps({"summary": "s", "verdict": "noted", "abstain_reason": None})
PATIENCE_S = 20.0


@given(st.lists(st.floats(0, 1e6), max_size=60), st.integers(1, 20), st.floats(50, 99.9))
def test_the_percentile_is_that_of_the_newest_by_nearest_rank(given_: list[float], most: int, percent: float) -> None:
    kept = Latencies(most)
    for seconds in given_:
        kept.add(seconds)
    newest = given_[-most:]
    found = kept.percentile(percent)
    assert len(kept) == len(newest)
    if found is None:
        assert not newest
        return
    assert sum(value <= found for value in newest) >= len(newest) * percent / 100 - 1e-6
    assert sum(value < found for value in newest) < len(newest) * percent / 100 + 1e-6


def test_too_few_samples_say_nothing() -> None:
    kept = Latencies()
    for n in range(49):
        kept.add(float(n))
    assert hedge_delay_s(kept, 50, 95) is None
    kept.add(49.0)
    assert hedge_delay_s(kept, 50, 95) == 47.0
    assert hedge_delay_s(None, 50, 95) is None


@given(st.lists(st.booleans(), max_size=400), st.floats(0.0, 1.0))
def test_hedges_never_pass_their_share_of_calls(wishes: list[bool], share_max: float) -> None:
    share, hedges = HedgeShare(), 0
    for calls, wish in enumerate(wishes, 1):
        share.called(share_max)
        hedges += wish and share.take()
        assert hedges <= share_max * calls + 1e-6


def test_a_twentieth_is_one_in_twenty() -> None:
    share = HedgeShare()
    made = 0
    for _ in range(200):
        share.called(0.05)
        made += share.take()
    assert made == 10


def task(id_: str, state: str, hedge_of: str = "") -> TaskDetail:
    return TaskDetail(id=id_, provider=id_, seat=id_, state=state, hedge_of=hedge_of)


@pytest.mark.parametrize(
    ("seat", "hedge", "counts"),
    [
        ("succeeded", "cancelled", "a"),
        ("cancelled", "succeeded", "b"),
        ("in_progress", "queued", "a"),
        ("in_progress", "failed", "a"),
        ("failed", "in_progress", "b"),
        ("failed", "failed", "a"),
        ("failed", "succeeded", "b"),
        ("cancelled", "cancelled", "a"),
    ],
)
def test_of_a_seat_and_its_hedge_one_counts(seat: str, hedge: str, counts: str) -> None:
    others = [task("x", "succeeded"), task("y", "failed")]
    panel = [others[0], task("a", seat), others[1], task("b", hedge, "a")]
    assert [found.id for found in one_per_seat(panel)] == ["x", counts, "y"]


class Told:
    """A provider that answers when it may, and fails where told so."""

    def __init__(self, name: str) -> None:
        self.name = self.model = name
        self.calls = 0
        self.may_answer = asyncio.Event()
        self.failure: Failure | None = None

    async def ask(self, request: ProviderRequest, *, timeout_s: float) -> ProviderReply:
        self.calls += 1
        if request.spent is not None:
            request.spent.sent, request.spent.usage = True, Usage(7)
        await self.may_answer.wait()
        if self.failure is not None:
            raise ProviderError(self.failure)
        return ProviderReply(NOTED, self.model, "stop", Usage(7, 3), None, 200, 1.0, 1.0)

    async def list_models(self, *, timeout_s: float = 10.0) -> list[str]:
        return [self.model]

    async def aclose(self) -> None:
        return None


class House:
    """Two lanes at work, whose provider ``grok`` usually answers within a hundredth of a second."""

    def __init__(self, queue: RedisEventQueue, client: Redis, wake: Redis, metrics: Metrics) -> None:
        kinds = {**Settings().kinds, "general": KindSettings(seats=1, quorum=1, prefer=("grok",), reserve=("claude", "chatgpt"))}
        self.settings = Settings(kinds=kinds, hedging=HedgingSettings(kinds=("general",), share_max=1.0))
        self.queue, self.metrics, self.allowed = queue, metrics, True
        self.providers = {name: Told(name) for name in ("grok", "claude", "chatgpt")}
        self.router = AIRouter(self.settings, self.providers, seed=1)
        self.router.states["chatgpt"].disabled = "no credit"
        self.trouble, self.reader = StoreTrouble(), EventReader(client, queue.keys)
        self.hedger = Hedger(
            queue, self.router, metrics, self.trouble, lambda: self.settings.hedging, may_hedge=lambda provider: self.allowed
        )
        self.tasks = TaskProcessor(queue, self.router, metrics, self.trouble, lambda: self.settings, hedger=self.hedger, seed=1)
        self.decide = DecisionStage(queue, self.reader, self.router, OutcomeStore(queue.client, queue.keys), metrics, lambda: self.settings)
        self.wakeups = Wakeups(wake, queue.keys)
        self.leases = LeaseKeeper(queue, self.trouble, self.wakeups)
        for _ in range(50):
            self.hedger.answered("grok", "general", 0.01)
        self.running: list[asyncio.Task[Any]] = []

    def start(self, *lanes: str) -> None:
        self.running += [asyncio.create_task(self.wakeups.listen()), asyncio.create_task(self.leases.run())]
        for name in lanes or ("grok", "claude"):
            lane = Lane(
                name,
                self.tasks.work,
                queue=self.queue,
                leases=self.leases,
                wakeups=self.wakeups,
                trouble=self.trouble,
                slots=lambda: 4,
            )
            self.running.append(asyncio.create_task(lane.run()))

    async def submit(self) -> str:
        event_id = (await self.queue.enqueue(IncomingEvent("d1", "release", PUBLISHED, "test"))).id
        (job,) = (await self.queue.claim("route", 1)).jobs
        plan = RoutePlan("general", Priority.NORMAL, ("grok",), quorum=1, grace_s=0, deadline_s=120, expires_s=3600)
        await self.queue.route(job, plan)
        return event_id

    async def shown(self, event_id: str) -> EventDetail:
        event = await self.reader.event_detail(event_id)
        assert event is not None
        return event

    async def decided(self) -> ClaimedJob:
        """The event as soon as all of its panel is there."""
        async with asyncio.timeout(PATIENCE_S):
            while not (jobs := (await self.queue.claim("decide", 1)).jobs):
                await asyncio.sleep(0.005)
        return jobs[0]

    async def hedges(self) -> int:
        await self.metrics.flush()
        return (await self.metrics.read()).counts.get("hedges", 0)


@pytest.fixture
async def house(queue: RedisEventQueue, client: Redis, valkey_url: str, metrics: Metrics) -> AsyncIterator[House]:
    made = House(queue, client, Redis.from_url(valkey_url), metrics)
    yield made
    for task_ in made.running:
        task_.cancel()
    await asyncio.wait(made.running, timeout=PATIENCE_S) if made.running else None
    await made.wakeups.aclose()


Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


@pytest.mark.anyio
async def test_a_slow_call_is_hedged_and_the_loser_is_cancelled_and_booked(house: House, eventually: Eventually) -> None:
    event_id = await house.submit()
    house.start()

    async def both_asked() -> bool:
        return (house.providers["grok"].calls, house.providers["claude"].calls) == (1, 1)

    await eventually(both_asked)
    house.providers["claude"].may_answer.set()
    await house.decide.work(await house.decided())
    event = await house.shown(event_id)
    assert event.decision is not None
    assert (event.state, event.decision.seats, event.decision.state) == ("resolved", 1, "complete")
    assert [(found.provider, found.state, found.hedge_of) for found in event.tasks] == [
        ("grok", "cancelled", ""),
        ("claude", "succeeded", event.tasks[0].id),
    ]

    async def booked() -> bool:
        return bool((await house.shown(event_id)).tasks[0].attempts)

    # Long before the next extend would have told: a lease is 30 s.
    async with asyncio.timeout(8):
        await eventually(booked)
    (lost,) = (await house.shown(event_id)).tasks[0].attempts
    assert (lost.outcome, lost.verdict, lost.tokens_in, lost.tokens_out) == ("neutral", "cancelled", 7, None)
    assert house.router.states["grok"].in_flight == 0
    assert await house.hedges() == 1


@pytest.mark.anyio
async def test_when_both_fail_the_seat_fails_once(house: House, eventually: Eventually) -> None:
    for provider in house.providers.values():
        provider.failure = Failure(FailureClass.CALLER_FAULT, "bad request")
    event_id = await house.submit()
    house.start()

    async def both_asked() -> bool:
        return house.providers["claude"].calls == 1

    await eventually(both_asked)
    house.providers["claude"].may_answer.set()

    async def one_failed() -> bool:
        return "failed" in [found.state for found in (await house.shown(event_id)).tasks]

    await eventually(one_failed)
    assert (await house.queue.claim("decide", 1)).jobs == ()
    house.providers["grok"].may_answer.set()
    await house.decide.work(await house.decided())
    event = await house.shown(event_id)
    assert (event.state, [found.state for found in event.tasks]) == ("failed", ["failed", "failed"])
    assert event.decision is not None
    assert event.decision.seats == 1


async def _slow_without_hedge(house: House, eventually: Eventually) -> None:
    """The seat is answered after ten times its usual time, and nobody else was asked."""
    event_id = await house.submit()
    house.start("grok")

    async def asked() -> bool:
        return house.providers["grok"].calls == 1

    await eventually(asked)
    watches = [watch for watch in asyncio.all_tasks() if watch.get_name().startswith("hedge of")]
    if watches:
        done, _ = await asyncio.wait(watches, timeout=PATIENCE_S)
        assert len(done) == len(watches), "whoever watches the call has seen that it is slow, and let it be"
    house.providers["grok"].may_answer.set()
    await house.decided()
    assert len((await house.shown(event_id)).tasks) == 1
    assert await house.hedges() == 0


@pytest.mark.anyio
@pytest.mark.parametrize("why", ["off", "too little known", "no share", "no retry tokens", "half-open", "other half-open", "nobody"])
async def test_no_hedge_is_made(house: House, eventually: Eventually, why: str) -> None:
    hedging = house.settings.hedging
    if why == "off":
        hedging = HedgingSettings()
    elif why == "too little known":
        hedging = hedging.model_copy(update={"samples_min": 51})
    elif why == "no share":
        hedging = hedging.model_copy(update={"share_max": 0.0})
    elif why == "no retry tokens":
        house.allowed = False
    elif why == "nobody":
        house.router.states["claude"].disabled = "no credit"
    else:
        name = "grok" if why == "half-open" else "claude"
        breaker = house.router.states[name].breaker
        for _ in range(5):
            admission = breaker.admit(0.0, 1.0)
            assert admission is not None
            breaker.failed(admission, 0.0, "transient")
        breaker.open_until = 0.0
        assert house.router.gate(name).open
    house.settings = house.settings.model_copy(update={"hedging": hedging})
    await _slow_without_hedge(house, eventually)


@pytest.mark.anyio
async def test_a_quick_call_is_not_hedged(house: House) -> None:
    house.providers["grok"].may_answer.set()
    await house.submit()
    house.start("grok")
    await house.decided()
    assert await house.hedges() == 0


@pytest.mark.anyio
async def test_calls_of_the_other_half_count_for_the_limit_of_the_seat(house: House) -> None:
    await house.submit()
    (job,) = (await house.queue.claim("grok", 1)).jobs
    house.providers["grok"].failure = Failure(FailureClass.TRANSIENT, "502")
    house.providers["grok"].may_answer.set()
    await house.tasks.work(replace(job, header={**job.header, "ca": "1", "cx": "2"}))
    event = await house.shown(job.event_id)
    assert (event.tasks[0].state, event.tasks[0].attempts[-1].verdict) == ("failed", "give_up"), "it was the fourth of four"
