"""Every action of the console, by its keys, over a fake fleet."""

from __future__ import annotations

import pytest
from driving import Clock, driving
from sample import calm, first_run, fleet, jobs, providers, store_away
from textual.widget import Widget

from gitbridge_console.console.actions import ACTIONS, actions_for, hints_for
from gitbridge_console.console.screens.event import EventScreen
from gitbridge_console.console.screens.help import HelpScreen
from gitbridge_console.console.widgets.bottom_row import HOLD_S
from gitbridge_console.console.widgets.lines import Page
from gitbridge_console.domain.events import Priority
from gitbridge_console.operations.errors import Refused

pytestmark = pytest.mark.anyio

MODES = ("pulse", "queue", "providers", "failures", "consensus", "log")


async def test_modes_by_their_digits() -> None:
    """1 to 6, each with rows."""
    async with driving() as d:
        for key, mode in zip("234561", (*MODES[1:], MODES[0]), strict=True):
            await d.press(key)
            assert d.app.current_mode == mode
            assert d.table.rows


async def test_only_the_screen_in_front_asks_for_lists() -> None:
    """The Pulse needs none, but the past for its charts."""
    async with driving() as d:
        assert d.fleet.door.asked == ["history"]
        await d.press("2")
        assert set(d.fleet.door.asked) == {"history", "jobs"}


async def test_cursor_keys() -> None:
    """j k g G and pages."""
    async with driving() as d:
        await d.press("2")
        await d.press("j", "j", "k")
        assert d.table.index == 1
        await d.press("G")
        assert d.table.index == 59
        assert d.table.scroll_offset.y > 0
        await d.press("g")
        assert d.table.index == 0
        await d.press("pagedown")
        assert d.table.index > 5


async def test_enter_opens_the_event_and_esc_or_q_comes_back() -> None:
    """The way down and up again."""
    async with driving() as d:
        for back in ("escape", "q"):
            await d.press("4", "enter")
            assert isinstance(d.screen, EventScreen)
            assert "ERR_ROUTING_002" in d.shown()
            assert "\x1b" not in d.shown()
            await d.press(back)
            assert d.app.current_mode == "failures"
            assert not isinstance(d.screen, EventScreen)


async def test_event_page_scrolls_and_shows_the_payload() -> None:
    """j G g and p."""
    async with driving() as d:
        await d.press("5", "enter")
        page = d.screen.query_one(Page)
        await d.press("pagedown")
        assert page.scroll_offset.y > 1
        await d.press("G")
        assert page.scroll_offset.y == page.max_scroll_y
        await d.press("g", "p", "G")
        assert "[bold]Round[/bold] tax" in d.shown()


async def test_pause_asks_for_a_reason() -> None:
    """An empty one is not taken; esc gives up."""
    async with driving() as d:
        await d.press("3", "j", "P")
        assert "pause grok (218 wait, 6 in hand), why?" in d.bottom
        await d.press("enter")
        assert d.writes == []
        await d.press("escape")
        assert d.writes == []
        await d.press("P", "t", "o", "o", "space", "S", "backspace", "s", "enter")
        assert d.writes == [("pause", ["grok"], "too s")]
        assert "pause grok: 1 changed" in d.bottom


async def test_pausing_the_last_healthy_provider_wants_its_name() -> None:
    """A wrong name does nothing."""
    gone = providers()["chatgpt"]
    snapshot = fleet(providers={"claude": providers()["claude"], "grok": gone, "chatgpt": gone})
    async with driving(snapshot) as d:
        await d.press("3", "P")
        assert "last healthy provider" in d.bottom
        await d.type("grok")
        assert d.writes == []
        assert "not claude" in d.bottom
        await d.press("P")
        await d.type("claude")
        await d.type("bill")
        assert d.writes == [("pause", ["claude"], "bill")]


async def test_a_provider_is_asked_now_by_a_small_letter() -> None:
    """Looking needs no reason."""
    async with driving() as d:
        await d.press("3", "c")
        assert "claude answers in 123 ms, model offered" in d.bottom
        assert d.writes == []


async def test_a_breaker_is_held_open_with_a_reason_and_reset_where_something_is_held_against_the_provider() -> None:
    """The capital letter that asks first."""
    async with driving() as d:
        await d.press("3", "B")
        assert "hold the breaker of claude open" in d.bottom
        await d.type("bill in dispute")
        assert d.writes.pop() == ("breaker", "claude", "open", "bill in dispute")
        await d.press("j", "j", "B")
        assert "reset chatgpt (now open)" in d.bottom
        await d.type("it is back")
        assert d.writes.pop() == ("breaker", "chatgpt", "reset", "it is back")


async def test_holding_the_last_healthy_breaker_open_wants_its_name() -> None:
    """Resetting does not."""
    gone = providers()["chatgpt"]
    snapshot = fleet(providers={"claude": providers()["claude"], "grok": gone, "chatgpt": gone})
    async with driving(snapshot) as d:
        await d.press("3", "B")
        assert "last healthy provider" in d.bottom
        await d.type("claude")
        await d.type("why")
        assert d.writes.pop() == ("breaker", "claude", "open", "why")


async def test_a_paused_lane_is_resumed_at_once() -> None:
    """From the Pulse, where the stages are."""
    async with driving() as d:
        await d.press("G", "P")
        assert d.writes == [("resume", ["act"])]


async def test_pause_from_the_queue_takes_the_lane_of_the_job() -> None:
    """The one under the cursor."""
    async with driving() as d:
        await d.press("2", "P")
        await d.type("why not")
        assert d.writes == [("pause", ["grok"], "why not")]


async def test_priority_is_raised_lowered_and_set() -> None:
    """Marked rows each from where they are, in one write per class."""
    async with driving() as d:
        await d.press("2")
        await d.press("plus")
        assert d.writes == []
        assert "already the highest" in d.bottom
        await d.press("minus")
        assert d.writes.pop() == ("prioritize", ["00001000.0"], Priority.HIGH)
        await d.press("equals_sign")
        await d.type("bulk")
        assert d.writes.pop() == ("prioritize", ["00001000.0"], Priority.BULK)
        await d.press("j", "j", "space", "j", "space")
        await d.press("minus")
        assert d.writes == [("prioritize", ["00001002.0"], Priority.HIGH), ("prioritize", ["00001004.0"], Priority.NORMAL)]
        await d.press("equals_sign")
        await d.type("urgent")
        assert "unknown priority" in d.bottom
        assert len(d.writes) == 2


async def test_replay_counts_and_asks() -> None:
    """Only y does it."""
    async with driving() as d:
        await d.press("4", "space", "space", "R")
        assert "replay 2 events, about $0.0333? y/N" in d.bottom
        await d.press("n")
        assert d.writes == []
        await d.press("R", "y")
        assert d.writes == [("replay", ["00000977", "00000969"], "from the console")]


async def test_many_at_once_want_their_number_typed() -> None:
    """More than twenty rows."""
    async with driving() as d:
        await d.press("2", "asterisk", "C")
        assert "type 60 to do it" in d.bottom
        await d.type("y")
        assert d.writes == []
        await d.press("C")
        await d.type("60")
        assert d.writes[0][0] == "cancel"
        assert len(d.writes[0][1]) == 60


async def test_cancel_one() -> None:
    """The task's event is what is cancelled."""
    async with driving() as d:
        await d.press("2", "C", "y")
        assert d.writes == [("cancel", ["00001000"], "from the console")]


@pytest.mark.parametrize(("key", "word"), [("O", "approve"), ("N", "reject")])
async def test_approve_and_reject(key: str, word: str) -> None:
    """From the list and from the event."""
    async with driving() as d:
        await d.press("5", key, "y")
        await d.press("enter", key, "y")
        assert d.writes == [(word, "00000412"), (word, "00000412")]


@pytest.mark.parametrize("key", ["O", "N"])
async def test_what_waits_for_nobody_is_not_asked_about(key: str) -> None:
    """Neither in the list nor on its page; what was typed for the question goes nowhere."""
    async with driving() as d:
        await d.press("5", "j", "j", key, "y")
        assert "991 does not wait for an operator: nothing is done" in d.bottom
        assert d.writes == []


async def test_writes_on_the_event_screen() -> None:
    """Replay, cancel, priority."""
    async with driving() as d:
        await d.press("5", "enter")
        await d.press("R", "y")
        await d.press("C", "y")
        await d.press("plus")
        await d.press("equals_sign")
        await d.type("low")
        assert [write[0] for write in d.writes] == ["replay", "cancel", "prioritize", "prioritize"]
        assert d.writes[2][2] is Priority.CRITICAL
        assert d.writes[3][2] is Priority.LOW


async def test_read_only_refuses_every_write_and_says_so() -> None:
    """By key and by command."""
    async with driving(read_only=True) as d:
        assert "READ-ONLY" in d.shown()
        for mode, keys in (("3", "P"), ("2", ("plus", "minus", "equals_sign", "C", "P")), ("4", ("R", "C")), ("5", ("O", "N", "R", "C"))):
            await d.press(mode)
            for key in keys:
                await d.press(key)
                assert "read-only: not done" in d.bottom
        await d.press("enter")
        for key in "ADJXEVUONRC":
            await d.press(key)
            assert "read-only: not done" in d.bottom
        assert d.writes == []


async def test_a_refusal_is_one_line_in_the_bottom_row() -> None:
    """Never a traceback."""
    async with driving() as d:
        await d.press("4")
        d.fleet.door.refuse = Refused("event 977 is resolved already")
        await d.press("R", "y")
        assert "event 977 is resolved already" in d.bottom
        d.fleet.door.refuse = ValueError("a fault of ours")  # type: ignore[assignment]
        await d.press("R", "y")
        assert "see the log" in d.bottom


async def test_filter_by_words_and_columns() -> None:
    """Empty clears, nonsense is named."""
    async with driving() as d:
        await d.press("2", "slash")
        await d.type("provider=claude")
        assert {row.cells[1].text for row in d.table.rows} == {"claude"}
        assert "/provider=claude 20 found, looked at 60 of 60" in d.screen.crumb()
        await d.press("slash", "ctrl+u")
        await d.type("")
        assert len(d.table.rows) == 60
        await d.press("slash")
        await d.type("size=1")
        assert "unknown filter key 'size'" in d.bottom
        await d.press("1", "slash")
        await d.type("size=1")
        assert "there is no size: ask for lane, state" in d.bottom


async def test_commands_by_name_with_filter_and_completion() -> None:
    """``:queue /grok``; unknown ones are named; tab completes."""
    async with driving() as d:
        await d.press("colon")
        await d.type("queue provider=grok")
        assert d.app.current_mode == "queue"
        assert {row.cells[1].text for row in d.table.rows} == {"grok"}
        await d.press("colon")
        await d.type("nonsense")
        assert "no command nonsense" in d.bottom
        await d.press("colon", "f", "a", "i", "l", "u", "tab", "enter")
        assert d.app.current_mode == "failures"
        await d.press("colon", "up", "up", "enter")
        assert "no command nonsense" in d.bottom
        await d.press("colon")
        await d.type("lane.pause")
        assert "works on: pulse" in d.bottom


@pytest.mark.parametrize("keys", [("ctrl+c",), ("colon", "q", "enter")])
async def test_quit(keys: tuple[str, ...]) -> None:
    """ctrl+c and :q."""
    async with driving() as d:
        await d.pilot.press(*keys)
        await d.pilot.pause()
        assert d.app.return_code == 0
        assert d.app._exit


async def test_esc_and_q_on_top_do_not_quit() -> None:
    """They say what does."""
    async with driving() as d:
        await d.press("q")
        assert "ctrl+c" in d.bottom
        await d.press("2", "escape")
        assert d.app.current_mode == "pulse"


async def test_freeze_holds_the_picture() -> None:
    """The engine runs on; f again catches up."""
    async with driving() as d:
        await d.press("f")
        d.fleet.snapshot = calm()
        d.app.paint()
        assert d.app.snapshot == fleet()
        assert "FROZEN" in d.shown()
        await d.press("f")
        assert d.app.snapshot == calm()
        assert "all well" in d.shown()


async def test_rate_theme_redraw_and_mouse_keys() -> None:
    """Looking only."""
    async with driving() as d:
        await d.press("left_square_bracket")
        assert d.app.refresh_s == 2.0
        await d.press("right_square_bracket", "right_square_bracket")
        assert d.app.refresh_s == 0.5
        await d.press("ctrl+t", "ctrl+t", "enter")
        assert d.app.theme == "gitbridge-light"
        await d.press("ctrl+l", "m")
        assert "mouse" in d.bottom


async def test_help_lists_every_action_of_the_screen() -> None:
    """From the same table as the keys."""
    async with driving(size=(120, 90)) as d:
        await d.press("2", "question_mark")
        assert isinstance(d.screen, HelpScreen)
        for action in actions_for("queue"):
            assert action.title in d.shown()
        await d.press("q")
        assert not isinstance(d.screen, HelpScreen)


async def test_sorting_by_a_picked_column() -> None:
    """l picks, s sorts, S reverses, s again undoes."""
    async with driving() as d:
        await d.press("2", "l", "l", "s")
        assert d.table.sort_column == 1
        assert d.table.rows[0].cells[1].text == "chatgpt"
        await d.press("S")
        assert d.table.rows[0].cells[1].text == "grok"
        await d.press("h", "l", "s")
        assert d.table.sort_column is None


async def test_next_row_in_trouble() -> None:
    """From the top again after the last; says when there is none."""
    async with driving() as d:
        await d.press("n")
        assert d.table.current
        assert d.table.current.id == "chatgpt"
        d.fleet.snapshot = calm()
        await d.press("1")
        await d.press("n")
        assert "no row is in trouble" in d.bottom


async def test_tab_goes_to_the_next_provider_or_pane() -> None:
    """On the split screens to the detail, whose lines then scroll."""
    async with driving(size=(120, 30)) as d:
        await d.press("tab")
        assert d.table.index == 1
        await d.press("5", "tab")
        assert isinstance(d.screen.focused, Page)
        await d.press("j", "j")
        assert d.screen.query_one(Page).scroll_offset.y == 2
        await d.press("tab", "j")
        assert d.table.index == 1


async def test_enter_on_a_lane_shows_its_work() -> None:
    """The queue of that lane; esc shows all again."""
    async with driving() as d:
        await d.press("tab", "tab", "enter")
        assert d.app.current_mode == "queue"
        lane = d.screen.lane_here()
        assert {row.cells[1].text for row in d.table.rows} == {lane}
        assert f"queue > {lane}" in d.screen.crumb()
        await d.press("escape")
        assert d.table.total == 60


async def test_log_opens_the_event_of_a_line() -> None:
    """Where there is one."""
    async with driving() as d:
        await d.press("6", "enter")
        assert isinstance(d.screen, EventScreen)
        assert d.screen.event_id == "991"


async def test_before_the_first_picture() -> None:
    """Every screen stands, and says that it waits."""
    async with driving(None) as d:
        assert "starting…" in d.shown()
        for key in "23456":
            await d.press(key)
            assert "waiting for the first picture" in d.bottom
        await d.press("3", "P", "enter", "R")


async def test_store_away_is_said_in_the_header_and_nothing_is_asked() -> None:
    """The last picture stays, with its age."""
    async with driving(store_away()) as d:
        assert "STORE AWAY, picture is 42s old" in d.shown()
        assert "Connection refused" in d.shown()
        await d.press("2")
        assert d.fleet.door.asked == []


async def test_a_fleet_that_sends_nothing_new_is_called_old() -> None:
    """By the console's own clock."""
    clock = Clock()
    async with driving(size=(120, 30), clock=clock) as d:
        clock.now += 30
        d.app.paint()
        await d.pilot.pause()
        assert "picture is 30s old" in d.shown()


async def test_first_run_tells_how_to_begin() -> None:
    """At the smallest full size."""
    async with driving(first_run()) as d:
        for word in ("ANTHROPIC_API_KEY", "XAI_API_KEY", "OPENAI_API_KEY", "gitbridge-console demo"):
            assert word in d.shown()


async def test_too_small_a_terminal_says_what_it_needs() -> None:
    """And still gives the vital numbers."""
    async with driving(size=(50, 12)) as d:
        assert "have 50x12, need 60x16" in d.shown()
        assert "open 297  failed 37" in d.shown()
        await d.pilot.resize_terminal(80, 24)
        await d.press("1")
        assert "claude" in d.shown()


async def test_ascii_mode_prints_nothing_else() -> None:
    """On every screen."""
    async with driving(ascii_mode=True, size=(120, 40)) as d:
        for key in "12345678":
            await d.press(key)
            assert d.shown().isascii()
        await d.press("5", "enter")
        assert d.shown().isascii()


async def test_no_colour_mode_has_no_colour() -> None:
    """Only bold and reverse are left; words carry the state."""
    async with driving(no_color=True, size=(120, 40)) as d:
        for key in "12345678":
            await d.press(key)
            for strip in d.app.screen._compositor.render_strips():
                for segment in strip:
                    for colour in (segment.style and segment.style.color, segment.style and segment.style.bgcolor):
                        assert colour is None or colour.is_default


async def test_no_widget_takes_hostile_text_as_markup() -> None:
    """It is shown as it is."""
    async with driving(size=(120, 40)) as d:
        assert "[red]fix[/red]" in d.shown()
        for key in "456":
            await d.press(key)
            assert "[red]fix[/r" in d.shown()
            assert "\u202e" not in d.shown()
            assert "\x9b" not in d.shown()


async def test_pasted_text_is_cleaned() -> None:
    """Line ends and escape codes cannot answer for the operator."""
    from textual.events import Paste

    async with driving() as d:
        await d.press("slash")
        d.app.post_message(Paste("gr\x1b[31mok\nx"))
        await d.pilot.pause()
        assert "grok x_" in d.bottom
        await d.press("backspace", "backspace", "enter")
        assert d.screen.crumb().startswith("pulse /grok 1 of 7")


async def test_painting_goes_on_by_itself() -> None:
    """With the timer on, a new picture shows up without a key."""
    async with driving(painting=True, refresh_s=0.2) as d:
        d.fleet.snapshot = calm()
        for _ in range(50):
            await d.pilot.pause(0.05)
            if "all well" in d.shown():
                break
        assert "all well" in d.shown()
        assert len(d.app.seen) == 2


async def test_a_stale_answer_does_not_overwrite_a_newer_one() -> None:
    """The older question's answer comes last and is dropped."""
    async with driving() as d:
        got: list[str] = []
        d.screen.fetch(lambda door: door.job_window(None, 0, 9), lambda _: got.append("old"), group="detail", about="a")
        d.screen.fetch(lambda door: door.job_window(None, 0, 9), lambda _: got.append("new"), group="detail", about="b")
        d.screen.fetch(lambda door: door.job_window(None, 0, 9), lambda _: got.append("again"), group="detail", about="b")
        await d.app.workers.wait_for_complete()
        assert got == ["new"]


async def test_cursor_stays_on_its_row_when_others_come_and_go() -> None:
    """By id, and marks with it; a mark whose row is gone is gone."""
    async with driving() as d:
        await d.press("2", "space", "j", "j")
        at = d.table.current
        assert at is not None
        d.fleet.door.jobs = [*jobs(70)[60:], *jobs()[1:]]
        await d.press("2")
        assert d.table.current is not None
        assert d.table.current.id == at.id
        assert d.table.index == 12
        assert d.table.marked == set()


def test_every_action_has_a_method_and_no_key_twice_on_a_screen() -> None:
    """What Textual itself does not check."""
    from gitbridge_console.console.app import ConsoleApp

    classes: dict[str, type[Widget] | object] = {mode: type(ConsoleApp.MODES[mode]()) for mode in MODES}
    classes |= {"event": EventScreen, "help": HelpScreen}
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)
    for scope, screen in classes.items():
        keys = [key for action in actions_for(scope) for key in action.keys.split(",") if key]
        assert len(keys) == len(set(keys)), scope
        for action in actions_for(scope):
            name = action.method.split("(")[0]
            owner, method = (ConsoleApp, name.removeprefix("app.")) if name.startswith("app.") else (screen, name)
            assert callable(getattr(owner, f"action_{method}", None)), f"{scope}: {action.id}"


def test_writes_have_capital_keys_and_are_out_of_use_where_all_is_read_only() -> None:
    """Capitals and + - = write, and u, which takes a write back; G and S are the two capitals that only look."""
    signs = {"plus", "minus", "equals_sign", "u"}
    for action in ACTIONS:
        key = action.keys.split(",")[0]
        assert action.write == ((len(key) == 1 and key.isupper() and key not in "GS") or key in signs), action.id
    assert ("P", "pause", "lane.pause") in [(key, word, action.id) for key, word, action in hints_for("pulse")]


async def test_in_read_only_the_hints_of_writes_are_grey_and_every_one_is_refused() -> None:
    async with driving(read_only=True) as d:
        assert ("P", "pause", True) in d.app.hints("pulse")
        assert ("enter", "open", False) in d.app.hints("pulse")
        for key in ("P", "F", "u"):
            await d.press(key)
            assert d.bottom.strip() == "read-only: not done"
            d.clock.now += HOLD_S
        assert d.writes == []
