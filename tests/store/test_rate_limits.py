"""The fleet's buckets: reserved all at once or not at all, settled exactly, gone by themselves, and written at the memory limit too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from gitbridge_console.domain.rate_limits import Dimension, Pace
from gitbridge_console.store.bounded_writes import BoundedWrites
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.rate_limits import RateLimitStore

pytestmark = pytest.mark.anyio

REQUESTS, INPUT, OUTPUT, TOKENS = Dimension
PER_HOUR = 1 / 3600
"""So slow that nothing refills within a test."""

PACES = {REQUESTS: Pace(PER_HOUR, 10.0), OUTPUT: Pace(PER_HOUR, 1000.0)}
CLOSE = 0.01


@pytest.fixture
def limits(client: Redis, namespace: str) -> RateLimitStore:
    return RateLimitStore(Keys(namespace), BoundedWrites(client))


async def levels(limits: RateLimitStore) -> dict[Dimension, float]:
    return (await limits.reserve("claude", "m", PACES, {})).levels


async def test_a_new_bucket_is_full_and_a_reservation_takes_from_all(limits: RateLimitStore) -> None:
    ruling = await limits.reserve("claude", "m", PACES, {REQUESTS: 1, OUTPUT: 400})
    assert ruling.wait_s == 0
    assert ruling.levels == {REQUESTS: pytest.approx(9, abs=CLOSE), OUTPUT: pytest.approx(600, abs=CLOSE)}


async def test_what_one_bucket_lacks_takes_nothing_from_the_others_and_says_how_long(limits: RateLimitStore) -> None:
    await limits.reserve("claude", "m", PACES, {REQUESTS: 1, OUTPUT: 900})
    ruling = await limits.reserve("claude", "m", PACES, {REQUESTS: 1, OUTPUT: 400})
    assert (ruling.which, ruling.wait_s) == (OUTPUT, pytest.approx(300 * 3600, rel=0.01))
    assert await levels(limits) == {REQUESTS: pytest.approx(9, abs=CLOSE), OUTPUT: pytest.approx(100, abs=CLOSE)}


async def test_what_is_larger_than_the_bucket_passes_when_it_is_full_and_is_paid_off_after(limits: RateLimitStore) -> None:
    assert (await limits.reserve("claude", "m", PACES, {OUTPUT: 5000})).wait_s == 0
    ruling = await limits.reserve("claude", "m", PACES, {OUTPUT: 1})
    assert ruling.wait_s == pytest.approx(4001 * 3600, rel=0.01)


async def test_settling_is_exact(limits: RateLimitStore) -> None:
    await limits.reserve("claude", "m", PACES, {REQUESTS: 1, OUTPUT: 800})
    await limits.settle("claude", "m", PACES, {OUTPUT: 800 - 123})
    assert (await levels(limits))[OUTPUT] == pytest.approx(1000 - 123, abs=CLOSE)
    await limits.settle("claude", "m", PACES, {OUTPUT: -77})
    assert (await levels(limits))[OUTPUT] == pytest.approx(1000 - 200, abs=CLOSE)
    await limits.settle("claude", "m", PACES, {OUTPUT: 9999})
    assert (await levels(limits))[OUTPUT] == 1000, "a bucket never holds more than its burst"


async def test_a_bucket_holds_no_more_than_the_provider_says_is_left(limits: RateLimitStore) -> None:
    first = await limits.reserve("claude", "m", PACES, {REQUESTS: 1})
    await limits.settle("claude", "m", PACES, {}, reserved_at_ms=first.at_ms, remaining={REQUESTS: 3, OUTPUT: 2000})
    assert await levels(limits) == {REQUESTS: pytest.approx(3, abs=CLOSE), OUTPUT: 1000}


async def test_what_an_older_request_heard_is_not_believed(limits: RateLimitStore) -> None:
    older = await limits.reserve("claude", "m", PACES, {REQUESTS: 1})
    younger = await limits.reserve("claude", "m", PACES, {REQUESTS: 1})
    assert younger.at_ms > older.at_ms
    await limits.settle("claude", "m", PACES, {}, reserved_at_ms=younger.at_ms, remaining={REQUESTS: 7})
    await limits.settle("claude", "m", PACES, {}, reserved_at_ms=older.at_ms, remaining={REQUESTS: 1})
    assert (await levels(limits))[REQUESTS] == pytest.approx(7, abs=CLOSE)


async def test_a_gate_closes_everything_for_all_and_a_shorter_one_never_shortens_it(limits: RateLimitStore) -> None:
    await limits.settle("claude", "m", PACES, {}, closed_s=60)
    await limits.settle("claude", "m", PACES, {}, closed_s=1)
    ruling = await limits.reserve("claude", "m", PACES, {REQUESTS: 1})
    assert (ruling.which, ruling.wait_s) == (None, pytest.approx(60, abs=5))
    assert ruling.levels[REQUESTS] == 10


async def test_who_kept_account_alone_says_how_much_there_is_at_most(limits: RateLimitStore) -> None:
    await limits.reserve("claude", "m", PACES, {REQUESTS: 1}, {REQUESTS: 0.25})
    assert await levels(limits) == {REQUESTS: pytest.approx(0.25, abs=CLOSE), OUTPUT: 1000}


async def test_models_and_providers_have_limits_of_their_own(limits: RateLimitStore) -> None:
    for provider, model in (("claude", "m"), ("claude", "another}{model"), ("grok", "m")):
        assert (await limits.reserve(provider, model, PACES, {REQUESTS: 10})).wait_s == 0


async def test_many_at_once_never_get_more_than_there_is(limits: RateLimitStore) -> None:
    rulings = await asyncio.gather(*(limits.reserve("claude", "m", PACES, {REQUESTS: 1}) for _ in range(50)))
    assert sum(ruling.wait_s == 0 for ruling in rulings) == 10


async def test_it_goes_by_itself_once_all_is_full_again(client: Redis, limits: RateLimitStore, namespace: str) -> None:
    key = Keys(namespace).rate_limits("claude", "m")
    await limits.reserve("claude", "m", {REQUESTS: Pace(1.0, 10.0)}, {REQUESTS: 10})
    assert 10_000 < await client.pttl(key) <= 70_000
    await limits.settle("claude", "m", {REQUESTS: Pace(1.0, 10.0)}, {}, closed_s=3600)
    assert 3_600_000 < await client.pttl(key) <= 3_660_000
    await limits.reserve("claude", "m", PACES, {OUTPUT: 100_000})
    assert await client.pttl(key) <= 86_460_000, "a day is the most, whatever is owed"


async def test_it_is_written_at_the_memory_limit(start_server: Callable[..., str], connect_to: Callable[[str], Redis]) -> None:
    full = connect_to(start_server())
    await full.config_set("maxmemory", 1)
    limits = RateLimitStore(Keys("full"), BoundedWrites(full))
    assert (await limits.reserve("claude", "m", PACES, {REQUESTS: 1})).wait_s == 0
    assert (await levels(limits))[REQUESTS] == pytest.approx(9, abs=CLOSE)
