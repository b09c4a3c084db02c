"""``RowTable``: a table drawn by the line. A refresh repaints only the rows that changed; the cursor stays on its row's id."""

from __future__ import annotations

from collections.abc import Sequence

from rich.style import Style
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from gitbridge_console.console.text import fit
from gitbridge_console.console.views.cells import Cell, Column, Line, Row
from gitbridge_console.console.widgets.paint import Palette


def layout_columns(columns: Sequence[Column], width: int) -> list[int]:
    """Widths that fit; 0 for columns left out. Those with the greatest ``drop`` go first, flexible ones share what is left."""
    shown = list(range(len(columns)))
    for drop in sorted({c.drop for c in columns if c.drop}, reverse=True):
        if sum(columns[n].width + 1 for n in shown) - 1 <= width:
            break
        shown = [n for n in shown if columns[n].drop != drop]
    widths = [columns[n].width if n in shown else 0 for n in range(len(columns))]
    spare = width - sum(widths) - max(0, len(shown) - 1)
    flexible = [n for n in shown if columns[n].flex]
    for n in flexible:
        widths[n] = max(1, widths[n] + spare // len(flexible))
    return widths


class RowTable(ScrollView, can_focus=True):
    """Rows with a heading, a cursor and marks."""

    DEFAULT_CSS = """
    RowTable { height: 1fr; scrollbar-size: 0 0; overflow-x: hidden; }
    """

    class Moved(Message):
        """The cursor stands on another row."""

    def __init__(self, columns: Sequence[Column], *, empty: str = "nothing here", id: str | None = None) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.empty = empty
        self.rows: list[Row] = []
        self.marked: set[str] = set()
        self.sort_column: int | None = None
        self.sort_down = False
        self._given: list[Row] = []
        self._cursor = 0

    @property
    def current(self) -> Row | None:
        """The row under the cursor."""
        return self.rows[self._cursor] if self._cursor < len(self.rows) else None

    def chosen(self) -> list[str]:
        """Ids of the marked rows, else of the one under the cursor."""
        marked = [row.id for row in self.rows if row.id in self.marked]
        return marked or ([self.current.id] if self.current else [])

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show other rows; what looks as before is not drawn again."""
        self._given = list(rows)
        self._show(self._sorted(self._given))

    def sort_by_next(self) -> str:
        """Sort by the next column, after the last by none; returns its title or ``""``."""
        following = 0 if self.sort_column is None else self.sort_column + 1
        self.sort_column = following if following < len(self.columns) else None
        self._show(self._sorted(self._given))
        return "" if self.sort_column is None else self.columns[self.sort_column].title

    def reverse_sort(self) -> None:
        """Turn the order round."""
        self.sort_down = not self.sort_down
        self._show(self._sorted(self._given))

    def _sorted(self, rows: list[Row]) -> list[Row]:
        if self.sort_column is None:
            return rows[::-1] if self.sort_down else rows
        column = self.sort_column
        return sorted(rows, key=lambda row: _natural(row.cells[column].text), reverse=self.sort_down)

    def _show(self, rows: list[Row]) -> None:
        old, self.rows = self.rows, rows
        here = old[self._cursor].id if self._cursor < len(old) else None
        before = self._cursor
        index = next((n for n, row in enumerate(rows) if row.id == here), None)
        self._cursor = index if index is not None else min(self._cursor, max(0, len(rows) - 1))
        self.marked &= {row.id for row in rows}
        self.virtual_size = Size(self.size.width, len(rows) + 1)
        if len(old) != len(rows):
            self.refresh()
            return
        for n, (one, other) in enumerate(zip(old, rows, strict=True)):
            if one != other:
                self._refresh_row(n)
        if before != self._cursor:
            self._refresh_row(before)
            self._refresh_row(self._cursor)

    def _refresh_row(self, n: int) -> None:
        y = n + 1 - int(self.scroll_offset.y)
        if 1 <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def move(self, to: int) -> None:
        """Put the cursor on a row by number and keep it in sight."""
        to = max(0, min(to, len(self.rows) - 1))
        if to == self._cursor or not self.rows:
            return
        before, self._cursor = self._cursor, to
        top, room = int(self.scroll_offset.y), max(1, self.size.height - 1)
        if to < top:
            self.scroll_to(y=to, animate=False)
        elif to >= top + room:
            self.scroll_to(y=to - room + 1, animate=False)
        self._refresh_row(before)
        self._refresh_row(to)
        self.post_message(self.Moved())

    def move_by(self, step: int) -> None:
        """Move the cursor relative to where it is."""
        self.move(self._cursor + step)

    def page(self, direction: int) -> None:
        """Move by a screenful."""
        self.move_by(direction * max(1, self.size.height - 2))

    def toggle_mark(self) -> None:
        """Mark or unmark the row and go on to the next."""
        if self.current is None:
            return
        self.marked ^= {self.current.id}
        self._refresh_row(self._cursor)
        self.move_by(1)

    def render_line(self, y: int) -> Strip:
        """One line of the screen: the heading, or a row."""
        width = self.size.width
        palette, base = Palette(self.app), self.rich_style
        widths = layout_columns(self.columns, width - 1)
        if y == 0:
            return palette.strip(self._heading(widths), width, base)
        n = y - 1 + int(self.scroll_offset.y)
        if n >= len(self.rows):
            text = f" {self.empty}" if n == 0 else ""
            return palette.strip(Line((Cell(text, "dim"),)), width, base)
        row = self.rows[n]
        style = base + Style(reverse=True) if n == self._cursor else base
        sign = "*" if row.id in self.marked else ">" if n == self._cursor else " "
        return palette.strip(Line((Cell(sign), *_laid_out(self.columns, row.cells, widths))), width, style)

    def _heading(self, widths: Sequence[int]) -> Line:
        titles = [
            Cell(c.title + ("^" if n == self.sort_column and not self.sort_down else "v" if n == self.sort_column else ""), "dim")
            for n, c in enumerate(self.columns)
        ]
        return Line((Cell(" "), *_laid_out(self.columns, titles, widths)))


def _laid_out(columns: Sequence[Column], cells: Sequence[Cell], widths: Sequence[int]) -> list[Cell]:
    out: list[Cell] = []
    for column, cell, width in zip(columns, cells, widths, strict=True):
        if width:
            if out:
                out.append(Cell(" "))
            out.append(Cell(fit(cell.text, width, right=column.right), cell.tone))
    return out


def _natural(text: str) -> tuple[int, float, str]:
    """Numbers before words, by value; ``1,204``, ``840ms`` and ``61%`` count as numbers."""
    digits = text.replace(",", "").strip().rstrip("%smh$").lstrip("$")
    try:
        return (0, float(digits) * (1000 if text.endswith("s") and not text.endswith("ms") else 1), text)
    except ValueError:
        return (1, 0.0, text)
