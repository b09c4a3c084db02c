"""The log of decisions in a real store: written once or not at all, bounded, and what was tampered with is found."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from gitbridge_console.domain.events import EventState, IncomingEvent
from gitbridge_console.settings.model import QueueSettings, RetentionSettings
from gitbridge_console.store import decision_log
from gitbridge_console.store.decision_log import Chain, ChainContended
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.records import ClaimedJob

pytestmark = pytest.mark.anyio


def queue_of(client: Redis, namespace: str, partitions: int = 1, **retention: int) -> RedisEventQueue:
    return RedisEventQueue(client, Keys(namespace), queue=QueueSettings(partitions=partitions), retention=RetentionSettings(**retention))


async def in_hand(queue: RedisEventQueue, count: int) -> list[ClaimedJob]:
    """Events claimed from ``route``, to be handed on."""
    for n in range(count):
        await queue.enqueue(IncomingEvent(f"d{n}", "push", b"{}", "test", diff="x"))
    jobs: list[ClaimedJob] = []
    while len(jobs) < count:
        found = (await queue.claim("route", count)).jobs or (await queue.claim("fetch", count)).jobs
        assert found
        jobs += found
    return jobs


async def end(queue: RedisEventQueue, job: ClaimedJob, **record: Any) -> bool:
    return await queue.hand_on(job, "", EventState.RESOLVED, record={"event": job.id, **record})


async def problems(queue: RedisEventQueue) -> list[str]:
    return [report.problem for report in await queue.log.verify()]


async def test_many_deciders_over_many_partitions_make_one_chain_each_without_gap_or_double(client: Redis, namespace: str) -> None:
    queue = queue_of(client, namespace, partitions=4)
    jobs = await in_hand(queue, 32)
    others = queue_of(client, namespace, partitions=4)  # another engine, with a head of its own in mind
    assert all(await asyncio.gather(*(end(queue if n % 2 else others, job) for n, job in enumerate(jobs))))
    reports = await queue.log.verify()
    assert [report.problem for report in reports] == [""] * 4
    assert sum(report.entries for report in reports) == 32
    assert sorted([record["event"] async for _, _, record in queue.log.records()]) == sorted(job.id for job in jobs)


async def test_a_record_is_appended_however_often_others_come_first(queue: RedisEventQueue) -> None:
    chain, heads = Chain(queue.client, queue.partitions[0]), iter([[f"head {n}".encode()] for n in range(300)])
    seen: list[str] = []

    async def write(head: str, own: str, packed: bytes) -> Any:
        seen.append(head)
        return next(heads, 7)

    assert await chain.append({"event": "e"}, write) == 7
    assert seen == ["", *(f"head {n}" for n in range(300))]


async def test_a_record_that_others_never_let_through_is_given_up_in_the_end(
    queue: RedisEventQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision_log, "TRY_FOR_S", 0.02)

    async def write(head: str, own: str, packed: bytes) -> Any:
        return [b"another"]

    with pytest.raises(ChainContended, match="moved for"):
        await Chain(queue.client, queue.partitions[0]).append({"event": "e"}, write)


async def test_a_stale_fence_writes_no_record_and_the_same_hand_on_twice_writes_one(client: Redis, namespace: str) -> None:
    queue = queue_of(client, namespace)
    (job,) = await in_hand(queue, 1)
    assert await end(queue, job)
    assert not await end(queue, job)
    (report,) = await queue.log.verify()
    assert (report.entries, report.problem) == (1, "")


async def filled(client: Redis, namespace: str, count: int = 5, **retention: int) -> RedisEventQueue:
    queue = queue_of(client, namespace, **retention)
    for job in await in_hand(queue, count):
        assert await end(queue, job, text="x" * 200)
    return queue


async def rewrite(client: Redis, key: str, change: Any) -> None:
    """Replace the stream by what ``change`` makes of its entries, as somebody with a shell could."""
    entries = change(await client.xrange(key))
    await client.delete(key)
    for n, (entry_id, fields) in enumerate(entries, 1):
        await client.xadd(key, fields, id=entry_id or f"{n}-1")


def altered(entries: list[Any]) -> list[Any]:
    entries[2][1][b"r"] = entries[1][1][b"r"]
    return entries


def removed(entries: list[Any]) -> list[Any]:
    return [entry for n, entry in enumerate(entries) if n != 2]


def swapped(entries: list[Any]) -> list[Any]:
    entries[1], entries[2] = (entries[1][0], entries[2][1]), (entries[2][0], entries[1][1])
    return entries


def cut(entries: list[Any]) -> list[Any]:
    return entries[:3]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (altered, "entry 3 was altered"),
        (removed, "entry 3 is missing"),
        (swapped, "entries 2 and 3 stand in the wrong order"),
        (cut, "entries 4 to 5 are missing at the end"),
    ],
)
async def test_what_was_tampered_with_is_found_and_where(client: Redis, namespace: str, change: Any, problem: str) -> None:
    queue = await filled(client, namespace)
    assert await problems(queue) == [""]
    await rewrite(client, f"{queue.keys.tag}:dc", change)
    (found,) = await problems(queue)
    assert found.startswith(problem)


async def test_beyond_its_bounds_the_oldest_go_and_an_anchor_stays(client: Redis, namespace: str) -> None:
    queue = await filled(client, namespace, count=14, decision_log_max=10)
    (report,) = await queue.log.verify()
    assert (report.entries, report.anchor.seq, report.head.seq, report.problem) == (10, 4, 14, "")
    await client.xdel(f"{queue.keys.tag}:dc", "5-1")
    assert await problems(queue) == ["entry 5 is missing"]


async def test_bytes_are_bounded_too_and_the_newest_stays(client: Redis, namespace: str) -> None:
    queue = queue_of(client, namespace, decision_log_bytes=1024**2)
    for n in range(4):
        await queue.log_record("0000000100", {"n": n, "noise": [hash((n, k)) for k in range(60_000)]})
    (report,) = await queue.log.verify()
    assert report.problem == ""
    assert 1 <= report.entries < 4
    assert report.head.seq == 4


async def test_a_lost_reply_leaves_no_wrong_head_behind(client: Redis, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = queue_of(client, namespace)
    await queue.log_record("0000000100", {"n": 1})
    partition, run = queue.partitions[0], queue.partitions[0].run

    async def lost(script: str, *args: Any) -> Any:
        await run(script, *args)
        raise ConnectionError("the reply was lost")

    monkeypatch.setattr(partition, "run", lost)
    with pytest.raises(ConnectionError):
        await queue.log_record("0000000100", {"n": 2})
    monkeypatch.setattr(partition, "run", run)
    await queue.log_record("0000000100", {"n": 3})
    (report,) = await queue.log.verify()
    assert (report.entries, report.problem) == (3, "")
