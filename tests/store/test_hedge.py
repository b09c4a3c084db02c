"""A seat and its hedge count as one seat: the first that succeeds ends it, and it fails once, when both have."""

from __future__ import annotations

import pytest

from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.domain.tasks import TaskState
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.records import ClaimedJob, RoutePlan
from tests.headers import header, set_fields

pytestmark = pytest.mark.anyio

PLAN = RoutePlan("general", Priority.NORMAL, ("grok",), quorum=1, grace_s=0, deadline_s=120, expires_s=3600)


async def one(queue: RedisEventQueue, lane: str) -> ClaimedJob:
    (job,) = (await queue.claim(lane, 1)).jobs
    return job


async def asked(queue: RedisEventQueue, *lanes: str, delivery: str = "d1") -> ClaimedJob:
    """A seat whose provider is being asked: the first of the lanes."""
    await queue.enqueue(IncomingEvent(delivery, "release", b"{}", "test"))
    plan = RoutePlan("general", Priority.NORMAL, lanes or ("grok",), quorum=1, grace_s=0, deadline_s=120, expires_s=3600)
    await queue.route(await one(queue, "route"), plan)
    job = await one(queue, (lanes or ("grok",))[0])
    await queue.begin(job)
    return job


async def pair(queue: RedisEventQueue) -> tuple[ClaimedJob, ClaimedJob]:
    """A seat and its hedge, both in somebody's hand."""
    seat = await asked(queue)
    assert await queue.hedge_task(seat, ["claude"]) == "claude"
    return seat, await one(queue, "claude")


async def left(queue: RedisEventQueue, job: ClaimedJob) -> int:
    return int((await header(queue, job.event_id))["left"])


async def states(queue: RedisEventQueue, job: ClaimedJob) -> list[str]:
    last = int((await header(queue, job.event_id))["tasks"])
    return [(await header(queue, f"{job.event_id}.{n}"))["state"] for n in range(1, last + 1)]


async def settle(queue: RedisEventQueue, job: ClaimedJob, state: TaskState, n: int = 1) -> bool:
    return await queue.settle_task(job, state, attempt=f'{{"n": {n}}}', answer='{"a": 1}', vote=state is TaskState.SUCCEEDED)


async def test_a_hedge_stands_before_all_of_its_class_and_behind_what_is_more_urgent(queue: RedisEventQueue) -> None:
    await queue.route(await _submitted(queue, "d0"), RoutePlan("general", Priority.NORMAL, ("claude",), 1, 0, 120, 3600))
    seat = await asked(queue)
    await queue.route(await _submitted(queue, "d2"), RoutePlan("general", Priority.HIGH, ("claude",), 1, 0, 120, 3600))
    await queue.hedge_task(seat, ["claude"])
    found = (await queue.claim("claude", 9)).jobs
    assert [job.header.get("hd", "") for job in found] == ["", seat.id, ""]
    assert [job.header["pr"] for job in found] == ["200", "300", "300"]


async def _submitted(queue: RedisEventQueue, delivery: str) -> ClaimedJob:
    await queue.enqueue(IncomingEvent(delivery, "release", b"{}", "test"))
    return await one(queue, "route")


async def test_a_hedge_goes_to_nobody_who_sits_on_the_panel_and_there_is_one_at_most(queue: RedisEventQueue) -> None:
    seat = await asked(queue, "grok", "claude")
    assert await queue.hedge_task(seat, ["claude"]) == ""
    assert await queue.hedge_task(seat, ["claude", "chatgpt"]) == "chatgpt"
    assert await queue.hedge_task(seat, ["gemini"]) == ""
    assert await queue.hedge_task(await one(queue, "chatgpt"), ["gemini"]) == "", "a hedge is not hedged"


async def test_a_seat_that_is_lost_or_decided_on_is_not_hedged(queue: RedisEventQueue) -> None:
    seat = await asked(queue)
    await queue.cancel([seat.event_id], by="ana")
    assert await queue.hedge_task(seat, ["claude"]) is None
    late = await asked(queue, "grok", "chatgpt", delivery="d2")
    await settle(queue, await one(queue, "chatgpt"), TaskState.SUCCEEDED)
    await queue.hand_on(await one(queue, "decide"), "", EventState.RESOLVED)
    assert await queue.hedge_task(late, ["claude"]) is None


@pytest.mark.parametrize("first", [0, 1])
async def test_the_first_that_succeeds_ends_the_seat_and_voids_the_other(queue: RedisEventQueue, first: int) -> None:
    both = await pair(queue)
    winner, loser = both[first], both[1 - first]
    assert await left(queue, winner) == 1
    assert await settle(queue, winner, TaskState.SUCCEEDED)
    assert await left(queue, winner) == 0
    assert await queue.extend([(loser.id, loser.fence)]) == [False]
    assert not await settle(queue, loser, TaskState.SUCCEEDED, 2)
    assert await left(queue, winner) == 0, "counted once"
    assert await queue.client.lrange(queue.keys.attempts(loser.id), 0, -1) == [b'{"n": 2}'], "and booked all the same"
    assert await queue.client.get(queue.keys.answer(loser.id)) is None
    assert (await one(queue, "decide")).id == winner.event_id


async def test_a_hedge_nobody_claimed_is_withdrawn_when_the_seat_has_its_answer(queue: RedisEventQueue) -> None:
    seat = await asked(queue)
    await queue.hedge_task(seat, ["claude"])
    await settle(queue, seat, TaskState.SUCCEEDED)
    assert (await queue.claim("claude", 1)).jobs == ()
    assert await states(queue, seat) == ["succeeded", "cancelled"]


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("how", ["settled", "tried again"])
async def test_when_one_fails_the_other_goes_on_alone_and_both_failures_are_one(queue: RedisEventQueue, first: int, how: str) -> None:
    both = await pair(queue)
    loser, other = both[first], both[1 - first]
    if how == "settled":
        assert await settle(queue, loser, TaskState.FAILED)
    else:
        assert await queue.retry_task(loser, attempt='{"n": 1}', delay_s=5) == loser.lane
    assert await left(queue, loser) == 1
    assert sorted(await states(queue, loser)) == ["failed", "in_progress"]
    assert (await queue.claim("decide", 1)).jobs == ()
    assert await settle(queue, other, TaskState.FAILED)
    assert await left(queue, loser) == 0
    assert len((await queue.claim("decide", 1)).jobs) == 1


async def test_calls_of_both_halves_count_for_the_limits_of_the_seat(queue: RedisEventQueue) -> None:
    seat, hedge = await pair(queue)
    assert hedge.number("cx") == 1, "the call it was made for"
    await queue.retry_task(hedge, attempt='{"n": 1}')
    await queue.retry_task(seat, attempt='{"n": 2}')
    again = await one(queue, "grok")
    assert (again.number("ca"), again.number("cx"), again.number("ca:claude")) == (1, 1, 1)


async def test_a_poisonous_half_leaves_the_seat_to_the_other(queue: RedisEventQueue) -> None:
    seat, hedge = await pair(queue)
    await set_fields(queue, hedge.id, dv=99)
    assert await queue.release(hedge, counted=True)
    assert await left(queue, seat) == 1
    await settle(queue, seat, TaskState.SUCCEEDED)
    assert await left(queue, seat) == 0


async def test_a_seat_whose_worker_died_comes_back_while_its_hedge_goes_on(queue: RedisEventQueue) -> None:
    seat, hedge = await pair(queue)
    await queue.client.zadd(queue.keys.leased("grok"), {seat.id: 1})
    assert (await queue.recover())[0] == 1
    assert await settle(queue, hedge, TaskState.SUCCEEDED)
    assert (await queue.claim("grok", 1)).jobs == ()
    assert await states(queue, seat) == ["cancelled", "succeeded"]


async def test_who_holds_what_nobody_wants_any_more_is_told(queue: RedisEventQueue) -> None:
    seat, _ = await pair(queue)
    async with queue.client.pubsub(ignore_subscribe_messages=True) as channel:
        await channel.subscribe(queue.keys.lost)
        await channel.get_message(timeout=1.0)
        await settle(queue, seat, TaskState.SUCCEEDED)
        assert await channel.get_message(timeout=20) is not None
