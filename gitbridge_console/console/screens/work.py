"""Queue, Failures, Consensus and Log: lists that are fetched for the screen in front only."""

from __future__ import annotations

import asyncio

from textual.app import ComposeResult
from textual.containers import Horizontal

from gitbridge_console.console.screens.base import SPLIT_WIDTH, bindings_for
from gitbridge_console.console.screens.lanes import pause_lane
from gitbridge_console.console.screens.listing import TableScreen
from gitbridge_console.console.views.event import event_lines
from gitbridge_console.console.views.tables import (
    DECISION_COLUMNS,
    EVENT_COLUMNS,
    JOB_COLUMNS,
    LOG_COLUMNS,
    decision_rows,
    event_rows,
    job_rows,
    log_rows,
)
from gitbridge_console.console.widgets.lines import Page
from gitbridge_console.console.widgets.row_table import RowTable
from gitbridge_console.domain.event_views import AuditEntry, EventDetail, EventSummary
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.domain.snapshots import FleetSnapshot
from gitbridge_console.operations.operations import Operations

LIST_MAX = 500


class DetailScreen(TableScreen):
    """A table with the event of the row beside it where there is room."""

    def body(self) -> ComposeResult:
        """Table left, detail right (from ``SPLIT_WIDTH`` columns)."""
        with Horizontal(id="split"):
            yield self.make_table()
            yield Page(id="detail")

    def on_row_table_moved(self) -> None:
        """Fetch the detail of the row the cursor came to."""
        self._fetch_detail()

    def _fetch_detail(self) -> None:
        row = self.table.current
        if row is None or self.size.width < SPLIT_WIDTH:
            return
        event_id = row.id.partition(".")[0]
        self.look(lambda door: door.show_event(event_id), self._show_detail, group="detail", about=event_id)

    def _show_detail(self, event: EventDetail) -> None:
        row = self.table.current
        if row is None or row.id.partition(".")[0] != event.id:
            return  # the cursor went on while this was fetched
        detail = self.query_one("#detail", Page)
        detail.set_lines(event_lines(event, detail.content_size.width))


class QueueScreen(DetailScreen):
    """What waits, in the order it will be claimed."""

    scope = "queue"
    BINDINGS = bindings_for("queue")

    def make_table(self) -> RowTable:
        """Jobs."""
        return RowTable(JOB_COLUMNS, empty="nothing waits: all work is done", id="jobs")

    def show(self, snapshot: FleetSnapshot) -> None:
        """Fetch the jobs."""
        self.look(lambda door: door.list_jobs(None, LIST_MAX), lambda jobs: self.set_rows(job_rows(jobs)), group="list")
        self._fetch_detail()

    def action_pause(self) -> None:
        """Pause the lane of the job under the cursor."""
        row, snapshot = self.table.current, self.console.snapshot
        if row is not None and snapshot is not None and self.may_write():
            pause_lane(self, row.cells[1].text, snapshot)


class FailuresScreen(DetailScreen):
    """Events that failed, are parked, or await an operator."""

    scope = "failures"
    BINDINGS = bindings_for("failures")

    def make_table(self) -> RowTable:
        """Events."""
        return RowTable(EVENT_COLUMNS, empty="nothing failed", id="events")

    def show(self, snapshot: FleetSnapshot) -> None:
        """Fetch them, failed ones first."""
        self.look(_failures, lambda events: self.set_rows(event_rows(events)), group="list")
        self._fetch_detail()


async def _failures(door: Operations) -> list[EventSummary]:
    lists = await asyncio.gather(*(door.list_events(EventFilter(state=state), LIST_MAX) for state in ("failed", "parked", "shed")))
    return [event for events in lists for event in events]


class ConsensusScreen(DetailScreen):
    """Decisions and what the reviewers made of the same thing."""

    scope = "consensus"
    BINDINGS = bindings_for("consensus")

    def make_table(self) -> RowTable:
        """Decisions."""
        return RowTable(DECISION_COLUMNS, empty="no decisions yet", id="decisions")

    def show(self, snapshot: FleetSnapshot) -> None:
        """Fetch them."""
        self.look(lambda door: door.list_decisions(LIST_MAX), lambda rows: self.set_rows(decision_rows(rows)), group="list")
        self._fetch_detail()


class LogScreen(TableScreen):
    """Operators' writes and the fleet's events."""

    scope = "log"
    BINDINGS = bindings_for("log")

    def make_table(self) -> RowTable:
        """Lines."""
        return RowTable(LOG_COLUMNS, empty="nothing happened yet", id="entries")

    def show(self, snapshot: FleetSnapshot) -> None:
        """Fetch the audit, merge the log."""

        def merge(audit: list[AuditEntry]) -> None:
            self.set_rows(log_rows(snapshot.log, audit))

        self.look(lambda door: door.list_audit(LIST_MAX), merge, group="list")

    def action_open(self) -> None:
        """Open the event a line is about."""
        row = self.table.current
        if row is not None and row.id.startswith("l") and row.cells[3].text[:1].isalnum() and any(c.isdigit() for c in row.cells[3].text):
            self.open_event(row.cells[3].text)
