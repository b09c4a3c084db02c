"""Lines become as few segments as they have tones, in exactly the room they have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.theme import BUILTIN_THEMES

from gitbridge_console.console.views.cells import TONES, Cell, Line
from gitbridge_console.console.widgets.paint import Palette, exactly

PALETTE = Palette(BUILTIN_THEMES["nord"], plain=False, ascii_mode=False)
BASE = Style(bgcolor="#101010")
cells = st.builds(Cell, st.text(st.sampled_from("ab ·漢"), max_size=4), st.sampled_from(TONES))


def signs(segments: list[Segment]) -> list[tuple[str, Style | None]]:
    return [(sign, style) for text, style, _ in segments for sign in text]


@given(st.lists(cells, max_size=9))
def test_what_is_blank_takes_the_tone_of_what_stands_before_it(parts: list[Cell]) -> None:
    expected: list[tuple[str, Style | None]] = []
    tone = None
    for part in parts:
        if part.text and not (part.text.isspace() and tone not in (None, "struck")):
            tone = part.tone
        expected += [(sign, BASE + PALETTE.tones[tone or ""]) for sign in part.text]
    segments = PALETTE.segments(parts, BASE)
    assert signs(segments) == expected
    assert all(one.text for one in segments)


def test_there_are_as_few_segments_as_changes_of_tone() -> None:
    parts = [Cell("a", "dim"), Cell(" "), Cell(""), Cell("b", "dim"), Cell("c"), Cell("d", "struck"), Cell(" "), Cell("", "bad")]
    assert [one.text for one in PALETTE.segments(parts, BASE)] == ["a b", "c", "d", " "]


@given(st.lists(cells, max_size=9), st.integers(0, 24), st.booleans())
def test_a_line_takes_the_room_it_has(parts: list[Cell], width: int, chosen: bool) -> None:
    line = Line(tuple(parts), chosen)
    assert sum(cell_len(one.text) for one in PALETTE.fill(line, width, BASE)) == width
    cut = PALETTE.cut(line, width, BASE)
    assert sum(cell_len(one.text) for one in cut) <= width
    if cell_len(line.plain) <= width:
        assert cut == PALETTE.segments(parts, BASE)


@pytest.mark.parametrize("width", range(12))
def test_a_line_is_cut_and_filled_up_as_by_rich(width: int) -> None:
    segments = PALETTE.segments([Cell("ab", "dim"), Cell("漢c", "bad"), Cell("de", "accent")], BASE)
    assert exactly(width, segments, BASE) == Segment.adjust_line_length(segments, width, BASE)
