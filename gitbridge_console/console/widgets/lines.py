"""A block of toned lines that is repainted only when it changed."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from gitbridge_console.console.dirty_lines import draw_again
from gitbridge_console.console.views.cells import Line
from gitbridge_console.console.widgets.line_cache import LineCache, Look, strip_of


class Lines(Widget):
    """A few lines of fixed place; of these, too, only those that changed are drawn again."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.lines: tuple[Line, ...] = ()
        self._styles_cache = LineCache(self._draw_line)

    def set_lines(self, lines: Sequence[Line]) -> None:
        """Show other lines."""
        old, self.lines = self.lines, tuple(lines)
        if old != self.lines:
            width, most = self.size.width, max(len(old), len(self.lines))
            draw_again(self, *(Region(0, n, width, 1) for n in range(most) if old[n : n + 1] != self.lines[n : n + 1]))

    def render_line(self, y: int) -> Strip:
        """One line, cut at the right edge."""
        return strip_of(self, self._draw_line, y)

    def _draw_line(self, y: int, look: Look) -> list[Segment]:
        if y >= len(self.lines):
            return [Segment(" " * look.width, look.base)]
        return look.palette.cut(self.lines[y], look.width, look.base)


class Page(ScrollView, can_focus=True, inherit_bindings=False):
    """Many lines to scroll through."""

    DEFAULT_CSS = """
    Page { height: 1fr; padding: 0 1; scrollbar-size: 0 0; overflow-x: hidden; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.lines: tuple[Line, ...] = ()
        self._styles_cache = LineCache(self._draw_line)
        self.wanted = ""
        """Lines that hold this text, whatever the case, are marked."""

    def places(self) -> list[int]:
        """Numbers of the lines that hold the wanted text."""
        return [n for n, line in enumerate(self.lines) if self.wanted and self.wanted in line.plain.lower()]

    def set_lines(self, lines: Sequence[Line]) -> None:
        """Show other lines, from where the eye is; what looks as before is not drawn again."""
        old, self.lines = self.lines, tuple(lines)
        if len(old) != len(self.lines):
            self.virtual_size = Size(self.size.width, len(self.lines))
        top = int(self.scroll_offset.y)
        for n in range(top, top + self.content_size.height):
            if old[n : n + 1] != self.lines[n : n + 1]:
                draw_again(self, Region(0, n - top, self.content_size.width, 1))

    def shows(self, n: int) -> bool:
        """Whether the line of that number is in sight."""
        return 0 <= n - int(self.scroll_offset.y) < self.content_size.height

    def reveal(self, first: int, last: int) -> None:
        """Scroll no further than needed to have these lines in sight, the first of them in any case."""
        top, height = int(self.scroll_offset.y), max(1, self.content_size.height)
        if first < top:
            self.scroll_to(y=first, animate=False, immediate=True)
        elif last >= top + height:
            self.scroll_to(y=min(first, last - height + 1), animate=False, immediate=True)

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        return strip_of(self, self._draw_line, y)

    def _draw_line(self, y: int, look: Look) -> list[Segment]:
        n = y + int(self.scroll_offset.y)
        line = self.lines[n] if n < len(self.lines) else Line(())
        if self.wanted and self.wanted in line.plain.lower():
            line = line._replace(chosen=True)
        return look.palette.fill(line, look.width, look.base)
