"""Choosing a theme: tried while the cursor is on it, kept by enter, taken off by esc; and files that change under a running console."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from driving import Driver, driving

from gitbridge_console.console.app import ConsoleApp
from gitbridge_console.console.screens.lanes import PulseScreen
from gitbridge_console.console.screens.themes import ThemesScreen
from gitbridge_console.console.theme_watch import WATCH_S
from gitbridge_console.console.themes import shipped_folder

pytestmark = pytest.mark.anyio

DARK = Path(shipped_folder() / "gitbridge-dark.toml").read_text("utf-8")
MINE = DARK.replace("gitbridge-dark", "mine")


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The operator's folder of themes."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "gitbridge" / "themes"
    folder.mkdir(parents=True)
    return folder


def put(path: Path, content: str, at: int = 1) -> None:
    path.write_text(content, "utf-8")
    os.utime(path, (at, at))


async def look(d: Driver) -> None:
    """What the timer does every two seconds."""
    d.app.look_at_themes()
    await d.press()


def colours(d: Driver) -> set[str]:
    """Every colour on the screen, as ``#rrggbb``."""
    styles = [segment.style for strip in d.app.screen._compositor.render_strips() for segment in strip if segment.style]
    seen = [colour for style in styles for colour in (style.color, style.bgcolor) if colour is not None]
    return {colour.get_truecolor().hex for colour in seen}


async def test_the_theme_under_the_cursor_is_put_on_at_once() -> None:
    async with driving() as d:
        await d.press("ctrl+t")
        assert isinstance(d.screen, ThemesScreen)
        assert d.table.current is not None
        assert d.table.current.id == d.app.theme == "gitbridge-dark"
        await d.press("j")
        assert d.app.theme == "gitbridge-light"
        assert "#fbfbf9" in colours(d)
        assert "#14171c" not in colours(d)
        await d.press("g")
        assert d.app.theme == "amber-tube"


async def test_enter_keeps_it_and_says_how_to_keep_it_for_good() -> None:
    async with driving(size=(120, 24)) as d:
        await d.press("ctrl+t", "j", "enter")
        assert isinstance(d.screen, PulseScreen)
        assert d.app.theme == "gitbridge-light"
        assert 'console.theme = "gitbridge-light"' in d.bottom
        await d.press("ctrl+t", "escape")
        assert d.app.theme == "gitbridge-light"


@pytest.mark.parametrize("key", ["escape", "q"])
async def test_esc_puts_the_one_before_back_on(key: str) -> None:
    async with driving() as d:
        await d.press("ctrl+t", "j", "j", key)
        assert isinstance(d.screen, PulseScreen)
        assert d.app.theme == "gitbridge-dark"
        assert "#14171c" in colours(d)


async def test_keys_typed_in_one_burst_leave_no_theme_behind() -> None:
    """The word that the cursor moved comes after the screen was left."""
    async with driving() as d:
        await d.press("ctrl+t")
        for _ in range(5):
            d.screen.action_cursor(1)
        await d.app.action_back()
        await d.press()
        assert d.app.theme == "gitbridge-dark"


async def test_ctrl_t_again_goes_on_to_the_next() -> None:
    """As it did when there was nothing to choose from."""
    async with driving() as d:
        await d.press("ctrl+t", "ctrl+t", "enter")
        assert d.app.theme == "gitbridge-light"
        assert len(d.app.screen_stack) == 1


async def test_another_mode_is_shown_in_the_theme_that_was_kept() -> None:
    """Coming back, the trial goes on."""
    async with driving() as d:
        await d.press("ctrl+t", "j", "2")
        assert d.app.theme == "gitbridge-dark"
        assert "#fbfbf9" not in colours(d)
        await d.press("1")
        assert d.app.theme == "gitbridge-light"
        await d.press("escape")
        assert d.app.theme == "gitbridge-dark"


async def test_help_over_the_chooser_comes_back_to_it() -> None:
    async with driving() as d:
        await d.press("ctrl+t", "j", "question_mark")
        assert "Keep the theme; esc" in d.shown()
        await d.press("escape", "enter")
        assert d.app.theme == "gitbridge-light"


async def test_rows_say_ground_and_contrast_and_every_theme_is_there() -> None:
    async with driving() as d:
        await d.press("ctrl+t")
        for name in d.app.theming.names:
            assert name in d.shown()
        assert "8.5 AAA" in d.shown()
        assert "4.7  AA" in d.shown()


async def test_a_theme_that_is_hard_to_read_says_low(own: Path) -> None:
    put(own / "mine.toml", MINE.replace("#8b95a5", "#3b4250"))
    async with driving() as d:
        await d.press("ctrl+t")
        assert "1.4 low" in d.shown()


async def test_the_sample_has_every_tone_a_row_under_the_cursor_and_a_chart() -> None:
    async with driving() as d:
        await d.press("ctrl+t", "j")
        assert {"#1a6b34", "#855300", "#b3261e", "#0b5cad", "#5b6472"} <= colours(d)
        assert ">grok" in d.shown()
        assert "p95 ms" in d.shown()


async def test_without_colour_there_is_nothing_to_choose() -> None:
    async with driving(no_color=True) as d:
        await d.press("ctrl+t")
        assert isinstance(d.screen, PulseScreen)
        assert "no colour is wanted" in d.bottom
        assert not d.app.choose_theme("deep-sea")
        assert d.app.theme == "ansi-dark"


async def test_a_theme_is_chosen_by_name() -> None:
    async with driving() as d:
        assert d.app.choose_theme("deep-sea")
        assert d.app.theme == "deep-sea"
        assert not d.app.choose_theme("depe-sea")
        assert "no theme depe-sea: is deep-sea meant?" in d.bottom
        assert not d.app.choose_theme("nord")
        assert d.app.theme == "deep-sea"


async def test_choosing_by_name_ends_the_chooser() -> None:
    async with driving() as d:
        await d.press("ctrl+t", "j")
        assert d.app.choose_theme("deep-sea")
        await d.press()
        assert isinstance(d.screen, PulseScreen)
        assert d.app.theme == "deep-sea"


async def test_a_chooser_left_open_elsewhere_does_not_undo_what_was_chosen_since() -> None:
    async with driving() as d:
        await d.press("ctrl+t", "j", "2")
        assert d.app.choose_theme("deep-sea")
        await d.press("1", "escape")
        assert d.app.theme == "deep-sea"


async def test_the_sixteen_colours_are_sent_as_the_terminals_own() -> None:
    """No red, green and blue of ours, neither in texts nor in grounds."""
    async with driving(theme="sixteen") as d:
        styles = [segment.style for strip in d.app.screen._compositor.render_strips() for segment in strip if segment.style]
        kinds = {colour.is_system_defined for style in styles for colour in (style.color, style.bgcolor) if colour is not None}
        assert kinds == {True}


async def test_every_theme_can_follow_every_other() -> None:
    """Sixteen colours and full ones have style sheets of two kinds."""
    async with driving() as d:
        names = d.app.theming.names
        for name in [*names, *reversed(names), "sixteen", "high-contrast"]:
            assert d.app.choose_theme(name)
            await d.press()
            assert d.app.current_theme.name == name


async def test_a_theme_of_the_operators_is_there_from_the_start(own: Path) -> None:
    put(own / "mine.toml", MINE)
    async with driving(theme="mine") as d:
        assert d.app.theme == "mine"


async def test_an_unknown_theme_gives_way_to_the_first_there_is() -> None:
    async with driving(theme="nonesuch") as d:
        assert d.app.theme == "amber-tube"


async def test_a_changed_file_of_the_theme_that_is_on_is_put_on(own: Path) -> None:
    """A ground, which is in the style sheet, and a tone, which is not."""
    put(own / "mine.toml", MINE)
    async with driving(theme="mine") as d:
        put(own / "mine.toml", MINE.replace("#14171c", "#102030"), 2)
        await look(d)
        assert "#102030" in colours(d)
        assert "#14171c" not in colours(d)
        assert "#ff7b72" in colours(d)
        put(own / "mine.toml", MINE.replace("#14171c", "#102030").replace("#ff7b72", "#ff8888"), 3)
        await look(d)
        assert "#ff8888" in colours(d)
        assert "#ff7b72" not in colours(d)


async def test_screens_that_are_not_in_front_change_too(own: Path) -> None:
    """Where only a tone is another, no style sheet tells them."""
    put(own / "mine.toml", MINE)
    async with driving(theme="mine") as d:
        await d.press("3", "1")
        put(own / "mine.toml", MINE.replace("#ff7b72", "#ff8888"), 2)
        await look(d)
        await d.press("3")
        assert "#ff8888" in colours(d)
        assert "#ff7b72" not in colours(d)


async def test_dark_becomes_light_in_a_changed_file(own: Path) -> None:
    put(own / "mine.toml", MINE)
    async with driving(theme="mine") as d:
        put(own / "mine.toml", MINE.replace("dark = true", "dark = false"), 2)
        await look(d)
        assert d.app.has_class("-light-mode")
        assert not d.app.has_class("-dark-mode")


async def test_a_broken_file_leaves_the_old_theme_on_and_says_so_once(own: Path) -> None:
    put(own / "mine.toml", MINE)
    async with driving(size=(120, 24), theme="mine") as d:
        put(own / "mine.toml", MINE.replace("#14171c", "black"), 2)
        await look(d)
        assert "theme mine.toml skipped: background: 'black' is no colour" in d.bottom
        assert d.app.theme == "mine"
        assert "#14171c" in colours(d)
        d.screen.bottom.say("something else")
        await look(d)
        put(own / "other.toml", MINE.replace("mine", "other"), 3)
        await look(d)
        assert "something else" in d.bottom
        await d.press("ctrl+t")
        assert "theme mine.toml skipped" in d.shown()


async def test_a_removed_file_leaves_its_theme_on_until_another_is_chosen(own: Path) -> None:
    put(own / "mine.toml", MINE.replace("#14171c", "#102030"))
    async with driving(theme="mine") as d:
        (own / "mine.toml").unlink()
        await look(d)
        assert d.app.theme == "mine"
        assert "#102030" in colours(d)
        await d.press("ctrl+t")
        assert "gone" in d.shown()
        await d.press("k", "escape")
        assert d.app.theme == "mine"
        assert "#102030" in colours(d)
        await d.press("ctrl+t", "enter")
        assert d.app.theme == "mine"
        await d.press("ctrl+t", "g", "enter")
        assert d.app.theme == "amber-tube"
        await d.press("ctrl+t")
        assert "gone" not in d.shown()


async def test_a_new_file_is_offered_while_the_chooser_is_open(own: Path) -> None:
    async with driving() as d:
        await d.press("ctrl+t", "j")
        put(own / "mine.toml", MINE)
        await look(d)
        assert "mine " in d.shown()
        assert d.app.theme == "gitbridge-light"


async def test_the_theme_under_the_cursor_may_be_edited_while_it_is_tried(own: Path) -> None:
    put(own / "mine.toml", MINE)
    async with driving() as d:
        await d.press("ctrl+t")
        while d.app.theme != "mine":
            await d.press("j")
        put(own / "mine.toml", MINE.replace("#14171c", "#102030"), 2)
        await look(d)
        assert "#102030" in colours(d)
        await d.press("escape")
        assert d.app.theme == "gitbridge-dark"


async def test_a_bad_file_there_from_the_start_is_named_in_the_bottom_row(own: Path) -> None:
    put(own / "mine.toml", "x")
    async with driving() as d:
        assert "theme mine.toml skipped" in d.bottom


async def test_without_colour_a_bad_file_is_nothing_to_trouble_anybody_with(own: Path) -> None:
    put(own / "mine.toml", "x")
    async with driving(no_color=True) as d:
        assert "mine.toml" not in d.bottom


async def test_a_terminal_that_lags_behind_gets_no_new_theme(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is put on with the next look after it has caught up."""
    put(own / "mine.toml", MINE)
    async with driving(theme="mine") as d:
        put(own / "mine.toml", MINE.replace("#14171c", "#102030"), 2)
        monkeypatch.setattr(ConsoleApp, "backlog", lambda self: 3)
        await look(d)
        assert "#102030" not in colours(d)
        monkeypatch.undo()
        await look(d)
        assert "#102030" in colours(d)


@pytest.mark.parametrize(("no_color", "wanted"), [(False, True), (True, False)])
async def test_a_painting_console_looks_every_two_seconds(no_color: bool, wanted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    intervals: list[tuple[float, str]] = []
    monkeypatch.setattr(ConsoleApp, "set_interval", lambda self, s, callback, **more: intervals.append((s, callback.__name__)))
    async with driving(painting=True, no_color=no_color):
        assert ((WATCH_S, "look_at_themes") in intervals) is wanted
