"""Keeps the lines of a widget that is drawn by the line, and draws those anew that changed.

Textual asks, for each line anew, for borders, outlines, tints, titles and links, and walks up to the root of the tree for each widget that
it draws: that took twice as long as drawing the line. The widgets here have none of it: a line, room beside it and a ground. The only place
that knows how Textual styles a line; ``tests/console/test_line_cache.py`` holds what it makes against what Textual makes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual._styles_cache import StylesCache
from textual.color import TRANSPARENT
from textual.filter import LineFilter
from textual.geometry import Region, Size, Spacing
from textual.strip import Strip
from textual.style import Style as VisualStyle
from textual.widget import Widget

from gitbridge_console.console.widgets.paint import Palette, exactly, palette_of


class Look(NamedTuple):
    """What a widget draws its lines with: as long as this is the same, so are they."""

    palette: Palette
    style: VisualStyle
    filters: tuple[LineFilter, ...]
    size: Size
    gutter: Spacing

    @property
    def width(self) -> int:
        """Cells of a line of the content."""
        return self.size.width - self.gutter.width

    @property
    def base(self) -> Style:
        """Colour and ground of what has no tone."""
        return self.style.rich_style


Draw = Callable[[int, Look], list[Segment]]
"""Gives a line of the content by its number, in as many cells as it takes."""


def look_of(widget: Widget) -> Look:
    """How a widget looks now."""
    app = widget.app
    return Look(palette_of(app), widget.visual_style, tuple(app.get_line_filters()), widget.outer_size, widget.gutter)


class LineCache(StylesCache):
    """Takes the place of Textual's own."""

    def __init__(self, draw: Draw) -> None:
        super().__init__()
        self._draw = draw
        self._look: Look | None = None
        self._filtered: dict[Style | None, Style | None] = {}
        """Styles under the filters of the look, by what they were: as many as there are tones, on at most two grounds."""

    def render_widget(self, widget: Widget, crop: Region) -> list[Strip]:
        """The lines of a part of the widget."""
        look = look_of(widget)
        if look != self._look:
            self.clear()
            self._filtered.clear()
            self._look = look
        lines, width = self._cache, look.size.width
        for y in self._dirty_lines:
            lines.pop(y, None)
        self._dirty_lines.clear()
        strips: list[Strip] = []
        for y in crop.line_range:
            strip = lines.get(y)
            if strip is None:
                strip = lines[y] = self._line(y, look)
            strips.append(strip)
        x, end = crop.column_span
        return strips if (x, end) == (0, width) else [strip.crop(x, end) for strip in strips]

    def _line(self, y: int, look: Look) -> Strip:
        top, right, bottom, left = look.gutter
        width, height = look.size
        ground, room = look.style.background_style.rich_style, width - left - right
        segments: Iterable[Segment]
        if top <= y < height - bottom:
            content = exactly(room, self._draw(y - top, look), ground)
            segments = [*_blank(left, ground), *content, *_blank(right, ground)]
        else:
            segments = _blank(width, ground)
        if look.filters:
            segments = [Segment(text, self._under_filters(style, look)) for text, style, _ in segments]
        return Strip(segments, width)

    def _under_filters(self, style: Style | None, look: Look) -> Style | None:
        if style in self._filtered:
            return self._filtered[style]
        segments = [Segment(" ", style)]
        for one in look.filters:
            segments = one.apply(segments, look.style.background or TRANSPARENT)
        self._filtered[style] = segments[0].style
        return segments[0].style


def strip_of(widget: Widget, draw: Draw, y: int) -> Strip:
    """One line of a widget's content as it looks now."""
    return Strip(draw(y, look_of(widget)))


def _blank(width: int, ground: Style) -> list[Segment]:
    return [Segment(" " * width, ground)] if width else []
