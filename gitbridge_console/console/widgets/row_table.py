"""``RowTable``: a table drawn by the line. A refresh repaints only the rows that changed; the cursor stays on its row's id.

It holds all rows of a short list, or a window of a long one: then it says which rows it wants as the eye gets near their end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rich.segment import Segment
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from gitbridge_console.console.dirty_lines import draw_again
from gitbridge_console.console.views.cells import Cell, Column, Line, Row, line, wrap
from gitbridge_console.console.widgets.columns import laid_out, layout_columns, natural
from gitbridge_console.console.widgets.line_cache import LineCache, Look, strip_of

_layout = lru_cache(maxsize=32)(layout_columns)
"""Every row that is drawn asks for it."""

MARGIN = 100
"""Rows known above and below those in sight, so that moving by a page finds them there already, and all of a list that is not long."""


class RowTable(ScrollView, can_focus=True, inherit_bindings=False):
    """Rows with a heading, a cursor and marks."""

    DEFAULT_CSS = """
    RowTable { height: 1fr; scrollbar-size: 0 0; overflow-x: hidden; }
    """

    class Moved(Message):
        """The cursor stands on another row."""

    @dataclass
    class Wanted(Message):
        """Rows ``first`` and following come into sight and are not known."""

        first: int
        count: int

    def __init__(self, columns: Sequence[Column], *, empty: str = "nothing here", id: str | None = None) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.empty = empty
        self._narrowed_by = ""
        self.rows: list[Row] = []
        """The rows that are known: all of them, or a window."""
        self.first = 0
        """Number of the first of them in the whole list."""
        self.total = 0
        self.known = False
        """Whether anybody has said which rows there are."""
        self.marked: set[str] = set()
        self.left: Row | None = None
        """The row that was chosen, where it is no longer listed and nobody has moved the cursor since: it stands on another one."""
        self.marks_left: set[str] = set()
        """What was marked, where none of it is listed any more."""
        self._was_on = ""
        self.range_from: int | None = None
        """Where a range of marks was begun."""
        self.sort_column: int | None = None
        self.picked: int | None = None
        self.sort_down = False
        self._given: list[Row] = []
        self._cursor = 0
        self._styles_cache = LineCache(self._draw_line)

    def _at(self, n: int) -> Row | None:
        return self.rows[n - self.first] if self.first <= n < self.first + len(self.rows) else None

    @property
    def current(self) -> Row | None:
        """The row under the cursor, as far as it is known."""
        return self._at(self._cursor)

    @property
    def here(self) -> str:
        """Id of the row the cursor is on, or was on when the list was put away."""
        return self.current.id if self.current is not None else self._was_on

    @property
    def index(self) -> int:
        """The number of the row under the cursor."""
        return self._cursor

    @property
    def windowed(self) -> bool:
        """Whether there are rows beyond those that are known."""
        return len(self.rows) < self.total

    @property
    def span(self) -> tuple[int, int]:
        """First row and number of rows to ask for: those in sight with a margin."""
        top = max(0, int(self.scroll_offset.y) - MARGIN)
        return top, int(self.scroll_offset.y) + max(1, self.size.height) + MARGIN - top

    def chosen(self) -> list[str]:
        """Ids of the marked rows, else of the one under the cursor. Those in a range not ended yet count as marked."""
        self.end_range()
        marked = [row.id for row in self.rows if row.id in self.marked]
        marked += sorted(self.marked.difference(marked))
        return marked or ([self.current.id] if self.current else [])

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show other rows, all there are; what looks as before is not drawn again."""
        self._given = list(rows)
        self._show(self._sorted(self._given))
        self._keep_marks()

    def set_window(self, first: int, rows: Sequence[Row], total: int, followed: int | None = None) -> None:
        """Show part of a long list in the list's own order; ``followed``: where the row under the cursor stands now."""
        self.sort_column, self.sort_down, self._given = None, False, list(rows)
        self._show(list(rows), first, total, followed)
        if not self.windowed:
            self._keep_marks()

    def _keep_marks(self) -> None:
        """Of the rows there are."""
        listed = self.marked & {row.id for row in self.rows}
        if self.marked and not listed:
            self.marks_left = self.marked
        self.marked = listed

    def narrow(self, text: str) -> None:
        """Say that no row matches this, where there is none."""
        if text != self._narrowed_by:
            self._narrowed_by = text
            self.refresh()

    def put_away(self) -> None:
        """Show no rows until others are given: another list is wanted, and nothing of this one is to be acted on."""
        self._was_on, self.rows, self.first, self.total, self.known = self.here, [], 0, 0, False
        self.acknowledge()
        self.refresh()

    def acknowledge(self) -> None:
        """Whoever looks knows where the cursor is, and what is marked."""
        self.left, self.marks_left = None, set()

    def pick(self, step: int) -> None:
        """Pick another of the columns shown; sorting goes by it."""
        shown = [n for n, width in enumerate(_layout(self.columns, self.size.width - 1)) if width]
        at = shown.index(self.picked) if self.picked in shown else (-1 if step > 0 else 0)
        self.picked = shown[(at + step) % len(shown)]
        self.refresh(Region(0, 0, self.size.width, 1))

    def sort_by_picked(self) -> str:
        """Sort by the picked column, or no more when it was sorted by that; returns its title or ``""``."""
        wanted = 0 if self.picked is None else self.picked
        self.sort_column = None if self.sort_column == wanted else wanted
        self._show(self._sorted(self._given))
        self.refresh(Region(0, 0, self.size.width, 1))
        return "" if self.sort_column is None else self.columns[self.sort_column].title

    def reverse_sort(self) -> None:
        """Turn the order round."""
        self.sort_down = not self.sort_down
        self._show(self._sorted(self._given))
        self.refresh(Region(0, 0, self.size.width, 1))

    def _sorted(self, rows: list[Row]) -> list[Row]:
        if self.sort_column is None:
            return rows[::-1] if self.sort_down else rows
        column = self.sort_column
        return sorted(rows, key=lambda row: natural(row.cells[column].text), reverse=self.sort_down)

    def _show(self, rows: list[Row], first: int = 0, total: int | None = None, followed: int | None = None) -> None:
        here, before = self.current, self._cursor
        top, bottom = int(self.scroll_offset.y), int(self.scroll_offset.y) + self.size.height
        old, before_rows = [self._at(n) for n in range(top, bottom)], (self.known, not self.total)
        self.known = True
        self.rows, self.first, self.total = rows, first, len(rows) if total is None else total
        wanted = here.id if here is not None else self._was_on
        index = next((first + n for n, row in enumerate(rows) if row.id == wanted), followed)
        self._was_on = ""
        if here is not None and index is None:
            self.left = self.left or here
        self._cursor = max(0, min(self._cursor if index is None else index, self.total - 1))
        self.virtual_size = Size(self.size.width, self.total + 1)
        self._refresh_rows(n for n, row in enumerate(old, top) if row != self._at(n) or before_rows != (True, not self.total))
        if before != self._cursor:
            self._refresh_row(before)
            self._refresh_row(self._cursor)
            # Only after the layout it is known how far can be scrolled.
            self.call_after_refresh(self._keep_in_sight)

    def _refresh_row(self, n: int) -> None:
        self._refresh_rows([n])

    def _refresh_rows(self, rows: Iterable[int]) -> None:
        (width, height), top = self.size, int(self.scroll_offset.y)
        lines = [Region(0, n + 1 - top, width, 1) for n in rows if 1 <= n + 1 - top < height]
        if lines:
            draw_again(self, *lines)

    def move(self, to: int) -> None:
        """Put the cursor on a row by number and keep it in sight."""
        to = max(0, min(to, self.total - 1))
        self.acknowledge()
        if to == self._cursor or not self.total:
            return
        before, self._cursor = self._cursor, to
        self._keep_in_sight()
        for n in (before, to) if self.range_from is None else range(min(before, to), max(before, to) + 1):
            self._refresh_row(n)
        self.post_message(self.Moved())

    def _keep_in_sight(self) -> None:
        top, room = int(self.scroll_offset.y), max(1, self.size.height - 1)
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False)
        elif self._cursor >= top + room:
            self.scroll_to(y=self._cursor - room + 1, animate=False)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Ask for what comes into sight."""
        super().watch_scroll_y(old_value, new_value)
        top, bottom = int(new_value), min(int(new_value) + self.size.height, self.total)
        if self.windowed and (top < self.first or bottom > self.first + len(self.rows)):
            self.post_message(self.Wanted(*self.span))

    def next_in_trouble(self) -> bool:
        """Go to the next known row with something bad in it, from the top again after the last; ``False`` when there is none."""
        bad = [n for n, row in enumerate(self.rows, self.first) if any(cell.tone == "bad" and cell.text for cell in row.cells)]
        if bad:
            self.move(next((n for n in bad if n > self._cursor), bad[0]))
        return bool(bad)

    def on_click(self, event: Click) -> None:
        """A click puts the cursor on a row."""
        if event.y >= 1:
            self.move(event.y - 1 + int(self.scroll_offset.y))

    def move_by(self, step: int) -> None:
        """Move the cursor relative to where it is."""
        self.move(self._cursor + step)

    def page(self, direction: int) -> None:
        """Move by a screenful."""
        self.move_by(direction * max(1, self.size.height - 2))

    def mark_all(self) -> None:
        """Mark every known row, or none when all are."""
        every = {row.id for row in self.rows}
        self.marked = set() if self.marked == every else every
        self.range_from = None
        self.refresh()

    def mark_range(self) -> None:
        """Begin a range of marks here, or end the one that was begun."""
        if self.range_from is None:
            self.range_from = self._cursor
            self._refresh_row(self._cursor)
        else:
            self.end_range()

    def end_range(self) -> None:
        """Mark what the range covers, as far as it is known."""
        if self.range_from is not None:
            self.marked |= {row.id for n, row in enumerate(self.rows, self.first) if self._in_range(n)}
            self.range_from = None

    def drop_marks(self) -> bool:
        """Forget all marks and a range that was begun; ``False`` when there were none."""
        had_some = bool(self.marked) or self.range_from is not None
        self.marked, self.range_from = set(), None
        if had_some:
            self.refresh()
        return had_some

    def _in_range(self, n: int) -> bool:
        return self.range_from is not None and min(self.range_from, self._cursor) <= n <= max(self.range_from, self._cursor)

    def toggle_mark(self) -> None:
        """Mark or unmark the row and go on to the next."""
        if self.current is None:
            return
        self.marked ^= {self.current.id}
        self._refresh_row(self._cursor)
        self.move_by(1)

    def render_line(self, y: int) -> Strip:
        """One line of the screen: the heading, or a row."""
        return strip_of(self, self._draw_line, y)

    def _draw_line(self, y: int, look: Look) -> list[Segment]:
        width, palette, base = look.width, look.palette, look.base
        widths = _layout(self.columns, width - 1)
        if y == 0:
            return palette.fill(self._heading(widths), width, base)
        n = y - 1 + int(self.scroll_offset.y)
        row = self._at(n)
        if row is None:
            return palette.fill(self._instead(n), width, base)
        sign = "*" if row.id in self.marked or self._in_range(n) else ">" if n == self._cursor else " "
        return palette.fill(Line((Cell(sign), *laid_out(self.columns, row.cells, widths)), n == self._cursor), width, base)

    def _instead(self, n: int) -> Line:
        """What stands where there is no row: a word that one will come, or, in a table that has none, what it is for."""
        if not self.known:
            return line(Cell("  reading…" if n == 1 else "", "dim"))
        if self.total:
            return line(Cell(" …" if n < self.total else "", "dim"))
        instead = f"Nothing matches /{self._narrowed_by}\n/ changes the filter, esc takes it off." if self._narrowed_by else self.empty
        tour = [part for text in instead.split("\n") for part in wrap(line(text), self.size.width - 4, 0)]
        return line("  ", *(Cell(part.text, "dim" if n > 1 else "") for part in tour[n - 1].parts)) if 0 < n <= len(tour) else line("")

    def _heading(self, widths: Sequence[int]) -> Line:
        titles = [
            Cell(c.title + (("v" if self.sort_down else "^") if n == self.sort_column else ""), "head" if n == self.picked else "dim")
            for n, c in enumerate(self.columns)
        ]
        return Line((Cell(" "), *laid_out(self.columns, titles, widths)))
