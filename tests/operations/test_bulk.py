"""Bulk operations: planned, applied, done by whichever engine holds them, and accounted for to the last event."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from gitbridge_console.domain.bulk import CHUNK_MAX, BulkKind, BulkState, Deed, Selection
from gitbridge_console.domain.bulk_views import BulkStatus
from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.operations.actor import Actor
from gitbridge_console.operations.errors import NotFound, Refused, Usage
from gitbridge_console.operations.operations import Operations
from gitbridge_console.router.bulk_runner import BulkRunner
from gitbridge_console.router.bulk_steps import finish, piece
from gitbridge_console.settings.model import BulkSettings, Settings
from gitbridge_console.settings.operators import RoleSettings
from gitbridge_console.store.records import RoutePlan
from gitbridge_console.store.store import Store

pytestmark = pytest.mark.anyio

REPLAY, CANCEL = Deed(BulkKind.REPLAY), Deed(BulkKind.CANCEL)
PATIENCE_S = 30.0
FAST = 500.0


def body(number: int, updated_at: str = "2026-11-22T21:00:00Z") -> bytes:
    pull = {"number": number, "title": f"change {number}", "updated_at": updated_at, "head": {"sha": f"{number:040x}"}}
    return json.dumps({"action": "opened", "pull_request": pull, "repository": {"id": 1, "full_name": "acme/shop"}}).encode()


async def submitted(door: Operations, count: int, start: int = 0) -> list[str]:
    """Pull requests with a diff, so that they wait in ``route``."""
    events = [IncomingEvent(f"d{start + n}", "pull_request", body(start + n), "test", diff="diff\n") for n in range(count)]
    return [(await door.submit(event)).id for event in events]


async def failed(door: Operations, store: Store, count: int, start: int = 0, error: str = "silent") -> list[str]:
    ids = await submitted(door, count, start)
    left = set(ids)
    while left:
        for job in (await store.queue.claim("route", 100)).jobs:
            await store.queue.hand_on(job, "", EventState.FAILED, why=error, header={"err": error, "kind": "code_review"})
            left.discard(job.id)
    return ids


@asynccontextmanager
async def engine(store: Store, name: str = "one") -> AsyncIterator[BulkRunner]:
    """What an engine does for bulk operations, and nothing else of it."""
    runner = BulkRunner(store.bulk, store.journal, store.trouble, engine=name)
    task = asyncio.create_task(runner.run())
    try:
        yield runner
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(door: Operations, op_id: str, reached: Callable[[BulkStatus], bool]) -> BulkStatus:
    async with asyncio.timeout(PATIENCE_S):
        while not reached(status := await door.show_bulk(op_id)):
            await asyncio.sleep(0.02)
    return status


async def over(door: Operations, op_id: str) -> BulkStatus:
    return await until(door, op_id, lambda status: status.state in ("finished", "cancelled"))


async def runs(door: Operations, ids: Sequence[str]) -> list[int]:
    return [(await door.show_event(event_id)).run for event_id in ids]


async def test_what_was_planned_is_done_once_and_accounted_for(door: Operations, store: Store) -> None:
    dead = await failed(door, store, 7)
    await submitted(door, 2, start=100)
    plan = await door.plan_bulk(REPLAY, Selection("error=silent"))
    assert (plan.count, plan.estimate, plan.exact, plan.by_state) == (7, 7, True, {"failed": 7})
    assert plan.sample[0].startswith(dead[0])
    assert await runs(door, dead) == [1] * 7, "a plan changes nothing"
    async with engine(store):
        status = await door.apply_bulk(plan.token, "the provider is back", rate_per_s=FAST)
        assert (status.planned, status.reason, status.by) == (7, "the provider is back", "ana")
        ended = await over(door, plan.token)
        async with asyncio.timeout(PATIENCE_S):
            while (await door.list_audit(1))[0].affected is None or (await door.list_audit(1))[0].what != "bulk end":
                await asyncio.sleep(0.02)
    assert (ended.state, ended.done, ended.skipped, ended.failed, ended.left, ended.dropped) == ("finished", 7, 0, 0, 0, 0)
    assert await runs(door, dead) == [2] * 7
    end, entry = await door.list_audit(2)
    assert (entry.what, entry.who, entry.reason) == ("bulk replay", "ana", "the provider is back")
    assert (entry.filter, entry.planned, entry.result) == ("error=silent", 7, "7 planned, at 500/s")
    assert (end.what, end.who, end.host, end.affected) == ("bulk end", "ana", "engine one", 7)
    assert any(line.what.startswith(f"replay, run 2: {plan.token}") for line in (await door.show_event(dead[0])).timeline)


async def test_a_plan_says_what_is_left_out_and_why(door: Operations, store: Store) -> None:
    dead = await failed(door, store, 3)
    waiting = await submitted(door, 2, start=50)
    await door.cancel(waiting[:1], "not wanted")
    plan = await door.plan_bulk(REPLAY, Selection("repo=acme/*"))
    assert plan.count == 3
    assert plan.ineligible == {
        "it is cancelled: such are replayed only where the filter says state=cancelled": 1,
        "it is received: there is nothing to replay": 1,
    }
    assert (await door.plan_bulk(REPLAY, Selection("state=cancelled"))).count == 1
    by_id = await door.plan_bulk(REPLAY, Selection(ids=(dead[0], waiting[1], "ffffffff00")))
    assert (by_id.count, by_id.looked) == (1, 3)
    assert by_id.ineligible["there is no such event"] == 1


async def test_calls_and_cost_are_told_before_anything_is_done(door: Operations, store: Store, settings: Settings) -> None:
    await failed(door, store, 4)
    plan = await door.plan_bulk(REPLAY, Selection("state=failed"))
    assert plan.calls == 4 * settings.kinds["code_review"].seats
    assert plan.cost_usd is None, "no call was made yet, so no price is known"
    for latency in (100.0, 200.0):
        store.metrics.record_attempt("claude", "ok", latency, cost_usd=0.02)
    await store.metrics.flush()
    assert (await door.plan_bulk(REPLAY, Selection("state=failed"))).cost_usd == pytest.approx(0.02 * plan.calls)
    assert (await door.plan_bulk(CANCEL, Selection())).calls == 0


async def test_a_plan_counts_those_a_newer_head_makes_pointless(door: Operations, store: Store) -> None:
    old, other = await failed(door, store, 2, start=7)
    newer = IncomingEvent("newer", "pull_request", body(7, "2026-11-22T22:00:00Z"), "test", diff="diff\n")
    await door.submit(newer)
    (job,) = (await store.queue.claim("route", 1)).jobs
    await store.queue.route(
        job, RoutePlan("code_review", Priority.NORMAL, ("claude",), 1, 1.0, 60.0, 60.0, subject="pr:1:7", version=1_795_385_000_000_000)
    )
    plan = await door.plan_bulk(REPLAY, Selection("state=failed"))
    assert (plan.count, plan.pointless, plan.pointless_exact) == (2, 1, True)
    assert old != other


async def test_what_changed_since_the_plan_is_left_alone(door: Operations, store: Store) -> None:
    dead = await failed(door, store, 4)
    plan = await door.plan_bulk(REPLAY, Selection("state=failed"))
    await door.replay(dead[:1], "by hand")
    await door.replay(dead[1:2], "by hand")
    await door.cancel(dead[1:2], "and cancelled again")
    async with engine(store):
        await door.apply_bulk(plan.token, "all", rate_per_s=FAST)
        ended = await over(door, plan.token)
    assert (ended.done, ended.skipped) == (2, 2)
    assert ended.skips == {"it was replayed since": 2}
    assert ended.skipped_ids == ((dead[0], "it was replayed since"), (dead[1], "it was replayed since"))
    assert await runs(door, dead) == [2, 2, 2, 2]


async def test_events_that_moved_on_are_cancelled_all_the_same(door: Operations, store: Store) -> None:
    ids = await submitted(door, 3)
    plan = await door.plan_bulk(CANCEL, Selection("repo=acme/*"))
    named = await door.plan_bulk(CANCEL, Selection("state=received"))
    (job,) = (await store.queue.claim("route", 1)).jobs
    await store.queue.route(job, RoutePlan("code_review", Priority.NORMAL, ("claude",), 1, 1.0, 60.0, 60.0))
    async with engine(store):
        await door.apply_bulk(named.token, "those that are still there", rate_per_s=FAST)
        ended = await over(door, named.token)
        assert (ended.done, ended.skips) == (2, {"it is routed now": 1})
        await door.apply_bulk(plan.token, "all of them", rate_per_s=FAST)
        ended = await over(door, plan.token)
    assert (ended.done, ended.skips) == (1, {"it is cancelled now": 2})
    assert [(await door.show_event(event_id)).state for event_id in ids] == ["cancelled"] * 3


async def test_priorities_are_given_to_all_that_wait(door: Operations, store: Store) -> None:
    ids = await submitted(door, 3)
    await door.prioritize(ids[:1], Priority.HIGH)
    deed = Deed(BulkKind.PRIORITIZE, to="high")
    plan = await door.plan_bulk(deed, Selection("repo=acme/*"))
    assert (plan.count, plan.ineligible) == (2, {"its priority is high already": 1})
    async with engine(store):
        await door.apply_bulk(plan.token, "release day", rate_per_s=FAST)
        assert (await over(door, plan.token)).done == 2
    assert {row.priority for row in await door.list_events()} == {"high"}


async def routed(store: Store, *lanes: str) -> str:
    (job,) = (await store.queue.claim("route", 1)).jobs
    await store.queue.route(job, RoutePlan("code_review", Priority.NORMAL, lanes, 1, 1.0, 600.0, 600.0))
    return job.id


async def test_seats_of_a_selection_move_to_another_provider(door: Operations, store: Store) -> None:
    await submitted(door, 3)
    first = await routed(store, "claude")
    both = await routed(store, "claude", "grok")
    held = await routed(store, "claude")
    (job,) = (await store.queue.claim("claude", 1)).jobs
    assert job.event_id == first
    plan = await door.plan_bulk(Deed(BulkKind.FAILOVER, to="grok", lane="claude"), Selection("kind=code_review"))
    assert plan.count == 1
    assert plan.ineligible == {"it is being worked on": 1, "grok has a seat on the same panel": 1}
    async with engine(store):
        await door.apply_bulk(plan.token, "claude is slow", rate_per_s=FAST)
        assert (await over(door, plan.token)).done == 1
    assert [(job.event_id, job.lane) for job in await door.list_jobs("grok")] == [(both, "grok"), (held, "grok")]


async def test_a_flush_cancels_what_waits_in_a_lane_and_loses_nothing(door: Operations, store: Store) -> None:
    await submitted(door, 3)
    seated = await routed(store, "claude", "grok")
    plan = await door.plan_bulk(Deed(BulkKind.FLUSH, lane="route"), Selection())
    assert plan.count == 2
    async with engine(store):
        await door.apply_bulk(plan.token, "made by a loop", rate_per_s=FAST)
        assert (await over(door, plan.token)).done == 2
        assert (await door.show_event(seated)).state == "routed"
        again = await door.plan_bulk(Deed(BulkKind.FLUSH, lane="claude"), Selection())
        await door.apply_bulk(again.token, "that one too", rate_per_s=FAST)
        await over(door, again.token)
    assert await door.list_jobs() == []
    assert (await door.plan_bulk(REPLAY, Selection("state=cancelled"))).count == 3


async def test_it_can_be_paused_resumed_and_cancelled_and_the_account_is_exact(door: Operations, store: Store) -> None:
    dead = await failed(door, store, 60)
    plan = await door.plan_bulk(REPLAY, Selection("state=failed"))
    async with engine(store):
        await door.apply_bulk(plan.token, "slowly", rate_per_s=40)
        await until(door, plan.token, lambda status: status.done >= 4)
        await door.pause_bulk(plan.token)
        # The chunk in hand may still be counted.
        await until(door, plan.token, lambda status: status.engine == "")
        before = await door.show_bulk(plan.token)
        await asyncio.sleep(0.4)
        paused = await door.show_bulk(plan.token)
        assert (paused.state, paused.eta_s, paused.done) == ("paused", None, before.done)
        with pytest.raises(Refused, match="is paused: nothing to pause"):
            await door.pause_bulk(plan.token)
        await door.resume_bulk(plan.token)
        await until(door, plan.token, lambda status: status.done > paused.done)
        await door.cancel_bulk(plan.token, "enough")
        ended = await door.show_bulk(plan.token)
    assert ended.state == "cancelled"
    assert ended.left == 0
    assert ended.done + ended.dropped == ended.planned == 60
    assert sum(run == 2 for run in await runs(door, dead)) == ended.done
    assert ended.note == "by ana: enough"
    assert ended.share == ended.done / 60, "the bar stands where it was cancelled"
    with pytest.raises(Refused, match="is cancelled: nothing to resume; what still matches can be planned anew"):
        await door.resume_bulk(plan.token)


async def test_no_more_than_the_maximum_is_done(door: Operations, store: Store) -> None:
    dead = await failed(door, store, 9)
    plan = await door.plan_bulk(REPLAY, Selection("state=failed"), most=8)
    assert (plan.count, plan.estimate, plan.exact) == (8, 9, False)
    async with engine(store):
        await door.apply_bulk(plan.token, "a few first", rate_per_s=FAST, most=5)
        ended = await over(door, plan.token)
    assert (ended.done, ended.dropped, ended.note) == (5, 3, "its maximum of 5 was reached")
    assert await runs(door, dead) == [2] * 5 + [1] * 4, "the oldest go first"


async def test_one_of_a_scope_runs_at_a_time_in_the_order_of_planning(door: Operations, store: Store) -> None:
    dead = await failed(door, store, 12)
    first = await door.plan_bulk(REPLAY, Selection(ids=tuple(dead[:6])))
    second = await door.plan_bulk(REPLAY, Selection(ids=tuple(dead[6:])))
    other = await door.plan_bulk(CANCEL, Selection("state=received"))
    assert other.token == "", "there is nothing to do, so there is nothing to apply"
    async with engine(store):
        await door.apply_bulk(first.token, "a", rate_per_s=10)
        await door.apply_bulk(second.token, "b", rate_per_s=FAST)
        assert (await door.show_bulk(second.token)).note == f"waits for {first.token}"
        await until(door, first.token, lambda status: status.done >= 2)
        assert (await door.show_bulk(second.token)).done == 0
        await door.pause_bulk(first.token)
        assert (await over(door, second.token)).done == 6, "one that is paused lets the next go by"
        await door.resume_bulk(first.token)
        assert (await over(door, first.token)).done == 6


async def test_an_engine_that_falls_silent_loses_it_to_another_and_can_do_nothing_more(door: Operations, store: Store) -> None:
    await failed(door, store, 20)
    plan = await door.plan_bulk(REPLAY, Selection("state=failed"))
    await door.apply_bulk(plan.token, "all", rate_per_s=FAST)
    record = await store.bulk.record(plan.token)
    assert record is not None
    state, old = await store.bulk.hold(plan.token, "dead", 0.0)
    assert state == BulkState.RUNNING
    sums, held = await store.bulk.step(record, old, 0, 1)
    assert (sums.done, held) == (1, True)
    async with engine(store):
        assert (await over(door, plan.token)).done == 20
    assert await store.bulk.step(record, old, 0, 1) == (replace(sums, done=0), False), "its fence is void"
    assert (await store.bulk.hold(plan.token, "dead", 5.0))[0] == BulkState.FINISHED


async def test_two_engines_do_nothing_twice(door: Operations, store: Store) -> None:
    dead = await failed(door, store, 80)
    plan = await door.plan_bulk(REPLAY, Selection("state=failed"))
    async with engine(store, "one"), engine(store, "two"):
        await door.apply_bulk(plan.token, "all", rate_per_s=FAST)
        ended = await over(door, plan.token)
    assert (ended.done, ended.skipped) == (80, 0)
    assert await runs(door, dead) == [2] * 80


async def test_an_engine_that_stops_hands_it_on_at_once(door: Operations, store: Store) -> None:
    await failed(door, store, 30)
    plan = await door.plan_bulk(REPLAY, Selection("state=failed"))
    async with engine(store, "one"):
        await door.apply_bulk(plan.token, "all", rate_per_s=20)
        await until(door, plan.token, lambda status: status.done > 0)
    record = await store.bulk.record(plan.token)
    assert record is not None
    assert record.until_ms == 0
    async with engine(store, "two"):
        assert (await until(door, plan.token, lambda status: status.engine == "two")).done < 30


async def test_what_is_refused(door: Operations, store: Store, settings: Settings) -> None:
    await failed(door, store, 2)
    plan = await door.plan_bulk(REPLAY, Selection("state=failed"))
    for wrong in (
        lambda: door.apply_bulk(plan.token, " "),
        lambda: door.apply_bulk(plan.token, "x", rate_per_s=501),
        lambda: door.apply_bulk(plan.token, "x", rate_per_s=0),
        lambda: door.apply_bulk(plan.token, "x", most=0),
        lambda: door.plan_bulk(REPLAY, Selection("colour=red")),
        lambda: door.plan_bulk(Deed(BulkKind.PRIORITIZE, to="soon"), Selection()),
        lambda: door.plan_bulk(Deed(BulkKind.FAILOVER, to="claude", lane="claude"), Selection()),
    ):
        with pytest.raises(Usage):
            await wrong()
    for unknown in (lambda: door.apply_bulk("op999", "x"), lambda: door.show_bulk("nothing"), lambda: door.cancel_bulk("op999")):
        with pytest.raises(NotFound):
            await unknown()
    viewer = Operations(store, lambda: settings, actor=Actor("eve", "here"), read_only=True)
    seen = await viewer.plan_bulk(REPLAY, Selection("state=failed"))
    assert (seen.count, seen.token) == (2, "")
    for write in (lambda: viewer.apply_bulk(plan.token, "x"), lambda: viewer.cancel_bulk(plan.token)):
        with pytest.raises(Refused):
            await write()
    assert (await door.show_bulk(plan.token)).state == "planned"
    await door.apply_bulk(plan.token, "x")
    with pytest.raises(Refused, match="was applied already"):
        await door.apply_bulk(plan.token, "x")


async def test_a_plan_nobody_applies_is_forgotten(store: Store, settings: Settings) -> None:
    door = Operations(store, lambda: settings.model_copy(update={"bulk": BulkSettings(plan_keep_s=10)}), actor=Actor("ana", "ops-3"))
    await failed(door, store, 1)
    plan = await door.plan_bulk(REPLAY, Selection("state=failed"))
    keys = store.keys
    assert 0 < await store.client.ttl(keys.bulk(plan.token)) <= 10
    assert 10 < await store.client.ttl(keys.bulk_todo(plan.token)) <= 70, "what can be applied has its entries still"
    await store.client.delete(keys.bulk(plan.token))
    with pytest.raises(NotFound):
        await door.apply_bulk(plan.token, "too late")


async def test_of_ended_operations_and_plans_only_so_many_are_kept(door: Operations, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gitbridge_console.store.bulk_operations.KEPT_MAX", 2)
    monkeypatch.setattr("gitbridge_console.store.bulk_operations.PLANNED_MAX", 3)
    await failed(door, store, 1)
    tokens = [(await door.plan_bulk(REPLAY, Selection("state=failed"))).token for _ in range(3)]
    for token in tokens:
        await door.cancel_bulk(token)
    more = [(await door.plan_bulk(REPLAY, Selection("state=failed"))).token for _ in range(5)]
    assert [status.id for status in await door.list_bulk()] == [*reversed(more[-3:]), *reversed(tokens[-2:])]
    assert not [key async for key in store.client.scan_iter(f"*{store.keys.namespace}*:o?:{tokens[0]}")]


async def test_what_is_applied_outlives_the_time_of_a_plan(door: Operations, store: Store) -> None:
    await failed(door, store, 3)
    plan = await door.plan_bulk(REPLAY, Selection("state=failed"))
    await door.apply_bulk(plan.token, "later")
    for key in (store.keys.bulk(plan.token), store.keys.bulk_todo(plan.token)):
        assert await store.client.ttl(key) == -1


@pytest.mark.benchmark
async def test_a_whole_chunk_takes_the_server_less_than_five_milliseconds(door: Operations, store: Store) -> None:
    """Of processor time, the mean of several: what else wants the processor makes it no longer."""
    chunks = 10
    await failed(door, store, chunks * CHUNK_MAX)
    plan = await door.plan_bulk(REPLAY, Selection("state=failed"))
    await door.apply_bulk(plan.token, "all")
    record = await store.bulk.record(plan.token)
    assert record is not None
    _, fence = await store.bulk.hold(plan.token, "here", 60.0)
    before = await store.client.info("cpu")
    calls = done = 0
    while done < chunks * CHUNK_MAX:
        done += (await store.bulk.step(record, fence, 0, CHUNK_MAX))[0].done
        calls += 1
    after = await store.client.info("cpu")
    used_s = sum(after[name] - before[name] for name in ("used_cpu_user_main_thread", "used_cpu_sys_main_thread"))
    assert 1000 * used_s / calls < 5.0


async def test_one_that_was_held_by_a_clock_that_was_ahead_is_taken_over_once_it_is_set_right(door: Operations, store: Store) -> None:
    await failed(door, store, 3)
    plan = await door.plan_bulk(REPLAY, Selection("error=silent"))
    await door.apply_bulk(plan.token, "again", rate_per_s=FAST)
    assert (await store.bulk.hold(plan.token, "dead/1", 5.0))[0] == "running"
    assert (await store.bulk.hold(plan.token, "other/1", 5.0))[0] == "held"
    # A day ahead of the server's clock as it is now.
    ahead = int(await store.client.hget(store.keys.bulk(plan.token), "until") or 0) + 86_400_000
    await store.client.hset(store.keys.bulk(plan.token), "until", str(ahead))
    async with engine(store):
        assert (await over(door, plan.token)).done == 3


async def test_an_operation_of_a_newer_program_is_left_to_it(door: Operations, store: Store) -> None:
    await failed(door, store, 2)
    plan = await door.plan_bulk(REPLAY, Selection("error=silent"))
    await store.client.hset(store.keys.bulk(plan.token), "kind", "transmute")
    await store.client.zadd(store.keys.bulk_index, {plan.token: 1})
    with pytest.raises(NotFound):
        await door.show_bulk(plan.token)
    other = await door.plan_bulk(REPLAY, Selection("error=silent"))
    assert [op.id for op in await door.list_bulk()] == [other.token]
    assert await store.client.exists(store.keys.bulk(plan.token)), "not forgotten as what a dead planner left"
    async with engine(store):
        await door.apply_bulk(other.token, "again", rate_per_s=FAST)
        assert (await over(door, other.token)).done == 2


async def test_a_flush_that_was_halted_is_resumed_by_those_only_who_may_flush(door: Operations, store: Store, settings: Settings) -> None:
    await submitted(door, 3)
    plan = await door.plan_bulk(Deed(BulkKind.FLUSH, lane="route"), Selection())
    await door.apply_bulk(plan.token, "made by a loop")
    roles = RoleSettings(admin=("ana",), operator=("oli",))
    given = settings.model_copy(update={"roles": roles})
    operator = Operations(store, lambda: given, actor=Actor("oli", "ops-3", account="oli"))
    await operator.pause_bulk(plan.token)
    with pytest.raises(Refused, match="needs admin"):
        await operator.resume_bulk(plan.token)
    assert (await door.show_bulk(plan.token)).state == "paused"
    await operator.cancel_bulk(plan.token, "they are real")


async def test_what_it_came_to_is_in_the_audit_once_though_the_engine_died_before_it_said_so(door: Operations, store: Store) -> None:
    await failed(door, store, 3)
    plan = await door.plan_bulk(REPLAY, Selection("error=silent"))
    await door.apply_bulk(plan.token, "again", rate_per_s=FAST)
    record = await store.bulk.record(plan.token)
    assert record is not None
    _, fence = await store.bulk.hold(plan.token, "dead/1", 5.0)
    while await piece(store.bulk, record, fence, FAST) is not None:
        pass
    assert await finish(store.bulk, record)
    assert (await door.list_audit(1))[0].what == "bulk replay", "this engine died here"
    async with engine(store, "one"), engine(store, "two"), asyncio.timeout(PATIENCE_S):
        while (await door.list_audit(1))[0].what != "bulk end":
            await asyncio.sleep(0.02)
        again = await store.bulk.record(plan.token)
        while again is None or again.untold:
            await asyncio.sleep(0.02)
            again = await store.bulk.record(plan.token)
    ends = [entry for entry in await door.list_audit() if entry.what == "bulk end"]
    assert [entry.result for entry in ends] == ["3 done, 0 skipped, 0 failed, 0 not done"]
