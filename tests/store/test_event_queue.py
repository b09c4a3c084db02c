"""The queue as a specification: lanes, leases, fences, panels, supersede, replay, pause."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis

from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.domain.tasks import TaskState
from gitbridge_console.settings.model import QueueSettings, RetentionSettings
from gitbridge_console.settings.routing import RetrySettings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.headers import timeline_of
from gitbridge_console.store.keys import Keys, expand_id
from gitbridge_console.store.reader import EventReader
from gitbridge_console.store.records import BackPressure, ClaimedJob, Ending, PayloadTooLarge, RoutePlan, Seat
from tests.claims import claim_all
from tests.headers import header
from tests.store_clock import the_next_millisecond

pytestmark = pytest.mark.anyio

PLAN = RoutePlan("code_review", Priority.NORMAL, ("claude", "grok"), quorum=2, grace_s=15, deadline_s=120, expires_s=3600)


def event(delivery: str = "d1", **changes: Any) -> IncomingEvent:
    return replace(IncomingEvent(delivery, "pull_request", b'{"action": "opened"}', "test"), **changes)


async def one(queue: RedisEventQueue, lane: str, lease_s: float = 30.0) -> ClaimedJob:
    claim = await queue.claim(lane, 1, lease_s)
    assert len(claim.jobs) == 1, f"nothing to claim in {lane}"
    return claim.jobs[0]


async def routed(queue: RedisEventQueue, delivery: str = "d1", plan: RoutePlan = PLAN) -> str:
    await queue.enqueue(event(delivery))
    job = await one(queue, "route")
    assert (await queue.route(job, plan))[0] == "routed"
    return job.id


async def test_an_accepted_event_is_claimed_with_payload_and_diff_as_they_came(queue: RedisEventQueue) -> None:
    raw = b'{"a": "\xf0\x9f\x90\x9b"}'
    accepted = await queue.enqueue(event(payload=raw, diff="+\tx\n"), texts={"title": "t"})
    job = await one(queue, "route")
    assert (job.id, job.payload, job.diff, job.is_task) == (accepted.id, raw, "+\tx\n", False)


async def test_a_delivery_is_taken_once(queue: RedisEventQueue) -> None:
    first = await queue.enqueue(event())
    again = await queue.enqueue(event())
    assert (again.id, again.status) == (first.id, "duplicate")
    stats = await queue.stats()
    assert stats.counters["duplicates"] == 1
    assert stats.lanes["route"].ready == 1


async def test_redelivery_of_a_failed_event_runs_it_again(queue: RedisEventQueue) -> None:
    await queue.enqueue(event())
    job = await one(queue, "route")
    await queue.hand_on(job, "", EventState.FAILED, why="internal")
    again = await queue.enqueue(event())
    assert (again.id, again.status) == (job.id, "requeued")
    assert (await header(queue, job.id))["run"] == "2"


async def test_priority_first_then_age(queue: RedisEventQueue) -> None:
    for name, priority in [
        ("a", Priority.LOW),
        ("b", Priority.NORMAL),
        ("c", Priority.CRITICAL),
        ("d", Priority.NORMAL),
        ("e", Priority.NORMAL),
    ]:
        await queue.enqueue(event(name, priority=priority))
    claim = await queue.claim("route", 10)
    order = [int(job.id[:8], 16) for job in claim.jobs]
    assert order == [3, 2, 4, 5, 1]


async def test_a_paused_lane_gives_nothing_and_grows(queue: RedisEventQueue) -> None:
    await queue.pause("route", by="ana", reason="maintenance")
    await queue.enqueue(event())
    claim = await queue.claim("route", 5)
    assert claim.paused
    assert claim.jobs == ()
    stats = await queue.stats()
    assert stats.pauses["route"]["reason"] == "maintenance"
    assert stats.lanes["route"].ready == 1
    await queue.resume("route", by="ana")
    assert len((await queue.claim("route", 5)).jobs) == 1


async def test_a_pause_with_an_end_ends_by_itself(queue: RedisEventQueue) -> None:
    await queue.enqueue(event())
    await queue.pause("route", by="ana", reason="a moment", for_s=0.001)
    for _ in range(2000):
        claim = await queue.claim("route", 1)
        if claim.jobs:
            break
    assert claim.jobs
    assert (await queue.stats()).pauses == {}


async def test_an_expired_lease_goes_back_with_its_place_in_line_and_the_old_fence_is_void(queue: RedisEventQueue) -> None:
    await queue.enqueue(event("a"))
    await queue.enqueue(event("b"))
    zombie = await one(queue, "route", lease_s=0.0001)
    while (await queue.recover())[0] == 0:
        pass
    fresh = await one(queue, "route")
    assert fresh.id == zombie.id
    assert not await queue.hand_on(zombie, "", EventState.RESOLVED)
    assert not await queue.release(zombie)
    assert await queue.extend([(zombie.id, zombie.fence), (fresh.id, fresh.fence)]) == [False, True]
    assert await queue.hand_on(fresh, "", EventState.RESOLVED)


async def test_a_job_that_kills_its_workers_is_given_up(client: Any, namespace: str) -> None:
    queue = RedisEventQueue(client, Keys(namespace), retry=RetrySettings(deliveries_max=2))
    accepted = await queue.enqueue(event())
    buried = 0
    for _ in range(100_000):
        await queue.claim("route", 1, 0.0001)
        buried += (await queue.recover())[1]
        if buried:
            break
    head = await header(queue, accepted.id)
    assert (head["state"], head["err"], head["code"]) == ("failed", "poison", "ERR_ROUTING_010")


async def test_what_many_leases_stand_in_is_an_index_and_its_long_member_is_no_lease(queue: RedisEventQueue) -> None:
    for n in range(17):
        await queue.enqueue(event(f"d{n}"))
    claim = await queue.claim("route", 16, 30)
    assert await queue.client.object("encoding", queue.keys.fences) == b"hashtable"
    assert await queue.client.object("encoding", queue.keys.leased("route")) == b"skiplist"
    assert (await queue.stats()).lanes["route"].leased == 16
    window = await EventReader(queue.client, queue.keys).job_window(["route"], 15, 10)
    assert (window.total, [job.place for job in window.rows]) == (17, ["leased", "ready"])
    assert await queue.conclude(claim.jobs, Ending(EventState.RESOLVED)) == [True] * 16
    assert (await queue.stats()).lanes["route"].leased == 0
    assert await queue.recover() == (0, 0)


async def test_a_claim_leases_what_it_found_and_nothing_of_a_longer_one_before_it(queue: RedisEventQueue) -> None:
    for n in range(41):
        await queue.enqueue(event(f"d{n}"))
    many = (await queue.claim("route", 40, 30)).jobs
    assert len({job.id for job in many}) == 40
    assert await queue.conclude(many, Ending(EventState.RESOLVED)) == [True] * 40
    last = await one(queue, "route")
    ids = {job.id.encode() for job in [*many, last]}
    assert ids & set(await queue.client.hkeys(queue.keys.fences)) == {last.id.encode()}
    assert ids & set(await queue.client.zrange(queue.keys.leased("route"), 0, -1)) == {last.id.encode()}


async def test_routing_puts_one_task_into_each_lane_and_the_decision_waits(queue: RedisEventQueue) -> None:
    event_id = await routed(queue)
    stats = await queue.stats()
    assert {lane: (row.ready, row.waiting) for lane, row in stats.lanes.items()} == {
        "route": (0, 0),
        "claude": (1, 0),
        "grok": (1, 0),
        "decide": (0, 1),
    }
    assert (await header(queue, event_id))["state"] == "routed"


async def test_the_deadline_runs_from_the_first_seat_that_is_worked_on(queue: RedisEventQueue) -> None:
    event_id = await routed(queue)
    far = float((await header(queue, event_id))["due"])
    seat = await one(queue, "claude")
    assert (await header(queue, event_id))["state"] == "routed", "claimed is not asked"
    deadline = await queue.begin(seat)
    head = await header(queue, event_id)
    assert head["state"] == "consensus_pending"
    assert float(head["due"]) < far - 3_000_000
    assert head["due"] == head["deadline"] == str(deadline)


async def test_the_last_seat_pulls_the_decision_forward(queue: RedisEventQueue) -> None:
    event_id = await routed(queue)
    for lane in ("claude", "grok"):
        assert (await queue.claim("decide", 1)).jobs == ()
        assert await queue.settle_task(await one(queue, lane), TaskState.SUCCEEDED, answer='{"v": 1}', attempt="{}", vote=True)
    assert (await one(queue, "decide")).id == event_id


async def test_quorum_leaves_only_the_grace_period(queue: RedisEventQueue) -> None:
    event_id = await routed(queue, plan=replace(PLAN, quorum=1))
    await queue.settle_task(await one(queue, "claude"), TaskState.SUCCEEDED, answer="{}", vote=True)
    head = await header(queue, event_id)
    now = (await queue.stats()).now_ms
    assert 0 < float(head["due"]) - now <= 15_000


async def test_a_failed_seat_counts_down_without_a_vote(queue: RedisEventQueue) -> None:
    event_id = await routed(queue, plan=replace(PLAN, quorum=1))
    await queue.settle_task(await one(queue, "claude"), TaskState.FAILED, error_class="credential")
    head = await header(queue, event_id)
    assert (head["left"], head["votes"]) == ("1", "0")


async def test_an_answer_after_the_decision_is_kept_and_marked_late(queue: RedisEventQueue) -> None:
    event_id = await routed(queue, plan=replace(PLAN, quorum=1, grace_s=0))
    late = await one(queue, "grok")
    await queue.settle_task(await one(queue, "claude"), TaskState.SUCCEEDED, answer="{}", vote=True)
    decide = await one(queue, "decide")
    assert await queue.hand_on(decide, "", EventState.RESOLVED, cancel_waiting_seats=True)
    assert await queue.settle_task(late, TaskState.SUCCEEDED, answer='{"late": 1}', vote=True)
    assert (await header(queue, late.id))["late"] == "1"
    assert await queue.client.get(queue.keys.answer(late.id)) == b'{"late": 1}'
    assert (await header(queue, event_id))["state"] == "resolved"


async def test_a_zombie_cannot_settle_but_its_attempt_is_booked(queue: RedisEventQueue) -> None:
    await routed(queue)
    zombie = await one(queue, "claude", lease_s=0.0001)
    while (await queue.recover())[0] == 0:
        pass
    fresh = await one(queue, "claude")
    assert not await queue.settle_task(zombie, TaskState.SUCCEEDED, answer='{"zombie": 1}', attempt='{"n": 1}', vote=True)
    assert await queue.client.get(queue.keys.answer(zombie.id)) is None
    assert await queue.settle_task(fresh, TaskState.SUCCEEDED, answer='{"fresh": 1}', attempt='{"n": 2}', vote=True)
    assert await queue.client.lrange(queue.keys.attempts(fresh.id), 0, -1) == [b'{"n": 1}', b'{"n": 2}']


async def test_a_cancelled_attempt_is_booked_once_and_not_held_against_the_limits_on_retries(queue: RedisEventQueue) -> None:
    await routed(queue)
    zombie = await one(queue, "claude", lease_s=0.0001)
    while (await queue.recover())[0] == 0:
        pass
    fresh, key = await one(queue, "claude"), queue.keys.job(zombie.id)
    assert await queue.book_attempt(zombie, '{"n": 1}')
    assert [await queue.book_attempt(fresh, '{"n": 2}') for _ in range(2)] == [True, False]
    found = await header(queue, zombie.id)
    assert [found.get(name) for name in ("ca", "ca:claude", "cc", "st")] == ["0", None, "2", "leased"]
    assert await queue.client.lrange(queue.keys.attempts(fresh.id), 0, -1) == [b'{"n": 1}', b'{"n": 2}']
    await queue.cancel([zombie.event_id], by="ana")
    await queue.client.delete(key)
    assert not await queue.book_attempt(fresh, '{"n": 3}'), "what is gone stays gone"


async def test_retry_waits_in_its_lane_and_is_counted(queue: RedisEventQueue) -> None:
    await routed(queue)
    job = await one(queue, "claude")
    assert await queue.retry_task(job, attempt="{}", delay_s=60) == "claude"
    head = await header(queue, job.id)
    assert (head["state"], head["ca"], head["ca:claude"]) == ("waiting", "1", "1")
    assert (await queue.stats()).lanes["claude"].waiting == 1


async def test_failover_passes_over_a_provider_that_sits_on_the_panel(queue: RedisEventQueue) -> None:
    await routed(queue)
    job = await one(queue, "claude")
    assert await queue.retry_task(job, attempt="{}", candidates=["grok", "chatgpt"], verdict="fail_over") == "chatgpt"
    assert (await one(queue, "chatgpt")).id == job.id


async def test_failover_without_a_free_provider_leaves_the_task_held(queue: RedisEventQueue) -> None:
    await routed(queue)
    job = await one(queue, "claude")
    assert await queue.retry_task(job, attempt="{}", candidates=["grok"], verdict="fail_over") == ""
    assert await queue.settle_task(job, TaskState.FAILED, error_class="credential")


async def test_release_is_not_counted_as_a_delivery(queue: RedisEventQueue) -> None:
    await queue.enqueue(event())
    await queue.release(await one(queue, "route"))
    assert (await one(queue, "route")).number("dv") == 1


async def test_a_newer_head_replaces_the_waiting_one_and_takes_its_place(queue: RedisEventQueue) -> None:
    subject = replace(PLAN, subject="pr:1:7", version=100)
    old = await routed(queue, "d1", subject)
    seat = await one(queue, "claude")
    await the_next_millisecond(queue.client)  # what comes in the same one stands in line by its id
    other = await routed(queue, "d2", PLAN)
    new = await routed(queue, "d3", replace(subject, version=200))
    assert (await header(queue, old))["state"] == "superseded"
    assert (await header(queue, seat.id))["state"] == "cancelled"
    assert await queue.extend([(seat.id, seat.fence)]) == [False]
    order = [job.event_id for job in (await queue.claim("grok", 10)).jobs]
    assert order == [new, other]


async def test_an_older_head_that_comes_late_is_born_superseded(queue: RedisEventQueue) -> None:
    subject = replace(PLAN, subject="pr:1:7", version=200)
    newer = await routed(queue, "d1", subject)
    await queue.enqueue(event("d2"))
    job = await one(queue, "route")
    assert await queue.route(job, replace(subject, version=100)) == ("superseded", newer)
    assert (await header(queue, job.id))["state"] == "superseded"
    assert (await queue.stats()).lanes["claude"].ready == 1


async def test_a_panel_can_be_widened_by_one_seat_and_waits_for_it(queue: RedisEventQueue) -> None:
    event_id = await routed(queue)
    for lane in ("claude", "grok"):
        await queue.settle_task(await one(queue, lane), TaskState.SUCCEEDED, answer="{}")
    decide = await one(queue, "decide")
    assert await queue.widen(decide, Seat("chatgpt"), note="chatgpt steps in")
    assert not await queue.widen(decide, Seat("chatgpt"), note="a stale fence")
    assert (await queue.claim("decide", 1)).jobs == ()
    seat = await one(queue, "chatgpt")
    assert (seat.id, seat.header["kind"]) == (f"{event_id}.3", "code_review")
    await queue.settle_task(seat, TaskState.SUCCEEDED, answer="{}", vote=True)
    assert (await one(queue, "decide")).id == event_id


async def test_reprioritize_moves_the_event_and_its_seats_and_keeps_age(queue: RedisEventQueue) -> None:
    first = await routed(queue, "d1")
    second = await routed(queue, "d2")
    assert await queue.reprioritize([second], Priority.HIGH) == [3]
    assert [job.event_id for job in (await queue.claim("claude", 2)).jobs] == [second, first]
    assert await queue.reprioritize([first], Priority.HIGH) == [3]
    assert [job.event_id for job in (await queue.claim("grok", 2)).jobs] == [first, second]


async def test_to_the_front_goes_before_everything_of_its_class(queue: RedisEventQueue) -> None:
    ids = [(await queue.enqueue(event(f"d{n}"))).id for n in range(3)]
    await queue.reprioritize([ids[2]], Priority.NORMAL, front=True)
    await queue.reprioritize([ids[1]], Priority.NORMAL, front=True)
    assert [job.id for job in (await queue.claim("route", 3)).jobs] == [ids[1], ids[2], ids[0]]


async def test_replay_keeps_the_priority_and_starts_a_new_run(queue: RedisEventQueue) -> None:
    await queue.enqueue(event(priority=Priority.HIGH))
    job = await one(queue, "route")
    await queue.hand_on(job, "", EventState.FAILED, header={"err": "silent"})
    assert await queue.replay([job.id, "ffffffff00"], by="ana", why="fixed") == ["failed", ""]
    again = await one(queue, "route")
    assert (again.id, again.priority, again.number("run"), again.number("dv")) == (job.id, Priority.HIGH, 2, 1)
    assert await queue.replay([job.id], by="ana") == ["-received"]


async def test_tasks_of_a_replay_are_new_and_the_old_ones_stay_readable(queue: RedisEventQueue) -> None:
    event_id = await routed(queue)
    for lane in ("claude", "grok"):
        await queue.settle_task(await one(queue, lane), TaskState.FAILED, attempt='{"old": 1}', error_class="silent")
    await queue.hand_on(await one(queue, "decide"), "", EventState.FAILED)
    await queue.replay([event_id], by="ana")
    await queue.route(await one(queue, "route"), PLAN)
    seat = await one(queue, "claude")
    assert seat.id == f"{event_id}.3"
    assert await queue.client.lrange(queue.keys.attempts(f"{event_id}.1"), 0, -1) == [b'{"old": 1}']


async def test_a_seat_still_worked_on_when_its_event_is_replayed_is_given_up(queue: RedisEventQueue) -> None:
    event_id = await routed(queue, plan=replace(PLAN, quorum=1, grace_s=0))
    late = await one(queue, "grok")
    await queue.settle_task(await one(queue, "claude"), TaskState.SUCCEEDED, answer="{}", vote=True)
    await queue.hand_on(await one(queue, "decide"), "", EventState.RESOLVED)
    await queue.replay([event_id], by="ana")
    assert await queue.extend([(late.id, late.fence)]) == [False]
    assert not await queue.settle_task(late, TaskState.SUCCEEDED, answer="{}", vote=True)
    await queue.route(await one(queue, "route"), PLAN)
    assert (await header(queue, event_id))["left"] == "2"


async def test_cancel_takes_an_event_and_its_seats_out_wherever_they_are(queue: RedisEventQueue) -> None:
    event_id = await routed(queue)
    seat = await one(queue, "claude")
    assert await queue.begin(seat)
    assert await queue.cancel([event_id], by="ana", why="not wanted") == ["consensus_pending"]
    stats = await queue.stats()
    assert all((row.ready, row.waiting, row.leased) == (0, 0, 0) for row in stats.lanes.values())
    assert not await queue.settle_task(seat, TaskState.SUCCEEDED, answer="{}", vote=True)
    assert await queue.cancel([event_id], by="ana") == ["-cancelled"]


async def test_what_was_done_is_said_to_be_though_the_hint_of_it_may_not_be_given(
    namespace: str, start_server: Callable[..., str], connect_to: Callable[[str], Redis]
) -> None:
    queue = RedisEventQueue(connect_to(start_server()), Keys(namespace))
    await queue.client.execute_command("ACL", "SETUSER", "default", "resetchannels", f"&{queue.keys.wake}")
    event_id = await routed(queue)
    assert await queue.begin(await one(queue, "claude"))

    assert await queue.cancel([event_id], by="ana") == ["consensus_pending"]


async def test_approval_sends_to_act_once_and_rejection_resolves(queue: RedisEventQueue) -> None:
    for delivery, approve, lane_depth, state in [("d1", True, 1, "awaiting_approval"), ("d2", False, 0, "resolved")]:
        accepted = await queue.enqueue(event(delivery))
        await queue.hand_on(await one(queue, "route"), "", EventState.AWAITING_APPROVAL)
        assert await queue.approve(accepted.id, approve=approve, by="ana") == "awaiting_approval"
        assert (await header(queue, accepted.id))["state"] == state
        assert len((await queue.claim("act", 5)).jobs) == lane_depth
    assert await queue.approve(accepted.id, approve=True, by="ana") == "resolved"


async def test_move_keeps_priority_and_age_and_skips_panels_that_have_the_target(queue: RedisEventQueue) -> None:
    with_grok = await routed(queue, "d1")
    free = await routed(queue, "d2", replace(PLAN, lanes=("claude", "chatgpt")))
    urgent = await routed(queue, "d3", replace(PLAN, lanes=("claude",), quorum=1, priority=Priority.HIGH))
    assert await queue.move("claude", "grok", by="ana") == (2, 1)
    assert [job.event_id for job in (await queue.claim("grok", 9)).jobs] == [urgent, with_grok, free]


async def test_backpressure_at_max_waiting(client: Any, namespace: str) -> None:
    queue = RedisEventQueue(client, Keys(namespace), queue=QueueSettings(max_waiting=2))
    await queue.enqueue(event("a"))
    await queue.enqueue(event("b"))
    with pytest.raises(BackPressure, match="max_waiting is 2"):
        await queue.enqueue(event("c"))
    assert (await queue.enqueue(event("a"))).status == "duplicate"


async def test_an_oversized_payload_is_refused_by_name(client: Any, namespace: str) -> None:
    queue = RedisEventQueue(client, Keys(namespace), queue=QueueSettings(payload_max_bytes=1024))
    with pytest.raises(PayloadTooLarge, match="payload_max_bytes"):
        await queue.enqueue(event(payload=b"x" * 1025))


async def test_trim_forgets_finished_events_but_never_failed_ones(client: Any, namespace: str) -> None:
    queue = RedisEventQueue(client, Keys(namespace), retention=RetentionSettings(finished_max=100))
    for n in range(103):
        await queue.enqueue(event(f"d{n}"))
    for n, job in enumerate(await claim_all(queue, "route", 103)):
        await queue.hand_on(job, "", EventState.FAILED if n == 0 else EventState.RESOLVED)
    assert await queue.trim() == 2
    stats = await queue.stats()
    assert (stats.states["resolved"], stats.states["failed"]) == (100, 1)
    assert not await client.exists(queue.keys.job("0000000200"), queue.keys.payload("0000000200"))


async def test_quarantine_is_bounded_and_keeps_the_bytes(queue: RedisEventQueue) -> None:
    await queue.quarantine(b"\xff\x00 not json", source="legacy", error="not JSON")
    assert await client_len(queue) == 1


async def client_len(queue: RedisEventQueue) -> int:
    return int(await queue.client.xlen(queue.keys.quarantine))


async def test_ending_in_the_state_it_is_in_already_enters_no_state(queue: RedisEventQueue) -> None:
    await queue.enqueue(event())
    job = await one(queue, "route")
    assert await queue.hand_on(job, "", EventState.RECEIVED)
    assert (await queue.stats()).counters["to:received"] == 1
    assert (await header(queue, job.id))["st"] == "settled"


async def test_text_that_is_none_does_not_stand_in_the_way_of_an_event(queue: RedisEventQueue) -> None:
    odd = "\ud800 \x00 \n \u2028 \x7f"
    enqueued = await queue.enqueue(event(odd, source=odd), action=odd, texts={"title": odd})
    job = await one(queue, "route")
    assert job.header["ac"] == "? \x00 \n \u2028 \x7f"
    assert (await queue.route(job, PLAN))[0] == "routed"
    assert (await header(queue, enqueued.id))["dl"] == job.header["ac"]


async def test_the_timeline_tells_what_happened(queue: RedisEventQueue) -> None:
    event_id = await routed(queue)
    entries = [json.loads(raw)[1] for raw in timeline_of(await queue.client.get(queue.keys.job(event_id)))]
    assert entries == ["routed: claude, grok"], "that it was received stands in its header"


def test_ids_may_be_typed_without_leading_zeros() -> None:
    assert expand_id("1A00") == "0000001a00"
    assert expand_id("1a00.2") == "0000001a00.2"
