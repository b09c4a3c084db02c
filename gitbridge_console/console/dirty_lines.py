"""Renders what is to be drawn again, and nothing beside it.

For a picture in which anything differs Textual renders every widget between the first line that differs and the last, whole and with
what stands behind it. Here a widget renders the lines in which something differs, where it can be seen. The only place that knows how
Textual's compositor puts widgets together; ``tests/console/test_dirty_lines.py`` holds what comes of it against what Textual makes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import cast

from textual._compositor import ChopsUpdate, Compositor
from textual.dom import NoScreen
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from gitbridge_console.console.styled_once import StyledOnceScreen

Chops = list[dict[int, Strip | None]]
"""For each line of the screen, by the column it begins at, what is to be drawn; ``None``: nobody has rendered it yet."""

NOT_WANTED = Strip([])

JOIN_LINES = 8
"""Lines no further apart are asked for together: a widget keeps those between, and to be asked again takes longer than to hand them out."""


class DirtyLines(Compositor):
    """Puts together what is wanted of a picture."""

    def render_partial_update(self) -> ChopsUpdate | None:
        """What differs, ``None`` where nothing does."""
        cuts = self.cuts
        # Of what was to be drawn before the screen became smaller, some lines are no more.
        spans = [span for span in self._regions_to_spans(self._dirty_regions) if 0 <= span[0] < len(cuts)]
        self._dirty_regions.clear()
        if not spans:
            return None
        chops: Chops = [{} for _ in cuts]
        for y, first, last in spans:
            line = chops[y]
            for start, end in pairwise(cuts[y]):
                if start < last and end > first:
                    line[start] = None
                else:
                    line.setdefault(start, NOT_WANTED)
        self._fill(chops)
        return ChopsUpdate(cast("Sequence[Mapping[int, Strip]]", chops), spans, [cut[1:] for cut in cuts])

    def _render_chops(self, crop: Region, is_rendered_line: Callable[[int], bool]) -> Sequence[Mapping[int, Strip]]:
        lines = enumerate(self.cuts)
        chops: Chops = [dict.fromkeys(cut[:-1]) if crop.y <= y < crop.bottom and is_rendered_line(y) else {} for y, cut in lines]
        self._fill(chops)
        return cast("Sequence[Mapping[int, Strip]]", chops)

    def _fill(self, chops: Chops) -> None:
        """Have widgets render what is ``None``, those in front first."""
        wanted: dict[Widget, list[int]] = {}
        for y, (line, there) in enumerate(zip(chops, self.layers_visible, strict=True)):
            missing = [cut for cut, strip in line.items() if strip is None]
            for widget, seen, _ in there if missing else ():
                first, last = seen.column_span
                hidden = [cut for cut in missing if not first <= cut < last]
                if len(hidden) < len(missing):
                    wanted.setdefault(widget, []).append(y)
                    missing = hidden
                    if not missing:
                        break
        for widget, (region, clip) in self.visible_widgets.items():
            lines = wanted.get(widget, ())
            seen = region.intersection(clip)
            for run in _runs(lines):
                top = run[0]
                strips = widget.render_lines(Region(seen.x - region.x, top - region.y, seen.width, run[-1] + 1 - top))
                for y in run:
                    _lay(chops[y], self.cuts[y], strips[y - top], seen)


def _lay(line: dict[int, Strip | None], cuts: Sequence[int], strip: Strip, seen: Region) -> None:
    """Put what a widget rendered of a line where it can be seen."""
    first, last = seen.column_span
    own = [cut for cut in cuts if first <= cut <= last]
    # A strip divided into one part keeps itself as that part, and so is never freed before somebody looks for such circles.
    parts = (strip,) if own == [first, last] else strip.divide([cut - first for cut in own[1:]])
    for cut, part in zip(own, parts, strict=False):
        if line[cut] is None:
            line[cut] = part


def _runs(lines: Sequence[int]) -> Iterator[Sequence[int]]:
    """Lines that a widget is asked for together."""
    start = 0
    for n in range(1, len(lines) + 1):
        if n == len(lines) or lines[n] - lines[n - 1] > JOIN_LINES:
            yield lines[start:n]
            start = n


class DirtyLinesScreen(StyledOnceScreen):
    """A screen that is put together so."""

    def __init__(self) -> None:
        super().__init__()
        self._compositor = DirtyLines()

    def wants(self, widget: Widget) -> None:
        """Something of a widget is to be drawn with the next picture; the same as Textual's message about it."""
        if self in self._compositor:
            self._dirty_widgets.add(widget)
            self.check_idle()


def draw_again(widget: Widget, *regions: Region) -> None:
    """Have regions of a widget's content drawn with the next picture.

    Textual has a widget tell its screen of them by messages, as soon as the widget has nothing else to do. That takes as long as to draw
    a line, for each widget in each picture.
    """
    try:
        screen = widget.screen
    except NoScreen:
        screen = None
    if isinstance(screen, DirtyLinesScreen) and widget.is_mounted and widget.display:
        widget._set_dirty(*regions)
        screen.wants(widget)
    else:
        widget.refresh(*regions)
