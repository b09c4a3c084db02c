"""One noisy repository fills no lane, and old work catches up where that is asked for."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from gitbridge_console.domain.events import IncomingEvent, Priority
from gitbridge_console.domain.tasks import TaskState
from gitbridge_console.settings.model import QueueSettings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.records import ClaimedJob, RoutePlan
from tests.headers import header

pytestmark = pytest.mark.anyio
CAP = 2


async def seat(queue: RedisEventQueue, name: str, repository: str, priority: Priority = Priority.NORMAL) -> str:
    """A seat that waits in the lane `claude`."""
    await queue.enqueue(IncomingEvent(name, "push", b"{}", "test", priority=priority), repository=repository)
    (job,) = (await queue.claim("route", 1)).jobs
    await queue.route(job, RoutePlan("general", priority, ("claude",), 1, 0, 60, 600))
    return f"{job.id}.1"


async def claim(queue: RedisEventQueue, n: int = 10, lane: str = "claude", cap: int = CAP) -> list[ClaimedJob]:
    return list((await queue.claim(lane, n, repository_max=cap)).jobs)


async def test_over_its_cap_a_repository_stands_aside_and_others_pass(queue: RedisEventQueue) -> None:
    noisy = [await seat(queue, f"n{n}", "acme/noisy") for n in range(5)]
    quiet = await seat(queue, "q", "acme/quiet")
    jobs = await claim(queue)
    assert [job.id for job in jobs] == [*noisy[:CAP], quiet]
    lane = (await queue.stats()).lanes["claude"]
    assert (lane.ready, lane.leased, lane.held) == (0, 3, 3)
    assert await claim(queue) == []


@pytest.mark.parametrize("how", ["settle", "release", "retry", "cancel", "expire"])
async def test_each_lease_that_ends_lets_the_next_one_go(queue: RedisEventQueue, how: str) -> None:
    ids = [await seat(queue, f"n{n}", "acme/noisy") for n in range(4)]
    job, _ = await claim(queue)
    assert await claim(queue) == []
    if how == "settle":
        await queue.settle_task(job, TaskState.SUCCEEDED, answer="{}")
    elif how == "release":
        await queue.release(job, delay_s=60)
    elif how == "retry":
        await queue.retry_task(job, attempt="{}", delay_s=60)
    elif how == "cancel":
        await queue.cancel([job.event_id], by="ana")
    else:
        await queue.client.zadd(queue.keys.leased("claude"), {job.id: 1})
        await queue.recover()
    expected = ids[0] if how == "expire" else ids[2]
    assert [found.id for found in await claim(queue)] == [expected]


async def test_without_a_cap_or_with_a_higher_one_recovery_lets_all_go(client: Redis, namespace: str) -> None:
    queue = RedisEventQueue(client, Keys(namespace), queue=QueueSettings(repository_max=CAP))
    ids = [await seat(queue, f"n{n}", "acme/noisy") for n in range(6)]
    await claim(queue)
    assert await claim(queue) == []
    queue.settings = QueueSettings(repository_max=CAP + 1)
    await queue.recover()
    assert [job.id for job in await claim(queue, cap=CAP + 1)] == [ids[2]]
    queue.settings = QueueSettings(repository_max=0)
    await queue.recover()
    assert [job.id for job in await claim(queue, cap=0)] == ids[3:]
    assert (await queue.stats()).lanes["claude"].held == 0


async def test_what_is_held_moves_with_a_failover_and_keeps_its_place(queue: RedisEventQueue) -> None:
    ids = [await seat(queue, f"n{n}", "acme/noisy") for n in range(4)]
    await claim(queue)
    await claim(queue)
    assert await queue.move("claude", "grok", by="ana") == (2, 0)
    assert [job.id for job in await claim(queue, lane="grok", cap=0)] == ids[2:]


async def test_old_work_catches_up_but_never_with_critical(client: Redis, namespace: str) -> None:
    hour = 3_600_000
    queue = RedisEventQueue(client, Keys(namespace), queue=QueueSettings(aging_ms=hour))
    ids = {priority: await seat(queue, priority.label, "r", priority) for priority in Priority}
    ids_of = {job_id: priority for priority, job_id in ids.items()}

    async def order_after(hours: float) -> list[str]:
        """Who would be claimed in which order, had all but `high` and `critical` waited so long."""
        for priority in (Priority.NORMAL, Priority.LOW, Priority.BULK):
            since = int((await header(queue, ids[priority]))["ms"]) - int(hours * hour)
            await client.zadd(queue.keys.ready("claude"), {ids[priority]: int(priority) * 2**43 + since})
        await queue.age()
        order = [ids_of[raw.decode()].label for raw in await client.zrange(queue.keys.ready("claude"), 0, -1)]
        assert [(await header(queue, job_id))["pr"] for job_id in ids_of] == [str(int(p)) for p in ids_of.values()]
        return order

    assert await order_after(0.5) == ["critical", "high", "normal", "low", "bulk"]
    assert await order_after(1.5) == ["critical", "normal", "high", "low", "bulk"]
    assert await order_after(2.5) == ["critical", "normal", "low", "high", "bulk"]
    assert (await order_after(3.5))[0] == "critical"
    assert (await order_after(3.5))[-1] == "high"


async def test_to_the_front_is_no_age(client: Redis, namespace: str) -> None:
    queue = RedisEventQueue(client, Keys(namespace), queue=QueueSettings(aging_ms=1000))
    job_id = await seat(queue, "a", "r", Priority.LOW)
    await queue.reprioritize([job_id], Priority.LOW, front=True)
    assert await queue.age() == 0
