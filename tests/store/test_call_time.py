"""No call holds the server up: what there is no time for is left, comes with the next call, and nothing shows of it but more calls.

Here there is no time at all: each call does the first thing, or the first few, and leaves the rest.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError

from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.domain.tasks import TaskState
from gitbridge_console.settings.model import QueueSettings, RetentionSettings
from gitbridge_console.store import scripts_loader
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.group_commit import LEFT
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.outbox import OutboxStore
from gitbridge_console.store.records import Closure, Ending, RoutePlan
from gitbridge_console.store.replies import server_now_ms
from gitbridge_console.store.series import Series
from tests.claims import claim_all
from tests.store.queue_model import QueueModel

pytestmark = pytest.mark.anyio

MANY = 45
PLAN = RoutePlan("code_review", Priority.NORMAL, ("claude", "grok"), 2, 15, 120, 3600)
NO_TIME = ("local CALL_S = 0.002\n", "local CALL_S = 0\n")
NO_CLOCK = ("return os.clock()", "return os.no_such_clock()")
CACHED = ("_body", "library_name", "library_source", "script_source", "_ways")


def forget_scripts() -> None:
    for name in CACHED:
        getattr(scripts_loader, name).cache_clear()


@pytest.fixture
def scripts_with(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Has the scripts say something else; each change is (what they say, what they are to say)."""
    text = scripts_loader._text

    def change(*changes: tuple[str, str]) -> None:
        for old, _ in changes:
            assert old in text("_work")

        def changed(name: str) -> str:
            found = text(name)
            for old, new in changes:
                found = found.replace(old, new)
            return found

        monkeypatch.setattr(scripts_loader, "_text", changed)
        forget_scripts()

    yield change
    monkeypatch.undo()
    forget_scripts()


@pytest.fixture
def hurried(queue: RedisEventQueue, scripts_with: Callable[..., None]) -> RedisEventQueue:
    scripts_with(NO_TIME)
    queue.retention = RetentionSettings(finished_max=100)
    return queue


async def memory_of_functions(client: Redis) -> int:
    return int((await client.info("memory"))["used_memory_vm_functions"])


def event(n: int) -> IncomingEvent:
    return IncomingEvent(f"d{n}", "push", json.dumps({"n": n}).encode(), "test")


async def calls(client: Redis) -> int:
    return int((await client.info("commandstats")).get("cmdstat_fcall", {"calls": 0})["calls"])


async def fill(queue: RedisEventQueue, count: int = MANY) -> list[str]:
    return [one.id for one in await queue.enqueue_many([event(n) for n in range(count)])]  # type: ignore[union-attr]


async def test_events_handed_in_together_keep_their_order(hurried: RedisEventQueue) -> None:
    before = await calls(hurried.client)
    handed_in = [event(n) for n in range(100)] + [event(7)]
    found = await hurried.enqueue_many(handed_in)
    assert [one.status for one in found] == ["new"] * 100 + ["duplicate"]  # type: ignore[union-attr]
    assert await calls(hurried.client) - before >= 100 / 8
    jobs = await claim_all(hurried, "route", 100)
    assert [json.loads(job.payload)["n"] for job in jobs] == list(range(100))
    stats = await hurried.stats()
    assert (stats.states["received"], stats.counters["to:received"], stats.counters["duplicates"]) == (100, 100, 1)


async def test_what_concurrent_callers_do_is_done_once(hurried: RedisEventQueue) -> None:
    made = await asyncio.gather(*(hurried.enqueue(event(n)) for n in range(MANY)))
    assert {one.status for one in made} == {"new"}
    jobs = await claim_all(hurried, "route", MANY)
    assert {outcome for outcome, _ in await asyncio.gather(*(hurried.route(job, PLAN) for job in jobs))} == {"routed"}
    for lane in PLAN.lanes:
        seats = await claim_all(hurried, lane, MANY)
        assert await asyncio.gather(*(hurried.settle_task(seat, TaskState.SUCCEEDED, vote=True) for seat in seats)) == [True] * MANY
    decided = await claim_all(hurried, "decide", MANY)
    assert all(await asyncio.gather(*(hurried.hand_on(job, "act", EventState.CONSENSUS_PENDING) for job in decided)))
    acted = await claim_all(hurried, "act", MANY)
    ended = await asyncio.gather(*(hurried.conclude([job], Ending(EventState.RESOLVED)) for job in acted))
    assert ended == [[True]] * MANY
    stats = await hurried.stats()
    assert (stats.states["resolved"], stats.counters["to:resolved"], stats.counters["to:routed"]) == (MANY, MANY, MANY)


async def test_events_that_end_alike_are_told_apart_where_a_fence_is_void(hurried: RedisEventQueue) -> None:
    await fill(hurried)
    jobs = await claim_all(hurried, "route", MANY)
    for job in jobs[::3]:
        await hurried.release(job)
    assert await hurried.conclude(jobs, Ending(EventState.RESOLVED)) == [n % 3 != 0 for n in range(MANY)]


async def test_a_claim_gives_some_and_rings_for_the_rest(hurried: RedisEventQueue) -> None:
    await fill(hurried)
    await hurried.client.delete(hurried.keys.bell("route"))
    found = (await hurried.claim("route", MANY)).jobs
    assert 0 < len(found) < MANY
    assert await hurried.client.exists(hurried.keys.bell("route"))


async def test_what_an_operator_does_to_many_is_answered_for_each(hurried: RedisEventQueue) -> None:
    ids = await fill(hurried)
    assert await hurried.reprioritize(ids, Priority.HIGH) == [1] * MANY
    assert await hurried.cancel([*ids, "ffffffff00"], by="ana") == ["received"] * MANY + [""]
    assert await hurried.replay(ids, by="ana") == ["cancelled"] * MANY
    for job in await claim_all(hurried, "route", MANY):
        await hurried.route(job, PLAN)
    assert await hurried.move("claude", "chatgpt", by="ana") == (MANY, 0)
    assert await hurried.unasked("chatgpt", [f"{one}.1" for one in ids]) == {f"{one}.1" for one in ids}


async def test_leases_that_ran_out_are_all_taken_back(hurried: RedisEventQueue) -> None:
    await fill(hurried)
    held = [job.id for job in await claim_all(hurried, "route", MANY)]
    now = await server_now_ms(hurried.client)
    await hurried.client.zadd(hurried.keys.leased("route"), dict.fromkeys(held, now - 1), xx=True)
    assert await hurried.recover() == (MANY, 0)


async def test_what_is_finished_goes_until_no_more_is_kept_than_may_be(hurried: RedisEventQueue) -> None:
    await fill(hurried, 130)
    assert all(await hurried.conclude(await claim_all(hurried, "route", 130), Ending(EventState.RESOLVED)))
    assert await hurried.trim() == 30
    assert (await hurried.stats()).states["resolved"] == 100


async def test_old_work_catches_up(hurried: RedisEventQueue) -> None:
    hurried.settings = QueueSettings(aging_ms=1)
    await fill(hurried)
    filled = await server_now_ms(hurried.client)
    while await server_now_ms(hurried.client) < filled + 2:
        pass
    assert await hurried.age() == MANY


async def test_each_of_many_keeps_the_payload_it_came_with(hurried: RedisEventQueue) -> None:
    payloads = [bytes([n]) * (n * n % 700) for n in range(MANY)]
    await hurried.enqueue_many([IncomingEvent(f"d{n}", "push", payload, "test") for n, payload in enumerate(payloads)])
    assert [job.payload for job in await claim_all(hurried, "route", MANY)] == payloads


async def test_what_waits_for_a_time_is_woken_whole(hurried: RedisEventQueue) -> None:
    await fill(hurried)
    for job in await claim_all(hurried, "route", MANY):
        await hurried.hand_on(job, "act", EventState.CONSENSUS_PENDING, delay_s=600)
    assert await OutboxStore(hurried.client, hurried.partitions).wake() == MANY


async def test_a_shut_lane_is_emptied(hurried: RedisEventQueue) -> None:
    await fill(hurried)
    for job in await claim_all(hurried, "route", MANY):
        await hurried.route(job, RoutePlan("general", Priority.NORMAL, ("claude",), 1, 0, 60, 600))
    passed_over: dict[tuple[str, str], int] = {}
    moved, kept = await hurried.move_on("claude", Closure("it is down"), {"*": [("grok", -1)]}, passed_over=passed_over)
    assert (moved, kept, passed_over) == (MANY, 0, {})


async def test_the_invariants_hold(client: Redis, namespace: str, scripts_with: Callable[..., None]) -> None:
    scripts_with(NO_TIME)
    model = QueueModel(client, namespace, seed=11)
    for _ in range(300):
        await model.step()
        await model.audit()


async def test_a_server_without_such_a_clock_leaves_nothing(
    start_server: Callable[..., str], connect_to: Callable[[str], Redis], scripts_with: Callable[..., None]
) -> None:
    scripts_with(NO_CLOCK)
    queue = RedisEventQueue(connect_to(start_server()), Keys("t"))
    await fill(queue)
    assert len((await queue.claim("route", MANY)).jobs) == MANY


def names(group: Any) -> list[str]:
    found: list[str] = json.loads(group[0])[0]
    return found


def common(delivery: str) -> tuple[Any, ...]:
    return ("route", 300, "", "{"), delivery, b"x"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.data())
def test_a_series_takes_in_all_in_their_order_whatever_is_left_of_each_call(sizes: list[int], data: st.DataObject) -> None:
    """Two calls are under way; the server does some of each, and nothing of one that comes after an event it has not got."""
    deliveries = [f"d{n}" for n in range(sum(sizes))]
    loads, at = [], 0
    for size in sizes:
        loads.append([common(delivery) for delivery in deliveries[at : at + size]])
        at += size
    series, taken, under_way = Series((), iter(loads)), list[str](), list[Any]()

    def answer(group: Any) -> list[Any]:
        asked, (_, *args) = names(group), json.loads(group[0])
        events = args[-1][5::2]
        if "after" in asked and args[asked.index("after")][0] not in taken:
            return [1] * (len(asked) - 1) + [LEFT]
        done = data.draw(st.integers(1, len(events)))
        taken.extend(events[:done])
        return [1] * (len(asked) - 1) + [[*events[:done], *[LEFT] * (len(events) - done)]]

    while True:
        while len(under_way) < 2 and (group := series.next_group()) is not None:
            under_way.append(answer(group))
        if not under_way:
            break
        series.answered(under_way.pop(0))
    assert taken == deliveries == series.replies


def test_a_full_server_is_what_came_of_each_event_of_its_call() -> None:
    series = Series((), iter([[common("a"), common("b")]]))
    assert series.next_group() is not None
    full = OutOfMemoryError("full")
    series.answered(full)
    assert series.replies == [full, full]
    assert series.next_group() is None


async def test_functions_take_no_more_memory_however_many_calls_there_are(queue: RedisEventQueue, client: Redis) -> None:
    """Their collector does nothing while a call runs: each call takes some seven kilobytes, and these would be four megabytes."""
    await queue.enqueue(event(0))
    before = await memory_of_functions(client)
    for n in range(600):
        await queue.enqueue(event(n))
    assert await memory_of_functions(client) - before < 2_000_000
