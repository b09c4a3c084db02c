"""The guard of rate limits: no round trip without a limit, one count for the fleet, and a part of it alone when the store is away."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from gitbridge_console.domain.events import Priority
from gitbridge_console.domain.failures import Failure, FailureClass
from gitbridge_console.domain.rate_limits import Dimension
from gitbridge_console.domain.tasks import Attempt
from gitbridge_console.router.attempt import Outcome
from gitbridge_console.router.guards import Question, Refusal, Reservation
from gitbridge_console.router.prompts import BuiltPrompt
from gitbridge_console.router.rate_limits import ANSWER_S, MOST, TRY_AGAIN_S, RateLimiter
from gitbridge_console.settings.routing import ProviderSettings
from gitbridge_console.store.bounded_writes import BoundedWrites
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.rate_limits import RateLimitStore

pytestmark = pytest.mark.anyio

REQUESTS, INPUT, OUTPUT, TOKENS = Dimension
QUESTION = Question("1.0", "claude", 1000, 500, Priority.NORMAL)
PROMPT: Any = BuiltPrompt.__new__(BuiltPrompt)


def table(**limits: Any) -> ProviderSettings:
    return ProviderSettings(**({"api": "chat", "model": "m", "base_url": "http://127.0.0.1:9"} | limits))


def outcome(tokens_in: int | None = None, tokens_out: int | None = None, failure: Failure | None = None, **headers: str) -> Outcome:
    """What a call came to; underscores in the names of headers stand for hyphens."""
    attempt = Attempt(
        provider="claude",
        model="m",
        started_at="2026-11-23T12:00:00Z",
        latency_ms=1,
        outcome="ok",
        verdict="ok",
        http_status=failure.http_status if failure else 200,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
    )
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Outcome(attempt, PROMPT, None, failure, time.time() * 1000, named)


class Watched(RateLimitStore):
    """Counts round trips."""

    trips = 0

    async def reserve(self, *args: Any, **more: Any) -> Any:
        self.trips += 1
        return await super().reserve(*args, **more)

    async def settle(self, *args: Any, **more: Any) -> Any:
        self.trips += 1
        return await super().settle(*args, **more)


class Fleet:
    """Engines over one store, all with the same settings."""

    def __init__(self, client: Redis, namespace: str, clock: Callable[[], float]) -> None:
        self.settings = table()
        self.store = Watched(Keys(namespace), BoundedWrites(client))
        self.clock = clock
        self.pokes: list[str] = []

    def engine(self, engines: int = 1) -> RateLimiter:
        limiter = RateLimiter(self.store, lambda name: self.settings, clock=self.clock, changed=self.pokes.append)
        limiter.engines = engines
        return limiter


@pytest.fixture
def fleet(exposed: Redis, namespace: str, clock: Any) -> Fleet:
    return Fleet(exposed, namespace, clock)


async def taken(limiter: RateLimiter, question: Question = QUESTION) -> Reservation:
    found = await limiter.reserve(question)
    assert found is not None
    assert not isinstance(found, Refusal), found.reason
    return found


async def refused(limiter: RateLimiter, question: Question = QUESTION) -> float:
    found = await limiter.reserve(question)
    assert isinstance(found, Refusal)
    assert found.retry_in_s is not None
    return found.retry_in_s


async def test_without_a_limit_nothing_is_asked_of_the_store(fleet: Fleet) -> None:
    limiter = fleet.engine()
    for _ in range(3):
        await (await taken(limiter)).settle(outcome(900, 400))
    assert fleet.store.trips == 0
    assert limiter.room("claude", 5) == (MOST, 0.0)
    assert limiter.describe("claude") == {}


async def test_a_provider_nobody_configured_is_none_of_its_business(fleet: Fleet) -> None:
    limiter = RateLimiter(fleet.store, lambda name: None)
    assert await limiter.reserve(QUESTION) is None


async def test_the_operators_limit_holds_for_all_engines_together(fleet: Fleet) -> None:
    fleet.settings = table(requests_per_minute=60)
    one, other = fleet.engine(), fleet.engine()
    for limiter in (one, other, one):
        await taken(limiter)
    wait_s = await refused(other)
    assert 0.5 < wait_s < 1.1
    found = await one.reserve(QUESTION)
    assert isinstance(found, Refusal)
    assert found.reason == "at its limit of 60 requests a minute"


async def test_a_refusal_is_remembered_so_that_the_next_costs_no_round_trip(fleet: Fleet, clock: Any) -> None:
    fleet.settings = table(requests_per_minute=60)
    limiter = fleet.engine()
    for _ in range(3):
        await taken(limiter)
    trips = fleet.store.trips
    wait_s = await refused(limiter)
    assert fleet.store.trips == trips
    free, opens_in_s = limiter.room("claude", 3)
    assert (free, opens_in_s) == (0, pytest.approx(wait_s))
    clock.now += wait_s
    assert limiter.room("claude", 3) == (1, 0.0)


async def test_jobs_in_hand_that_have_not_reserved_yet_count_as_if_they_had(fleet: Fleet) -> None:
    fleet.settings = table(requests_per_minute=60)
    limiter = fleet.engine()
    assert limiter.room("claude", 0) == (3, 0.0)
    assert limiter.room("claude", 2) == (1, 0.0)
    assert limiter.room("claude", 3) == (0, float("inf"))
    await taken(limiter)
    assert limiter.room("claude", 1) == (2, 0.0)
    assert fleet.pokes == ["claude"], "whoever waits for it is told"


async def test_what_was_not_used_is_given_back(fleet: Fleet) -> None:
    fleet.settings = table(output_tokens_per_minute=20_000)
    limiter = fleet.engine()
    first, second = await taken(limiter), await taken(limiter)
    await refused(limiter)
    await first.settle(outcome(900, 0))
    await second.settle(outcome(900, 400))
    assert limiter.describe("claude")["output_tokens"]["remaining"] == pytest.approx(600, abs=30)


async def test_a_call_that_was_never_made_gives_everything_back(fleet: Fleet) -> None:
    fleet.settings = table(requests_per_minute=20, input_tokens_per_minute=20_000)
    limiter = fleet.engine()
    ticket = await taken(limiter)
    await refused(limiter)
    await ticket.settle(None)
    assert limiter.describe("claude")["requests"]["remaining"] == 1
    assert limiter.describe("claude")["input_tokens"]["remaining"] == 1000


async def test_a_call_that_was_refused_cost_a_request_and_no_tokens_and_one_that_fell_silent_what_was_reserved(fleet: Fleet) -> None:
    fleet.settings = table(requests_per_minute=60, output_tokens_per_minute=20_000)
    limiter = fleet.engine()
    await (await taken(limiter)).settle(outcome(failure=Failure(FailureClass.TRANSIENT, "x", http_status=503)))
    assert limiter.describe("claude")["output_tokens"]["remaining"] == 1000
    assert limiter.describe("claude")["requests"]["remaining"] == 2
    await (await taken(limiter)).settle(outcome(failure=Failure(FailureClass.SILENT, "x")))
    assert limiter.describe("claude")["output_tokens"]["remaining"] == pytest.approx(500, abs=30)


async def test_limits_are_learned_from_a_response_and_hold_from_then_on(fleet: Fleet) -> None:
    one, other = fleet.engine(), fleet.engine()
    headers = {"x_ratelimit_limit_requests": "60", "x_ratelimit_remaining_requests": "59"}
    await (await taken(one)).settle(outcome(900, 400, **headers))
    assert one.describe("claude") == {"requests": {"limit": 60, "remaining": 1, "opens_at": None, "source": "headers"}}
    await (await taken(other)).settle(outcome(900, 400, **headers))
    await refused(one)


async def test_who_else_uses_the_key_is_seen_by_what_is_left(fleet: Fleet) -> None:
    fleet.settings = table(requests_per_minute=600)
    limiter = fleet.engine()
    ticket = await taken(limiter)
    assert limiter.describe("claude")["requests"]["remaining"] == 29
    await ticket.settle(outcome(900, 400, anthropic_ratelimit_requests_limit="5000", anthropic_ratelimit_requests_remaining="4"))
    assert limiter.describe("claude")["requests"] == {"limit": 600, "remaining": 4, "opens_at": None, "source": "settings"}


async def test_after_a_429_no_engine_asks_before_the_time_it_named(fleet: Fleet, clock: Any) -> None:
    fleet.settings = table(requests_per_minute=600)
    one, other = fleet.engine(), fleet.engine()
    failure = Failure(FailureClass.RATE_LIMIT, "later", http_status=429, retry_after_s=20)
    await (await taken(one)).settle(outcome(failure=failure))
    assert await refused(other) == pytest.approx(20, abs=1)
    shown = other.describe("claude")["requests"]
    assert shown["opens_at"] is not None
    assert other.room("claude")[0] == 0


async def test_a_wait_that_an_operator_has_reset_is_over_in_every_engine_that_heard_of_it(fleet: Fleet) -> None:
    fleet.settings = table(requests_per_minute=600)
    one, other = fleet.engine(), fleet.engine()
    failure = Failure(FailureClass.RATE_LIMIT, "later", http_status=429, retry_after_s=20)
    await (await taken(one)).settle(outcome(failure=failure))
    await refused(other)
    await fleet.store.reopen("claude", "m")
    for limiter in (one, other):
        assert limiter.room("claude")[0] == 0
        limiter.reopen("claude")
        await taken(limiter)
    assert fleet.pokes == ["claude", "claude"], "lanes that waited for it look again"


async def test_hostile_headers_change_nothing(fleet: Fleet) -> None:
    limiter = fleet.engine()
    for hostile in ("NaN", "-1", "1e300", "\x00", "0"):
        names = ("x_ratelimit_limit_requests", "anthropic_ratelimit_tokens_limit")
        await (await taken(limiter)).settle(outcome(900, 400, **dict.fromkeys(names, hostile)))
    assert limiter.describe("claude") == {}


async def test_a_new_model_starts_with_what_the_settings_say(fleet: Fleet) -> None:
    limiter = fleet.engine()
    await (await taken(limiter)).settle(outcome(900, 400, x_ratelimit_limit_requests="20"))
    assert "requests" in limiter.describe("claude")
    fleet.settings = table(model="another")
    assert limiter.describe("claude") == {}


async def test_settings_that_lift_a_limit_hold_at_once(fleet: Fleet) -> None:
    fleet.settings = table(requests_per_minute=20)
    limiter = fleet.engine()
    await taken(limiter)
    await refused(limiter)
    fleet.settings = table()
    await taken(limiter)
    assert limiter.room("claude") == (MOST, 0.0)


async def test_what_another_engine_gave_back_is_heard_of_at_the_next_look(fleet: Fleet) -> None:
    fleet.settings = table(output_tokens_per_minute=600)
    one, other = fleet.engine(), fleet.engine()
    ticket = await taken(one)
    await refused(other)
    assert other.room("claude")[0] == 0
    await ticket.settle(outcome(900, 0))
    await other.look()
    assert other.room("claude")[0] > 0


async def test_while_the_store_is_away_each_engine_keeps_to_its_part_beginning_with_nothing(fleet: Fleet, weather: Any, clock: Any) -> None:
    fleet.settings = table(requests_per_minute=60)
    engines = [fleet.engine(2), fleet.engine(2)]
    weather.breaks(RedisConnectionError)
    through = 0
    for _ in range(600):
        for limiter in engines:
            through += not isinstance(await limiter.reserve(QUESTION), Refusal)
        clock.now += 0.1
    assert 50 <= through <= 60


async def test_an_engine_whose_answer_was_late_lets_nothing_through_before_it_asked_again(fleet: Fleet, weather: Any, clock: Any) -> None:
    """The others may be answered all the time, and use the whole limit."""
    fleet.settings = table(requests_per_minute=600)
    unlucky = fleet.engine(2)
    weather.breaks(RedisConnectionError)
    found = await unlucky.reserve(QUESTION)
    assert isinstance(found, Refusal)
    assert found.reason == "the store did not say whether there is room"
    clock.now += TRY_AGAIN_S * 0.99
    assert await refused(unlucky) == pytest.approx(TRY_AGAIN_S * 0.01)
    weather.clears()
    clock.now += TRY_AGAIN_S * 0.02
    trips = fleet.store.trips
    await taken(unlucky)
    assert fleet.store.trips == trips + 1


async def test_nor_does_it_let_a_smaller_call_through(fleet: Fleet, weather: Any, clock: Any) -> None:
    fleet.settings = table(output_tokens_per_minute=60_000)
    unlucky = fleet.engine(2)
    weather.breaks(RedisConnectionError)
    await refused(unlucky)
    clock.now += TRY_AGAIN_S * 0.9
    await refused(unlucky, replace(QUESTION, tokens_out=1))


async def test_a_store_that_is_back_is_told_what_was_used_meanwhile(fleet: Fleet, weather: Any, clock: Any) -> None:
    fleet.settings = table(requests_per_minute=60)
    limiter = fleet.engine()
    weather.breaks(RedisConnectionError)
    await refused(limiter)
    clock.now += 1.1
    await taken(limiter)
    weather.clears()
    clock.now += 1.1
    await taken(limiter)
    left = limiter.describe("claude")["requests"]["remaining"]
    assert left == 0, "the store would have said that two of three are left"


async def test_a_settlement_while_the_store_is_away_raises_nothing_and_an_answer_nobody_foresaw_refuses_nobody(
    fleet: Fleet, weather: Any, clock: Any
) -> None:
    fleet.settings = table(requests_per_minute=60, output_tokens_per_minute=60_000)
    limiter = fleet.engine()
    ticket = await taken(limiter)
    weather.breaks(RedisConnectionError)
    await ticket.settle(outcome(900, 400))
    weather.breaks(ValueError)
    clock.now += 2.0
    await refused(limiter)
    clock.now += 1.1
    await (await taken(limiter)).settle(outcome(900, 400))


async def test_a_call_that_was_cancelled_may_have_been_sent_so_nothing_is_given_back(fleet: Fleet) -> None:
    fleet.settings = table(requests_per_minute=60)
    limiter = fleet.engine()
    asked = asyncio.Event()

    async def call() -> None:
        ticket = await taken(limiter)
        try:
            asked.set()
            await asyncio.Event().wait()
        finally:
            await ticket.settle(None)

    running = asyncio.create_task(call())
    await asked.wait()
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    assert limiter.describe("claude")["requests"]["remaining"] == 2
    assert limiter.room("claude", 0) == (2, 0.0), "and it is in nobody's way"


async def test_a_store_that_is_away_holds_up_no_settlement_either(fleet: Fleet, weather: Any) -> None:
    fleet.settings = table(requests_per_minute=600, output_tokens_per_minute=60_000)
    limiter = fleet.engine()
    tickets = [await taken(limiter) for _ in range(3)]
    weather.breaks(RedisConnectionError)
    trips = fleet.store.trips
    for ticket in tickets:
        await ticket.settle(outcome(900, 400, x_ratelimit_remaining_requests="2"))
    assert fleet.store.trips == trips + 1
    assert limiter.describe("claude")["requests"]["remaining"] == 2, "what the provider said is heard all the same"


async def test_what_was_taken_alone_is_not_given_back_to_the_fleet(fleet: Fleet, weather: Any, clock: Any) -> None:
    fleet.settings = table(output_tokens_per_minute=60_000)
    limiter = fleet.engine()
    weather.breaks(RedisConnectionError)
    await refused(limiter)
    clock.now += 1.1
    alone = await taken(limiter)
    weather.clears()
    clock.now += 1.1
    await taken(limiter)
    before = limiter.describe("claude")["output_tokens"]["remaining"]
    await alone.settle(outcome(900, 0, x_ratelimit_remaining_requests="5"))
    assert limiter.describe("claude")["output_tokens"]["remaining"] == pytest.approx(before, abs=200)


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.fixture
def own_server(start_server: Callable[..., str], connect_to: Callable[[str], Redis]) -> Redis:
    return connect_to(start_server())


async def test_a_frozen_store_holds_a_call_up_for_a_quarter_of_a_second_once(own_server: Redis, namespace: str) -> None:
    fleet = Fleet(own_server, namespace, time.monotonic)
    fleet.settings = table(requests_per_minute=6000)
    limiter = fleet.engine()
    await taken(limiter)
    with frozen(int((await own_server.info())["process_id"])):
        began = time.monotonic()
        await limiter.reserve(QUESTION)
        first = time.monotonic() - began
        for _ in range(50):
            await limiter.reserve(QUESTION)
        rest = time.monotonic() - began - first
    assert ANSWER_S <= first < ANSWER_S + 0.2
    assert rest < 0.2


async def asks(limiter: RateLimiter, passed: list[float], until: float) -> None:
    """Ask again and again, as fast as the limiter lets."""
    while (now := time.monotonic()) < until:
        found = await limiter.reserve(QUESTION)
        if isinstance(found, Refusal):
            await asyncio.sleep(min(found.retry_in_s or 0.0, until - now))
        else:
            passed.append(time.monotonic())
            assert found is not None
            await found.settle(outcome(900, 400))


async def test_two_engines_stay_within_the_limit_before_during_and_after_the_store_is_frozen(own_server: Redis, namespace: str) -> None:
    fleet = Fleet(own_server, namespace, time.monotonic)
    fleet.settings = table(requests_per_minute=600)
    engines = [fleet.engine(2), fleet.engine(2)]
    pid = int((await own_server.info())["process_id"])
    passed: list[float] = []
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for limiter in engines:
            group.create_task(asks(limiter, passed, began + 7.0))
        await asyncio.sleep(1.0)
        with frozen(pid):
            await asyncio.sleep(4.0)
    during = sum(began + 1.0 + TRY_AGAIN_S <= at < began + 5.0 for at in passed)
    assert during >= 0.6 * 30, "once they have asked a second time they go on, each with its part"
    after = sum(at >= began + 6.0 for at in passed)
    assert after >= 0.7 * 10
    within_limit(passed, per_s=10.0, burst=30 + 2)


def within_limit(passed: list[float], *, per_s: float, burst: float) -> None:
    """No interval has more than its share and the burst."""
    for i, start in enumerate(passed):
        for n, end in enumerate(passed[i:], 1):
            assert n <= burst + per_s * (end - start), f"{n} in {end - start:.2f} s"
