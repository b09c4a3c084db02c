"""Log and Audit: the fleet's events and operators' writes in one stream."""

from __future__ import annotations

from textual.app import ComposeResult

from gitbridge_console.console.screens.base import bindings_for
from gitbridge_console.console.screens.listing import TableScreen
from gitbridge_console.console.screens.pages import PageScreen
from gitbridge_console.console.views.cells import Row
from gitbridge_console.console.views.log import LEVELS, LOG_COLUMNS, audit_page, audit_row_id, log_rows
from gitbridge_console.console.views.tours import EMPTY
from gitbridge_console.console.widgets.lines import Page
from gitbridge_console.console.widgets.row_table import RowTable
from gitbridge_console.domain.audit import KEYS, AuditFilter
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
        self.wanted_writes = AuditFilter()
        self.writes: dict[str, AuditEntry] = {}
        """Operators' writes that are listed, by the ids of their rows."""

    def make_table(self) -> RowTable:
        """Lines."""
        return RowTable(LOG_COLUMNS, empty=EMPTY["log"], id="entries")

    def show(self, snapshot: FleetSnapshot) -> None:
        """Fetch the audit, merge the log."""
        wanted = self.wanted_writes

        def merge(audit: list[AuditEntry]) -> None:
            self.writes = {audit_row_id(entry): entry for entry in audit}
            self.set_rows(log_rows(snapshot.log, audit, LEVELS[self.level], wanted))

        self.look(lambda door: door.list_audit(AUDIT_MAX, wanted), merge, group="list", about=self.filter)

    def set_filter(self, text: str) -> None:
        """Search the whole audit, and the lines of the log that are known here."""
        try:
            self.wanted_writes = AuditFilter.parse(text)
        except ValueError as error:
            self.bottom.say(str(error), "warn")
            return
        self.filter = text.strip()
        self.console.paint()

    def _filter_words(self, text: str) -> list[str]:
        before, space, last = text.rpartition(" ")
        return [f"{before}{space}{name}=" for name in (*KEYS, "since", "until") if last and name.startswith(last)]

    def set_rows(self, rows: list[Row]) -> None:
        """New lines, which the filter let through already; the cursor goes along with the newest while that is followed."""
        at_top = self.table.index == 0
        self.all_rows = rows
        self.table.set_rows(rows)
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
        """Everything about an operator's write, or the event a line of the log is about."""
        row = self.table.current
        if row is None:
            return
        if (entry := self.writes.get(row.id)) is not None:
            self.app.push_screen(WriteScreen(entry))
        elif any(char.isdigit() for char in row.cells[3].text) and row.cells[3].text[:1].isalnum():
            self.open_event(row.cells[3].text.partition(",")[0])


class WriteScreen(PageScreen):
    """One operator's write: who, from where, why, and what was there before and after."""

    scope = "help"
    BINDINGS = bindings_for("help")

    def __init__(self, entry: AuditEntry) -> None:
        super().__init__()
        self.entry = entry

    def body(self) -> ComposeResult:
        """The page."""
        yield Page(id="page")

    def on_mount(self) -> None:
        """Keys scroll the page."""
        self.page.focus()

    def crumb(self) -> str:
        """Where we are."""
        return f"log > write {self.entry.n}"

    def show(self, snapshot: FleetSnapshot) -> None:
        """The entry; it never changes but for its end, which comes within moments."""
        self.page.set_lines(audit_page(self.entry, self.page.content_size.width))
