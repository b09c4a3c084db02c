"""Screens made of one table: what they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.app import ComposeResult

from gitbridge_console.console.screens.base import FleetScreen
from gitbridge_console.console.screens.pages import PageScreen
from gitbridge_console.console.views.cells import Row
from gitbridge_console.console.widgets.bottom_row import Question
from gitbridge_console.console.widgets.lines import Page
from gitbridge_console.console.widgets.row_table import RowTable

if TYPE_CHECKING:
    from gitbridge_console.domain.bulk import Selection
    from gitbridge_console.domain.events import Priority
    from gitbridge_console.domain.snapshots import FleetSnapshot


NOTHING = "nothing is under the cursor: nothing is done"


class TableScreen(PageScreen):
    """A table with cursor, marks, sorting and a filter."""

    def __init__(self) -> None:
        super().__init__()
        self._filter = ""
        self.all_rows: list[Row] = []

    @property
    def filter(self) -> str:
        """By what the list is narrowed; empty where it is not."""
        return self._filter

    @filter.setter
    def filter(self, text: str) -> None:
        self._filter = text
        self.table.narrow(text)

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

    def take_over(self) -> None:
        """Take over a filter given with a ``:`` command or by another screen."""
        if self.console.pending_filter:
            wanted, self.console.pending_filter = self.console.pending_filter, ""
            self.set_filter(wanted)

    def crumb(self) -> str:
        """Screen, filter and marks."""
        marked = f", {len(self.table.marked)} marked" if self.table.marked else ""
        shown = f" /{self.filter} {len(self.table.rows)} of {len(self.all_rows)}" if self.filter else f" {len(self.all_rows)}"
        return f"{self.scope}{shown}{marked}"

    def set_rows(self, rows: list[Row]) -> None:
        """New rows, through the filter."""
        self.all_rows = rows
        if not self.filter:
            self.table.set_rows(rows)
            return
        from gitbridge_console.console.views.filtering import filter_rows

        try:
            shown = filter_rows(rows, self.table.columns, self.filter)
        except ValueError as error:
            self.filter, shown = "", rows
            self.bottom.say(str(error), "warn")
        self.table.set_rows(shown)

    def point_at(self, name: str) -> None:
        """Put the cursor on the row of that id, if there is one."""
        at = next((n for n, row in enumerate(self.table.rows, self.table.first) if row.id == name), None)
        if at is not None:
            self.table.move(at)

    def action_filter(self) -> None:
        """``/``: the FILTER language; ``!`` in front inverts."""
        self.bottom.ask(Question("/", self.set_filter, text=self.filter, complete=self._filter_words))

    def _filter_words(self, text: str) -> list[str]:
        from gitbridge_console.console.completing import filter_words

        before, space, last = text.removeprefix("!").rpartition(" ")
        sign, providers = "!" if text.startswith("!") else "", list(self.console.snapshot.providers) if self.console.snapshot else []
        return [f"{sign}{before}{space}{word}" for word in filter_words(last, providers)] if last else []

    def set_filter(self, text: str) -> None:
        """Narrow the list; an empty text shows all again."""
        self.filter = text.strip()
        self.set_rows(self.all_rows)
        self.table.acknowledge()
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
            self.table.move(self.table.total - 1 if direction > 0 else 0)

    def action_trouble(self) -> None:
        """To the next row with something bad in it."""
        if not self.table.next_in_trouble():
            self.bottom.say("no row is in trouble", "dim")

    def action_pane(self) -> None:
        """To the pane beside the table and back; without one, to the next row, from the top again after the last."""
        panes = [pane for pane in self.query(Page) if pane.display and pane.size.width]
        if panes:
            (self.table if isinstance(self.focused, Page) else panes[0]).focus()
        elif self.table.total:
            self.table.move((self.table.index + 1) % self.table.total)

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

    def action_mark_range(self) -> None:
        """Begin a range of marks under the cursor, or end it there."""
        self.table.mark_range()
        if self.table.range_from is not None:
            self.bottom.say("a range begins here: move, then v or an action", "dim")

    def step_back(self) -> bool:
        """Marks go first, then the filter."""
        if self.table.drop_marks():
            return True
        if self.filter:
            self.set_filter("")
            return True
        return False

    def plain_text(self, *, whole: bool) -> str:
        """The row under the cursor, or all rows with their heading, a column's texts apart by tabs."""
        row = self.table.current
        if not whole:
            return "  ".join(cell.text for cell in row.cells if cell.text) if row is not None else ""
        lines = [[column.title for column in self.table.columns], *([cell.text for cell in row.cells] for row in self.table.rows)]
        return "\n".join("\t".join(cells) for cells in lines) + "\n"

    def action_open(self) -> None:
        """Open the event of the row."""
        if self.table.current is not None:
            self.open_event(self.table.current.id)

    def priorities_here(self) -> dict[str, str]:
        """What each known row shows, by its id and by its event's."""
        from gitbridge_console.domain.events import Priority

        words = {priority.label for priority in Priority}
        found: dict[str, str] = {}
        for row in self.table.rows:
            word = next((cell.text for cell in row.cells if cell.text in words), "")
            found |= {row.id: word} | ({row.id.partition(".")[0]: word} if row.id.partition(".")[0] not in found else {})
        return found

    def doubt(self) -> str:
        """Also where the row or the marks are not what they were."""
        from gitbridge_console.console.seen_rows import doubt_about

        return super().doubt() or doubt_about(self.table, self.console.changed)

    def action_replay(self) -> None:
        """Replay the marked events, after y/N."""
        chosen = self._meant()
        if chosen is not None and self.may_write():
            from gitbridge_console.console import steering

            steering.replay(self, chosen, self.console.snapshot)

    def selection_here(self) -> Selection | None:
        """What is marked, or under the cursor; ``None`` for nothing."""
        from gitbridge_console.domain.bulk import Selection

        ids = self.events_here()
        return Selection(ids=tuple(ids)) if ids else None

    def _meant(self) -> Selection | None:
        """What a write would be about; says so where there is nothing."""
        if (chosen := self.selection_here()) is None:
            self.refuse(NOTHING)
        return chosen

    def action_cancel(self) -> None:
        """Cancel the marked events, after y/N."""
        chosen = self._meant()
        if chosen is not None and self.may_write():
            from gitbridge_console.console import steering

            steering.cancel(self, chosen)

    def action_priority(self, step: int) -> None:
        """One class up or down, for each row from where it is."""
        if not self.may_write():
            return
        from gitbridge_console.console import steering
        from gitbridge_console.domain.bulk import AT_ONCE_MAX
        from gitbridge_console.domain.events import Priority

        chosen, now = self.table.chosen(), self.priorities_here()
        if len(chosen) > AT_ONCE_MAX:
            self.bottom.say("so many at once get a priority by its name: =", "warn")
            return
        moved: dict[Priority, dict[str, str]] = {}
        for name in chosen:
            if (to := steering.next_priority(now.get(name) or Priority.NORMAL.label, step)) is not None:
                moved.setdefault(to, {})[name] = now.get(name, "")
        for to, before in moved.items():
            steering.set_priority(self, before, to)
        if not chosen:
            self.refuse(NOTHING)
        elif not moved:
            self.bottom.say(f"already the {'highest' if step < 0 else 'lowest'} priority", "dim")

    def action_priority_set(self) -> None:
        """Set the class by name."""
        ids, now = self.table.chosen(), self.priorities_here()
        if not ids:
            self.refuse(NOTHING)
        elif self.may_write():
            from gitbridge_console.console import steering

            steering.ask_priority(self, {name: now.get(name, "") for name in ids}, self.selection_here())

    def action_pause(self) -> None:
        """Pause or resume the lane under the cursor; the last healthy provider wants its name typed."""
        from gitbridge_console.console.steering import pause_or_resume

        self._steer(pause_or_resume)

    def action_failover(self) -> None:
        """Move what waits for the provider under the cursor to another one."""
        from gitbridge_console.console.steering import failover

        self._steer(failover)

    def action_failback(self) -> None:
        """Plan to bring back what was moved away from it."""
        from gitbridge_console.console.steering import failback

        self._steer(failback)

    def action_drain(self) -> None:
        """Drain the provider under the cursor, or end that."""
        from gitbridge_console.console.steering import drain

        self._steer(drain)

    def action_flush(self) -> None:
        """Plan to cancel all that waits in the lane under the cursor; its name has to be typed."""
        from gitbridge_console.console.planning import flush

        self._steer(flush)

    def action_breaker(self) -> None:
        """Hold the breaker of the provider under the cursor open; where something is held against it already, reset that."""
        from gitbridge_console.console.steering import breaker

        self._steer(breaker)

    def _steer(self, act: Callable[[FleetScreen, str, FleetSnapshot], None]) -> None:
        lane, snapshot = self.lane_here(), self.console.snapshot
        if lane is None or snapshot is None:
            self.refuse(NOTHING)
        elif self.may_write():
            act(self, lane, snapshot)
