"""A key writes about what the operator saw, or not at all: rows end, lists change and questions are not asked while a hand moves."""

from __future__ import annotations

import threading

import pytest
from driving import Driver, driving, settle
from sample import fleet, lane
from textual.events import Key, Paste

from gitbridge_console.console.screens.bulk import BulkScreen
from gitbridge_console.console.widgets.bottom_row import HOLD_S
from gitbridge_console.domain.snapshots import FleetSnapshot, PauseInfo

pytestmark = pytest.mark.anyio


def hold(d: Driver, name: str) -> threading.Event:
    """Have the fleet do this operation only when the event is set."""
    answer, operation = threading.Event(), getattr(d.fleet.door, name)

    async def late(*args: object, **more: object) -> object:
        answer.wait(10)
        return await operation(*args, **more)

    setattr(d.fleet.door, name, late)
    return answer


async def type_on(d: Driver, text: str) -> None:
    """Type without looking, enter last."""
    for char in text:
        d.app.post_message(Key({" ": "space"}.get(char, char), char))
    d.app.post_message(Key("enter", "\r"))
    await settle(d.pilot)


async def end_row(d: Driver) -> tuple[str, str]:
    """The row under the cursor ends; its id, and that of the one the cursor is on then."""
    assert d.table.current is not None
    ended = d.table.current.id
    d.fleet.door.failures = [row for row in d.fleet.door.failures if row.id != ended]
    await settle(d.pilot)
    assert d.table.current is not None
    return ended, d.table.current.id


async def test_a_row_that_has_ended_is_not_taken_for_its_neighbour() -> None:
    async with driving() as d:
        await d.press("4", "j")
        ended, neighbour = await end_row(d)
        await d.press("R")
        assert f"{ended.lstrip('0')} is no longer listed: nothing is done, the cursor is on {neighbour.lstrip('0')} now" in d.bottom
        d.clock.now += HOLD_S
        await d.press("R", "y")
        assert d.writes == [("replay", [neighbour], "from the console")]


async def test_nor_by_a_command_that_names_none() -> None:
    async with driving() as d:
        await d.press("4", "j")
        await end_row(d)
        await d.press("colon")
        await d.type("replay")
        assert "is no longer listed" in d.bottom
        assert not d.writes


async def test_who_moved_the_cursor_knows_where_it_is() -> None:
    async with driving() as d:
        await d.press("4", "j")
        _, neighbour = await end_row(d)
        await d.press("k", "j", "R", "y")
        assert d.writes == [("replay", [neighbour], "from the console")]


async def test_what_the_operator_changed_leaves_the_list_without_a_word() -> None:
    """One after the other, the key repeated."""
    async with driving() as d:
        await d.press("4", "R", "y")
        first, second = await end_row(d)
        await d.press("R", "y")
        assert d.writes == [("replay", [first], "from the console"), ("replay", [second], "from the console")]


async def test_marks_that_have_all_ended_do_not_make_the_cursor_the_target() -> None:
    async with driving() as d:
        await d.press("4", "space")
        d.fleet.door.failures = [row for row in d.fleet.door.failures if row.id not in d.table.marked]
        await settle(d.pilot)
        await d.press("R")
        assert "what was marked is no longer listed: nothing is done" in d.bottom
        assert not d.writes


async def test_a_list_that_is_not_narrowed_yet_is_not_acted_on() -> None:
    """The rows of before are put away with the filter."""
    async with driving() as d:
        await d.press("4")
        answer = hold(d, "event_search")
        await d.pilot.press("slash")
        d.app.post_message(Paste("state=failed"))
        await d.pilot.press("enter", "R")
        await d.pilot.pause()
        assert "the list is still being read: nothing is done" in d.bottom
        answer.set()
        await settle(d.pilot)
        assert d.table.rows


async def test_a_text_for_a_question_that_was_not_asked_is_not_taken_for_keys() -> None:
    """Nothing waits for the provider any more; in the text there are keys that write a file, undo, and quit a screen."""
    nothing = fleet()
    nothing = nothing.model_copy(update={"lanes": {**nothing.lanes, "grok": lane()}})
    async with driving(nothing) as d:
        await d.press("3")
        d.screen.point_at("grok")
        await d.press("F")
        assert "nothing waits for grok" in d.bottom
        await type_on(d, "8 while it's slow: undo + P 1q")
        assert "nothing waits for grok; what was typed since is dropped" in d.bottom
        assert d.app.current_mode == "providers"
        assert not d.screen.bottom.asking
        d.clock.now += HOLD_S
        await d.press("8")
        assert d.app.current_mode == "docs"


async def test_what_has_no_room_to_be_seen_is_not_written_about() -> None:
    async with driving(size=(59, 16)) as d:
        await d.press("2", "plus")
        assert "too small to show what it would be about" in d.bottom
        assert not d.writes


async def test_keys_that_type_nothing_act_at_once() -> None:
    async with driving(read_only=True) as d:
        await d.press("4", "R")
        assert "read-only" in d.bottom
        await d.press("down", "j")
        assert d.table.index == 2


async def test_a_text_is_no_answer_to_yes_or_no() -> None:
    """Whoever took replay for what asks why."""
    async with driving() as d:
        await d.press("4", "R")
        await type_on(d, "it was down, +8")
        assert "not done; what was typed since is dropped" in d.bottom
        assert d.app.current_mode == "failures"
        assert not d.writes


@pytest.mark.parametrize("key", ["n", "enter"])
async def test_no_is_an_answer(key: str) -> None:
    async with driving() as d:
        await d.press("4", "R", key, "j")
        assert d.table.index == 1


async def test_two_writes_of_one_name_are_both_done() -> None:
    """The second while the first is under way."""
    async with driving() as d:
        await d.press("2")
        answer = hold(d, "prioritize")
        rows = [row.id for row in d.table.rows if row.cells[2].text == "low"][:2]
        for name in rows:
            d.screen.point_at(name)
            await d.pilot.press("plus")
        answer.set()
        await settle(d.pilot)
        assert [args[1] for args in d.writes] == [[name] for name in rows]


async def test_what_came_of_a_write_is_told_where_the_operator_is() -> None:
    async with driving() as d:
        await d.press("4", "enter")
        answer = hold(d, "replay")
        await d.pilot.press("R", "y", "escape", "2")
        answer.set()
        await settle(d.pilot)
        assert d.app.current_mode == "queue"
        assert "replay: 1 changed" in d.bottom


def held_just_now(snapshot: FleetSnapshot) -> FleetSnapshot:
    """Somebody else has paused grok in this moment."""
    pause = PauseInfo(by="ana", reason="bill in dispute", since=snapshot.at)
    return snapshot.model_copy(update={"lanes": {**snapshot.lanes, "grok": lane(5).model_copy(update={"paused": pause})}})


async def test_a_pause_that_came_while_a_hand_moved_is_not_taken_back() -> None:
    """The key meant to pause it."""
    async with driving() as d:
        await d.press("3")
        d.screen.point_at("grok")
        d.fleet.snapshot = held_just_now(d.fleet.snapshot)
        await settle(d.pilot)
        await d.press("P")
        assert "grok was held just now by ana: bill in dispute; nothing is done" in d.bottom
        assert not d.writes
        later = d.fleet.snapshot.model_copy(update={"at": "2099-01-01T00:00:00Z"})
        d.fleet.snapshot, d.clock.now = later, d.clock.now + HOLD_S
        await d.press()
        await d.press("P")
        assert d.writes == [("resume", ["grok"])]


async def test_a_plan_does_not_take_over_what_is_being_typed() -> None:
    """It is there when it is wanted."""
    async with driving() as d:
        await d.press("2")
        answer = hold(d, "plan_bulk")
        await d.pilot.press("X", "slash")
        d.app.post_message(Paste("say"))
        answer.set()
        await settle(d.pilot)
        assert not isinstance(d.screen, BulkScreen)
        assert d.screen.bottom.asking


async def test_the_alert_that_was_shown_is_acknowledged_wherever_it_stands_now() -> None:
    async with driving() as d:
        await d.press("a", "a")
        first, second, *rest = d.fleet.snapshot.alerts
        d.fleet.snapshot = d.fleet.snapshot.model_copy(update={"alerts": (second, first, *rest)})
        await settle(d.pilot)
        await d.press("K")
        assert d.writes == [("ack", second.key, "")]


async def test_an_alert_that_is_over_is_not_taken_for_the_next() -> None:
    async with driving() as d:
        await d.press("a")
        first, *rest = d.fleet.snapshot.alerts
        d.fleet.snapshot = d.fleet.snapshot.model_copy(update={"alerts": tuple(rest)})
        await settle(d.pilot)
        await d.press("K")
        assert f"{first.key} is over: nothing is done" in d.bottom
        assert not d.writes
