"""Fleet: every process that works on this namespace, and the store they share."""

from __future__ import annotations

from textual.app import ComposeResult

from gitbridge_console.console.screens.base import bindings_for
from gitbridge_console.console.screens.listing import TableScreen
from gitbridge_console.console.views.cells import line
from gitbridge_console.console.views.engines import ENGINE_COLUMNS, engine_rows, store_lines
from gitbridge_console.console.views.fleet import alert_lines
from gitbridge_console.console.views.tours import EMPTY
from gitbridge_console.console.widgets.lines import Page
from gitbridge_console.console.widgets.row_table import RowTable
from gitbridge_console.domain.snapshots import FleetSnapshot

ALERTS_MAX = 50
ROOM_FOR_TOUR = 3


class FleetListScreen(TableScreen):
    """Processes above; store, overload and all alerts below."""

    scope = "fleet"
    BINDINGS = bindings_for("fleet")

    def make_table(self) -> RowTable:
        """Processes."""
        return RowTable(ENGINE_COLUMNS, empty=EMPTY["fleet"], id="engines")

    def body(self) -> ComposeResult:
        """Both."""
        yield self.make_table()
        yield Page(id="store")

    def show(self, snapshot: FleetSnapshot) -> None:
        """All from one picture."""
        self.set_rows(engine_rows(snapshot))
        self.table.styles.height = min(12, len(self.all_rows) or ROOM_FOR_TOUR) + 1
        lines = [*store_lines(snapshot), line(""), *alert_lines(snapshot, ALERTS_MAX)]
        self.query_one("#store", Page).set_lines([line(""), *lines])

    def action_open(self) -> None:
        """To what is below: there is no more to a process than its row."""
        self.query_one("#store", Page).focus()
