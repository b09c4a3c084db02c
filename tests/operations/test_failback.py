"""Back again after a failover by hand: what still waits goes to where it came from, and what cannot is counted with its reason."""

from __future__ import annotations

import pytest

from gitbridge_console.domain.bulk import BulkKind, Deed, Selection
from gitbridge_console.domain.event_views import JobSummary
from gitbridge_console.domain.events import IncomingEvent, Priority
from gitbridge_console.domain.tasks import TaskState
from gitbridge_console.operations.errors import Usage
from gitbridge_console.operations.operations import Operations
from gitbridge_console.store.records import ClaimedJob, RoutePlan
from gitbridge_console.store.store import Store
from tests.operations.test_bulk import body

pytestmark = pytest.mark.anyio

BACK = Deed(BulkKind.FAILBACK, lane="claude")
AWAY = Deed(BulkKind.FAILOVER, to="grok", lane="claude")


async def seated(door: Operations, store: Store, number: int, *lanes: str, priority: Priority = Priority.NORMAL) -> str:
    """An event with seats in these lanes."""
    made = await door.submit(IncomingEvent(f"d{number}", "pull_request", body(number), "test", diff="diff\n", priority=priority))
    (job,) = (await store.queue.claim("route", 1)).jobs
    assert job.id == made.id
    await store.queue.route(job, RoutePlan("code_review", priority, lanes or ("claude",), 1, 1.0, 600.0, 600.0))
    return made.id


async def back(door: Operations) -> tuple[int, dict[str, int]]:
    """Bring back what can be; how many were, and what stayed for which reason."""
    plan = await door.plan_bulk(BACK, Selection())
    if not plan.count:
        return 0, plan.ineligible
    await door.apply_bulk(plan.token, "claude is back")
    status = await door.do_bulk_now(plan.token)
    assert status.done == plan.count
    return status.done, plan.ineligible


async def claimed(store: Store, lane: str) -> ClaimedJob:
    (job,) = (await store.queue.claim(lane, 1)).jobs
    return job


async def waiting(door: Operations, lane: str) -> list[JobSummary]:
    return [job for job in await door.list_jobs(lane) if job.place != "leased"]


async def test_what_still_waits_goes_back_with_its_place_in_line(door: Operations, store: Store) -> None:
    ids = [await seated(door, store, n, priority=priority) for n, priority in enumerate([Priority.LOW, Priority.HIGH, Priority.NORMAL])]
    before = [(job.id, job.priority) for job in await waiting(door, "claude")]
    await door.failover("claude", "grok", "outage at claude")
    assert await waiting(door, "claude") == []
    plan = await door.plan_bulk(BACK, Selection())
    assert (plan.count, plan.deed, plan.calls) == (3, "failback claude", 3)
    assert await waiting(door, "claude") == [], "a plan changes nothing"
    assert await back(door) == (3, {})
    assert [(job.id, job.priority) for job in await waiting(door, "claude")] == before
    assert (await door.list_audit(1))[0].what == "bulk end"
    assert any("goes back from grok to claude" in step.what for step in (await door.show_event(ids[0])).timeline)
    assert await back(door) == (0, {}), "what came home is not known as away any more"


async def test_what_cannot_go_back_is_counted_with_the_reason(door: Operations, store: Store) -> None:
    names = ["answered", "asked", "in hand", "cancelled", "waits", "too"]
    ids = dict(zip(names, [await seated(door, store, n) for n in range(len(names))], strict=True))
    await door.failover("claude", "grok", "outage at claude")
    job = await claimed(store, "grok")
    assert job.event_id == ids["answered"]
    await store.queue.settle_task(job, TaskState.SUCCEEDED, answer="{}", attempt="{}")
    job = await claimed(store, "grok")
    await store.queue.retry_task(job, attempt="{}", text="overloaded")
    await door.prioritize([ids["asked"]], Priority.BULK)
    job = await claimed(store, "grok")
    assert job.event_id == ids["in hand"]
    await door.cancel([ids["cancelled"]], "not wanted")
    assert await back(door) == (
        2,
        {"grok answered it": 1, "grok was asked already": 1, "grok is at work on it": 1, "its event is cancelled": 1},
    )
    assert {job.event_id for job in await waiting(door, "claude")} == {ids["waits"], ids["too"]}


async def test_of_a_chain_of_moves_the_first_provider_is_home(door: Operations, store: Store) -> None:
    guest, native = await seated(door, store, 1), await seated(door, store, 2, "grok")
    await door.failover("claude", "grok", "outage at claude")
    await door.failover("grok", "chatgpt", "and at grok")
    grok = await door.plan_bulk(Deed(BulkKind.FAILBACK, lane="grok"), Selection())
    assert grok.count == 1
    await door.apply_bulk(grok.token, "grok is back")
    await door.do_bulk_now(grok.token)
    assert [job.event_id for job in await waiting(door, "grok")] == [native]
    assert await back(door) == (1, {})
    assert [job.event_id for job in await waiting(door, "claude")] == [guest]


async def test_one_that_was_moved_back_by_hand_is_home_and_may_leave_again(door: Operations, store: Store) -> None:
    await seated(door, store, 1)
    await door.failover("claude", "grok", "outage at claude")
    await door.failover("grok", "claude", "the other way round")
    assert await back(door) == (0, {})
    await door.failover("claude", "grok", "once more")
    assert await back(door) == (1, {})


async def test_a_selection_goes_back_by_filter_or_by_id(door: Operations, store: Store) -> None:
    event_id, other = await seated(door, store, 1), await seated(door, store, 2, "grok")
    await door.failover("claude", "grok", "outage at claude")
    for chosen, count in [
        (Selection("repo=elsewhere/*"), 0),
        (Selection("repo=acme/*"), 1),
        (Selection(ids=(other,)), 0),
        (Selection(ids=(event_id,)), 1),
    ]:
        assert (await door.plan_bulk(BACK, chosen)).count == count, chosen


async def test_a_provider_sits_on_a_panel_once(door: Operations, store: Store) -> None:
    event_id = await seated(door, store, 1, "claude", "chatgpt")
    await door.failover("claude", "grok", "outage at claude")
    await door.failover("chatgpt", "claude", "chatgpt too")
    assert await back(door) == (0, {"claude has a seat on the same panel": 1})
    assert {job.lane for job in await door.list_jobs() if job.event_id == event_id and "." in job.id} == {"grok", "claude"}


async def test_a_plan_that_is_old_leaves_alone_what_was_asked_since(door: Operations, store: Store) -> None:
    for n in range(3):
        await seated(door, store, n)
    await door.failover("claude", "grok", "outage at claude")
    plan = await door.plan_bulk(BACK, Selection())
    await claimed(store, "grok")
    await door.apply_bulk(plan.token, "claude is back")
    status = await door.do_bulk_now(plan.token)
    assert (status.done, status.skips) == (2, {"grok is at work on it": 1})


async def test_only_providers_have_something_to_take_back(door: Operations) -> None:
    with pytest.raises(Usage, match="name a provider"):
        await door.plan_bulk(Deed(BulkKind.FAILBACK, lane="route"), Selection())


async def test_what_is_remembered_is_bounded_and_goes_by_itself(door: Operations, store: Store) -> None:
    await seated(door, store, 1)
    key = store.keys.moved("claude")
    await store.client.zadd(key, {f"{n:010x}.1": n for n in range(1, 1000)})
    await door.failover("claude", "grok", "outage at claude")
    assert await store.client.zcard(key) == 1, "older than a week"
    assert 0 < await store.client.ttl(key) <= 7 * 86_400
