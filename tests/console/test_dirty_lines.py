"""What differs of a picture is put together as Textual would put together the whole, and widgets in which nothing differs are not asked."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from driving import driving
from textual._compositor import ChopsUpdate, Compositor
from textual.app import App, ComposeResult
from textual.containers import Container
from textual.geometry import Region
from textual.messages import Update
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from gitbridge_console.console.dirty_lines import DirtyLines, DirtyLinesScreen
from gitbridge_console.console.views.cells import line
from gitbridge_console.console.widgets.lines import Lines

SIZES = [(50, 12), (80, 24), (120, 40), (200, 60)]


def text_of(compositor: Compositor) -> list[list[tuple[str, Any]]]:
    """The whole screen, cell by cell."""
    return [[(char, style) for text, style, _ in strip for char in text] for strip in compositor.render_strips()]


def by_textual(screen: Screen[Any]) -> list[list[tuple[str, Any]]]:
    """The same by Textual's own compositor."""
    plain = Compositor()
    plain.reflow(screen, screen.size)
    return text_of(plain)


@pytest.mark.anyio
@pytest.mark.parametrize("size", SIZES)
async def test_every_screen_is_put_together_as_by_textual(size: tuple[int, int]) -> None:
    async with driving(size=size) as d:
        for key in ("1", "2", "3", "enter", "q", "4", "5", "enter", "q", "6", "7", "8", "question_mark"):
            await d.press(key)
            assert isinstance(d.screen._compositor, DirtyLines)
            assert text_of(d.screen._compositor) == by_textual(d.screen), key


class Overlaid(App[None]):
    """Two things in front of a third one, with room between."""

    CSS = """
    Screen { layers: below above; }
    #below { layer: below; width: 100%; height: 100%; }
    #one, #two { layer: above; width: 7; height: 3; }
    #one { offset: 2 1; }
    #two { offset: 20 2; }
    """

    def get_default_screen(self) -> Screen[Any]:
        return DirtyLinesScreen()

    def compose(self) -> ComposeResult:
        with Container(id="below"):
            yield Static("\n".join(f"{n} " * 15 for n in range(10)), id="text")
        yield Static("one", id="one")
        yield Static("two", id="two")


@pytest.mark.anyio
async def test_what_stands_in_front_is_seen() -> None:
    async with Overlaid().run_test(size=(30, 10)) as pilot:
        assert text_of(pilot.app.screen._compositor) == by_textual(pilot.app.screen)


@pytest.mark.anyio
@pytest.mark.parametrize("changed", ["text", "one", "two"])
async def test_a_part_that_differs_is_what_stands_there_in_the_whole(changed: str) -> None:
    async with Overlaid().run_test(size=(30, 10)) as pilot:
        compositor = pilot.app.screen._compositor
        whole = [strip.text for strip in compositor.render_strips()]
        x, y = pilot.app.query_one(f"#{changed}").region.offset
        compositor._dirty_regions = {Region(x, y, 4, 2), Region(25, y + 1, 3, 1)}
        update = compositor.render_update()
        assert isinstance(update, ChopsUpdate)
        assert {row for row, _, _ in update.spans} == {y, y + 1}
        for row, first, last in update.spans:
            for end, (start, strip) in zip(update.chop_ends[row], update.chops[row].items(), strict=True):
                if start < last and end > first:
                    assert strip.text == whole[row][start:end]


@pytest.mark.anyio
async def test_lines_that_are_no_more_are_not_drawn() -> None:
    async with Overlaid().run_test(size=(30, 10)) as pilot:
        compositor = pilot.app.screen._compositor
        compositor._dirty_regions = {Region(0, 40, 30, 2)}
        assert compositor.render_update() is None
        compositor._dirty_regions = {Region(0, 9, 30, 2)}
        update = compositor.render_update()
        assert isinstance(update, ChopsUpdate)
        assert update.spans == [(9, 0, 30)]


@pytest.mark.anyio
async def test_widgets_in_which_nothing_differs_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str | None, Region]] = []
    async with driving(size=(200, 60)) as d:
        real = Widget.render_lines

        def noting(widget: Widget, crop: Region) -> Any:
            asked.append((widget.id, crop))
            return real(widget, crop)

        monkeypatch.setattr(Widget, "render_lines", noting)
        header, counts = d.screen.query_one("#header", Lines), d.screen.query_one("#counts", Lines)
        for widget in (header, counts):
            widget.refresh(Region(0, 1, widget.size.width, 1))
        await d.pilot.pause()
        assert asked == [("header", Region(0, 1, 200, 1)), ("counts", Region(0, 1, counts.outer_size.width, 1))]


@pytest.mark.anyio
async def test_lines_that_were_drawn_are_freed_with_the_next_ones() -> None:
    """None of them waits in a circle for somebody to look for garbage."""
    async with driving(size=(200, 60)) as d:
        lines = d.screen.query_one("#counts", Lines)
        gc.collect()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            for n in range(5):
                lines.set_lines([line(f"{n} events")])
                await d.pilot.pause()
            gc.collect()
            left = [one for one in gc.garbage if isinstance(one, Strip)]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
        assert "4 events" in d.shown()
        assert left == []


@pytest.mark.anyio
async def test_what_changed_is_drawn_with_the_next_picture_without_a_message_of_its_widget(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[list[tuple[int, int, int]]] = []
    said: list[Update] = []
    tell = Screen._on_update

    async def on_update(screen: Screen[Any], message: Update) -> None:
        said.append(message)
        await tell(screen, message)

    async with driving(size=(200, 60)) as d:
        monkeypatch.setattr(type(d.app), "_display", lambda app, screen, update: drawn.append(update.spans))
        monkeypatch.setattr(Screen, "_on_update", on_update)
        lines = d.screen.query_one("#counts", Lines)
        lines.set_lines([*lines.lines[:1], line("other"), *lines.lines[2:]])
        await d.pilot.pause()
        x, y, width, _ = lines.content_region
        assert drawn == [[(y + 1, x, x + width)]]
        assert said == []
        lines.refresh()
        await d.pilot.pause()
        assert [message.widget for message in said] == [lines]


@pytest.mark.anyio
async def test_what_is_on_no_screen_yet_or_on_another_kind_of_screen_is_drawn_all_the_same() -> None:
    early = Lines()
    early.set_lines([line("before")])

    class Plain(App[None]):
        def compose(self) -> ComposeResult:
            yield early

    async with Plain().run_test(size=(20, 4)) as pilot:
        assert pilot.app.screen._compositor.render_strips()[0].text.startswith("before")
        early.set_lines([line("after")])
        await pilot.pause()
        assert pilot.app.screen._compositor.render_strips()[0].text.startswith("after")
