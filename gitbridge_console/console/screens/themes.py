"""The chooser of themes: the one under the cursor is put on at once; enter keeps it, leaving any other way takes it off."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Container, Horizontal

from gitbridge_console.console.screens.base import bindings_for
from gitbridge_console.console.screens.listing import TableScreen
from gitbridge_console.console.themes import ThemeFile
from gitbridge_console.console.views.cells import Cell, line, wrap
from gitbridge_console.console.views.themes import SAMPLE, SAMPLE_HEAD, SAMPLE_SERIES, THEME_COLUMNS, theme_rows
from gitbridge_console.console.widgets.chart import Chart
from gitbridge_console.console.widgets.lines import Lines, Page
from gitbridge_console.console.widgets.row_table import RowTable
from gitbridge_console.domain.snapshots import FleetSnapshot


class ThemesScreen(TableScreen):
    """Themes left, a sample right."""

    scope = "themes"
    BINDINGS = bindings_for("themes")
    CSS = """
    ThemesScreen #themes { width: 38; }
    ThemesScreen #sample { width: 1fr; padding: 0 0 0 2; }
    ThemesScreen #sample-head { height: 2; background: $panel; padding: 0 1; }
    ThemesScreen #sample-body { height: 2fr; padding: 0 1; }
    ThemesScreen #sample-chart { height: 1fr; min-height: 8; max-height: 14; }
    ThemesScreen.-tiny #chooser { display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._trying = False

    def make_table(self) -> RowTable:
        """Themes."""
        return RowTable(THEME_COLUMNS, empty="there are no themes", id="themes")

    def body(self) -> ComposeResult:
        """Table left, sample right."""
        sample = Page(id="sample-body")
        sample.can_focus = False
        with Horizontal(id="chooser"):
            yield self.make_table()
            with Container(id="sample"):
                yield Lines(id="sample-head")
                yield sample
                yield Chart(id="sample-chart")

    def on_mount(self) -> None:
        """Start on the theme that is on."""
        self.query_one("#sample-head", Lines).set_lines(SAMPLE_HEAD)
        self.query_one("#sample-chart", Chart).set_view("p95 ms", SAMPLE_SERIES)
        self._fill()
        kept = self.console.theming.kept
        if kept is not None:
            self.table.move(next((n for n, row in enumerate(self.table.rows) if row.id == kept.name), 0))
        self._trying = True

    def on_screen_resume(self) -> None:
        """Back from help or another mode: try on again."""
        self._trying = True
        self._try_on()

    def on_screen_suspend(self) -> None:
        """What was only tried comes off, by whatever way the screen is left."""
        self._trying = False
        self.console.theming.restore()

    def on_row_table_moved(self) -> None:
        """The cursor came to another theme."""
        self._try_on()

    def show(self, snapshot: FleetSnapshot) -> None:
        """Files may have changed."""
        self._fill()
        self._try_on()

    def _fill(self) -> None:
        theming = self.console.theming
        self.set_rows(theme_rows(theming.files, theming.kept))
        body = self.query_one("#sample-body", Page)
        width = max(20, body.content_size.width)
        problems = [part for problem in theming.problems for part in wrap(line(Cell(problem, "warn")), width)]
        body.set_lines([*SAMPLE, *problems])

    def _chosen(self) -> ThemeFile | None:
        """The theme under the cursor; the one that is kept also when its file is gone."""
        row, theming = self.table.current, self.console.theming
        if row is None:
            return None
        return theming.files.get(row.id) or (theming.kept if theming.kept is not None and theming.kept.name == row.id else None)

    def _try_on(self) -> None:
        theme = self._chosen()
        # A move may be told of after the screen was left.
        if theme is not None and self._trying:
            self.console.theming.wear(theme)

    def action_open(self) -> None:
        """Keep the theme under the cursor."""
        theme = self._chosen()
        if theme is not None and theme == self.console.theming.kept:
            self.app.pop_screen()
        elif theme is not None:
            self.console.choose_theme(theme.name)
