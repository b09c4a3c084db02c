"""How far an event is stands on its head commit: told in few words, by one engine, and never in the event's way."""

from __future__ import annotations

import itertools
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from redis.asyncio import Redis

from gitbridge_console.domain.events import EventFacts, EventState
from gitbridge_console.router import progress
from gitbridge_console.router.progress import ProgressTeller
from gitbridge_console.store import progress as progress_store
from gitbridge_console.store.host_board import EVERYWHERE
from gitbridge_console.store.progress import ProgressStore
from gitbridge_console.store.trouble import StoreTrouble
from tests.actions.desk import SHA, Desk
from tests.actions.github_wire import BROKEN_BEFORE, LIMITED, TOKEN, WiredHost
from tests.headers import set_fields

pytestmark = pytest.mark.anyio

PULL = EventFacts(type="pull_request", repository="acme/shop", number=7, head_sha=SHA)


def teller_of(desk: Desk, engine: str = "e1") -> ProgressTeller:
    store = ProgressStore(desk.client, desk.queue.keys, "github")
    return ProgressTeller(store, desk.reader, desk.store, desk.board, desk.api, StoreTrouble(), lambda: desk.settings, engine=engine)


@pytest.fixture
def teller(desk: Desk) -> ProgressTeller:
    desk.use(progress="status")
    return teller_of(desk)


async def in_state(desk: Desk, event_id: str, state: EventState) -> None:
    await set_fields(desk.queue, event_id, state=state)


def said(github: WiredHost) -> list[tuple[str, str]]:
    return [(one["state"], one["description"]) for one in github.host.statuses]


async def test_each_stage_is_told_once_and_the_end_with_its_verdict(desk: Desk, github: WiredHost, teller: ProgressTeller) -> None:
    one = await desk.event()
    await teller.watch(one, PULL, "code_review")
    for state in (EventState.ROUTED, EventState.ROUTED, EventState.CONSENSUS_PENDING, EventState.AWAITING_APPROVAL, EventState.RESOLVED):
        await in_state(desk, one, state)
        await set_fields(desk.queue, one, verdict="comment")
        await teller.turn()
    assert said(github) == [
        ("pending", "queued"),
        ("pending", "reviewers are asked"),
        ("pending", "an operator decides"),
        ("success", "done: comment"),
    ]
    await teller.turn()
    assert len(said(github)) == 4
    assert {one["context"] for one in github.host.statuses} == {"gitbridge/code_review"}


async def test_what_passes_quickly_is_told_as_one_and_what_was_never_begun_is_not_ended(
    desk: Desk, github: WiredHost, teller: ProgressTeller
) -> None:
    one, two = await desk.event("d1"), await desk.event("d2")
    for event in (one, two):
        await teller.watch(event, PULL, "code_review")
    await in_state(desk, one, EventState.CONSENSUS_PENDING)
    await in_state(desk, two, EventState.RESOLVED)
    await teller.turn()
    assert said(github) == [("pending", "reviewers are asked")]


async def test_a_failed_event_leaves_no_failure_behind(desk: Desk, github: WiredHost, teller: ProgressTeller) -> None:
    one = await desk.event()
    await teller.watch(one, PULL, "code_review")
    await teller.turn()
    await in_state(desk, one, EventState.FAILED)
    await teller.turn()
    assert said(github)[-1] == ("success", "done: failed")


async def test_a_kind_whose_action_is_a_status_says_the_end_itself(desk: Desk, github: WiredHost, teller: ProgressTeller) -> None:
    desk.kind("status")
    one = await desk.event()
    await teller.watch(one, PULL, "code_review")
    await teller.turn()
    await desk.settle(one)
    await teller.turn()
    assert said(github) == [("pending", "queued"), ("success", "request_changes (2 of 2)")]


@pytest.mark.parametrize("end", [EventState.RESOLVED, EventState.FAILED, EventState.CANCELLED, EventState.SUPERSEDED])
async def test_where_the_action_that_says_the_end_never_came_the_teller_says_it(
    desk: Desk, github: WiredHost, teller: ProgressTeller, end: EventState
) -> None:
    desk.kind("status")
    one = await desk.event()
    await teller.watch(one, PULL, "code_review")
    await teller.turn()
    await in_state(desk, one, end)  # rejected by an operator, for one: nothing was published
    await teller.turn()
    assert [state for state, _ in said(github)] == ["pending", "success"], "a status that stays pending may block a merge for ever"


async def test_what_is_told_late_does_not_stay_over_the_end(desk: Desk, github: WiredHost, teller: ProgressTeller) -> None:
    desk.kind("status")
    one = await desk.event()
    await teller.watch(one, PULL, "code_review")
    await teller.turn()
    await in_state(desk, one, EventState.CONSENSUS_PENDING)
    call = desk.api.call

    async def slow(*args: Any, **more: Any) -> Any:
        desk.api.call = call  # type: ignore[method-assign]
        await desk.settle(one)
        return await call(*args, **more)

    desk.api.call = slow  # type: ignore[method-assign]
    await teller.turn()
    await teller.turn()
    assert said(github)[-1] == ("success", "request_changes (2 of 2)")


@pytest.mark.parametrize("quick", [False, True])
async def test_of_two_events_about_one_head_the_last_one_says_the_end(
    desk: Desk, github: WiredHost, teller: ProgressTeller, quick: bool
) -> None:
    one, two = await desk.event("d1"), await desk.event("d2")
    await teller.watch(one, PULL, "code_review")
    await teller.turn()
    await teller.watch(two, PULL, "code_review")
    await in_state(desk, one, EventState.SUPERSEDED)
    await in_state(desk, two, EventState.ROUTED if quick else EventState.CONSENSUS_PENDING)
    await teller.turn()
    await in_state(desk, two, EventState.RESOLVED)
    await set_fields(desk.queue, two, verdict="comment")
    await teller.turn()
    assert [state for state, _ in said(github)][:-1] == ["pending"] * (len(said(github)) - 1), "it is not done while one of them runs"
    assert said(github)[-1] == ("success", "done: comment")


async def test_where_both_are_over_before_anybody_looked_the_end_is_told_all_the_same(
    desk: Desk, github: WiredHost, teller: ProgressTeller
) -> None:
    one, two = await desk.event("d1"), await desk.event("d2")
    await teller.watch(one, PULL, "code_review")
    await teller.turn()
    await teller.watch(two, PULL, "code_review")
    await in_state(desk, one, EventState.SUPERSEDED)
    await in_state(desk, two, EventState.RESOLVED)
    await teller.turn()
    assert said(github)[-1][0] == "success"


async def test_a_check_run_told_late_ends_as_well(desk: Desk, github: WiredHost) -> None:
    github.host.tokens[TOKEN] = f"{github.host.slug}[bot]"
    desk.use(progress="check_run")
    desk.kind("check_run")
    teller = teller_of(desk)
    one = await desk.event()
    await teller.watch(one, PULL, "code_review")
    await in_state(desk, one, EventState.CONSENSUS_PENDING)
    call = desk.api.call

    async def slow(method: str, *args: Any, **more: Any) -> Any:
        if method == "POST":
            desk.api.call = call  # type: ignore[method-assign]
            await desk.settle(one)
        return await call(method, *args, **more)

    desk.api.call = slow  # type: ignore[method-assign]
    await teller.turn()
    await teller.turn()
    assert {run["status"] for run in github.host.of("check-runs")} == {"completed"}


async def test_once_it_is_the_actions_turn_nothing_is_told_any_more(desk: Desk, github: WiredHost, teller: ProgressTeller) -> None:
    desk.kind("status")
    one = await desk.event()
    await teller.watch(one, PULL, "code_review")
    await in_state(desk, one, EventState.CONSENSUS_PENDING)
    reserve = desk.board.reserve

    async def decided_meanwhile(*args: Any, **more: Any) -> float:
        desk.board.reserve = reserve  # type: ignore[method-assign]
        await desk.settle(one)
        return await reserve(*args, **more)

    desk.board.reserve = decided_meanwhile  # type: ignore[method-assign]
    await teller.turn()
    assert said(github) == [("success", "request_changes (2 of 2)")]


async def test_a_check_run_is_made_once_and_changed_to_its_end_by_the_action(desk: Desk, github: WiredHost) -> None:
    github.host.tokens[TOKEN] = f"{github.host.slug}[bot]"
    desk.use(progress="check_run")
    desk.kind("check_run")
    teller = teller_of(desk)
    one = await desk.event()
    await teller.watch(one, PULL, "code_review")
    await teller.turn()
    await in_state(desk, one, EventState.CONSENSUS_PENDING)
    await teller.turn()
    (run,) = github.host.of("check-runs")
    assert run["status"] == "in_progress"
    await desk.settle(one)
    (run,) = github.host.of("check-runs")
    assert (run["status"], run["conclusion"]) == ("completed", "neutral")


async def test_one_engine_tells_and_another_takes_over_when_it_is_gone(desk: Desk, github: WiredHost, teller: ProgressTeller) -> None:
    other = teller_of(desk, "e2")
    one = await desk.event()
    await other.watch(one, PULL, "code_review")
    await teller.turn()
    await in_state(desk, one, EventState.CONSENSUS_PENDING)
    await other.turn()
    assert len(said(github)) == 1
    await desk.client.delete(f"{desk.queue.keys.host('github')}:teller")
    await other.turn()
    assert len(said(github)) == 2


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause after what failed: at each look it is a second later."""
    monkeypatch.setattr(progress, "PAUSE_MAX_S", 0.0)
    seconds = itertools.count(10**9)
    monkeypatch.setattr(progress, "time", SimpleNamespace(time=lambda: next(seconds)))


async def test_a_host_that_is_unwell_is_asked_less_and_less(desk: Desk, github: WiredHost, teller: ProgressTeller) -> None:
    github.fault = lambda method, path: BROKEN_BEFORE if method == "POST" else None
    one = await desk.event()
    await teller.watch(one, PULL, "code_review")
    for _ in range(8):
        await teller.turn()
    assert len(github.writes()) == 1


@pytest.mark.usefixtures("impatient")
async def test_a_host_that_is_unwell_is_left_alone_after_some_tries(
    desk: Desk, github: WiredHost, teller: ProgressTeller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "TRIES_MAX", 5)
    github.fault = lambda method, path: BROKEN_BEFORE if method == "POST" else None
    one = await desk.event()
    await teller.watch(one, PULL, "code_review")
    for _ in range(8):
        await teller.turn()
    assert len(github.writes()) == 5
    assert (await desk.shown(one)).state == "received"


@pytest.mark.usefixtures("impatient")
async def test_what_stands_as_pending_is_ended_however_long_the_host_was_unwell(
    desk: Desk, github: WiredHost, teller: ProgressTeller
) -> None:
    one = await desk.event()
    await teller.watch(one, PULL, "code_review")
    await teller.turn()
    await in_state(desk, one, EventState.FAILED)
    github.fault = lambda method, path: BROKEN_BEFORE if method == "POST" else None
    for _ in range(8):
        await teller.turn()
    github.fault = lambda method, path: None
    await teller.turn()
    assert said(github)[-1] == ("success", "done: failed")


async def test_while_the_host_asked_to_wait_nothing_is_told(desk: Desk, github: WiredHost, teller: ProgressTeller) -> None:
    github.faults(LIMITED)
    one = await desk.event()
    await teller.watch(one, PULL, "code_review")
    for _ in range(3):
        await teller.turn()
    assert len(github.writes()) == 1


async def test_a_repository_that_refuses_us_keeps_nothing_of_others_back(desk: Desk, github: WiredHost, teller: ProgressTeller) -> None:
    one, two = await desk.event("d1"), await desk.event("d2")
    await teller.watch(one, PULL, "code_review")
    await teller.watch(two, replace(PULL, repository="acme/gone"), "code_review")
    await desk.board.fault(desk.api.auth.fingerprint, "acme/gone", "the host shows nothing (404)", 60.0)
    await teller.turn()
    assert [status["repository"] for status in github.host.statuses] == ["acme/shop"]
    await desk.board.fault(desk.api.auth.fingerprint, EVERYWHERE, "the host refuses the token (401)", 60.0)
    await in_state(desk, one, EventState.CONSENSUS_PENDING)
    await teller.turn()
    assert len(github.writes()) == 1


async def test_decisions_keep_half_of_what_may_be_written(desk: Desk, github: WiredHost, teller: ProgressTeller) -> None:
    desk.use(writes_per_minute=2)
    for n in range(3):
        await teller.watch(await desk.event(f"d{n}"), PULL, "code_review")
    await teller.turn()
    assert len(github.writes()) == 1
    await desk.once()
    assert len(github.host.of("reviews")) == 1


async def test_no_more_events_are_watched_than_there_is_room_for(
    desk: Desk, teller: ProgressTeller, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_store, "WATCHED_MAX", 2)
    for n in range(4):
        await teller.watch(f"{n:08x}00", PULL, "code_review")
    assert await client.hlen(f"{desk.queue.keys.host('github')}:progress") == 2  # type: ignore[misc]


@pytest.mark.parametrize("dry_run", [True, False])
async def test_nothing_is_watched_where_nothing_is_told(desk: Desk, client: Redis, dry_run: bool) -> None:
    desk.use(progress="status" if dry_run else "none", dry_run=dry_run)
    await teller_of(desk).watch("0000000100", PULL, "code_review")
    assert await client.exists(f"{desk.queue.keys.host('github')}:progress") == 0


async def test_an_event_without_a_commit_is_not_watched(desk: Desk, teller: ProgressTeller, client: Redis) -> None:
    await teller.watch("0000000100", EventFacts(type="issues", repository="acme/shop", number=3), "issue_triage")
    assert await client.exists(f"{desk.queue.keys.host('github')}:progress") == 0
