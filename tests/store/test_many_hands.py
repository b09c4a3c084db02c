"""Ten producers and ten consumers on one queue: nothing is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from redis.asyncio import Redis

from gitbridge_console.domain.events import EventState, IncomingEvent
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.keys import Keys

pytestmark = pytest.mark.anyio
HANDS, EACH = 10, 200


@pytest.mark.parametrize("partitions", [1, 4])
async def test_no_loss_and_no_duplicate(valkey_url: str, namespace: str, partitions: int) -> None:
    done: Counter[str] = Counter()
    accepted: set[str] = set()

    def queue_of(client: Redis) -> RedisEventQueue:
        queue = RedisEventQueue(client, Keys(namespace))
        return RedisEventQueue(client, Keys(namespace), queue=queue.settings.model_copy(update={"partitions": partitions}))

    async def produce(hand: int) -> None:
        async with Redis.from_url(valkey_url) as client:
            queue = queue_of(client)
            for n in range(EACH):
                event = IncomingEvent(f"{hand}-{n}", "push", b"{}", "test")
                accepted.add((await queue.enqueue(event, repository=f"r{n % 7}")).id)
                if n % 20 == 0:
                    assert (await queue.enqueue(event, repository=f"r{n % 7}")).status == "duplicate"

    async def consume() -> None:
        async with Redis.from_url(valkey_url) as client:
            queue = queue_of(client)
            while sum(done.values()) < HANDS * EACH:
                for job in (await queue.claim("route", 8)).jobs:
                    if await queue.hand_on(job, "", EventState.RESOLVED):
                        done[job.id] += 1

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for hand in range(HANDS):
            group.create_task(produce(hand))
            group.create_task(consume())
    assert len(accepted) == HANDS * EACH
    assert done == Counter(accepted)
