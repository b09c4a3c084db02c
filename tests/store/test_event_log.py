"""The fleet's log is as long as the settings say."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from gitbridge_console.store.event_log import EventLog
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.keys import Keys

pytestmark = pytest.mark.anyio

NODE = 100
"""Entries a server drops at once: a stream is cut no finer."""


async def test_each_partition_keeps_its_share_of_the_lines(client: Redis, namespace: str) -> None:
    partitions = [Keys(namespace, n) for n in range(3)]
    await EventLog(client, partitions).keep(1000)
    assert [await client.hget(keys.meta, "log_max") for keys in partitions] == [b"334"] * 3


async def test_the_log_is_cut_to_the_length_that_was_said_last(client: Redis, queue: RedisEventQueue) -> None:
    log = EventLog(client, [partition.keys for partition in queue.partitions])
    await log.keep(10_000)
    await log.keep(NODE * len(queue.partitions))
    for _ in range(NODE + 30):
        await queue.pause("claude", by="ana", reason="a test")
        await queue.resume("claude", by="ana")
    assert [await client.xlen(partition.keys.log) <= 2 * NODE for partition in queue.partitions] == [True] * len(queue.partitions)


async def test_what_is_kept_already_is_not_said_again(client: Redis, namespace: str) -> None:
    keys = Keys(namespace)
    log = EventLog(client, [keys])
    await log.keep(500)
    await client.delete(keys.meta)
    await log.keep(500)
    assert not await client.exists(keys.meta)
    await log.keep(600)
    assert await client.hget(keys.meta, "log_max") == b"600"
