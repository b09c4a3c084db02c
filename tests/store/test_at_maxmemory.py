"""At the server's memory limit everything that was accepted moves on; only what would add to it is refused."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError

from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.domain.tasks import TaskState
from gitbridge_console.settings.model import RetentionSettings
from gitbridge_console.settings.routing import RetrySettings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.records import BackPressure, ClaimedJob, RoutePlan, Seat

pytestmark = pytest.mark.anyio
PLAN = RoutePlan("code_review", Priority.NORMAL, ("claude", "grok"), quorum=1, grace_s=0, deadline_s=60, expires_s=600)


@pytest.fixture
async def full(start_server: Callable[..., str], connect_to: Callable[[str], Redis]) -> RedisEventQueue:
    """Eight accepted events on a server that refuses every plain write."""
    client = connect_to(start_server("--maxmemory", "8mb", "--maxmemory-policy", "noeviction"))
    queue = RedisEventQueue(client, Keys("t"), retry=RetrySettings(deliveries_max=2), retention=RetentionSettings(finished_s=0.001))
    for n in range(8):
        await queue.enqueue(IncomingEvent(f"d{n}", "push", b"{}", "test"))
    for n in itertools.count():
        try:
            await client.set(f"filler:{n}", b"x" * 64 * 1024)
        except OutOfMemoryError:
            break
    await client.config_set("maxmemory", 7 * 2**20)
    with pytest.raises(OutOfMemoryError):
        await client.set("more", b"x")
    return queue


async def one(queue: RedisEventQueue, lane: str) -> ClaimedJob:
    (job,) = (await queue.claim(lane, 1)).jobs
    return job


async def test_an_event_goes_all_the_way(full: RedisEventQueue) -> None:
    assert (await full.route(await one(full, "route"), PLAN))[0] == "routed"
    seat, other = await one(full, "claude"), await one(full, "grok")
    assert await full.begin(seat)
    assert await full.extend([(seat.id, seat.fence), (other.id, other.fence)]) == [True, True]
    assert await full.retry_task(other, attempt="{}", candidates=["chatgpt"]) == "chatgpt"
    assert await full.settle_task(seat, TaskState.SUCCEEDED, attempt="{}", answer='{"a": 1}', vote=True)
    assert await full.settle_task(await one(full, "chatgpt"), TaskState.SUCCEEDED, answer='{"a": 2}', vote=True)
    deciding = await one(full, "decide")
    assert await full.widen(deciding, Seat("grok"), note="one more")
    assert await full.settle_task(await one(full, "grok"), TaskState.FAILED, error_class="silent")
    assert await full.hand_on(await one(full, "decide"), "act", EventState.CONSENSUS_PENDING, decision='{"d": 1}')
    assert await full.hand_on(await one(full, "act"), "", EventState.RESOLVED, action='{"o": 1}')


async def test_work_goes_back_is_taken_back_and_is_given_up(full: RedisEventQueue) -> None:
    first = await one(full, "route")
    assert await full.release(first)
    for _ in range(2):
        (job,) = (await full.claim("route", 1, 0.001)).jobs
        assert job.id == first.id
        while (last := await full.recover()) == (0, 0):
            pass
    assert last == (0, 1), "delivered twice, given up"
    assert (await full.stats()).states["failed"] == 1


async def test_operators_keep_their_hands_on_the_wheel(full: RedisEventQueue) -> None:
    ids = [job.id for job in (await full.claim("route", 8)).jobs]
    assert await full.cancel(ids[:2], by="ana") == ["received"] * 2
    assert await full.reprioritize(ids[2:3], Priority.HIGH, front=True) == [1]
    await full.pause("route", by="ana", reason="full")
    assert (await full.claim("route", 1)).paused
    await full.resume("route", by="ana")
    assert await full.move("claude", "grok", by="ana") == (0, 0)
    while await full.trim() == 0:
        pass
    assert (await full.stats()).states["cancelled"] == 0


async def test_only_what_would_add_is_refused(full: RedisEventQueue) -> None:
    (job, *_) = (await full.claim("route", 1)).jobs
    await full.hand_on(job, "", EventState.FAILED)
    with pytest.raises(BackPressure, match="memory limit"):
        await full.enqueue(IncomingEvent("late", "push", b"{}", "test"))
    with pytest.raises(BackPressure, match="memory limit"):
        await full.replay([job.id], by="ana")
