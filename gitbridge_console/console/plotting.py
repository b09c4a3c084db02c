"""Lines across a chart, dot by dot as plotext draws them, at a tenth of its cost: a console draws four charts every five seconds.

plotext makes an object of each point, and another one of it for each thing it looks up about it. It still draws all that stands around
the lines; ``tests/console/test_plotting.py`` holds what is drawn here against what it makes of the same points.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, pairwise, repeat

BRAILLE = "braille"
BLANK = 0x2800
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Of a braille sign, by line and column: four lines of two."""
MARGINS = 0.5016585662, 0.501516152
"""How far within the room, in cells, its first and its last value stand: plotext's own figures."""

Point = tuple[float, float]
Dot = tuple[int, int]
"""Column and line."""


class Plot:
    """A room of ``width`` x ``height`` cells, and what was drawn in it: of two lines in one cell the later one is seen."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._cells = [" "] * (width * height)

    @property
    def rows(self) -> list[str]:
        """What stands there, from the top."""
        width, text = self.width, "".join(self._cells)
        return [text[start : start + width] for start in range(0, len(text), width)]

    def line(self, points: Sequence[Point], right: float, top: float, marker: str) -> None:
        """Join points by a line; 0 to ``right`` is all of the width, 0 to ``top`` all of the height. What is below 0 is not seen."""
        columns, lines = (2, 4) if marker == BRAILLE else (1, 1)
        places = [(columns * _place(x / right, self.width), lines * _place((top - y) / top, self.height)) for x, y in points]
        dots = [(int(x), int(y)) for x, y in places[:1]]
        for one, other in pairwise(places):
            dots += _way(one, other)
        if any(y < 0 for _, y in points):
            dots = [(column, line) for column, line in dots if line < lines * self.height]
        if marker == BRAILLE:
            self._set(dots)
            return
        for column, line in dots:
            self._cells[line * self.width + column] = marker

    def _set(self, dots: Sequence[Dot]) -> None:
        """Set dots of braille signs, beside those that are set already."""
        width, signs = self.width, dict[int, int]()
        for column, line in dots:
            cell = (line >> 2) * width + (column >> 1)
            signs[cell] = signs.get(cell, 0) | DOTS[line & 3][column & 1]
        for cell, sign in signs.items():
            before = ord(self._cells[cell]) - BLANK
            self._cells[cell] = chr(BLANK + (sign | before if 0 < before < 256 else sign))


def _place(share: float, cells: int) -> float:
    """Where a value stands in so many cells, by its share of the way from the first value to the last."""
    first, last = MARGINS
    return first + (cells - first - last) * share


def _way(one: Point, other: Point) -> list[Dot]:
    """The dots from one place to another, without the first: as many as there are columns or lines between, whichever is more."""
    (x, y), (to_x, to_y) = one, other
    end = (int(to_x), int(to_y))
    wide, high, steps = to_x - x, to_y - y, max(abs(int(x) - end[0]), abs(int(y) - end[1]), 1)
    return [*[(int(x + wide * share), int(y + high * share)) for share in _shares(steps)], end]


@lru_cache(maxsize=512)
def _shares(steps: int) -> tuple[float, ...]:
    """Of the way, after each step but the last; added up, as plotext does."""
    return tuple(accumulate(repeat(1.0 / steps, steps - 1)))
