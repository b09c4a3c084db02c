"""What a chart looks like is held against what plotext makes of the same points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotext
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.console.plotting import BRAILLE, Plot
from gitbridge_console.console.text import to_ascii
from gitbridge_console.console.widgets.chart import BOX_TO_ASCII, MARKERS, MARKERS_ASCII, draw

HEIGHTS = st.one_of(st.none(), st.sampled_from([-3.0, 0.0, 1.0, 2.5, 900.0]), st.floats(0, 50), st.floats(0, 1e6))
SERIES = st.dictionaries(st.sampled_from("abcdef"), st.lists(HEIGHTS, max_size=50), max_size=6)
"""More of them than there are markers."""


def by_plotext(series: Mapping[str, Sequence[float | None]], width: int, height: int, ascii_mode: bool, span: str) -> str:
    """All of a chart, lines and what stands around them, by plotext: every point of every series."""
    known = [values for values in series.values() if sum(value is not None for value in values) > 1]
    if not known:
        return ""
    top = max(y for values in known for y in values if y is not None)
    plotext.terminal.limit(False, False)
    figure = plotext.figure
    figure.clear()
    figure.plot_size(width, height)
    for n, values in enumerate(known):
        points = [(x, y) for x, y in enumerate(values) if y is not None]
        marker = (MARKERS_ASCII if ascii_mode else MARKERS)[n % 4]
        figure.draw(figure.signal([x for x, _ in points], [y for _, y in points], marker=marker).lines(True))
    ticks = [0, top / 2, top] if top > 1 else [0, 1]
    figure.ruler("y").lim(0, max(1.0, top))
    figure.ruler("y").ticks(ticks, [f"{y / 1000:.1f}k" if y >= 10_000 else f"{y:,.0f}" for y in ticks])
    figure.ruler("x").ticks([0, max(map(len, known)) - 1], [span, "now"])
    figure.axes(False, axis=0)
    figure.axes(False, axis=1, side=1)
    text: str = figure.build().string(True).rstrip("\n")
    return to_ascii(text.translate(BOX_TO_ASCII)) if ascii_mode else text


@given(SERIES, st.sampled_from([58, 63, 90]), st.integers(4, 12), st.booleans(), st.sampled_from(["-5m", "-15m", "-287s", "earlier", ""]))
def test_a_chart_is_what_plotext_makes_of_all_its_points(
    series: dict[str, list[float | None]], width: int, height: int, ascii_mode: bool, span: str
) -> None:
    assert draw(series, width, height, ascii_mode=ascii_mode, span=span) == by_plotext(series, width, height, ascii_mode, span)


def test_what_stands_around_the_lines_is_drawn_anew_only_for_labels_of_another_length(monkeypatch: pytest.MonkeyPatch) -> None:
    draw({"a": [0, 700]}, 60, 8, ascii_mode=False, span="-15m")

    def build(figure: object) -> None:
        raise AssertionError("drawn again")

    monkeypatch.setattr(type(plotext.figure), "build", build)
    other = draw({"a": [0, 350, 844]}, 60, 8, ascii_mode=False, span="-20m")
    assert [mark in other for mark in ("⡠", "844┤", "422┤", "  0┤", "-20m", "700")] == [True] * 5 + [False]
    for top, span in ((1_400, "-20m"), (844, "-2m")):
        with pytest.raises(AssertionError, match="drawn again"):
            draw({"a": [0, top]}, 60, 8, ascii_mode=False, span=span)


def test_a_line_of_dots_is_added_to_those_that_are_there_and_takes_the_place_of_signs() -> None:
    plot = Plot(4, 1)
    plot.line([(0, 1), (1, 1)], 1, 1, BRAILLE)
    assert plot.rows == ["⠠⠤⠤⠄"]
    plot.line([(0, 0), (1, 0)], 1, 1, BRAILLE)
    assert plot.rows == ["⠰⠶⠶⠆"]
    plot.line([(0, 0), (0.3, 0)], 1, 1, "x")
    assert plot.rows == ["xx⠶⠆"]
    plot.line([(0, 0), (0.3, 0)], 1, 1, BRAILLE)
    assert plot.rows == ["⠐⠂⠶⠆"]
