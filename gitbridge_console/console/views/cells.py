"""Cells, columns, rows and lines: what every screen is made of before it has colours."""

from __future__ import annotations

import re
from typing import NamedTuple

from rich.cells import cell_len, chop_cells

from gitbridge_console.console.text import clip

TONES = ("", "good", "warn", "bad", "dim", "accent", "head", "strong", "struck")
"""What a cell means; the theme decides how that looks. State is always in the words too."""


class Cell(NamedTuple):
    """A short text with a tone."""

    text: str
    tone: str = ""


class Column(NamedTuple):
    """A column. ``width`` in cells; ``flex`` columns share what is left; ``drop`` hides it first when there is no room (0: never)."""

    title: str
    width: int
    right: bool = False
    flex: bool = False
    drop: int = 0


class Row(NamedTuple):
    """A row with an identity that survives refreshes; ``keys`` are what sorting goes by."""

    id: str
    cells: tuple[Cell, ...]


class Line(NamedTuple):
    """A line of toned parts; ``chosen``: the cursor stands on it."""

    parts: tuple[Cell, ...]
    chosen: bool = False

    @property
    def plain(self) -> str:
        """The text alone."""
        return "".join(part.text for part in self.parts)


def line(*parts: str | Cell) -> Line:
    """A line from texts and cells."""
    return Line(tuple(part if isinstance(part, Cell) else Cell(part) for part in parts))


def cut(whole: Line, width: int) -> Line:
    """The line without what is beyond ``width`` cells."""
    left, kept = width, list[Cell]()
    for part in whole.parts:
        if cell_len(part.text) > left:
            kept.append(Cell(clip(part.text, left), part.tone))
            break
        kept.append(part)
        left -= cell_len(part.text)
    return whole._replace(parts=tuple(kept))


def wrap(whole: Line, width: int, indent: int = 6) -> list[Line]:
    """The line in as many lines of at most ``width`` cells as it needs, broken at spaces; later ones are indented."""
    if width <= indent or sum(cell_len(part.text) for part in whole.parts) <= width:
        return [whole]
    lines: list[list[Cell]] = [[]]
    left = width
    for part in whole.parts:
        for word in re.findall(r"\s+|\S+", part.text):
            for piece in chop_cells(word, width - indent):
                if cell_len(piece) > left:
                    lines.append([Cell(" " * indent)])
                    left = width - indent
                    if piece.isspace():
                        continue
                lines[-1].append(Cell(piece, part.tone))
                left -= cell_len(piece)
    return [Line(tuple(cells)) for cells in lines]


def millis(value: float | None) -> str:
    """``840ms``, ``2.4s``."""
    if value is None:
        return "-"
    return f"{value:.0f}ms" if value < 1_000 else f"{value / 1000:.1f}s"


def percent(rate: float | None) -> str:
    """``0.4%``, ``61%``, ``99.8%``: a decimal where it makes the difference to nothing or all."""
    if rate is None:
        return "-"
    return f"{100 * rate:.1f}%" if rate < 0.1 or 0.9 < rate < 1 else f"{100 * rate:.0f}%"


def money(usd: float | None) -> str:
    """Dollars, or ``unknown``."""
    return "unknown" if usd is None else f"${usd:.2f}" if usd >= 1 else f"${usd:.4f}"


def clock(iso: str) -> str:
    """The time of day of an ISO text, in UTC as stored."""
    return iso[11:19] if len(iso) >= 19 else iso


SPARKS, ASCII_SPARKS = "▁▂▃▄▅▆▇█", "_.-=+*#@"


def sparkline(values: tuple[float | None, ...], width: int, *, ascii_mode: bool = False) -> str:
    """The newest ``width`` values as bars; gaps are spaces."""
    shown = values[-width:]
    known = [value for value in shown if value is not None]
    if not known:
        return " " * width
    signs = ASCII_SPARKS if ascii_mode else SPARKS
    low, high = min(known), max(known)
    scale = (len(signs) - 1) / (high - low) if high > low else 0
    bars = "".join(" " if value is None else signs[round((value - low) * scale)] for value in shown)
    return bars.rjust(width)
