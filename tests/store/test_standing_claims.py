"""Claims that wait at the server: one job wakes one of them, what is left wakes the next, and whoever gives up leaves no job behind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from redis import Redis as SyncRedis
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.settings.model import RedisSettings
from gitbridge_console.store import standing_claims
from gitbridge_console.store.claims import Request
from gitbridge_console.store.clients import client_of
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.records import Claim
from gitbridge_console.store.standing_claims import StandingClaim, StandingClaims

pytestmark = pytest.mark.anyio

LONG_S = 30.0
"""Longer than any test takes: what ends sooner was woken."""


@asynccontextmanager
async def standing_at(url: str, queue: RedisEventQueue) -> AsyncIterator[RedisEventQueue]:
    waiting = client_of(url, RedisSettings(), max_connections=8, socket_timeout_s=None)
    queue.standing = StandingClaims(waiting, queue.partitions[0], 4.0)
    yield queue
    await queue.standing.aclose()


@pytest.fixture
async def standing(queue: RedisEventQueue, valkey_url: str) -> AsyncIterator[RedisEventQueue]:
    async with standing_at(valkey_url, queue) as ready:
        yield ready


async def submit(queue: RedisEventQueue, *deliveries: str) -> list[str]:
    return [(await queue.enqueue(IncomingEvent(delivery, "push", b"{}", "test"))).id for delivery in deliveries]


async def stand(queue: RedisEventQueue, n: int = 4, wait_s: float = LONG_S) -> tuple[StandingClaim, asyncio.Task[Claim | None]]:
    """A claim that stands at the server by now, with the task that waits for it."""
    before = await waiting_at(queue)
    claim = queue.stand("route", n, wait_s)
    assert claim is not None
    task = asyncio.create_task(claim.claim())
    async with asyncio.timeout(20):
        while await waiting_at(queue) == before:
            assert not task.done(), "it did not wait"
    return claim, task


async def waiting_at(queue: RedisEventQueue) -> int:
    """How many connections the server holds."""
    return int((await queue.client.info("clients"))["blocked_clients"])


def ids_of(claim: Claim | None) -> list[str]:
    assert claim is not None
    return [job.id for job in claim.jobs]


async def leased(queue: RedisEventQueue) -> int:
    return int(await queue.client.zcard(queue.keys.leased("route")))


async def test_a_job_that_comes_while_a_claim_stands_is_leased_to_it_in_the_same_moment(standing: RedisEventQueue) -> None:
    _, task = await stand(standing)

    (event,) = await submit(standing, "d1")
    claim = await asyncio.wait_for(task, 20)

    assert ids_of(claim) == [event]
    assert claim is not None
    assert claim.jobs[0].payload == b"{}"
    assert await standing.extend([(event, claim.jobs[0].fence)]) == [True]


async def test_one_job_wakes_one_of_those_who_wait_and_the_longest_waiting_first(standing: RedisEventQueue) -> None:
    _, first = await stand(standing)
    second_claim, second = await stand(standing)

    (event,) = await submit(standing, "d1")

    assert ids_of(await asyncio.wait_for(first, 20)) == [event]
    assert await waiting_at(standing) == 1
    second_claim.withdraw()
    assert ids_of(await asyncio.wait_for(second, 20)) == []


async def test_what_a_claim_leaves_wakes_the_next_that_waits(standing: RedisEventQueue) -> None:
    _, first = await stand(standing, n=2)
    _, second = await stand(standing, n=2)

    events = [IncomingEvent(f"d{n}", "push", b"{}", "test") for n in range(3)]
    accepted = await standing.enqueue_many(events)

    got = [*ids_of(await asyncio.wait_for(first, 20)), *ids_of(await asyncio.wait_for(second, 20))]
    assert got == [one.id for one in accepted if not isinstance(one, Exception)]


async def test_a_claim_that_takes_all_there_is_wakes_nobody(standing: RedisEventQueue) -> None:
    _, first = await stand(standing, n=2)
    second_claim, second = await stand(standing, n=2)

    await submit(standing, "d1")
    await asyncio.wait_for(first, 20)

    assert await standing.client.llen(standing.keys.bell("route")) == 0
    assert not second.done()
    second_claim.withdraw()
    await asyncio.wait_for(second, 20)


async def test_the_bell_of_a_lane_for_which_nobody_waits_is_rung_once_however_much_comes(standing: RedisEventQueue) -> None:
    await submit(standing, *(f"d{n}" for n in range(50)))

    assert await standing.client.llen(standing.keys.bell("route")) == 1
    claim = standing.stand("route", 4, LONG_S)
    assert claim is not None
    assert len(ids_of(await asyncio.wait_for(claim.claim(), 20))) == 4


async def test_a_claim_stands_no_longer_than_it_was_to(standing: RedisEventQueue) -> None:
    claim = standing.stand("route", 4, 0.01)
    assert claim is not None

    assert ids_of(await asyncio.wait_for(claim.claim(), 20)) == []


async def test_a_claim_that_is_withdrawn_ends_at_once_even_if_that_is_said_before_it_stands(standing: RedisEventQueue) -> None:
    claim = standing.stand("route", 4, LONG_S)
    assert claim is not None
    claim.withdraw()

    assert ids_of(await asyncio.wait_for(claim.claim(), 20)) == []


async def test_a_claim_given_up_while_it_stands_takes_no_job(standing: RedisEventQueue) -> None:
    _, task = await stand(standing)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 20)
    await submit(standing, "d1")

    assert await leased(standing) == 0


async def test_a_claim_given_up_as_its_answer_comes_says_what_it_was_given(standing: RedisEventQueue, valkey_url: str) -> None:
    bell = standing.keys.bell("route")
    (event,) = await submit(standing, "d1")
    await standing.client.delete(bell)
    claim, task = await stand(standing)
    with SyncRedis.from_url(valkey_url) as other:
        # The event loop stands still meanwhile: the answer is on its way when the task learns that it is cancelled.
        other.rpush(bell, 1)
        task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 20)

    assert [job.id for job in claim.unwanted] == [event]
    assert await standing.release(claim.unwanted[0]), "it can be handed back"


async def test_a_claim_given_up_while_the_server_says_nothing_is_given_up_all_the_same(
    queue: RedisEventQueue, start_server: Callable[..., str], connect_to: Callable[[str], Redis], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing_claims, "WITHDRAWN_S", 0.05)
    url = start_server()
    own = RedisEventQueue(connect_to(url), queue.keys)
    async with standing_at(url, own):
        claim, task = await stand(own)
        await own.client.execute_command("CLIENT", "PAUSE", "60000", "ALL")

        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 20)
        assert claim.unwanted == ()


async def test_what_a_claim_did_not_get_to_behind_one_repositorys_cap_wakes_whoever_waits_next(standing: RedisEventQueue) -> None:
    for n in range(201):
        await standing.enqueue(IncomingEvent(f"a{n}", "push", b"{}", "test"), repository="a")
    last = await standing.enqueue(IncomingEvent("b", "push", b"{}", "test"), repository="b")
    assert len((await standing.claim("route", 1, repository_max=1)).jobs) == 1
    await standing.client.delete(standing.keys.bell("route"))

    assert not (await standing.claim("route", 4, repository_max=1)).jobs, "it looks at so many and no more"
    found: list[str] = []
    while not found:
        claim = standing.stand("route", 4, LONG_S, repository_max=1)
        assert claim is not None
        found = ids_of(await asyncio.wait_for(claim.claim(), 20))
    assert found == [last.id]


async def test_a_paused_lane_gives_nothing_and_is_not_asked_in_a_circle(standing: RedisEventQueue) -> None:
    await standing.pause("route", reason="test", by="test")
    await submit(standing, "d1", "d2")
    claim = standing.stand("route", 4, LONG_S)
    assert claim is not None

    found = await asyncio.wait_for(claim.claim(), 20)

    assert found is not None
    assert found.paused
    assert not found.jobs
    assert await standing.client.llen(standing.keys.bell("route")) == 0, "it would wake the next at once"


async def test_where_the_server_has_forgotten_the_scripts_it_says_so_and_a_plain_claim_brings_them_back(
    queue: RedisEventQueue, start_server: Callable[..., str], connect_to: Callable[[str], Redis]
) -> None:
    url = start_server()
    own = RedisEventQueue(connect_to(url), queue.keys)
    async with standing_at(url, own):
        await submit(own, "d1")
        await own.client.execute_command("FUNCTION", "FLUSH")
        claim = own.stand("route", 4, 0.01)
        assert claim is not None

        assert await asyncio.wait_for(claim.claim(), 20) is None
        assert len((await own.claim("route", 4)).jobs) == 1


async def test_a_server_that_lets_no_claim_wait_is_said_once_and_not_asked_again_for_a_while(
    queue: RedisEventQueue, start_server: Callable[..., str], connect_to: Callable[[str], Redis], caplog: pytest.LogCaptureFixture
) -> None:
    url = start_server()
    own = RedisEventQueue(connect_to(url), queue.keys)
    await own.client.execute_command("ACL", "SETUSER", "default", "-blpop")
    async with standing_at(url, own):
        (event,) = await submit(own, "d1")
        claim = own.stand("route", 4, LONG_S)
        assert claim is not None
        with caplog.at_level(logging.WARNING):
            assert ids_of(await asyncio.wait_for(claim.claim(), 20)) == [event], "what could be claimed is not lost"

        assert own.stand("route", 4, LONG_S) is None
        assert [record.getMessage() for record in caplog.records if "lets no claim wait" in record.getMessage()]


async def test_a_server_that_goes_away_ends_a_claim_that_stands(
    queue: RedisEventQueue, start_server: Callable[..., str], connect_to: Callable[[str], Redis]
) -> None:
    url = start_server()
    own = RedisEventQueue(connect_to(url), queue.keys)
    async with standing_at(url, own):
        _, task = await stand(own)
        await own.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

        with pytest.raises(RedisConnectionError):
            await asyncio.wait_for(task, 20)


@pytest.mark.parametrize("idle", [False, True], ids=["a new connection", "one that was in hand"])
async def test_a_server_that_says_nothing_before_the_claim_stands_is_not_waited_for_without_end(
    queue: RedisEventQueue, start_server: Callable[..., str], connect_to: Callable[[str], Redis], idle: bool
) -> None:
    url = start_server()
    own = RedisEventQueue(connect_to(url), queue.keys)
    waiting = client_of(url, RedisSettings(), max_connections=8, socket_timeout_s=None)
    claim = StandingClaims(waiting, own.partitions[0], 0.05).make(Request("route", 4, 30_000, 0, 0), 0.01)
    assert claim is not None
    if idle:
        connection = await waiting.connection_pool.get_connection()
        connection.next_health_check = -1.0
        await waiting.connection_pool.release(connection)
    await own.client.execute_command("CLIENT", "PAUSE", "60000", "ALL")

    with pytest.raises(RedisTimeoutError):
        await asyncio.wait_for(claim.claim(), 20)
    await waiting.aclose()
