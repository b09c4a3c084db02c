"""The Pulse: lanes, their health, and holding them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Container, Horizontal

from gitbridge_console.console.screens.base import bindings_for
from gitbridge_console.console.screens.listing import TableScreen
from gitbridge_console.console.style import CHARTS_CSS, PULSE_CSS
from gitbridge_console.console.views.cells import Cell, line
from gitbridge_console.console.views.charts import CHARTS
from gitbridge_console.console.views.fleet import (
    LANE_COLUMNS,
    alert_lines,
    count_lines,
    first_run_lines,
    lane_rows,
    log_lines,
)
from gitbridge_console.console.views.tours import EMPTY
from gitbridge_console.console.widgets.chart import Chart
from gitbridge_console.console.widgets.lines import Lines
from gitbridge_console.console.widgets.row_table import RowTable

if TYPE_CHECKING:
    from gitbridge_console.domain.snapshots import FleetSnapshot

SLOTS = 6
"""Charts on the largest screen; the style sheet hides some on smaller ones."""
ROOM_FOR_TOUR = 3
"""Lines of a table without rows: what stands there instead."""
TALL = 32
"""Lines from which there is room for more than the most urgent; as in the style sheet."""


class LaneScreen(TableScreen):
    """A table whose rows are lanes or providers, which can be paused."""

    def action_open(self) -> None:
        """From a lane to its work."""
        if self.table.current is not None:
            self.console.pending_lane = self.table.current.id
            self.app.call_later(self.console.action_mode, "queue")

    def lane_here(self) -> str | None:
        """The lane or provider under the cursor."""
        return self.table.current.id if self.table.current is not None else None


class Charts(Container):
    """Room for charts. With it comes the style of what stands around them."""

    DEFAULT_CSS = CHARTS_CSS
    SCOPED_CSS = False


class PulseScreen(LaneScreen):
    """The fleet at a glance."""

    scope = "pulse"
    BINDINGS = bindings_for("pulse")
    DEFAULT_CSS = PULSE_CSS
    SCOPED_CSS = False

    def __init__(self) -> None:
        super().__init__()
        self.first_chart = 0
        self._charts: list[Chart] = []

    def make_table(self) -> RowTable:
        """Lanes."""
        return RowTable(LANE_COLUMNS, empty=EMPTY["pulse"], id="lanes")

    def body(self) -> ComposeResult:
        """The lanes. What has nothing to say before the first picture comes with it, and the first frame need not wait for it."""
        yield Lines(id="alerts")
        with Horizontal(id="pulse"), Container(id="left"):
            yield self.make_table()

    def _complete(self) -> None:
        """Charts, counts and log."""
        charts, right = Charts(id="charts"), Container(id="right")
        self.query_one("#left").mount_all([charts, Lines(id="first-run"), Lines(id="counts")])
        self._charts = [Chart(id=f"chart{n}", classes="chart") for n in range(SLOTS)]
        charts.mount_all(self._charts)
        self.query_one("#pulse").mount(right)
        right.mount_all([Lines(id="right-title"), Lines(id="log")])

    def show(self, snapshot: FleetSnapshot) -> None:
        """Fill everything from one picture."""
        if not self._charts:
            self._complete()
        tall = self.size.height >= TALL
        alerts = alert_lines(snapshot, 3 if tall else 1)
        self.query_one("#alerts", Lines).set_lines(alerts)
        self.query_one("#alerts", Lines).styles.height = len(alerts) + (1 if tall else 0)
        self.set_rows(lane_rows(snapshot, ascii_mode=self.console.ascii_mode))
        self.table.styles.height = min(12, len(self.all_rows) or ROOM_FOR_TOUR) + 1
        first_run = first_run_lines(snapshot)
        self.query_one("#first-run", Lines).set_lines(first_run)
        self.set_class(bool(first_run), "-first-run")
        counts = count_lines(snapshot)
        self.query_one("#counts", Lines).set_lines(counts)
        self.query_one("#counts", Lines).styles.height = len(counts) + 1 if tall else 2
        if not first_run:
            self._draw_charts()
        self.query_one("#right-title", Lines).set_lines([line(Cell("RECENT", "dim"))])
        self.query_one("#log", Lines).set_lines(log_lines(snapshot.log, 60 if tall else 4))

    def _draw_charts(self) -> None:
        """As many as there is room for, from the one that is wanted on."""
        shown = [chart for chart in self._charts if chart.display]
        history = self.console.look_back(self)
        for n, chart in enumerate(shown):
            chart.show(CHARTS[(self.first_chart + n) % len(CHARTS)], history)

    def action_charts(self) -> None:
        """Other charts."""
        shown = sum(chart.display for chart in self._charts)
        self.first_chart = (self.first_chart + max(1, shown)) % len(CHARTS)
        self._draw_charts()
