"""Reads that share round trips: as many answers as without, in a fraction of the writes, and nobody harmed by another's mishap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from gitbridge_console.settings.model import RedisSettings
from gitbridge_console.store.connection import make_client
from gitbridge_console.store.patient_connection import PatientConnection
from gitbridge_console.store.shared_reads import shared_reads

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(valkey_url: str) -> AsyncIterator[Redis]:
    """As the product makes it, with connections that stand."""
    made = make_client(RedisSettings(url=valkey_url))
    await asyncio.gather(*(made.ping() for _ in range(4)))
    yield made
    await made.aclose()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Everything that is written to the server, a text for each time."""
    written: list[bytes] = []
    write = PatientConnection._write

    async def noting(connection: PatientConnection, chunks: list[bytes]) -> None:
        written.append(b"".join(chunks))
        await write(connection, chunks)

    monkeypatch.setattr(PatientConnection, "_write", noting)
    return written


async def test_what_tasks_ask_at_the_same_time_leaves_at_once_and_each_gets_its_own(
    client: Redis, namespace: str, sent: list[bytes]
) -> None:
    await client.set(f"{namespace}:a", "1")
    await client.hset(f"{namespace}:b", mapping={"x": "2"})

    async def piped() -> list[object]:
        async with client.pipeline(transaction=False) as pipe:
            pipe.hgetall(f"{namespace}:b")
            pipe.exists(f"{namespace}:a")
            return await pipe.execute()

    async def nested() -> list[object]:
        return await asyncio.gather(client.get(f"{namespace}:a"), piped())

    sent.clear()
    with shared_reads():
        found = await asyncio.gather(client.get(f"{namespace}:a"), piped(), nested(), client.config_get("maxmemory-policy"))
    assert found == [b"1", [{b"x": b"2"}, 1], [b"1", [{b"x": b"2"}, 1]], {"maxmemory-policy": "noeviction"}]
    assert len(sent) == 1


async def test_what_follows_an_answer_leaves_after_it(client: Redis, namespace: str, sent: list[bytes]) -> None:
    async def twice() -> bytes | None:
        await client.get(f"{namespace}:a")
        return await client.get(f"{namespace}:a")

    sent.clear()
    with shared_reads():
        assert await asyncio.gather(twice(), twice()) == [None, None]
    assert len(sent) == 2


async def test_outside_of_it_and_in_a_transaction_nothing_is_shared(client: Redis, namespace: str, sent: list[bytes]) -> None:
    async def changed() -> list[object]:
        async with client.pipeline(transaction=True) as pipe:
            pipe.set(f"{namespace}:a", "1")
            pipe.get(f"{namespace}:a")
            return await pipe.execute()

    sent.clear()
    with shared_reads():
        assert (await asyncio.gather(changed(), client.get(f"{namespace}:b")))[0] == [True, b"1"]
    assert len(sent) == 2
    sent.clear()
    await asyncio.gather(client.get(f"{namespace}:a"), client.get(f"{namespace}:a"))
    assert len(sent) == 2


async def test_an_error_of_the_server_is_told_to_whoever_asked(client: Redis, namespace: str) -> None:
    await client.set(f"{namespace}:a", "1")

    async def piped() -> list[object]:
        async with client.pipeline(transaction=False) as pipe:
            pipe.get(f"{namespace}:a")
            pipe.hgetall(f"{namespace}:a")
            return await pipe.execute()

    with shared_reads():
        found = await asyncio.gather(client.hgetall(f"{namespace}:a"), client.get(f"{namespace}:a"), piped(), return_exceptions=True)
    assert isinstance(found[0], ResponseError)
    assert found[1] == b"1"
    assert isinstance(found[2], ResponseError)


async def test_whoever_gives_up_takes_nobody_along(client: Redis, namespace: str) -> None:
    await client.set(f"{namespace}:a", "1")
    with shared_reads():
        impatient, patient = (asyncio.ensure_future(client.get(f"{namespace}:a")) for _ in range(2))
        await asyncio.sleep(0)
        impatient.cancel()
        assert await patient == b"1"
    assert impatient.cancelled()


async def test_a_store_that_is_away_is_told_to_everybody() -> None:
    away = make_client(RedisSettings(url="unix:///nowhere/at-all"))
    with shared_reads():
        found = await asyncio.gather(away.get("a"), away.hgetall("b"), return_exceptions=True)
    assert all(isinstance(one, RedisError | OSError) for one in found)
    await away.aclose()
