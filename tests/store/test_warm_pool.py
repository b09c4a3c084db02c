"""The pool hands out what was just given back, within its bound, and never a connection that is of no use any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from gitbridge_console.settings.model import RedisSettings
from gitbridge_console.store.clients import client_of
from gitbridge_console.store.warm_pool import WarmPool

pytestmark = pytest.mark.anyio


@pytest.fixture
async def two_at_most(valkey_url: str) -> AsyncIterator[Redis]:
    """A client with two connections at most, for the third of which half a second is waited."""
    client = client_of(valkey_url, RedisSettings(connect_timeout_s=0.5), max_connections=2, socket_timeout_s=5)
    assert isinstance(client.connection_pool, WarmPool)
    yield client
    await client.aclose()


async def _id_of(client: Redis) -> int:
    return int(await client.client_id())


async def test_what_was_given_back_is_handed_out_again(two_at_most: Redis) -> None:
    assert len({await _id_of(two_at_most) for _ in range(5)}) == 1


async def test_commands_at_the_same_time_have_connections_of_their_own_up_to_the_bound(two_at_most: Redis) -> None:
    await asyncio.gather(*(two_at_most.ping() for _ in range(2)))

    ids = await asyncio.gather(*(_id_of(two_at_most) for _ in range(50)))

    assert len(set(ids)) == 2


async def test_with_all_in_use_whoever_waits_gets_the_next_and_nobody_waits_without_end(two_at_most: Redis) -> None:
    pool = two_at_most.connection_pool
    first, second = await pool.get_connection(), await pool.get_connection()
    with pytest.raises(RedisConnectionError):
        await pool.get_connection()

    waiting = asyncio.create_task(pool.get_connection())
    await asyncio.sleep(0)
    await pool.release(first)

    assert await waiting is first
    for connection in (first, second):
        await pool.release(connection)
    assert await two_at_most.ping()


async def test_a_connection_the_server_closed_is_replaced_and_the_next_command_does_not_learn_of_it(
    two_at_most: Redis, client: Redis
) -> None:
    one = await _id_of(two_at_most)
    await client.client_kill_filter(_id=str(one))
    await client.ping()

    assert await _id_of(two_at_most) != one


async def test_the_reply_to_a_command_that_was_given_up_is_not_taken_for_the_next_ones(two_at_most: Redis) -> None:
    given_up = asyncio.create_task(two_at_most.blpop(["nothing-comes-here"], timeout=30))
    while not any(one["cmd"] == "blpop" for one in await two_at_most.client_list()):
        await asyncio.sleep(0)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up

    assert [await two_at_most.echo(str(n)) for n in range(4)] == [b"0", b"1", b"2", b"3"]


async def test_closing_the_client_closes_what_is_in_hand(two_at_most: Redis, client: Redis) -> None:
    await asyncio.gather(*(two_at_most.ping() for _ in range(2)))
    mine = {str(await _id_of(two_at_most))}

    await two_at_most.aclose()

    assert mine.isdisjoint(one["id"] for one in await client.client_list())
    assert await two_at_most.ping(), "it may be used again"


async def test_a_connection_that_is_being_closed_is_passed_over_and_its_place_is_not_lost(two_at_most: Redis) -> None:
    pool = two_at_most.connection_pool
    first, second = await pool.get_connection(), await pool.get_connection()
    for connection in (first, second):
        await pool.release(connection)
    # As it is while whoever closes it waits for the end of that.
    first._parser.on_disconnect()
    second._parser.on_disconnect()

    assert await asyncio.gather(two_at_most.ping(), two_at_most.ping()) == [True, True]
