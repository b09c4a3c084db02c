"""Log and Audit: the fleet's events and operators' writes in one stream."""

from __future__ import annotations

from gitbridge_console.console.screens.base import bindings_for
from gitbridge_console.console.screens.listing import TableScreen
from gitbridge_console.console.views.cells import Row
from gitbridge_console.console.views.log import LEVELS, LOG_COLUMNS, log_rows
from gitbridge_console.console.views.tours import EMPTY
from gitbridge_console.console.widgets.row_table import RowTable
from gitbridge_console.domain.event_views import AuditEntry
from gitbridge_console.domain.snapshots import FleetSnapshot

AUDIT_MAX = 500


class LogScreen(TableScreen):
    """Newest on top; ``t`` stays there, ``i`` leaves the lesser levels out."""

    scope = "log"
    BINDINGS = bindings_for("log")

    def __init__(self) -> None:
        super().__init__()
        self.following = True
        self.level = 0

    def make_table(self) -> RowTable:
        """Lines."""
        return RowTable(LOG_COLUMNS, empty=EMPTY["log"], id="entries")

    def show(self, snapshot: FleetSnapshot) -> None:
        """Fetch the audit, merge the log."""

        def merge(audit: list[AuditEntry]) -> None:
            self.set_rows(log_rows(snapshot.log, audit, LEVELS[self.level]))

        self.look(lambda door: door.list_audit(AUDIT_MAX), merge, group="list")

    def set_rows(self, rows: list[Row]) -> None:
        """New lines; the cursor goes along with the newest while that is followed."""
        at_top = self.table.index == 0
        super().set_rows(rows)
        if self.following and at_top and not self.table.marked:
            self.table.move(0)

    def crumb(self) -> str:
        """Also what is left out, and whether the newest is followed."""
        words = [super().crumb(), *([f"{LEVELS[self.level]} only"] if self.level else []), *(["following"] if self.following else [])]
        return ", ".join(words)

    def action_follow(self) -> None:
        """Stay at the newest line, or where the cursor is."""
        self.following = not self.following
        if self.following:
            self.table.move(0)
        self.bottom.say("the newest line is followed" if self.following else "no longer follows: the cursor stays on its line", "dim")

    def action_level(self) -> None:
        """All levels, warnings and errors, errors."""
        self.level = (self.level + 1) % len(LEVELS)
        self.bottom.say("all levels" if not self.level else f"{LEVELS[self.level]} and worse; operators' writes always", "dim")
        self.console.paint()

    def action_open(self) -> None:
        """Open the event a line is about."""
        row = self.table.current
        if row is not None and any(char.isdigit() for char in row.cells[3].text) and row.cells[3].text[:1].isalnum():
            self.open_event(row.cells[3].text.partition(",")[0])
