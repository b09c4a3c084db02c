"""Dead letters in the store: what may be forgotten, by whom, and that everybody is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from redis.asyncio import Redis

from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.store.dead_letters import DeadLetterStore
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.event_records import EventRecords, UnreadableEvent
from gitbridge_console.store.reader import EventReader
from gitbridge_console.store.records import BackPressure, ClaimedJob, RoutePlan

pytestmark = pytest.mark.anyio


@pytest.fixture
def letters(client: Redis, queue: RedisEventQueue) -> DeadLetterStore:
    return DeadLetterStore(client, [queue.keys])


@pytest.fixture
def records(client: Redis, queue: RedisEventQueue) -> EventRecords:
    return EventRecords(client, [queue.keys], EventReader(client, queue.keys))


def event(delivery: str) -> IncomingEvent:
    return IncomingEvent(delivery, "push", b'{"n": "\xff"}', "test", Priority.HIGH, "diff --git a/x b/x\n")


async def dead(queue: RedisEventQueue, *deliveries: str, state: EventState = EventState.FAILED) -> list[str]:
    ids = []
    for delivery in deliveries:
        ids.append((await queue.enqueue(event(delivery), texts={"title": "a title"})).id)
        (job,) = (await queue.claim("route", 1)).jobs
        await queue.hand_on(job, "", state, why="silent", header={"err": "silent"}, texts={"error": "nobody home"})
    return ids


async def dead_with_a_seat(queue: RedisEventQueue) -> tuple[str, ClaimedJob]:
    """An event that failed while a seat of it was being worked on."""
    event_id = (await queue.enqueue(event("seat"))).id
    (job,) = (await queue.claim("route", 1)).jobs
    await queue.route(job, RoutePlan("general", Priority.HIGH, ("grok",), 1, 0, 0.001, 60))
    (seat,) = (await queue.claim("grok", 1)).jobs
    await queue.begin(seat)
    async with asyncio.timeout(10):
        while not (held := (await queue.claim("decide", 1)).jobs):
            pass
    await queue.hand_on(held[0], "", EventState.FAILED, why="expired")
    return event_id, seat


async def keys_about(client: Redis, queue: RedisEventQueue, event_id: str) -> list[bytes]:
    return sorted([key async for key in client.scan_iter(f"{queue.keys.tag}:*{event_id}*")])


async def forget(letters: DeadLetterStore, ids: Sequence[str], run: int = 1) -> list[bool]:
    return await letters.forget([(event_id, run) for event_id in ids], file="f.jsonl.gz", engine="e-1")


async def test_failed_and_shed_events_are_dead_letters_oldest_first(queue: RedisEventQueue, letters: DeadLetterStore) -> None:
    failed = await dead(queue, "a", "b")
    shed = await dead(queue, "c", state=EventState.SHED)
    await dead(queue, "d", state=EventState.RESOLVED)
    found = await letters.look(2)
    assert found.total == 3
    assert [letter.event_id for letter in found.oldest] == failed
    assert [letter.event_id for letter in (await letters.look(10)).oldest] == [*failed, *shed]


async def test_forgetting_leaves_nothing_of_an_event_and_nothing_else_is_touched(
    client: Redis, queue: RedisEventQueue, letters: DeadLetterStore
) -> None:
    event_id, seat = await dead_with_a_seat(queue)
    await queue.release(seat)
    (kept,) = await dead(queue, "kept")
    before = await keys_about(client, queue, kept)
    assert len(await keys_about(client, queue, event_id)) >= 4
    assert await forget(letters, [event_id]) == [True]
    assert await keys_about(client, queue, event_id) == []
    assert await keys_about(client, queue, kept) == before
    assert [letter.event_id for letter in (await letters.look(10)).oldest] == [kept]
    assert (await queue.claim("grok", 1)).jobs == ()


@pytest.mark.parametrize("state", [EventState.RESOLVED, EventState.CANCELLED, EventState.AWAITING_APPROVAL])
async def test_what_is_no_dead_letter_stays(queue: RedisEventQueue, letters: DeadLetterStore, state: EventState) -> None:
    (event_id,) = await dead(queue, "a", state=state)
    assert await forget(letters, [event_id, "ffffffff00"]) == [False, False]
    assert await letters.notices() == (None, None)


async def test_a_letter_replayed_since_it_was_read_stays_even_if_it_failed_again(queue: RedisEventQueue, letters: DeadLetterStore) -> None:
    running, again = await dead(queue, "a", "b")
    await queue.replay([again], by="ana")
    (job,) = (await queue.claim("route", 1)).jobs
    await queue.hand_on(job, "", EventState.FAILED)
    await queue.replay([running], by="ana")
    assert await forget(letters, [running, again]) == [False, False]
    assert await forget(letters, [again], run=2) == [True]


async def test_a_letter_whose_seat_is_being_worked_on_stays(queue: RedisEventQueue, letters: DeadLetterStore) -> None:
    event_id, seat = await dead_with_a_seat(queue)
    assert await letters.at_work([seat.id])
    assert await forget(letters, [event_id]) == [False]
    await queue.release(seat)
    assert not await letters.at_work([seat.id])


async def test_every_console_is_told_what_went_and_where_to(client: Redis, queue: RedisEventQueue, letters: DeadLetterStore) -> None:
    first, second = await dead(queue, "a", "b")
    await letters.complain("no room", engine="e-1")
    await forget(letters, [first])
    await letters.forget([(second, 1)], file="g.jsonl.gz", engine="e-2")
    exports, trouble = await letters.notices()
    assert exports is not None
    assert (exports.count, exports.files, exports.last_file, exports.engine) == (2, 2, "g.jsonl.gz", "e-2")
    assert trouble is None
    lines = [line for line in await EventReader(client, queue.keys).log() if line.what == "dead_exported"]
    assert [line.level for line in lines] == ["warning", "warning"]
    assert "g.jsonl.gz" in lines[1].text
    assert 0 < await client.pttl(queue.keys.dead_exports) <= 24 * 3600 * 1000


async def test_trouble_is_told_and_goes_by_itself(client: Redis, queue: RedisEventQueue, letters: DeadLetterStore) -> None:
    await letters.complain("no room", engine="e-1")
    _, trouble = await letters.notices()
    assert trouble is not None
    assert (trouble.text, trouble.engine) == ("no room", "e-1")
    assert 0 < await client.pttl(queue.keys.dead_trouble) <= 300_000


async def test_one_at_a_time_may_export(letters: DeadLetterStore) -> None:
    assert await letters.hold("one", 60)
    assert await letters.hold("one", 60)
    assert not await letters.hold("two", 60)
    await letters.leave("two")
    assert not await letters.hold("two", 60)
    await letters.leave("one")
    assert await letters.hold("two", 60)


async def test_the_lock_of_one_that_died_goes_by_itself(letters: DeadLetterStore) -> None:
    await letters.hold("one", 0.02)
    async with asyncio.timeout(10):
        while not await letters.hold("two", 60):
            pass


async def test_at_the_memory_limit_letters_can_still_be_forgotten(client: Redis, queue: RedisEventQueue, letters: DeadLetterStore) -> None:
    ids = await dead(queue, "a")
    await client.config_set("maxmemory", 1)
    try:
        with pytest.raises(BackPressure):
            await queue.enqueue(event("b"))
        assert await letters.hold("one", 60)
        await letters.complain("no room", engine="e-1")
        assert await forget(letters, ids) == [True]
    finally:
        await client.config_set("maxmemory", 0)
    assert (await letters.look(1)).total == 0


async def test_a_record_is_all_of_an_event(queue: RedisEventQueue, records: EventRecords) -> None:
    (event_id,) = await dead(queue, "a")
    record = await records.read(event_id)
    assert record is not None
    assert record.incoming() == event("a")
    assert record.detail.title == "a title"
    assert record.detail.error is not None
    assert await records.read("ffffffff00") is None


@pytest.mark.parametrize("part", ["payload", "diff", "timeline", "decision", "nothing"])
async def test_what_is_damaged_is_no_record(client: Redis, queue: RedisEventQueue, records: EventRecords, part: str) -> None:
    (event_id,) = await dead(queue, "a")
    match part:
        case "payload" | "diff" | "decision":
            await client.set(getattr(queue.keys, part)(event_id), b"not what was stored")
        case "timeline":
            await client.rpush(queue.keys.timeline(event_id), b"{")
        case "nothing":
            await client.delete(queue.keys.payload(event_id))
    with pytest.raises(UnreadableEvent, match=event_id):
        await records.read(event_id)


async def test_all_that_match_are_found_page_by_page(
    queue: RedisEventQueue, records: EventRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gitbridge_console.store.event_records.IDS_AT_ONCE", 2)
    monkeypatch.setattr("gitbridge_console.store.event_records.EVENTS_AT_ONCE", 3)
    failed = await dead(queue, *(f"f{n}" for n in range(5)))
    shed = await dead(queue, *(f"s{n}" for n in range(4)), state=EventState.SHED)
    assert [found async for found in records.matching(EventFilter())] == [*reversed(shed), *reversed(failed)]
    assert [found async for found in records.matching(EventFilter(state="failed"))] == [*reversed(failed)]
    assert [found async for found in records.matching(EventFilter(kind="general"))] == []
