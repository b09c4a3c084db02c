"""What calls take from a day's budget: set aside first, booked after, never more than there is."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from gitbridge_console.store.budgets import BudgetStore, Reserved, Spent
from gitbridge_console.store.keys import Keys

pytestmark = pytest.mark.anyio


@pytest.fixture
def books(client: Redis, namespace: str) -> BudgetStore:
    return BudgetStore(client, Keys(namespace))


async def reserve(books: BudgetStore, usd: float, tokens: int = 0, expires_s: float = 60.0) -> Reserved | float:
    return await books.reserve("grok", usd=usd, tokens=tokens, usd_max=1.0, tokens_max=None, expires_s=expires_s)


async def spent(books: BudgetStore) -> Spent:
    return (await books.read(["grok"]))["grok"]


async def test_what_is_set_aside_is_given_back_and_what_was_spent_is_booked(books: BudgetStore) -> None:
    aside = await reserve(books, 0.6, 1_000)
    assert isinstance(aside, Reserved)
    assert await spent(books) == Spent(0.0, 0, 0, 0, 0.6, 1_000)
    await books.settle("grok", aside, usd=0.25, tokens=400, calls=1)
    assert await spent(books) == Spent(0.25, 400, 1, 0, 0.0, 0)


async def test_a_call_that_was_never_made_takes_nothing(books: BudgetStore) -> None:
    aside = await reserve(books, 0.6)
    assert isinstance(aside, Reserved)
    await books.settle("grok", aside)
    assert await spent(books) == Spent()


async def test_calls_in_flight_count_and_whoever_comes_too_late_looks_again_when_they_have_ended(books: BudgetStore) -> None:
    aside = await reserve(books, 0.6)
    assert await reserve(books, 0.6) == 0.0
    assert isinstance(aside, Reserved)
    await books.settle("grok", aside, usd=0.1, calls=1)
    assert isinstance(await reserve(books, 0.6), Reserved)


async def test_a_spent_budget_is_asked_again_on_the_next_day(books: BudgetStore, client: Redis, namespace: str) -> None:
    await books.settle("grok", None, usd=0.95, calls=1)
    wait_s = await reserve(books, 0.1)
    assert isinstance(wait_s, float)
    assert 0 < wait_s <= 86_400
    await client.hincrby(Keys(namespace).provider_budget("grok"), "day", -1)
    assert (await spent(books)).usd == 0.0
    assert isinstance(await reserve(books, 0.1), Reserved)


async def test_what_an_engine_that_died_had_set_aside_is_booked_as_spent_when_it_expires(
    books: BudgetStore, client: Redis, namespace: str
) -> None:
    aside = await reserve(books, 0.4, 500)
    assert isinstance(aside, Reserved)
    await client.zadd(f"{Keys(namespace).provider_budget('grok')}:r", {aside.member: 1}, xx=True)
    assert await reserve(books, 0.7) != 0.0
    assert await spent(books) == Spent(0.4, 500, 1, 0, 0.0, 0)
    await books.settle("grok", aside, usd=0.1, tokens=100, calls=1)
    assert await spent(books) == Spent(0.1, 100, 1, 0, 0.0, 0), "it had not died, it was only slow"


async def test_an_unknown_cost_is_counted_as_unknown_and_tokens_have_a_limit_of_their_own(books: BudgetStore) -> None:
    await books.settle("grok", None, tokens=900, calls=1, unknown_calls=1)
    assert await spent(books) == Spent(0.0, 900, 1, 1, 0.0, 0)
    refused = await books.reserve("grok", usd=0.0, tokens=200, usd_max=None, tokens_max=1_000, expires_s=60)
    assert not isinstance(refused, Reserved)
    allowed = await books.reserve("grok", usd=0.0, tokens=100, usd_max=None, tokens_max=1_000, expires_s=60)
    assert isinstance(allowed, Reserved)


async def test_everything_has_an_end(books: BudgetStore, client: Redis, namespace: str) -> None:
    await reserve(books, 0.1)
    for name in await client.keys(f"*{namespace}*budget*"):
        assert 0 < await client.ttl(name) <= 2 * 86_400


async def test_what_may_be_booked_once_is_booked_once(books: BudgetStore) -> None:
    aside = await reserve(books, 0.6)
    assert isinstance(aside, Reserved)
    assert await books.settle("grok", aside, usd=0.25, calls=1, once="batch")
    assert not await books.settle("grok", aside, usd=0.25, calls=1, once="batch")
    assert await spent(books) == Spent(0.25, 0, 1, 0, 0.0, 0)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 400_000), st.floats(0, 1)), min_size=1, max_size=20))
async def test_many_at_once_never_spend_more_than_there_is(
    books: BudgetStore, client: Redis, namespace: str, calls: list[tuple[int, float]]
) -> None:
    if stale := await client.keys(f"*{namespace}*budget*"):
        await client.delete(*stale)

    async def call(millionths: int, share: float) -> int:
        aside = await reserve(books, millionths / 1e6)
        if not isinstance(aside, Reserved):
            return 0
        now = await spent(books)
        assert now.usd + now.reserved_usd <= 1.0 + 1e-9
        cost = int(millionths * share)
        await books.settle("grok", aside, usd=cost / 1e6, calls=1)
        return cost

    total = sum(await asyncio.gather(*(call(*each) for each in calls)))
    assert await spent(books) == Spent(total / 1e6, 0, (await spent(books)).calls, 0, 0.0, 0)
    assert total <= 1_000_000
