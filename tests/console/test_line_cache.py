"""A widget drawn by the line looks as it would if Textual styled its lines, whatever it is and whatever happens to it."""

from __future__ import annotations

import pytest
from driving import Driver, driving
from sample import first_run, fleet
from textual._styles_cache import StylesCache
from textual.geometry import Region
from textual.strip import Strip

from gitbridge_console.console.views.cells import line
from gitbridge_console.console.widgets.line_cache import LineCache
from gitbridge_console.console.widgets.lines import Lines

SCREENS = ("1", "2", "3", "4", "5", "6", "7", "8")


def cells(strip: Strip) -> list[tuple[str, object]]:
    """Each character with its style, however the line is cut into segments."""
    return [(char, style) for text, style, _ in strip for char in text]


def differing(d: Driver) -> list[str]:
    """Lines that look different from what Textual makes of them."""
    found = []
    for widget in d.screen._compositor.visible_widgets:
        if not isinstance(widget._styles_cache, LineCache):
            continue
        whole = widget.outer_size.region
        ours, theirs = widget.render_lines(whole), StylesCache().render_widget(widget, whole)
        found += [f"{widget!r} {y}" for y, (a, b) in enumerate(zip(ours, theirs, strict=True)) if cells(a) != cells(b)]
    return found


@pytest.mark.anyio
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
@pytest.mark.parametrize("no_color", [False, True])
async def test_every_screen(size: tuple[int, int], no_color: bool) -> None:
    async with driving(size=size, no_color=no_color) as d:
        for key in SCREENS:
            await d.press(key)
            assert differing(d) == [], key


@pytest.mark.anyio
async def test_another_theme_another_size_and_another_place_in_a_list() -> None:
    async with driving(first_run(), size=(120, 40)) as d:
        assert differing(d) == []
        d.fleet.snapshot = fleet()
        await d.press("1", "j")
        assert differing(d) == []
        d.app.theme = "textual-light"
        await d.press("2", "j", "space")
        assert differing(d) == []
        await d.pilot.resize_terminal(84, 30)
        await d.press("j", "G")
        assert differing(d) == []


@pytest.mark.anyio
async def test_a_part_of_it_is_cut_out_of_its_lines() -> None:
    async with driving(size=(80, 24)) as d:
        counts = d.screen.query_one("#counts", Lines)
        whole, part = counts.render_lines(Region(0, 0, 80, 2)), counts.render_lines(Region(3, 1, 10, 1))
        assert [strip.text for strip in part] == [whole[1].text[3:13]]


@pytest.mark.anyio
async def test_only_lines_that_changed_are_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    async with driving(size=(80, 24)) as d:
        counts = d.screen.query_one("#counts", Lines)
        cache = counts._styles_cache
        assert isinstance(cache, LineCache)
        draw = cache._draw
        monkeypatch.setattr(cache, "_draw", lambda y, look: drawn.append(y) or draw(y, look))
        counts.set_lines([*counts.lines[:1], line("other"), *counts.lines[2:]])
        await d.pilot.pause()
        counts.render_lines(counts.outer_size.region)
        assert drawn == [1]
        counts.set_lines(counts.lines)
        counts.render_lines(counts.outer_size.region)
        assert drawn == [1]
