"""The console under a pilot: every key does what help says it does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Any

import pytest
from still_fleet import StillFleet, provider, snapshot
from textual.pilot import Pilot

from gitbridge_console.console.actions import actions_for
from gitbridge_console.console.app import ConsoleApp
from gitbridge_console.console.screens.base import MODES
from gitbridge_console.console.screens.event import EventScreen
from gitbridge_console.console.screens.help import HelpScreen
from gitbridge_console.console.screens.listing import TableScreen
from gitbridge_console.console.widgets.bottom_row import BottomRow
from gitbridge_console.console.widgets.lines import Lines
from gitbridge_console.domain.events import Priority
from gitbridge_console.operations.errors import StoreAway

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def opened(fleet: StillFleet, size: tuple[int, int] = (120, 40), **more: Any) -> AsyncIterator[Pilot[int]]:
    app = ConsoleApp(fleet, painting=False, **more)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        yield pilot


async def settle(pilot: Pilot[int]) -> None:
    """Paint, and let what was asked for arrive."""
    app: Any = pilot.app
    for _ in range(3):
        app.paint()
        await app.workers.wait_for_complete()
        await pilot.pause()


async def press(pilot: Pilot[int], *keys: str) -> None:
    await pilot.press(*keys)
    await settle(pilot)


def bottom(pilot: Pilot[int]) -> str:
    return pilot.app.screen.query_one(BottomRow)._line().plain


def table(pilot: Pilot[int]) -> Any:
    screen = pilot.app.screen
    assert isinstance(screen, TableScreen)
    return screen.table


async def test_keys_one_to_six_open_the_modes_with_live_rows() -> None:
    async with opened(StillFleet()) as pilot:
        for key, mode, rows in [
            ("2", "queue", 8),
            ("3", "providers", 3),
            ("4", "failures", 4),
            ("5", "consensus", 5),
            ("6", "log", 21),
            ("1", "pulse", 7),
        ]:
            await press(pilot, key)
            assert pilot.app.current_mode == mode
            assert len(table(pilot).rows) == rows


async def test_pause_asks_why_and_writes_through_the_door() -> None:
    fleet = StillFleet(snapshot(providers={"claude": provider("slow"), "grok": provider("ok")}))
    async with opened(fleet) as pilot:
        await press(pilot, "j", "j", "P")
        assert "pause claude (15 wait, 4 in hand), why?" in bottom(pilot)
        await press(pilot, "enter")
        assert "why?" in bottom(pilot)
        assert fleet.door.writes == []
        await press(pilot, *"slow", "enter")
        assert fleet.door.writes == [("pause", ["claude"], "slow")]


async def test_a_paused_lane_is_resumed_by_the_same_key() -> None:
    fleet = StillFleet()
    async with opened(fleet) as pilot:
        await press(pilot, "3", "G", "P")
        assert fleet.door.writes == [("resume", ["chatgpt"])]


async def test_the_last_healthy_provider_wants_its_name_typed() -> None:
    picture = snapshot()
    only = {"claude": provider("ok"), "grok": picture.providers["grok"]}
    fleet = StillFleet(snapshot(providers=only))
    async with opened(fleet) as pilot:
        await press(pilot, "3", "P", *"grok", "enter")
        assert "not claude: not done" in bottom(pilot)
        assert fleet.door.writes == []
        await press(pilot, "P", *"claude", "enter", *"why", "enter")
        assert fleet.door.writes == [("pause", ["claude"], "why")]


async def test_escape_gives_up_a_question_and_nothing_is_written() -> None:
    fleet = StillFleet()
    async with opened(fleet) as pilot:
        await press(pilot, "j", "j", "P", "q", "escape")
        assert fleet.door.writes == []
        assert pilot.app.current_mode == "pulse"


@pytest.mark.parametrize(("key", "to"), [("plus", Priority.HIGH), ("minus", Priority.LOW)])
async def test_priority_is_raised_and_lowered_by_one_class(key: str, to: Priority) -> None:
    fleet = StillFleet()
    async with opened(fleet) as pilot:
        await press(pilot, "2", key)
        assert fleet.door.writes == [("prioritize", ["00000a0000.1"], to)]


async def test_priority_is_set_by_name_with_completion() -> None:
    fleet = StillFleet()
    async with opened(fleet) as pilot:
        await press(pilot, "2", "equals_sign", "c", "tab", "enter")
        assert fleet.door.writes == [("prioritize", ["00000a0000.1"], Priority.CRITICAL)]
        await press(pilot, "equals_sign", *"urgent", "enter")
        assert "unknown priority" in bottom(pilot)


async def test_marked_failures_are_replayed_after_yes_and_not_after_no() -> None:
    fleet = StillFleet()
    async with opened(fleet) as pilot:
        await press(pilot, "4", "space", "space", "R")
        assert "replay 2 events? y/N" in bottom(pilot)
        await press(pilot, "n")
        assert fleet.door.writes == []
        await press(pilot, "R", "y")
        assert fleet.door.writes == [("replay", ["00000b0000", "00000b0100"], "from the console")]


async def test_cancel_from_the_queue_means_the_event() -> None:
    fleet = StillFleet()
    async with opened(fleet) as pilot:
        await press(pilot, "2", "X", "y")
        assert fleet.door.writes == [("cancel", ["00000a0000"], "from the console")]


@pytest.mark.parametrize(("key", "word"), [("O", "approve"), ("D", "reject")])
async def test_an_operator_decides_from_the_list_and_from_the_event(key: str, word: str) -> None:
    fleet = StillFleet()
    async with opened(fleet) as pilot:
        await press(pilot, "5", "j", key, "y", "enter", key, "y")
        assert fleet.door.writes == [(word, "00000c0100"), (word, "00000c0100")]


async def test_the_way_down_to_an_event_and_back() -> None:
    fleet = StillFleet()
    async with opened(fleet) as pilot:
        await press(pilot, "4", "enter")
        screen = pilot.app.screen
        assert isinstance(screen, EventScreen)
        assert screen.event is not None
        await press(pilot, "p")
        assert screen.event.payload_text is not None
        await press(pilot, "plus", "R", "y", "X", "y", "equals_sign", *"low", "enter")
        assert [write[0] for write in fleet.door.writes] == ["prioritize", "replay", "cancel", "prioritize"]
        await press(pilot, "q")
        assert not isinstance(pilot.app.screen, EventScreen)
        await press(pilot, "escape")
        assert pilot.app.current_mode == "pulse"


async def test_read_only_refuses_every_write_and_says_so() -> None:
    fleet = StillFleet()
    async with opened(fleet, read_only=True) as pilot:
        for mode, keys in [("3", "P"), ("2", "X"), ("4", "R"), ("5", "O")]:
            await press(pilot, mode, keys, "y")
        await press(pilot, "2", "plus")
        assert fleet.door.writes == []


async def test_moving_sorting_filtering_and_marking() -> None:
    async with opened(StillFleet()) as pilot:
        await press(pilot, "2", "G")
        assert table(pilot).current.id == "00000a0700.1"
        await press(pilot, "k", "pageup", "g")
        assert table(pilot).current.id == "00000a0000.1"
        await press(pilot, "slash", *"grok", "enter")
        assert {row.cells[1].text for row in table(pilot).rows} == {"grok"}
        assert "/grok 4 of 8" in bottom(pilot)
        await press(pilot, "slash", "ctrl+u", *"!grok", "enter")
        assert {row.cells[1].text for row in table(pilot).rows} == {"claude"}
        await press(pilot, "slash", "ctrl+u", "enter", "S")
        assert table(pilot).rows[0].id == "00000a0700.1"
        await press(pilot, "s", "S", "s")
        assert [row.cells[1].text for row in table(pilot).rows][:4] == ["claude"] * 4


async def test_the_cursor_stays_on_its_row_when_others_go() -> None:
    async with opened(StillFleet()) as pilot:
        await press(pilot, "2", "j", "j", "j")
        here = table(pilot).current.id
        table(pilot).set_rows(table(pilot).rows[2:])
        assert table(pilot).current.id == here


async def test_freeze_holds_the_picture_while_the_fleet_goes_on() -> None:
    fleet = StillFleet()
    async with opened(fleet) as pilot:
        await press(pilot, "f")
        fleet.snapshot = snapshot(namespace="later")
        await settle(pilot)
        header = pilot.app.screen.query_one("#header", Lines)
        assert "FROZEN" in header.lines[0].plain
        assert "prod-eu" in header.lines[0].plain
        await press(pilot, "f")
        assert "later" in header.lines[0].plain


async def test_rate_theme_mouse_and_redraw_keys() -> None:
    async with opened(StillFleet()) as pilot:
        app: Any = pilot.app
        await press(pilot, "right_square_bracket")
        assert app.refresh_s == 0.5
        await press(pilot, "left_square_bracket", "left_square_bracket")
        assert app.refresh_s == 2.0
        before = app.theme
        await press(pilot, "ctrl+t")
        assert app.theme != before
        await press(pilot, "m", "ctrl+l")
        assert "mouse" in bottom(pilot)


async def test_commands_by_name_with_history_and_mistakes_named() -> None:
    async with opened(StillFleet()) as pilot:
        await press(pilot, "colon", *"queue grok", "enter")
        assert pilot.app.current_mode == "queue"
        assert {row.cells[1].text for row in table(pilot).rows} == {"grok"}
        await press(pilot, "colon", *"nonsense", "enter")
        assert "no command nonsense" in bottom(pilot)
        await press(pilot, "colon", "up", "up", "enter")
        assert pilot.app.current_mode == "queue"
        await press(pilot, "colon", *"event.payload", "enter")
        assert "works on: event" in bottom(pilot)
        await press(pilot, "colon", *"q", "enter")
    assert pilot.app.return_code == 0


async def test_help_lists_the_keys_of_the_screen_it_was_asked_on() -> None:
    async with opened(StillFleet()) as pilot:
        await press(pilot, "4", "question_mark")
        assert isinstance(pilot.app.screen, HelpScreen)
        assert "failures > help" in bottom(pilot)
        await press(pilot, "escape")
        assert pilot.app.current_mode == "failures"


async def test_enter_on_a_lane_shows_its_work() -> None:
    async with opened(StillFleet()) as pilot:
        await press(pilot, "3", "j", "enter")
        assert pilot.app.current_mode == "queue"
        assert {row.cells[1].text for row in table(pilot).rows} == {"grok"}


async def test_a_store_that_is_away_is_a_line_and_not_a_crash() -> None:
    fleet = StillFleet()

    async def away(*_: Any) -> Any:
        raise StoreAway("the store does not answer: connection refused")

    fleet.door.list_jobs = away
    async with opened(fleet) as pilot:
        await press(pilot, "2")
        assert "connection refused" in bottom(pilot)


async def test_before_the_first_picture_it_starts_empty() -> None:
    fleet = StillFleet()
    fleet.snapshot = None
    async with opened(fleet) as pilot:
        await press(pilot, "1", "2", "3")
        assert "starting" in pilot.app.screen.query_one("#header", Lines).lines[0].plain


async def test_a_terminal_that_is_too_small_says_what_it_has_and_needs() -> None:
    async with opened(StillFleet(), size=(50, 12)) as pilot:
        card = pilot.app.screen.query_one("#too-small", Lines)
        assert card.display
        assert "have 50x12, need 60x16" in card.lines[0].plain
        await pilot.resize_terminal(80, 24)
        await settle(pilot)
        assert not card.display


WAY_TO = {name: [str(n)] for n, name in enumerate(MODES, 1)} | {"event": ["4", "enter"]}


@pytest.mark.parametrize("scope", WAY_TO)
async def test_every_action_of_the_table_has_a_method_on_its_screen(scope: str) -> None:
    async with opened(StillFleet()) as pilot:
        await press(pilot, *WAY_TO[scope])
        for action in actions_for(scope):
            method = action.method.split("(")[0]
            owner: Any = pilot.app if method.startswith("app.") else pilot.app.screen
            assert callable(getattr(owner, f"action_{method.removeprefix('app.')}", None)), action.id


async def test_what_nobody_foresaw_is_a_line_too() -> None:
    fleet = StillFleet()

    async def broken(*_: Any) -> Any:
        raise RuntimeError("a fault of our own")

    fleet.door.list_jobs = broken
    async with opened(fleet) as pilot:
        await press(pilot, "2")
        assert "see the log" in bottom(pilot)
        await press(pilot, "1")
        assert pilot.app.current_mode == "pulse"


async def test_a_fleet_that_gives_no_news_is_said_to() -> None:
    now = [0.0]
    async with opened(StillFleet(), clock=lambda: now[0]) as pilot:
        header = pilot.app.screen.query_one("#header", Lines)
        assert "NO NEWS" not in header.lines[0].plain
        now[0] = 42.0
        await settle(pilot)
        assert "NO NEWS for 42s" in header.lines[0].plain


async def test_a_store_that_hangs_does_not_collect_questions() -> None:
    fleet = StillFleet()
    async with opened(fleet) as pilot:
        open_now: list[Future[Any]] = []

        def hang(_: Any) -> Future[Any]:
            open_now.append(Future())
            return open_now[-1]

        fleet.call = hang  # type: ignore[method-assign]
        await pilot.press("4")
        app: Any = pilot.app
        for _ in range(5):
            app.paint()
            await pilot.pause()
        assert len(open_now) == 1
        open_now[0].set_exception(StoreAway("away"))
        await app.workers.wait_for_complete()
        assert "away" in bottom(pilot)


async def test_many_events_at_once_want_their_number_typed() -> None:
    fleet = StillFleet()
    async with opened(fleet) as pilot:
        await press(pilot, "4")
        screen: Any = pilot.app.screen
        done: list[str] = []
        screen.confirm_all("replay", [str(n) for n in range(21)], lambda: done.append("done"))
        await press(pilot, "y", "enter")
        assert done == []
        screen.confirm_all("replay", [str(n) for n in range(21)], lambda: done.append("done"))
        await press(pilot, "2", "1", "enter")
        assert done == ["done"]
