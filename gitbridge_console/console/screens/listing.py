"""Screens made of one table: what they share."""

from __future__ import annotations

from textual.app import ComposeResult

from gitbridge_console.console.screens.base import FleetScreen
from gitbridge_console.console.views.cells import Row
from gitbridge_console.console.views.filtering import filter_rows
from gitbridge_console.console.widgets.bottom_row import Question
from gitbridge_console.console.widgets.lines import Page
from gitbridge_console.console.widgets.row_table import RowTable
from gitbridge_console.domain.events import Priority


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
        try:
            shown = filter_rows(rows, self.table.columns, self.filter)
        except ValueError as error:
            self.filter, shown = "", rows
            self.bottom.say(str(error), "warn")
        self.table.set_rows(shown)

    def action_filter(self) -> None:
        """``/``: words, ``column=text``; ``!`` in front inverts."""
        self.bottom.ask(Question("/", self._set_filter, text=self.filter))

    def _set_filter(self, text: str) -> None:
        self.filter = text
        self.set_rows(self.all_rows)
        self.console.paint()

    def action_cursor(self, step: int) -> None:
        """Move by rows, or scroll the pane beside them when that is in focus."""
        if isinstance(self.focused, Page):
            super().action_cursor(step)
        else:
            self.table.move_by(step)

    def action_page(self, direction: int) -> None:
        """Move by screens."""
        if isinstance(self.focused, Page):
            super().action_page(direction)
        else:
            self.table.page(direction)

    def action_edge(self, direction: int) -> None:
        """First or last row."""
        if isinstance(self.focused, Page):
            super().action_edge(direction)
        else:
            self.table.move(len(self.table.rows) - 1 if direction > 0 else 0)

    def action_trouble(self) -> None:
        """To the next row with something bad in it."""
        if not self.table.next_in_trouble():
            self.bottom.say("no row is in trouble", "dim")

    def action_pane(self) -> None:
        """To the pane beside the table and back; without one, to the next row, from the top again after the last."""
        panes = [pane for pane in self.query(Page) if pane.display and pane.size.width]
        if panes:
            (self.table if isinstance(self.focused, Page) else panes[0]).focus()
        elif self.table.rows:
            self.table.move((self.table.index + 1) % len(self.table.rows))

    def action_mark(self) -> None:
        """Mark the row."""
        self.table.toggle_mark()

    def action_mark_all(self) -> None:
        """Mark all rows shown, or none."""
        self.table.mark_all()

    def action_column(self, step: int) -> None:
        """Pick another column to sort by."""
        self.table.pick(step)

    def action_sort(self) -> None:
        """Sort by the picked column."""
        title = self.table.sort_by_picked()
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

    def chosen_events(self) -> list[str]:
        """Ids of the events of the marked rows, each once, else of the one under the cursor."""
        return list(dict.fromkeys(row.partition(".")[0] for row in self.table.chosen()))

    def action_replay(self) -> None:
        """Replay the marked events, after y/N."""
        ids = self.chosen_events()
        if ids and self.may_write():
            self.confirm(
                f"replay {_count(ids)}",
                lambda: self.write(lambda door: door.replay(ids, "from the console"), "replay"),
                count=len(ids),
            )

    def action_cancel(self) -> None:
        """Cancel the marked events, after y/N."""
        ids = self.chosen_events()
        if ids and self.may_write():
            self.confirm(
                f"cancel {_count(ids)}",
                lambda: self.write(lambda door: door.cancel(ids, "from the console"), "cancel"),
                count=len(ids),
            )

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
        chosen = set(self.table.chosen())
        moved: dict[Priority, list[str]] = {}
        for row in self.table.rows:
            if row.id in chosen and (to := next_priority(self.priority_of(row), step)) is not None:
                moved.setdefault(to, []).append(row.id)
        for to, ids in moved.items():
            set_priority(self, ids, to)
        if chosen and not moved:
            self.bottom.say(f"already the {'highest' if step < 0 else 'lowest'} priority", "dim")

    def priority_of(self, row: Row) -> str:
        """The priority a row shows."""
        words = {priority.label for priority in Priority}
        return next((cell.text for cell in row.cells if cell.text in words), Priority.NORMAL.label)

    def action_priority_set(self) -> None:
        """Set the class by name."""
        ids = self.table.chosen()
        if ids and self.may_write():
            ask_priority(self, ids)


def next_priority(now: str, step: int) -> Priority | None:
    """The class ``step`` below (above: negative) ``now``; ``None`` at either end."""
    classes = list(Priority)
    at = classes.index(Priority.parse(now)) + step
    return classes[at] if 0 <= at < len(classes) else None


def set_priority(screen: FleetScreen, ids: list[str], to: Priority) -> None:
    """Give jobs or events a priority class."""
    screen.write(lambda door: door.prioritize(ids, to), f"priority {to.label}")


def ask_priority(screen: FleetScreen, ids: list[str]) -> None:
    """Ask for a priority by name and set it."""
    words = [priority.label for priority in Priority]

    def set_it(word: str) -> None:
        try:
            to = Priority.parse(word)
        except ValueError as error:
            screen.bottom.say(str(error), "warn")
            return
        set_priority(screen, ids, to)

    screen.bottom.ask(Question(f"priority of {_count(ids)} ({', '.join(words)}):", set_it, complete=words))


def _count(ids: list[str]) -> str:
    return ids[0].lstrip("0") if len(ids) == 1 else f"{len(ids)} events"
