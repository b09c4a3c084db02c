"""Providers, and everything known of the one under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult

from gitbridge_console.console.screens.base import bindings_for
from gitbridge_console.console.screens.lanes import ROOM_FOR_TOUR, LaneScreen
from gitbridge_console.console.style import PROVIDERS_CSS
from gitbridge_console.console.views.cells import Row, line
from gitbridge_console.console.views.charts import CHARTS
from gitbridge_console.console.views.fleet import PROVIDER_COLUMNS, provider_rows
from gitbridge_console.console.views.provider import provider_detail
from gitbridge_console.console.views.tours import EMPTY
from gitbridge_console.console.widgets.chart import Chart
from gitbridge_console.console.widgets.lines import Page
from gitbridge_console.console.widgets.row_table import RowTable

if TYPE_CHECKING:
    from gitbridge_console.domain.snapshots import FleetSnapshot


class ProvidersScreen(LaneScreen):
    """Providers and everything known of the one under the cursor."""

    scope = "providers"
    BINDINGS = bindings_for("providers")
    DEFAULT_CSS = PROVIDERS_CSS
    SCOPED_CSS = False

    def make_table(self) -> RowTable:
        """Providers."""
        return RowTable(PROVIDER_COLUMNS, empty=EMPTY["providers"], id="providers")

    def action_open(self) -> None:
        """Everything about the provider under the cursor."""
        if self.table.current is not None:
            self.open_provider(self.table.current.id)

    def action_check(self) -> None:
        """Ask the provider under the cursor for its list of models, now."""
        if self.table.current is not None:
            self.check_provider(self.table.current.id)

    def body(self) -> ComposeResult:
        """Table above, detail below, and where there is room the latencies."""
        yield self.make_table()
        yield Page(id="detail")
        yield Chart(id="latency")

    def show(self, snapshot: FleetSnapshot) -> None:
        """Rows and the detail of the chosen one."""
        self.set_rows(provider_rows(snapshot))
        self.table.styles.height = min(12, len(self.all_rows) or ROOM_FOR_TOUR) + 1
        self._detail(self.table.current, snapshot)
        self.query_one("#latency", Chart).show(CHARTS[0], self.console.look_back(self))

    def on_row_table_moved(self) -> None:
        """Another provider, another detail."""
        if self.console.snapshot is not None:
            self._detail(self.table.current, self.console.snapshot)

    def _detail(self, row: Row | None, snapshot: FleetSnapshot) -> None:
        if row is not None and row.id in snapshot.providers:
            self.query_one("#detail", Page).set_lines(
                [line(""), *provider_detail(row.id, snapshot.providers[row.id], snapshot.lanes.get(row.id))]
            )
