"""A line chart by plotext, behind one small widget: drawn only when its data or size changed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from gitbridge_console.console.plotting import BRAILLE, Plot
from gitbridge_console.console.spans import words_of
from gitbridge_console.console.text import to_ascii
from gitbridge_console.console.views.cells import Cell, Line, line
from gitbridge_console.console.widgets.lines import Lines

if TYPE_CHECKING:
    from gitbridge_console.console.views.charts import ChartView
    from gitbridge_console.domain.history import History

MARKERS, MARKERS_ASCII = (BRAILLE, "•", "+", "x"), ("*", "+", "o", "x")
SIGNS, SIGNS_ASCII = ("⠒", "•", "+", "x"), MARKERS_ASCII
AXIS = re.compile(r"\s*[\d,.k]+[┤|]")
"""The scale at the left of a drawing's first row."""
PLACES = "ABCD"
"""One for each label, none of which has a capital letter in it."""
BOX_TO_ASCII = str.maketrans("┌┐└┘│─┤├┬┴┼", "++++|-||--+")


def draw(series: Mapping[str, Sequence[float | None]], width: int, height: int, *, ascii_mode: bool, span: str = "") -> str:
    """A chart in exactly ``width`` x ``height`` cells, without colour; each series with a marker of its own.

    ``span`` says what the left edge is (``-15m``); the right one is now.

    The plotting library has one figure for the whole process: call this from the screen's thread only.
    """
    known = {name: _downsampled(values, max(2, width - 8)) for name, values in series.items() if _points(values) > 1}
    if not known or width < 20 or height < 4:
        return ""
    top = max(y for values in known.values() for y in values if y is not None)
    scale = (_short(0), _short(top / 2), _short(top)) if top > 1 else (_short(0), _short(1))
    before, after = _frame(width, height, scale, span)
    plot = Plot(width - len(before[0]), height - 1)
    last = max(len(values) for values in known.values()) - 1
    markers = MARKERS_ASCII if ascii_mode else MARKERS
    for n, values in enumerate(known.values()):
        points = [(float(x), y) for x, y in enumerate(values) if y is not None]
        plot.line(_corners(points), last, max(1.0, top), markers[n % 4])
    text = "\n".join([*(left + row for left, row in zip(before, plot.rows, strict=True)), after])
    return to_ascii(text.translate(BOX_TO_ASCII)) if ascii_mode else text


def _frame(width: int, height: int, scale: tuple[str, ...], span: str) -> tuple[list[str], str]:
    """What stands to the left of each row of the lines, and the row below them."""
    labels = (*scale, span)
    text = _around(width, height, tuple(map(len, labels)))
    for letter, label in zip(PLACES, labels, strict=False):
        text = text.replace(letter * len(label), label)
    *rows, below = text.split("\n")
    return rows, below


@lru_cache(maxsize=64)
def _around(width: int, height: int, lengths: tuple[int, ...]) -> str:
    """The same, with a letter of :data:`PLACES` for each sign of a label: the labels of every drawing are others, seldom their lengths.

    ``lengths`` are those of the scale's labels, and of the one at the left edge.
    """
    import plotext

    *scale, span = (letter * length for letter, length in zip(PLACES, lengths, strict=False))
    plotext.terminal.limit(False, False)
    figure = plotext.figure
    # All that is set is set below, each time: only what was drawn is to go.
    figure.clear.data()
    figure.plot_size(width, height)
    most = len(scale) - 1
    figure.ruler("y").lim(0, most)
    figure.ruler("y").ticks(list(range(most + 1)), scale)
    figure.ruler("x").ticks([0, 1], [span, "now"])
    figure.axes(False, axis=0)
    figure.axes(False, axis=1, side=1)
    *rows, below = figure.build().string(True).rstrip("\n").split("\n")
    axis = rows[0].index("┤") + 1
    return "\n".join([*(row[:axis] for row in rows), below])


def toned(text: str, first: str = "") -> list[Line]:
    """A drawing with its axes stepping back and its first series, drawn with the sign ``first`` or in braille, before the others."""
    rows = text.split("\n")
    found = AXIS.match(rows[0])
    axis = found.end() if found else 0

    signs = f"\u2801-\u28ff{re.escape(first)}"
    parts = re.compile(f"([{signs}]+)|[^{signs}]+")
    plot = [
        line(Cell(row[:axis], "dim"), *(Cell(part[0], "accent" if part[1] else "") for part in parts.finditer(row, axis)))
        for row in rows[:-1]
    ]
    return [*plot, line(Cell(rows[-1], "dim"))]


def _points(values: Sequence[float | None]) -> int:
    return sum(value is not None for value in values)


def _downsampled(values: Sequence[float | None], most: int) -> list[float | None]:
    """At most ``most`` points, each the greatest of its stretch, so that no spike is lost."""
    if len(values) <= most:
        return list(values)
    out: list[float | None] = []
    for n in range(most):
        stretch = [v for v in values[n * len(values) // most : (n + 1) * len(values) // most] if v is not None]
        out.append(max(stretch) if stretch else None)
    return out


def _corners(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points without those between two of the same height: the line goes through them anyway, and each costs as much as a row."""
    last = len(points) - 1
    return [point for n, point in enumerate(points) if n in (0, last) or not points[n - 1][1] == point[1] == points[n + 1][1]]


def _short(value: float) -> str:
    return f"{value / 1000:.1f}k" if value >= 10_000 else f"{value:,.0f}"


class Chart(Lines):
    """``title`` above, the chart below."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.title = ""
        self.span = ""
        self._shown: tuple[ChartView, History] | None = None
        self._series: dict[str, tuple[float | None, ...]] = {}
        self._drawn: tuple[object, ...] = ()
        self._text = ""

    def show(self, view: ChartView, history: History) -> None:
        """Show what a view makes of a history. The same ones again cost nothing."""
        if self._shown is None or self._shown[0] is not view or self._shown[1] is not history:
            self._shown = view, history
            self.set_view(view.title, view.lines(history), f"-{words_of(history.span_s)}")

    def set_view(self, title: str, series: Mapping[str, Sequence[float | None]], span: str = "earlier") -> None:
        """Show other data; ``span`` names the left edge."""
        known = {name: tuple(values) for name, values in series.items()}
        if (title, known, span) != (self.title, self._series, self.span):
            self.title, self._series, self.span = title, known, span
            self._draw()

    def _draw(self) -> None:
        """Draw anew where something changed, and have only the lines painted that look different."""
        ascii_mode = bool(getattr(self.app, "ascii_mode", False))
        state = (self._series, self.span, self.size, ascii_mode)
        if state != self._drawn:
            self._text = draw(self._series, self.size.width, self.size.height - 1, ascii_mode=ascii_mode, span=self.span)
            self._drawn = state
        signs = SIGNS_ASCII if ascii_mode else SIGNS
        names = list(self._series) if len(self._series) > 1 else []
        legend = [Cell(f"   {signs[n % 4]} {name}", "" if n else "accent") for n, name in enumerate(names)]
        head = line(Cell(f" {self.title}", "strong"), *legend)
        self.set_lines([head, *(toned(self._text, signs[0] if ascii_mode else "") if self._text else [self._excuse()])])

    def _excuse(self) -> Line:
        some = any(value is not None for values in self._series.values() for value in values)
        return line(Cell("   one point so far: a line comes with the next" if some else "   nothing measured yet", "dim"))

    def on_resize(self) -> None:
        """Another size, another drawing."""
        self._draw()
