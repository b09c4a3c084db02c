"""Leases are kept while work goes on, through whatever the store answers; work whose lease is lost is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.router.leases import LeaseKeeper
from gitbridge_console.settings.model import QueueSettings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.records import ClaimedJob
from gitbridge_console.store.trouble import StoreTrouble

pytestmark = pytest.mark.anyio

AWAY = [RedisConnectionError, RedisTimeoutError, ReadOnlyError, OutOfMemoryError, OSError]
ANSWERS = [ResponseError, ValueError]
PATIENCE_S = 20.0


class Works:
    """A keeper that looks every few milliseconds, and work that goes on until it is stopped."""

    def __init__(self, exposed: Redis, client: Redis, namespace: str) -> None:
        self.queue = RedisEventQueue(client, Keys(namespace))
        self.trouble = StoreTrouble()
        self.keeper = LeaseKeeper(RedisEventQueue(exposed, Keys(namespace), queue=QueueSettings(lease_s=0.03)), self.trouble)
        self.keeping = asyncio.create_task(self.keeper.run())
        self.work: list[asyncio.Task[None]] = []

    async def begin(self, delivery: str) -> tuple[ClaimedJob, asyncio.Task[None]]:
        """Submit an event, claim it, and work on it."""
        await self.queue.enqueue(IncomingEvent(delivery, "push", b"{}", "test"))
        (job,) = (await self.queue.claim("route", 1)).jobs
        begun = asyncio.Event()

        async def work() -> None:
            task = asyncio.current_task()
            assert task is not None
            self.keeper.hold(job, task)
            try:
                begun.set()
                await asyncio.Event().wait()
            finally:
                self.keeper.let_go(job)

        self.work.append(asyncio.create_task(work()))
        await begun.wait()
        return job, self.work[-1]

    async def stopped(self, work: asyncio.Task[None]) -> None:
        """Until that work was cancelled."""
        await asyncio.wait([work], timeout=PATIENCE_S)
        assert work.cancelled()

    async def close(self) -> None:
        for task in (self.keeping, *self.work):
            task.cancel()
        await asyncio.wait([self.keeping, *self.work], timeout=PATIENCE_S)


@pytest.fixture
async def works(exposed: Redis, client: Redis, namespace: str) -> AsyncIterator[Works]:
    made = Works(exposed, client, namespace)
    yield made
    await made.close()


async def test_work_whose_lease_is_lost_is_cancelled_and_what_is_held_is_left_alone(works: Works) -> None:
    lost, its_work = await works.begin("d1")
    held, other_work = await works.begin("d2")
    assert len(works.keeper) == 2
    await works.queue.cancel([lost.id], by="ana")
    await works.stopped(its_work)
    assert not other_work.done()
    assert len(works.keeper) == 1
    assert await works.queue.extend([(held.id, held.fence)]) == [True]


async def test_work_that_another_worker_has_taken_up_is_cancelled(works: Works) -> None:
    job, work = await works.begin("d1")
    await works.queue.release(job)
    (again,) = (await works.queue.claim("route", 1)).jobs
    await works.stopped(work)
    assert await works.queue.extend([(again.id, again.fence)]) == [True]


@pytest.mark.parametrize("fault", [*AWAY, *ANSWERS])
async def test_whatever_extending_is_answered_leases_are_kept_afterwards(works: Works, weather: Any, fault: type[Exception]) -> None:
    lost, its_work = await works.begin("d1")
    _, other_work = await works.begin("d2")
    weather.breaks(fault)
    await weather.met()
    await weather.met()
    assert not works.keeping.done()
    assert not its_work.done(), "a store that does not answer is no reason to stop work"
    weather.clears()
    await works.queue.cancel([lost.id], by="ana")
    await works.stopped(its_work)
    assert not other_work.done()


@pytest.mark.parametrize("fault", [fault for fault in AWAY if fault is not OutOfMemoryError])
async def test_a_store_that_is_away_is_reported(works: Works, weather: Any, fault: type[Exception]) -> None:
    await works.begin("d1")
    weather.breaks(fault)
    await weather.met()
    await weather.met()
    assert works.trouble.away_for_s is not None
