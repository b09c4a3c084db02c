"""Sends the terminal the cells that changed, and not the whole rows they stand in.

Textual draws a changed row from the left edge of its widget on. Over a slow link that is most of what is sent: a clock of eight
figures costs a row of two hundred. What was drawn is remembered here, cell by cell, and of every update only the runs of other
cells are sent. The only place that knows Textual's compositor from the inside (``App._display`` and the two kinds of update);
``tests/console/test_changed_cells.py`` holds what is drawn against what the compositor wanted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import compress, count
from operator import ne, or_
from typing import Any, NamedTuple

from rich.cells import get_character_cell_size
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from textual import on
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual._time import get_time
from textual.driver import Driver
from textual.events import Resize
from textual.screen import Screen
from textual.strip import Strip

from gitbridge_console.console.styled_once import StyledOnce
from gitbridge_console.console.text import ONE_CELL_EACH

JOIN_CELLS = 8
"""Two runs of other cells with at most this many between them are sent as one: to move the cursor takes as much."""

NO_STYLE = Style()

UNKNOWN = "?\x00"
"""What nobody drew stands in a cell of which nothing is known."""

Piece = tuple[int, int, Strip]
"""Row, column and what is to stand from there on."""


class Cells(NamedTuple):
    """What stands in cells side by side: in each a character with what combines with it, ``""`` in the second cell of a wide one."""

    texts: list[str]
    styles: list[Style]


class Drawn:
    """What the terminal shows, as far as it is known."""

    def __init__(self) -> None:
        self._rows: dict[int, Cells] = {}
        self.since = math.inf
        """When the first of it was drawn, as messages are timed."""

    def forget(self) -> bool:
        """Somebody else drew, or the size changed: nothing is known any more, and all that is drawn next is sent.

        Returns whether anything was known.
        """
        known = bool(self._rows)
        self._rows.clear()
        self.since = math.inf
        return known

    def changes(self, pieces: Iterator[Piece], colours: ColorSystem) -> str:
        """What makes the terminal show the pieces."""
        self.since = min(self.since, get_time())
        out = _Writer(colours)
        for y, x, strip in pieces:
            texts, styles = cells = cells_of(strip)
            end = x + len(texts)
            row = self._rows.setdefault(y, Cells([], []))
            if (missing := end - len(row.texts)) > 0:
                row.texts.extend([UNKNOWN] * missing)
                row.styles.extend([NO_STYLE] * missing)
            before = Cells(row.texts[x:end], row.styles[x:end])
            if cells == before:
                continue
            other = map(ne, texts, before.texts)
            if styles != before.styles:  # they are compared one by one only where they must be: that is not done in C
                other = map(or_, other, map(_differ, styles, before.styles))
            for start, stop in _runs(compress(count(), other), texts):
                out.write(x + start, y, texts[start:stop], styles[start:stop])
            row.texts[x:end], row.styles[x:end] = cells
        return out.finish()


def _differ(one: Style, other: Style) -> bool:
    return one is not other and one != other


class _Writer:
    """Escape codes for runs of cells. The style stays on from run to run, and is left off at the end."""

    def __init__(self, colours: ColorSystem) -> None:
        self._colours = colours
        self._out: list[str] = []
        self._style = NO_STYLE

    def write(self, x: int, y: int, texts: list[str], styles: list[Style]) -> None:
        self._out.append(f"\x1b[{y + 1};{x + 1}H")
        for text, style in zip(texts, styles, strict=True):
            if style is not self._style and style != self._style:
                ansi = Strip.render_ansi(style, self._colours)
                self._out.append(f"\x1b[0;{ansi}m" if ansi else "\x1b[0m")
                self._style = style
            self._out.append(text)

    def finish(self) -> str:
        if self._style != NO_STYLE:
            self._out.append("\x1b[0m")
        return "".join(self._out)


def cells_of(strip: Strip) -> Cells:
    """The cells of a strip, one by one."""
    texts: list[str] = []
    styles: list[Style] = []
    for text, style, control in strip:
        if control:
            continue
        if text.isascii() or ONE_CELL_EACH.fullmatch(text):
            texts.extend(text)
        else:
            _add(texts, text)
        styles.extend([style or NO_STYLE] * (len(texts) - len(styles)))
    return Cells(texts, styles)


def _add(texts: list[str], text: str) -> None:
    """Add the cells of a text some of whose characters take none, or two."""
    for char in text:
        width = get_character_cell_size(char)
        if width:
            texts.append(char)
            texts.extend([""] * (width - 1))
        elif texts:  # it combines with what stands before it
            at = len(texts) - 1
            while at and not texts[at]:
                at -= 1
            texts[at] += char


def _runs(other: Iterable[int], texts: list[str]) -> Iterator[tuple[int, int]]:
    """First cell and the one behind the last of each run that is to be sent; never half of a wide character."""
    start = end = -1
    for n in other:
        if start >= 0 and n - end <= JOIN_CELLS:
            end = n + 1
            continue
        if start >= 0:
            yield start, end
        start, end = n, n + 1
        while start and not texts[start]:
            start -= 1
    if start >= 0:
        yield start, end


class ChangedCells(CompositorUpdate):
    """An update that sends what changed. It takes effect when it is rendered: one that is never sent changes nothing."""

    def __init__(self, update: ChopsUpdate | LayoutUpdate, drawn: Drawn) -> None:
        self._update = update
        self._drawn = drawn

    def render_segments(self, console: Console) -> str:
        """The escape codes."""
        pieces = _of_chops(self._update) if isinstance(self._update, ChopsUpdate) else _of_layout(self._update)
        return self._drawn.changes(pieces, console._color_system or ColorSystem.TRUECOLOR)


def _of_layout(update: LayoutUpdate) -> Iterator[Piece]:
    for y, line in enumerate(update.strips, update.region.y):
        x = update.region.x
        for strip in line:
            yield y, x, strip
            x += strip.cell_length


def _of_chops(update: ChopsUpdate) -> Iterator[Piece]:
    """All of what differs in any place: to cut the rest away takes longer than to find that it stands there already."""
    for y, first, last in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is not None and x < last and end > first:
                yield y, x, strip


class FrugalApp(StyledOnce):
    """An application that sends changed cells only."""

    def __init__(self, **options: Any) -> None:
        self.drawn = Drawn()
        super().__init__(**options)

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        if isinstance(renderable, ChopsUpdate | LayoutUpdate):
            renderable = ChangedCells(renderable, self.drawn)
        elif renderable is not None:
            self.drawn.forget()
        super()._display(screen, renderable)

    def on_resize(self, event: Resize) -> None:
        """Another size, or the driver began anew, which tells the size again: the terminal is empty or was rearranged."""
        if event.size != self.screen.size or event.time > self.drawn.since:
            self.send_all()

    @on(Driver.SignalResume)
    def send_all(self) -> None:
        """Draw everything: the process was stopped and goes on, and whoever had the terminal meanwhile drew on it."""
        if self.drawn.forget():
            self.refresh(layout=True)
