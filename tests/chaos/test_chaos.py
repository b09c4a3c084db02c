"""Whatever dies, freezes or comes back as a zombie: no event is lost, none is decided twice, nothing is acted on twice."""

from __future__ import annotations

import json

import pytest
from redis.asyncio import Redis

from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.domain.tasks import TaskState
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.records import RoutePlan
from tests.chaos.evidence import Followed, audit, misplaced
from tests.chaos.harness import run
from tests.chaos.plan import LONG, SHORT, Plan

LANES = ("route", "claude", "decide", "act")


def keeps_its_promise(plan: Plan) -> None:
    report = run(plan)
    told = report.text()
    assert (report.count("lost"), report.count("decided twice"), report.count("acted twice")) == (0, 0, 0), told
    assert not report.faults, told
    assert report.acknowledged == plan.events == sum(report.states.values()), told
    assert report.engines_killed >= plan.kills_min, told
    assert report.freezes >= plan.freezes_min, told
    assert report.stubs_killed >= plan.stubs_min, told
    assert report.late_refused >= plan.late_writes_min, told
    assert report.server_kills == plan.server_kills, told
    assert report.recovered_leases > 0, told
    assert report.looks > 0, told


def test_nothing_is_lost_or_done_twice_while_engines_and_the_server_are_killed() -> None:
    keeps_its_promise(SHORT)


@pytest.mark.soak
def test_nothing_is_lost_or_done_twice_in_a_run_of_minutes() -> None:
    keeps_its_promise(LONG)


@pytest.fixture
async def ignored(queue: RedisEventQueue) -> str:
    """An event that came in as delivery ``d1`` and ended well."""
    event_id = (await queue.enqueue(IncomingEvent("d1", "push", b"{}", "test"))).id
    (job,) = (await queue.claim("route", 1)).jobs
    assert await queue.hand_on(job, "", EventState.IGNORED)
    return event_id


async def faults_of(client: Redis, keys: Keys, acknowledged: dict[str, str], heads: dict[str, tuple[str, int]] | None = None) -> set[str]:
    followed = Followed()
    await followed.read(client, keys)
    return {fault.what for fault in (await audit(client, keys, acknowledged, heads or {}, followed, LANES))[0]}


@pytest.mark.anyio
class TestTheAuditSees:
    """What the runs above rely on: none of these could pass unnoticed."""

    async def test_nothing_where_all_is_well(self, client: Redis, queue: RedisEventQueue, ignored: str) -> None:
        assert await faults_of(client, queue.keys, {"d1": ignored}) == set()

    async def test_a_delivery_without_an_event(self, client: Redis, queue: RedisEventQueue, ignored: str) -> None:
        assert await faults_of(client, queue.keys, {"d1": ignored, "d2": "0000000900"}) == {"lost"}

    async def test_an_event_that_never_ended(self, client: Redis, queue: RedisEventQueue) -> None:
        event_id = (await queue.enqueue(IncomingEvent("d1", "push", b"{}", "test"))).id
        assert await faults_of(client, queue.keys, {"d1": event_id}) == {"lost"}

    async def test_an_event_that_failed(self, client: Redis, queue: RedisEventQueue) -> None:
        event_id = (await queue.enqueue(IncomingEvent("d1", "push", b"{}", "test"))).id
        (job,) = (await queue.claim("route", 1)).jobs
        await queue.hand_on(job, "", EventState.FAILED)
        assert await faults_of(client, queue.keys, {"d1": event_id}) == {"lost"}

    async def test_a_newest_head_that_was_superseded(self, client: Redis, queue: RedisEventQueue) -> None:
        event_id = (await queue.enqueue(IncomingEvent("d1", "push", b"{}", "test"))).id
        (job,) = (await queue.claim("route", 1)).jobs
        await queue.hand_on(job, "", EventState.SUPERSEDED)
        assert await faults_of(client, queue.keys, {"d1": event_id}, {"d1": ("pr:1:1", 5)}) == {"lost"}

    async def test_two_decisions_in_one_run(self, client: Redis, queue: RedisEventQueue, ignored: str) -> None:
        for _ in range(2):
            await client.xadd(queue.keys.decisions, {"e": ignored})
        assert "decided twice" in await faults_of(client, queue.keys, {"d1": ignored})

    async def test_two_actions_in_one_run(self, client: Redis, queue: RedisEventQueue, ignored: str) -> None:
        for _ in range(2):
            await client.rpush(queue.keys.timeline(ignored), json.dumps(["1", "resolved: dry run", "act"]))
        assert "acted twice" in await faults_of(client, queue.keys, {"d1": ignored})

    async def test_an_event_resolved_twice(self, client: Redis, queue: RedisEventQueue, ignored: str) -> None:
        for _ in range(2):
            await client.xadd(queue.keys.log, {"x": json.dumps([["info", "resolved", "", ignored]])})
        assert "acted twice" in await faults_of(client, queue.keys, {"d1": ignored})

    async def test_a_seat_that_was_counted_down_twice(self, client: Redis, queue: RedisEventQueue) -> None:
        event_id = (await queue.enqueue(IncomingEvent("d1", "push", b"{}", "test"))).id
        (job,) = (await queue.claim("route", 1)).jobs
        await queue.route(job, RoutePlan("general", Priority.NORMAL, ("claude",), quorum=1, grace_s=0, deadline_s=60, expires_s=600))
        (seat,) = (await queue.claim("claude", 1)).jobs
        assert await queue.settle_task(seat, TaskState.FAILED, answer="")
        (job,) = (await queue.claim("decide", 1)).jobs
        assert await queue.hand_on(job, "", EventState.IGNORED)
        assert await faults_of(client, queue.keys, {"d1": event_id}) == set()
        await client.rpush(queue.keys.timeline(event_id), json.dumps(["1", f"seat {seat.id} succeeded", "claude"]))
        assert await faults_of(client, queue.keys, {"d1": event_id}) == {"contradiction"}

    async def test_an_end_that_was_entered_twice(self, client: Redis, queue: RedisEventQueue, ignored: str) -> None:
        await client.hincrby(queue.keys.counters, "to:ignored", 1)
        assert await faults_of(client, queue.keys, {"d1": ignored}) == {"contradiction"}

    @pytest.mark.parametrize("place", ["ready", "leased", "waiting"])
    async def test_a_finished_job_that_is_still_in_a_lane(self, client: Redis, queue: RedisEventQueue, ignored: str, place: str) -> None:
        await client.zadd(getattr(queue.keys, place)("route"), {ignored: 1})
        assert [fault.about for fault in await misplaced(client, queue.keys, LANES, [ignored])] == [ignored]

    async def test_an_open_job_that_is_in_no_lane(self, client: Redis, queue: RedisEventQueue) -> None:
        event_id = (await queue.enqueue(IncomingEvent("d1", "push", b"{}", "test"))).id
        assert await misplaced(client, queue.keys, LANES, [event_id]) == []
        await client.zrem(queue.keys.ready("route"), event_id)
        assert [fault.about for fault in await misplaced(client, queue.keys, LANES, [event_id])] == [event_id]
