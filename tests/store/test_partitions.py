"""A queue in several partitions behaves as one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.settings.model import LegacySettings, QueueSettings, RedisSettings, Settings, SheddingSettings
from gitbridge_console.store.connection import StoreUnavailable
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.keys import STORE_VERSION, Keys
from gitbridge_console.store.reader import EventReader
from gitbridge_console.store.records import BackPressure, Closure, RoutePlan
from gitbridge_console.store.store import open_store
from tests.claims import claim_all

pytestmark = pytest.mark.anyio
MANY = 40


@pytest.fixture
def parts(client: Redis, namespace: str) -> RedisEventQueue:
    return RedisEventQueue(client, Keys(namespace), queue=QueueSettings(partitions=4))


async def submit(queue: RedisEventQueue, n: int, priority: Priority = Priority.NORMAL) -> str:
    event = IncomingEvent(f"d{n}", "push", b"{}", "test", priority=priority)
    return (await queue.enqueue(event, repository=f"acme/{n % 13}", texts={"repository": f"acme/{n % 13}"})).id


async def test_a_repository_stays_in_one_partition_and_many_spread_over_all(parts: RedisEventQueue) -> None:
    ids = [await submit(parts, n) for n in range(MANY)]
    homes = [job_id[8:10] for job_id in ids]
    assert len(set(homes)) == 4
    assert all(homes[n] == homes[n % 13] for n in range(MANY))
    assert len(set(ids)) == MANY


async def test_claims_go_by_priority_over_all_partitions(parts: RedisEventQueue) -> None:
    wanted = [(Priority.BULK, Priority.CRITICAL, Priority.NORMAL)[n % 3] for n in range(MANY)]
    for n, priority in enumerate(wanted):
        await submit(parts, n, priority)
    claimed: list[int] = []
    while len(claimed) < MANY:
        jobs = (await parts.claim("route", 6)).jobs
        assert jobs
        claimed.extend(int(job.header["pr"]) for job in jobs)
    assert claimed == sorted(claimed)


async def test_ids_are_found_wherever_they_live_and_answers_keep_their_order(parts: RedisEventQueue, client: Redis) -> None:
    ids = [await submit(parts, n) for n in range(12)]
    assert await parts.reprioritize(ids[:6], Priority.HIGH) == [1] * 6
    assert await parts.cancel([*ids[::-1], "ff"], by="ana") == ["received"] * 12 + [""]
    assert await parts.replay(ids, by="ana") == ["cancelled"] * 12
    reader = EventReader(client, *(partition.keys for partition in parts.partitions))
    assert {event.id for event in await reader.list_events(EventFilter(state="received"))} == set(ids)
    assert {job.id for job in await reader.list_jobs(["route"])} == set(ids)
    held = (await parts.claim("route", 12)).jobs
    assert await parts.extend([(job.id, job.fence) for job in held]) == [True] * 12
    for job in held:
        assert await parts.hand_on(job, "", EventState.RESOLVED)
    stats = await parts.stats()
    assert (stats.states["resolved"], stats.states["received"]) == (12, 0)
    assert not await reader.nothing_due(["route"], 1.0) or stats.lanes["route"].ready == 0


async def test_a_shut_lane_is_cleared_in_every_partition_and_a_drain_stands_in_all(parts: RedisEventQueue) -> None:
    for n in range(MANY):
        await submit(parts, n)
    for job in await claim_all(parts, "route", MANY):
        await parts.route(job, RoutePlan("general", Priority.NORMAL, ("claude",), 1, 0, 60, 600))
    moved, passed_over = 0, dict[tuple[str, str], int]()
    for _ in range(MANY):
        more, _ = await parts.move_on("claude", Closure("shut"), {"general": [("grok", -1)]}, passed_over=passed_over, limit=3)
        assert more <= 3 * len(parts.partitions)
        moved += more
    assert moved == MANY
    assert [(await parts.stats()).lanes[lane].ready for lane in ("claude", "grok")] == [0, MANY]
    await parts.drain("claude", by="ana", reason="x")
    assert (await parts.stats()).drains["claude"]["reason"] == "x"
    assert await parts.resume("claude", by="ana")
    assert (await parts.stats()).drains == {}


async def test_a_pause_holds_all_of_a_lane(parts: RedisEventQueue) -> None:
    for n in range(8):
        await submit(parts, n)
    await parts.pause("route", by="ana", reason="x")
    claim = await parts.claim("route", 8)
    assert (claim.jobs, claim.paused) == ((), True)
    assert await parts.resume("route", by="ana")
    assert len((await parts.claim("route", 8)).jobs) == 8


async def test_the_number_is_fixed_at_first_use_and_another_is_refused(
    valkey_url: str, namespace: str, client: Redis, tmp_path: Path
) -> None:
    def settings(partitions: int, name: str = namespace) -> Any:
        queue, legacy = QueueSettings(partitions=partitions), LegacySettings(enabled=False)
        return Settings(namespace=name, redis=RedisSettings(url=valkey_url), queue=queue, legacy=legacy)

    for _ in range(2):
        async with open_store(settings(4), tmp_path) as store:
            assert len(store.queue.partitions) == 4
    with pytest.raises(StoreUnavailable, match=r"has 4 partitions, queue\.partitions is 2"):
        async with open_store(settings(2), tmp_path):
            pass
    old = f"{namespace}-old"
    await client.hset(Keys(old).meta, "store_version", str(STORE_VERSION))
    async with open_store(settings(1, old), tmp_path):
        pass
    with pytest.raises(StoreUnavailable, match="has 1 partitions"):
        async with open_store(settings(4, old), tmp_path):
            pass


@pytest.mark.parametrize("version", [STORE_VERSION - 1, STORE_VERSION + 1])
async def test_a_store_of_another_layout_is_refused(client: Redis, namespace: str, valkey_url: str, tmp_path: Path, version: int) -> None:
    await client.hset(Keys(namespace).meta, mapping={"store_version": version, "partitions": 1})
    settings = Settings(namespace=namespace, redis=RedisSettings(url=valkey_url))
    with pytest.raises(StoreUnavailable, match=f"has store version {version}, this program reads {STORE_VERSION}"):
        async with open_store(settings, tmp_path):
            pass


async def test_a_refusal_names_the_share_of_the_partition_that_is_full(client: Redis, namespace: str) -> None:
    bounds, never = QueueSettings(partitions=4, max_waiting=8), SheddingSettings(enabled=False)
    queue = RedisEventQueue(client, Keys(namespace), queue=bounds, shedding=never)
    await submit(queue, 0)
    await submit(queue, 13)
    with pytest.raises(BackPressure, match=r"^2 events are undecided, its partition's share of queue\.max_waiting is 2 of 8;"):
        await submit(queue, 26)
