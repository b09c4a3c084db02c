"""Faults the queue once had: seats asked again for nothing, a decision nobody woke, keys that came back from the dead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis

from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.domain.tasks import Attempt, TaskState
from gitbridge_console.settings.model import RetentionSettings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.reader import EventReader
from gitbridge_console.store.records import ClaimedJob, RoutePlan

pytestmark = pytest.mark.anyio

PLAN = RoutePlan("code_review", Priority.NORMAL, ("claude", "grok"), quorum=1, grace_s=0, deadline_s=120, expires_s=3600)
ALONE = replace(PLAN, lanes=("claude",))
SHORT_LEASE_S = 0.001
LOOKS_MAX = 20_000
"""Bound of every wait for the server's clock; each look is a round trip."""

ATTEMPT = Attempt(
    provider="grok", model="m", started_at="2026-11-22T21:00:00Z", latency_ms=1, outcome="silent", verdict="retry"
).model_dump_json()

Handing = Callable[[RedisEventQueue, ClaimedJob], Awaitable[Any]]


@pytest.fixture
def reader(client: Redis, queue: RedisEventQueue) -> EventReader:
    return EventReader(client, queue.keys)


async def one(queue: RedisEventQueue, lane: str, lease_s: float = 30.0) -> ClaimedJob:
    """The next job of a lane, as soon as it is due."""
    for _ in range(LOOKS_MAX):
        jobs = (await queue.claim(lane, 1, lease_s)).jobs
        if jobs:
            if jobs[0].is_task:
                await queue.begin(jobs[0])
            return jobs[0]
    raise AssertionError(f"nothing to claim in {lane}")


async def routed(queue: RedisEventQueue, delivery: str = "d1", plan: RoutePlan = PLAN) -> str:
    await queue.enqueue(IncomingEvent(delivery, "pull_request", b"{}", "test"))
    job = await one(queue, "route")
    assert (await queue.route(job, plan))[0] == "routed"
    return job.id


async def seat_state(reader: EventReader, seat: ClaimedJob) -> str:
    event = await reader.event_detail(seat.event_id)
    assert event is not None
    return next(task.state for task in event.tasks if task.id == seat.id)


async def depth(queue: RedisEventQueue, *lanes: str) -> int:
    """Everything that lies in some lanes, being worked on or not."""
    counts = (await queue.stats(lanes)).lanes
    return sum(counts[lane].ready + counts[lane].waiting + counts[lane].leased for lane in lanes)


async def clock_passes(queue: RedisEventQueue, ms: int) -> None:
    """Until the server's clock has gone on by so much."""
    begun = (await queue.stats()).now_ms
    for _ in range(LOOKS_MAX):
        if (await queue.stats()).now_ms > begun + ms:
            return
    raise AssertionError("the server's clock stands still")


# What may happen to an event while one of its seats is still being worked on.


async def resolve(queue: RedisEventQueue, event_id: str) -> None:
    await queue.settle_task(await one(queue, "claude"), TaskState.SUCCEEDED, answer="", vote=True)
    await queue.hand_on(await one(queue, "decide"), "", EventState.RESOLVED, cancel_waiting_seats=True)


async def send_to_act(queue: RedisEventQueue, event_id: str) -> None:
    await queue.settle_task(await one(queue, "claude"), TaskState.SUCCEEDED, answer="", vote=True)
    await queue.hand_on(await one(queue, "decide"), "act", EventState.CONSENSUS_PENDING, cancel_waiting_seats=True)


async def leave_to_operator(queue: RedisEventQueue, event_id: str) -> None:
    await queue.settle_task(await one(queue, "claude"), TaskState.SUCCEEDED, answer="", vote=True)
    await queue.hand_on(await one(queue, "decide"), "", EventState.AWAITING_APPROVAL, cancel_waiting_seats=True)


async def cancel(queue: RedisEventQueue, event_id: str) -> None:
    await queue.cancel([event_id], by="ana")


async def run_anew(queue: RedisEventQueue, event_id: str) -> None:
    await resolve(queue, event_id)
    await queue.replay([event_id], by="ana")
    await queue.route(await one(queue, "route"), replace(PLAN, lanes=("claude", "chatgpt")))


FATES = [resolve, send_to_act, leave_to_operator, cancel, run_anew]


# The ways in which a worker gives a seat back.


async def release(queue: RedisEventQueue, seat: ClaimedJob) -> None:
    await queue.release(seat)


async def release_for_later(queue: RedisEventQueue, seat: ClaimedJob) -> None:
    await queue.release(seat, delay_s=60, counted=True, reason="internal fault")


async def retry(queue: RedisEventQueue, seat: ClaimedJob) -> None:
    await queue.retry_task(seat, attempt=ATTEMPT, delay_s=60)


async def fail_over(queue: RedisEventQueue, seat: ClaimedJob) -> None:
    await queue.retry_task(seat, attempt=ATTEMPT, verdict="fail_over", candidates=["local"])


async def lose_the_lease(queue: RedisEventQueue, seat: ClaimedJob) -> None:
    await clock_passes(queue, 2)
    await queue.recover()


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("hand_back", [release, release_for_later, retry, fail_over, lose_the_lease])
async def test_nobody_is_asked_again_for_an_event_that_was_settled_meanwhile(
    queue: RedisEventQueue, reader: EventReader, fate: Callable[[RedisEventQueue, str], Awaitable[None]], hand_back: Handing
) -> None:
    event_id = await routed(queue)
    seat = await one(queue, "grok", SHORT_LEASE_S)
    await fate(queue, event_id)
    state = (await reader.list_events(EventFilter()))[0].state
    await hand_back(queue, seat)
    assert await seat_state(reader, seat) == "cancelled"
    assert await depth(queue, "grok", "local") == 0
    assert (await reader.list_events(EventFilter()))[0].state == state


@pytest.mark.parametrize("hand_back", [release, lose_the_lease])
async def test_a_seat_that_is_still_wanted_goes_back_into_its_lane(queue: RedisEventQueue, reader: EventReader, hand_back: Handing) -> None:
    await routed(queue)
    seat = await one(queue, "grok", SHORT_LEASE_S)
    await hand_back(queue, seat)
    assert await seat_state(reader, seat) == "queued"
    assert (await one(queue, "grok")).id == seat.id


async def test_a_seat_of_a_parked_event_is_still_wanted(queue: RedisEventQueue) -> None:
    await routed(queue, plan=replace(PLAN, deadline_s=SHORT_LEASE_S))
    seat = await one(queue, "grok")
    await queue.hand_on(await one(queue, "decide"), "decide", EventState.PARKED, delay_s=60)
    await queue.release(seat)
    assert (await one(queue, "grok")).id == seat.id


async def test_seats_of_the_run_before_do_not_count_for_the_new_one(queue: RedisEventQueue) -> None:
    event_id = await routed(queue, plan=replace(PLAN, quorum=2))
    old = await one(queue, "grok")
    await queue.cancel([event_id], by="ana")
    await queue.replay([event_id], by="ana")
    await queue.route(await one(queue, "route"), replace(PLAN, quorum=2))
    await queue.release(old)
    await queue.settle_task(old, TaskState.SUCCEEDED, answer="", vote=True)
    await queue.settle_task(await one(queue, "claude"), TaskState.SUCCEEDED, answer="", vote=True)
    assert (await queue.claim("decide", 1)).jobs == ()
    await queue.settle_task(await one(queue, "grok"), TaskState.SUCCEEDED, answer="", vote=True)
    assert (await one(queue, "decide")).id == event_id


async def test_the_decision_runs_at_once_when_the_last_seat_comes_in_while_it_is_handed_back_to_wait(queue: RedisEventQueue) -> None:
    event_id = await routed(queue, plan=replace(PLAN, quorum=2, deadline_s=SHORT_LEASE_S))
    seats = [await one(queue, "claude"), await one(queue, "grok")]
    deciding = await one(queue, "decide")
    for seat in seats:
        assert await queue.settle_task(seat, TaskState.SUCCEEDED, answer="", vote=True)
    assert await queue.hand_on(deciding, "decide", EventState.PARKED, delay_s=3600)
    (again,) = (await queue.claim("decide", 1)).jobs
    assert again.id == event_id


async def test_while_a_seat_is_still_out_the_decision_waits_as_told(queue: RedisEventQueue) -> None:
    event_id = await routed(queue, plan=replace(PLAN, quorum=2, deadline_s=SHORT_LEASE_S))
    seats = [await one(queue, "claude"), await one(queue, "grok")]
    deciding = await one(queue, "decide")
    await queue.settle_task(seats[0], TaskState.FAILED, error_class="silent")
    await queue.hand_on(deciding, "decide", EventState.PARKED, delay_s=3600)
    assert (await queue.claim("decide", 1)).jobs == ()
    await queue.settle_task(seats[1], TaskState.SUCCEEDED, answer="", vote=True)
    assert (await one(queue, "decide")).id == event_id


async def test_a_quorum_that_comes_together_while_the_event_is_handed_back_leaves_only_the_grace_period(queue: RedisEventQueue) -> None:
    event_id = await routed(queue, plan=replace(PLAN, deadline_s=SHORT_LEASE_S))
    seats = [await one(queue, "claude"), await one(queue, "grok")]
    deciding = await one(queue, "decide")
    await queue.settle_task(seats[0], TaskState.SUCCEEDED, answer="", vote=True)
    await queue.hand_on(deciding, "decide", EventState.PARKED, delay_s=3600)
    assert [job.id for job in (await queue.claim("decide", 1)).jobs] == [event_id]


async def test_move_with_a_limit_moves_that_many_in_order_and_leaves_the_rest(queue: RedisEventQueue) -> None:
    ids = [await routed(queue, f"d{n}", ALONE) for n in range(5)]
    await queue.release(await one(queue, "claude"), delay_s=3600)
    assert await queue.move("claude", "grok", by="ana", limit=2) == (2, 0)
    assert [job.event_id for job in (await queue.claim("grok", 9)).jobs] == ids[1:3]
    assert [job.event_id for job in (await queue.claim("claude", 9)).jobs] == ids[3:]
    assert (await queue.stats()).lanes["claude"].waiting == 1


async def test_move_with_a_limit_of_exactly_what_is_ready_leaves_what_waits(queue: RedisEventQueue) -> None:
    for n in range(3):
        await routed(queue, f"d{n}", ALONE)
    await queue.release(await one(queue, "claude"), delay_s=3600)
    assert await queue.move("claude", "grok", by="ana", limit=2) == (2, 0)
    assert (await queue.stats()).lanes["claude"].waiting == 1


async def test_move_with_room_in_its_limit_takes_what_waits_along(queue: RedisEventQueue) -> None:
    for n in range(3):
        await routed(queue, f"d{n}", ALONE)
    for _ in range(2):
        await queue.release(await one(queue, "claude"), delay_s=3600)
    assert await queue.move("claude", "grok", by="ana", limit=2) == (2, 0)
    assert len((await queue.claim("grok", 9)).jobs) == 2
    assert (await queue.stats()).lanes["claude"].waiting == 1


async def test_move_says_how_many_stay_because_their_panel_has_the_target(queue: RedisEventQueue) -> None:
    taken = await routed(queue, "d1")
    free = [await routed(queue, f"d{n}", ALONE) for n in (2, 3)]
    assert await queue.move("claude", "grok", by="ana", limit=3) == (2, 1)
    assert (await one(queue, "claude")).event_id == taken
    assert [job.event_id for job in (await queue.claim("grok", 9)).jobs] == [taken, *free]


async def test_move_passes_over_seats_of_the_target_that_are_over(queue: RedisEventQueue) -> None:
    moved = await routed(queue, "d1")
    on_grok = await one(queue, "grok")
    assert await queue.settle_task(on_grok, TaskState.FAILED, error_class="timeout")
    assert await queue.move("claude", "grok", by="ana") == (1, 0)
    assert (await one(queue, "grok")).event_id == moved


async def test_an_event_sent_to_the_front_is_as_old_as_before(queue: RedisEventQueue, reader: EventReader) -> None:
    await queue.enqueue(IncomingEvent("d1", "push", b"{}", "test"))
    last = (await queue.enqueue(IncomingEvent("d2", "push", b"{}", "test"))).id
    await queue.reprioritize([last], Priority.NORMAL, front=True)
    first, _ = await reader.list_jobs(["route"])
    assert first.id == last
    assert 0 <= first.age_s < 60
    oldest_ms = (await queue.stats()).lanes["route"].oldest_age_ms
    assert oldest_ms is not None
    assert 0 <= oldest_ms < 60_000


async def test_a_seat_handed_back_after_its_event_was_sent_to_the_front_is_still_first(queue: RedisEventQueue) -> None:
    await routed(queue, "d1", ALONE)
    last = await routed(queue, "d2", ALONE)
    held = (await queue.claim("claude", 2)).jobs
    await queue.reprioritize([last], Priority.NORMAL, front=True)
    for seat in held:
        await queue.release(seat)
    assert (await one(queue, "claude")).event_id == last


async def test_a_replayed_event_has_given_up_its_place_at_the_front(queue: RedisEventQueue) -> None:
    fronted = (await queue.enqueue(IncomingEvent("d1", "push", b"{}", "test"))).id
    await queue.reprioritize([fronted], Priority.NORMAL, front=True)
    await queue.hand_on(await one(queue, "route"), "", EventState.FAILED)
    other = (await queue.enqueue(IncomingEvent("d2", "push", b"{}", "test"))).id
    await clock_passes(queue, 1)
    await queue.replay([fronted], by="ana")
    assert [job.id for job in (await queue.claim("route", 2)).jobs] == [other, fronted]


async def settle_late(queue: RedisEventQueue, seat: ClaimedJob) -> Any:
    return await queue.settle_task(seat, TaskState.SUCCEEDED, attempt=ATTEMPT, answer="{}", vote=True, text="late")


async def retry_late(queue: RedisEventQueue, seat: ClaimedJob) -> Any:
    return await queue.retry_task(seat, attempt=ATTEMPT, text="late")


async def release_late(queue: RedisEventQueue, seat: ClaimedJob) -> Any:
    return await queue.release(seat, reason="late")


async def extend_late(queue: RedisEventQueue, seat: ClaimedJob) -> Any:
    return (await queue.extend([(seat.id, seat.fence)]))[0]


@pytest.mark.parametrize("late", [settle_late, retry_late, release_late, extend_late])
async def test_a_zombie_brings_no_key_of_a_forgotten_event_back(client: Redis, namespace: str, late: Handing) -> None:
    queue = RedisEventQueue(client, Keys(namespace), retention=RetentionSettings(finished_s=SHORT_LEASE_S))
    event_id = await routed(queue)
    zombie = await one(queue, "grok")
    await resolve(queue, event_id)
    await clock_passes(queue, 2)
    assert await queue.trim() == 1
    assert not any(await client.hvals(queue.keys.fences)), "a fence goes with what it was for"
    assert not await late(queue, zombie)
    assert [key async for key in client.scan_iter(match=f"*{namespace}*{event_id}*", count=1000)] == []
    assert await depth(queue, "grok") == 0
    assert await queue.recover() == (0, 0)
