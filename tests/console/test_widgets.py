"""The widgets alone: what a refresh repaints, columns, charts, hints."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from sample_history import history
from textual.app import App, ComposeResult
from textual.geometry import Region

from gitbridge_console.console.text import safe
from gitbridge_console.console.views.cells import Cell, Column, Row
from gitbridge_console.console.views.charts import CHARTS
from gitbridge_console.console.widgets.bottom_row import fitting_hints
from gitbridge_console.console.widgets.chart import Chart, draw
from gitbridge_console.console.widgets.columns import layout_columns
from gitbridge_console.console.widgets.row_table import RowTable

COLUMNS = (Column("NAME", 8), Column("SIZE", 6, right=True, drop=1), Column("NOTE", 10, flex=True), Column("X", 4, drop=2))


def rows(*names: str, note: str = "") -> list[Row]:
    return [Row(name, (Cell(name), Cell(str(n)), Cell(note), Cell("x"))) for n, name in enumerate(names)]


class OneTable(App[None]):
    """A table alone; notes every region it is asked to repaint."""

    def __init__(self) -> None:
        super().__init__()
        self.repainted: list[Any] = []

    def compose(self) -> ComposeResult:
        outer = self

        class Watched(RowTable):
            def refresh(self, *regions: Region, **more: Any) -> Any:
                outer.repainted.append(regions)
                return super().refresh(*regions, **more)

        yield Watched(COLUMNS)


@pytest.mark.anyio
async def test_only_changed_rows_are_repainted() -> None:
    """None when nothing changed, one when one did; offscreen ones never."""
    app = OneTable()
    async with app.run_test(size=(60, 10)) as pilot:
        table = app.query_one(RowTable)
        names = [f"n{n}" for n in range(100)]
        table.set_rows(rows(*names))
        await pilot.pause()
        app.repainted.clear()
        table.set_rows(rows(*names))
        assert app.repainted == []
        changed = rows(*names)
        changed[3] = rows("a", note="new")[0]
        changed[80] = rows("b", note="new")[0]
        table.set_rows(changed)
        assert app.repainted == [(Region(0, 4, 60, 1),)]


@pytest.mark.anyio
async def test_a_table_says_that_it_is_empty_only_once_that_is_known() -> None:
    app = OneTable()
    async with app.run_test(size=(60, 10)) as pilot:
        table = app.query_one(RowTable)
        assert table.render_line(2).text.strip() == "reading…"
        app.repainted.clear()
        table.set_rows([])
        assert Region(0, 2, 60, 1) in {region for regions in app.repainted for region in regions}
        await pilot.pause()
        assert table.render_line(2).text.strip() == "nothing here"


@pytest.mark.anyio
async def test_cursor_follows_its_row_and_stays_in_sight() -> None:
    """Rows come in above it; then it goes."""
    app = OneTable()
    async with app.run_test(size=(60, 10)) as pilot:
        table = app.query_one(RowTable)
        table.set_rows(rows("a", "b", "c"))
        table.move(1)
        table.set_rows(rows(*(f"n{n}" for n in range(30)), "a", "b", "c"))
        await pilot.pause()
        assert table.current is not None
        assert table.current.id == "b"
        assert table.scroll_offset.y <= table.index < table.scroll_offset.y + 9
        table.set_rows(rows("a", "c"))
        assert table.current is not None
        table.set_rows([])
        assert table.current is None
        assert table.chosen() == []
        table.toggle_mark()
        table.move_by(1)


@pytest.mark.anyio
async def test_a_click_moves_the_cursor() -> None:
    """With the mouse on."""
    app = OneTable()
    async with app.run_test(size=(60, 10)) as pilot:
        table = app.query_one(RowTable)
        table.set_rows(rows("a", "b", "c"))
        await pilot.click(RowTable, offset=(3, 3))
        assert table.index == 2


@given(st.integers(1, 200))
def test_columns_never_are_wider_than_the_table(width: int) -> None:
    """Those that may go, go first."""
    widths = layout_columns(COLUMNS, width)
    shown = [w for w in widths if w]
    if width >= 26:
        assert sum(shown) + len(shown) - 1 == width
    assert widths[0] == 8


@pytest.mark.parametrize("ascii_mode", [False, True])
@given(
    series=st.dictionaries(st.sampled_from("abcd"), st.lists(st.none() | st.floats(0, 1e7), max_size=40), max_size=4),
    size=st.tuples(st.integers(20, 130), st.integers(4, 20)),
)
def test_chart_is_never_larger_than_asked(ascii_mode: bool, series: dict[str, list[float | None]], size: tuple[int, int]) -> None:
    """Whatever the data; nothing in it acts on the terminal."""
    drawn = draw(series, *size, ascii_mode=ascii_mode, span="-15m")
    assert all(cell_len(text) <= size[0] for text in drawn.splitlines())
    assert len(drawn.rstrip("\n").splitlines()) <= size[1]
    assert safe(drawn, lines=True) == drawn
    assert drawn.isascii() or not ascii_mode


class OneChart(App[None]):
    """A chart alone."""

    def compose(self) -> ComposeResult:
        yield Chart()


@pytest.mark.anyio
async def test_a_chart_is_drawn_for_another_history_and_not_for_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The drawing is the dear part."""
    drawn: list[str] = []

    def counting(series: Any, *given: Any, span: str, **more: Any) -> str:
        drawn.append(span)
        return draw(series, *given, span=span, **more)

    monkeypatch.setattr("gitbridge_console.console.widgets.chart.draw", counting)
    async with OneChart().run_test(size=(60, 12)) as pilot:
        chart, view = pilot.app.query_one(Chart), CHARTS[0]
        drawn.clear()
        past = history(900)
        for _ in range(3):
            chart.show(view, past)
        assert drawn == ["-15m"]
        chart.show(view, replace(past, span_s=300))
        assert drawn == ["-15m", "-5m"]
        await pilot.pause()
        assert "now" in chart.render_line(chart.size.height - 1).text
        assert len(drawn) == 2


HINTS = st.tuples(st.sampled_from(["P", "enter", "+"]), st.text("abc", min_size=1, max_size=9), st.booleans())


@given(st.lists(HINTS, max_size=9), st.integers(0, 100))
def test_hints_are_shown_whole_or_not_at_all(hints: list[tuple[str, str, bool]], width: int) -> None:
    """The last two, which lead to all others, always."""
    shown = [cell.text.strip() for cell in fitting_hints(hints, width)]
    assert len(shown) % 2 == 0
    assert shown[-4:] == [part for hint in hints[-2:] for part in hint[:2]]
    if len(shown) > 4:
        assert sum(len(cell.text) for cell in fitting_hints(hints, width)) <= width
