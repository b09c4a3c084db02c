"""Screens made of one table: what they share."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult

from gitbridge_console.console.screens.base import FleetScreen
from gitbridge_console.console.views.cells import Row
from gitbridge_console.console.widgets.bottom_row import Question
from gitbridge_console.console.widgets.row_table import RowTable
from gitbridge_console.domain.events import Priority

BULK_YES_NO_MAX = 20
"""Above so many events at once a y is not enough."""


class TableScreen(FleetScreen):
    """A table with cursor, marks, sorting and a text filter."""

    def __init__(self) -> None:
        super().__init__()
        self.filter = ""
        self.all_rows: list[Row] = []

    @property
    def table(self) -> RowTable:
        """The table."""
        return self.query_one(RowTable)

    def make_table(self) -> RowTable:
        """The table of this screen."""
        raise AssertionError("a table screen makes its table")

    def body(self) -> ComposeResult:
        """The table alone."""
        yield self.make_table()

    def on_mount(self) -> None:
        """Keys go to the table."""
        self.table.focus()

    def on_screen_resume(self) -> None:
        """Take over a filter given with a ``:`` command."""
        if self.console.pending_filter:
            self.filter, self.console.pending_filter = self.console.pending_filter, ""
        super().on_screen_resume()

    def crumb(self) -> str:
        """Screen, filter and marks."""
        marked = f", {len(self.table.marked)} marked" if self.table.marked else ""
        shown = f" /{self.filter} {len(self.table.rows)} of {len(self.all_rows)}" if self.filter else f" {len(self.all_rows)}"
        return f"{self.scope}{shown}{marked}"

    def set_rows(self, rows: list[Row]) -> None:
        """New rows, through the filter."""
        self.all_rows = rows
        wanted, inverted = self.filter.lower().removeprefix("!"), self.filter.startswith("!")
        self.table.set_rows(
            [row for row in rows if not wanted or (wanted in " ".join(cell.text for cell in row.cells).lower()) != inverted]
        )

    def action_filter(self) -> None:
        """``/``: rows that hold a text; ``!`` in front inverts."""
        self.bottom.ask(Question("/", self._set_filter, text=self.filter))

    def _set_filter(self, text: str) -> None:
        self.filter = text
        self.set_rows(self.all_rows)
        self.console.paint()

    def action_cursor(self, step: int) -> None:
        """Move by rows."""
        self.table.move_by(step)

    def action_page(self, direction: int) -> None:
        """Move by screens."""
        self.table.page(direction)

    def action_edge(self, direction: int) -> None:
        """First or last row."""
        self.table.move(len(self.table.rows) - 1 if direction > 0 else 0)

    def action_mark(self) -> None:
        """Mark the row."""
        self.table.toggle_mark()

    def action_sort(self) -> None:
        """Sort by the next column."""
        title = self.table.sort_by_next()
        self.bottom.say(f"sorted by {title}" if title else "in its own order", "dim")

    def action_reverse(self) -> None:
        """Turn the order round."""
        self.table.reverse_sort()

    def action_open(self) -> None:
        """Open the event of the row."""
        if self.table.current is not None:
            self.open_event(self.table.current.id)

    def open_event(self, event_id: str) -> None:
        """Go down to one event."""
        from gitbridge_console.console.screens.event import EventScreen

        self.app.push_screen(EventScreen(event_id.partition(".")[0]))

    def action_replay(self) -> None:
        """Replay the marked events, after y/N."""
        ids = [row.partition(".")[0] for row in self.table.chosen()]
        if ids and self.may_write():
            self.confirm_all("replay", ids, lambda: self.write(lambda door: door.replay(ids, "from the console"), "replay"))

    def action_cancel(self) -> None:
        """Cancel the marked events, after y/N."""
        ids = [row.partition(".")[0] for row in self.table.chosen()]
        if ids and self.may_write():
            self.confirm_all("cancel", ids, lambda: self.write(lambda door: door.cancel(ids, "from the console"), "cancel"))

    def confirm_all(self, word: str, ids: list[str], then: Callable[[], None]) -> None:
        """Ask y/N; for many events their number has to be typed."""
        if len(ids) <= BULK_YES_NO_MAX:
            self.confirm(f"{word} {_count(ids)}", then)
        else:
            self.bottom.ask(Question(f"{word} {len(ids)} events? Type {len(ids)}:", lambda _: then(), wanted=str(len(ids))))

    def action_approve(self) -> None:
        """Approve the event under the cursor."""
        self._judge(True)

    def action_reject(self) -> None:
        """Reject the event under the cursor."""
        self._judge(False)

    def _judge(self, approve: bool) -> None:
        row = self.table.current
        if row is None or not self.may_write():
            return
        word = "approve" if approve else "reject"
        self.confirm(
            f"{word} {row.id.lstrip('0')}", lambda: self.write(lambda door: door.approve(row.id) if approve else door.reject(row.id), word)
        )

    def action_priority(self, step: int) -> None:
        """One class up or down, for each row from where it is."""
        if not self.may_write():
            return
        for row in [row for row in self.table.rows if row.id in set(self.table.chosen())]:
            change_priority(self, row.id, self.priority_of(row), step)

    def priority_of(self, row: Row) -> str:
        """The priority a row shows."""
        words = {priority.label for priority in Priority}
        return next((cell.text for cell in row.cells if cell.text in words), Priority.NORMAL.label)

    def action_priority_set(self) -> None:
        """Set the class by name."""
        ids = self.table.chosen()
        if ids and self.may_write():
            ask_priority(self, ids)


def change_priority(screen: FleetScreen, job_id: str, now: str, step: int) -> None:
    """Move a job by one priority class."""
    classes = list(Priority)
    at = classes.index(Priority.parse(now)) + step
    if not 0 <= at < len(classes):
        screen.bottom.say(f"{now} is the {'highest' if step < 0 else 'lowest'} priority", "dim")
        return
    to = classes[at]
    screen.write(lambda door: door.prioritize([job_id], to), f"priority {to.label}")


def ask_priority(screen: FleetScreen, ids: list[str]) -> None:
    """Ask for a priority by name and set it."""
    words = [priority.label for priority in Priority]

    def set_it(word: str) -> None:
        try:
            to = Priority.parse(word)
        except ValueError as error:
            screen.bottom.say(str(error), "warn")
            return
        screen.write(lambda door: door.prioritize(ids, to), f"priority {to.label}")

    screen.bottom.ask(Question(f"priority of {_count(ids)} ({', '.join(words)}):", set_it, complete=words))


def _count(ids: list[str]) -> str:
    return ids[0].lstrip("0") if len(ids) == 1 else f"{len(ids)} events"
