"""Plan against apply, on random stores: what was planned and is still eligible is what is done, nothing else and nothing twice."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from gitbridge_console.domain.bulk import BulkKind, Deed, Selection
from gitbridge_console.domain.events import FINISHED_STATES, EventState, IncomingEvent, Priority
from gitbridge_console.operations.actor import Actor
from gitbridge_console.operations.operations import Operations
from gitbridge_console.settings.model import LegacySettings, QueueSettings, RedisSettings, Settings
from gitbridge_console.store.connection import connect
from gitbridge_console.store.records import RoutePlan
from gitbridge_console.store.store import Store
from tests.claims import claim_all

STATES = ("received", "routed", "failed", "shed", "cancelled", "resolved")
ERRORS = ("silent", "internal")
REPOSITORIES = ("acme/shop", "acme/site", "other/site")
FILTERS = (
    "",
    "state=failed",
    "error=silent",
    "repo=acme/*",
    "state=cancelled",
    "state=resolved repo=acme/site",
    "!error=silent",
    "text=change",
)
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Made:
    """One event of a random store."""

    state: str
    error: str
    repository: str
    priority: Priority


made = st.builds(
    Made, st.sampled_from(STATES), st.sampled_from(ERRORS), st.sampled_from(REPOSITORIES), st.sampled_from([Priority.HIGH, Priority.LOW])
)
deeds = st.sampled_from(
    [Deed(BulkKind.REPLAY), Deed(BulkKind.CANCEL), Deed(BulkKind.PRIORITIZE, to="high"), Deed(BulkKind.FLUSH, lane="route")]
)

meddling = st.lists(st.tuples(st.sampled_from(["replay", "cancel", "raise", "anew"]), st.integers(0, 11)), max_size=4)


async def build(store: Store, door: Operations, events: list[Made]) -> list[str]:
    """A store with these events; returns their ids in that order."""
    ids = []
    for n, one in enumerate(events):
        body = {
            "repository": {"id": REPOSITORIES.index(one.repository) + 1, "full_name": one.repository},
            "head_commit": {"message": f"change {n}"},
        }
        event = IncomingEvent(f"d{n}", "push", json.dumps(body).encode(), "test", one.priority, diff="diff\n")
        ids.append((await door.submit(event)).id)
    for job in await claim_all(store.queue, "route", len(events)):
        one = events[ids.index(job.id)]
        if one.state == "received":
            await store.queue.release(job)
        elif one.state == "routed":
            await store.queue.route(job, RoutePlan("push_review", one.priority, ("claude", "grok"), 2, 1.0, 600.0, 600.0))
        else:
            error = {"err": one.error} if one.state == "failed" else {}
            await store.queue.hand_on(job, "", EventState(one.state), why="made so", header=error)
    return ids


async def look(store: Store, ids: list[str]) -> dict[str, tuple[str, int, str, bool]]:
    """State, run, priority, and whether it waits in ``route``, of each."""
    found = {}
    for event_id in ids:
        header = await store.reader.find_event(event_id) or {}
        waits = header.get("st") == "ready" and header.get("lane") == "route"
        found[event_id] = (header["state"], int(header.get("run", 1)), header["pr"], waits)
    return found


def eligible(deed: Deed, words: str, one: Made, now: tuple[str, int, str, bool]) -> bool:
    """What the deed may be done to, told apart from how it is done."""
    state, _, priority, waits = now
    if deed.kind is BulkKind.REPLAY:
        return state in ("failed", "shed") or f"state={state}" in words.split()
    if deed.kind is BulkKind.FLUSH:
        return waits
    if deed.kind is BulkKind.PRIORITIZE and priority == str(int(Priority.HIGH)):
        return False
    return state not in FINISHED_STATES


def matches(words: str, one: Made, state: str) -> bool:
    """The few filters of this test, in other words than the product's."""
    failed_so = one.error == "silent" and one.state == "failed"
    holds = {
        "": True,
        "state=failed": state == "failed",
        "error=silent": failed_so,
        "repo=acme/*": one.repository.startswith("acme/"),
        "state=cancelled": state == "cancelled",
        "state=resolved repo=acme/site": state == "resolved" and one.repository == "acme/site",
        "!error=silent": not failed_so,
        "text=change": True,
    }
    return holds[words]


async def plan_and_apply(url: str, events: list[Made], deed: Deed, words: str, meddle: list[tuple[str, int]]) -> None:
    settings = Settings(
        namespace=f"p{os.getpid()}-{next(_numbers)}",
        redis=RedisSettings(url=url),
        legacy=LegacySettings(enabled=False),
        queue=QueueSettings(partitions=2),
    )
    async with connect(settings.redis, None) as connection:  # type: ignore[arg-type]  # an outside server needs no folder
        store = Store(connection, settings)
        door = Operations(store, lambda: settings, actor=Actor("ana", "ops-3"))
        ids = await build(store, door, events)
        at_plan = await look(store, ids)
        plan = await door.plan_bulk(deed, Selection(words))
        assert await look(store, ids) == at_plan, "a plan changes nothing"
        wanted = {
            event_id
            for event_id, one in zip(ids, events, strict=True)
            if matches(words, one, at_plan[event_id][0]) and eligible(deed, words, one, at_plan[event_id])
        }
        assert plan.count == len(wanted)
        for what, n in meddle:
            await tamper(store, ids[n % len(ids)], what)
        before = await look(store, ids)
        if not plan.count:
            return
        await door.apply_bulk(plan.token, "as planned")
        ended = await door.do_bulk_now(plan.token)
        after = await look(store, ids)
        named = "state=" in words
        due = {
            event_id
            for event_id, one in zip(ids, events, strict=True)
            if event_id in wanted
            and eligible(deed, words, one, before[event_id])
            and (before[event_id][1] == at_plan[event_id][1] or deed.kind is BulkKind.FLUSH)
            and (before[event_id][0] == at_plan[event_id][0] or not (named or deed.kind is BulkKind.REPLAY))
        }
        assert {event_id for event_id in ids if after[event_id] != before[event_id]} == due
        assert (ended.done, ended.skipped, ended.failed, ended.left) == (len(due), len(wanted) - len(due), 0, 0)
        assert sum(ended.skips.values()) == ended.skipped
        for event_id in due:
            assert came_of_it(deed, before[event_id], after[event_id])


def came_of_it(deed: Deed, before: tuple[Any, ...], after: tuple[Any, ...]) -> bool:
    if deed.kind is BulkKind.REPLAY:
        return after[:2] == ("received", before[1] + 1)
    if deed.kind is BulkKind.PRIORITIZE:
        return bool(after == (before[0], before[1], str(int(Priority.HIGH)), before[3]))
    return bool(after[0] == "cancelled")


async def tamper(store: Store, event_id: str, what: str) -> None:
    """What others do between a plan and its application."""
    if what in ("cancel", "anew"):
        await store.queue.cancel([event_id], by="somebody")
    if what in ("replay", "anew"):
        await store.queue.replay([event_id], by="somebody")
    if what == "raise":
        await store.queue.reprioritize([event_id], Priority.HIGH, by="somebody")


def holds(number: int) -> Any:
    @examples(max_examples=number, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @example(  # one that is cancelled and runs anew in between is another piece of work
        events=[Made("received", "silent", "acme/shop", Priority.LOW)], deed=Deed(BulkKind.CANCEL), words="", meddle=[("anew", 0)]
    )
    @given(events=st.lists(made, min_size=1, max_size=12), deed=deeds, words=st.sampled_from(FILTERS), meddle=meddling)
    def check(valkey_url: str, events: list[Made], deed: Deed, words: str, meddle: list[tuple[str, int]]) -> None:
        asyncio.run(plan_and_apply(valkey_url, events, deed, words, meddle))

    return check


test_what_was_planned_and_is_still_eligible_is_what_is_done = holds(80)
test_the_same_on_five_hundred_stores = pytest.mark.soak(holds(500))
