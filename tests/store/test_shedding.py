"""Too much work: the least urgent is put aside and can be had back, the rest is refused and counted, nothing is lost."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from redis.asyncio import Redis

from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.settings.model import QueueSettings, RetentionSettings, SheddingSettings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.reader import EventReader
from gitbridge_console.store.records import BackPressure, RoutePlan

pytestmark = pytest.mark.anyio


def small(client: Redis, namespace: str, shedding: SheddingSettings | None = None, **bounds: Any) -> RedisEventQueue:
    return RedisEventQueue(client, Keys(namespace), queue=QueueSettings(**({"max_waiting": 3} | bounds)), shedding=shedding)


async def submit(queue: RedisEventQueue, name: str, priority: Priority = Priority.NORMAL, size: int = 2) -> tuple[str, str]:
    found = await queue.enqueue(IncomingEvent(name, "push", b"x" * size, "test", priority=priority))
    return found.id, found.status


async def states(client: Redis, queue: RedisEventQueue) -> dict[str, str]:
    return {event.id: event.state for event in await EventReader(client, queue.keys).list_events(EventFilter(), 5000)}


async def test_the_newest_of_the_least_urgent_gives_way_to_what_is_more_urgent(client: Redis, namespace: str) -> None:
    queue = small(client, namespace)
    low, _ = await submit(queue, "low", Priority.LOW)
    old, _ = await submit(queue, "old", Priority.BULK)
    new, _ = await submit(queue, "new", Priority.BULK)
    assert (await submit(queue, "n1"))[1] == "new"
    assert (await states(client, queue))[new] == "shed"
    assert (await submit(queue, "n2"))[1] == "new"
    assert (await states(client, queue))[old] == "shed"
    assert (await submit(queue, "n3"))[1] == "new"
    assert (await states(client, queue))[low] == "shed"
    with pytest.raises(BackPressure, match="undecided"):
        await submit(queue, "n4", Priority.CRITICAL)


async def test_a_newcomer_that_is_the_least_urgent_is_shed_itself(client: Redis, namespace: str) -> None:
    queue = small(client, namespace)
    for n in range(3):
        await submit(queue, f"b{n}", Priority.BULK)
    assert (await submit(queue, "late", Priority.BULK))[1] == "shed"
    assert (await submit(queue, "low", Priority.LOW))[1] == "new"


async def test_what_is_being_worked_on_is_never_shed_but_waiting_seats_are(client: Redis, namespace: str) -> None:
    queue = small(client, namespace, max_waiting=2)
    for name in ("a", "b"):
        await submit(queue, name, Priority.BULK)
        (job,) = (await queue.claim("route", 1)).jobs
        await queue.route(job, RoutePlan("general", Priority.BULK, ("claude",), 1, 0, 60, 600))
    (asked,) = (await queue.claim("claude", 1)).jobs
    await queue.begin(asked)
    assert (await submit(queue, "n1"))[1] == "new"
    found = await states(client, queue)
    assert sorted(found.values()) == ["consensus_pending", "received", "shed"]
    assert found[asked.event_id] == "consensus_pending"
    assert (await queue.stats()).lanes["claude"].ready == 0, "the seats of what was shed are gone"


async def test_where_nothing_may_be_shed_newcomers_are_refused_at_once(client: Redis, namespace: str) -> None:
    queue = small(client, namespace, SheddingSettings(enabled=False))
    for n in range(3):
        await submit(queue, f"b{n}", Priority.BULK)
    with pytest.raises(BackPressure):
        await submit(queue, "late", Priority.CRITICAL)


async def test_a_thousand_over_the_limit_are_all_accounted_for_and_what_was_shed_comes_back(client: Redis, namespace: str) -> None:
    queue = small(client, namespace, max_waiting=100)
    came: Counter[str] = Counter()
    for n in range(1100):
        try:
            _, status = await submit(queue, f"d{n}", list(Priority)[n % 5])
        except BackPressure:
            status = "refused"
        came[status] += 1
    stats = await queue.stats()
    assert sum(came.values()) == 1100
    assert stats.states["received"] == 100
    assert stats.states["received"] + stats.states["shed"] + came["refused"] == 1100
    assert stats.counters["refused"] == came["refused"]
    assert stats.counters["to:shed"] == stats.states["shed"]
    urgent = [job.header["pr"] for job in (await queue.claim("route", 64)).jobs]
    assert set(urgent) <= {"100", "200", "300"}, "nothing that may be shed is left before what may not"
    reader = EventReader(client, queue.keys)
    (shed, *_) = await reader.list_events(EventFilter(state="shed"), 1)
    assert "undecided" in shed.reason
    queue.settings = QueueSettings(max_waiting=10_000)
    assert await queue.replay([shed.id], by="ana") == ["shed"]
    assert await reader.payload(shed.id) == b"xx"
    (again, *_) = await reader.list_events(EventFilter(state="shed"), 1)
    assert (await queue.enqueue(IncomingEvent(again.delivery, "push", b"xx", "test"))).status == "requeued"


async def test_over_the_soft_budget_low_classes_are_shed_over_the_hard_one_everybody_is_refused(client: Redis, namespace: str) -> None:
    queue = small(client, namespace, max_waiting=1000, memory_soft_bytes=3_000, memory_hard_bytes=9_000)
    seen = [(await submit(queue, f"a{n}", Priority.LOW))[1] for n in range(4)]
    assert seen == ["new", "new", "new", "shed"]
    while sum((await queue.stats()).bytes_by_state.values()) < 9_000:
        await submit(queue, f"b{len(seen)}")
        seen.append("new")
    with pytest.raises(BackPressure, match="memory_hard_bytes"):
        await submit(queue, "late", Priority.CRITICAL)
    claimed = (await queue.claim("route", 50)).jobs
    for job in claimed:
        assert await queue.hand_on(job, "", EventState.RESOLVED), "what was accepted moves on"


async def test_bytes_are_counted_by_state_and_the_oldest_finished_go_first(client: Redis, namespace: str) -> None:
    queue = small(client, namespace, max_waiting=1000)
    ids = [(await submit(queue, f"a{n}"))[0] for n in range(6)]
    jobs = {job.id: job for job in (await queue.claim("route", 6)).jobs}
    for job_id in ids:
        await queue.hand_on(jobs[job_id], "", EventState.FAILED if job_id == ids[0] else EventState.RESOLVED)
        await client.zadd(queue.keys.state("resolved"), {job_id: jobs[job_id].claimed_ms + ids.index(job_id)}, xx=True)
    sizes = (await queue.stats()).bytes_by_state
    one = sizes["failed"]
    assert sizes == {"received": 0, "failed": one, "resolved": 5 * one} | {k: 0 for k in sizes if k not in ("failed", "resolved")}
    queue.retention = RetentionSettings(finished_bytes=3 * one)
    assert await queue.trim() == 2
    assert set(await states(client, queue)) == {ids[0], *ids[3:]}
    assert (await queue.stats()).bytes_by_state["resolved"] == 3 * one
