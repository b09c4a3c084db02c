"""Windows and searches of long lists: jobs in the order of claiming, events by when they changed last."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.domain.failures import ERROR_CODES, FailureClass
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.domain.windows import Bookmark
from gitbridge_console.settings.model import QueueSettings
from gitbridge_console.store import merged_sets
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.keys import Keys, partition_of
from gitbridge_console.store.reader import EventReader

pytestmark = pytest.mark.anyio

LANES = ("route", "claude")


@pytest.fixture
def parts(client: Redis, namespace: str) -> RedisEventQueue:
    return RedisEventQueue(client, Keys(namespace), queue=QueueSettings(partitions=4))


async def submit(queue: RedisEventQueue, n: int, priority: Priority) -> str:
    event = IncomingEvent(f"d{n}", "push", b"{}", "test", priority=priority)
    return (await queue.enqueue(event, repository=f"acme/{n % 13}")).id


@pytest.fixture
def reader(client: Redis, parts: RedisEventQueue) -> EventReader:
    return EventReader(client, *(partition.keys for partition in parts.partitions))


async def many(parts: RedisEventQueue) -> list[str]:
    """Thirty events in three classes, in the order they will be claimed."""
    classes = (Priority.BULK, Priority.CRITICAL, Priority.NORMAL)
    ids = [(classes[n % 3], n, await submit(parts, n, classes[n % 3])) for n in range(30)]
    return [event_id for _, _, event_id in sorted(ids, key=lambda row: row[0])]


async def test_a_window_in_the_middle_of_the_queue(parts: RedisEventQueue, reader: EventReader) -> None:
    ids = await many(parts)
    whole = [job.id for job in await reader.list_jobs(LANES, 100)]
    assert set(whole) == set(ids)
    window = await reader.job_window(LANES, 12, 7, follow=whole[20])
    assert [job.id for job in window.rows] == whole[12:19]
    assert (window.first, window.total, window.followed) == (12, 30, 20)
    assert [job.priority for job in window.rows] == ["normal"] * 7


async def test_what_is_worked_on_comes_first_and_what_is_gone_is_not_followed(parts: RedisEventQueue, reader: EventReader) -> None:
    await many(parts)
    claimed = [job.id for job in (await parts.claim("route", 5)).jobs]
    window = await reader.job_window(LANES, 0, 6, follow="ffff00")
    assert {job.id for job in window.rows[:5]} == set(claimed)
    assert [job.place for job in window.rows] == ["leased"] * 5 + ["ready"]
    assert window.followed is None
    assert (await reader.job_window(LANES, 4, 4, follow=claimed[0])).followed in range(5)


async def test_a_search_looks_at_so_many_jobs_a_step_and_finds_all_in_order(
    parts: RedisEventQueue, reader: EventReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merged_sets, "LEAST_PER_SET", 2)
    await many(parts)
    await parts.claim("route", 3)
    whole = [job.id for job in await reader.list_jobs(LANES, 100)]
    found: list[str] = []
    bookmark: Bookmark | None = Bookmark()
    looked = []
    while bookmark is not None:
        step = await reader.job_search(LANES, EventFilter(state="received"), bookmark, 8)
        found += [job.id for job in step.rows]
        looked.append(step.looked)
        bookmark = step.next
    assert found == whole
    assert looked[-1] == 30
    assert looked == sorted(looked)
    assert len(looked) > 3
    nothing = await reader.job_search(LANES, EventFilter(provider="claude"), Bookmark(), 100)
    assert (nothing.rows, nothing.next) == ((), None)


async def test_events_of_all_partitions_stand_among_each_other(parts: RedisEventQueue, reader: EventReader, client: Redis) -> None:
    ids = await many(parts)
    for changed_ms, event_id in enumerate(ids):
        keys = parts.partitions[partition_of(event_id, len(parts.partitions))].keys
        await client.zadd(keys.state("received"), {event_id: changed_ms}, xx=True)
    newest_first = ids[::-1]
    assert [row.id for row in (await reader.event_window(["received"], 3, 20)).rows] == newest_first[3:23]
    step = await reader.event_search(["received"], EventFilter(state="received"), Bookmark(), 100)
    assert [row.id for row in step.rows] == newest_first


async def test_events_of_some_states_by_when_they_changed(parts: RedisEventQueue, reader: EventReader) -> None:
    ids = await many(parts)
    await parts.cancel(ids[:4], by="ana")
    states = (EventState.CANCELLED, EventState.FAILED)
    window = await reader.event_window(states, 1, 2, follow=ids[0])
    assert window.total == 4
    assert window.followed in range(4)
    assert {row.state for row in window.rows} == {"cancelled"}
    everything = (await reader.event_window([state.value for state in EventState], 0, 100)).rows
    assert [row.id for row in everything if row.state == "cancelled"] == [row.id for row in (await reader.event_window(states, 0, 10)).rows]
    step = await reader.event_search([state.value for state in EventState], EventFilter(state="cancelled", inverted=True), Bookmark(), 100)
    assert len(step.rows) == 26
    assert step.next is None
    assert (await reader.event_search(states, EventFilter(state="resolved"), Bookmark(), 100)).looked == 0


async def test_a_class_of_error_that_another_version_stored_is_shown_by_its_name(parts: RedisEventQueue, reader: EventReader) -> None:
    event_id = await submit(parts, 1, Priority.NORMAL)
    (job,) = (await parts.claim("route", 1)).jobs
    await parts.hand_on(job, "", EventState.FAILED, why="no", header={"err": "of_tomorrow"})
    event = await reader.event_detail(event_id)
    assert event is not None
    assert event.error is not None
    assert (event.error.cls, event.error.code) == ("of_tomorrow", ERROR_CODES[FailureClass.INTERNAL])
    step = await reader.event_search(["failed"], EventFilter(error="of_tomorrow"), Bookmark(), 100)
    assert [found.id for found in step.rows] == [event_id]
