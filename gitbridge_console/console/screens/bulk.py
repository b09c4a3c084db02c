"""Bulk operations: a plan to be confirmed, bars of what is under way, and what came of the others."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult

from gitbridge_console.console.screens.base import bindings_for
from gitbridge_console.console.screens.listing import TableScreen
from gitbridge_console.console.views.bulk import BULK_COLUMNS, bulk_rows, plan_lines, status_lines
from gitbridge_console.console.views.cells import line, money
from gitbridge_console.console.views.tours import EMPTY
from gitbridge_console.console.widgets.bottom_row import Question
from gitbridge_console.console.widgets.lines import Page
from gitbridge_console.console.widgets.row_table import RowTable
from gitbridge_console.domain.bulk import BulkKind, BulkState
from gitbridge_console.domain.bulk_views import BulkPlan, BulkStatus
from gitbridge_console.domain.durations import age
from gitbridge_console.domain.snapshots import FleetSnapshot

ROWS_MAX = 14
LISTED_MAX = 40
"""Newest operations that are fetched with every picture."""


class BulkScreen(TableScreen):
    """Operations above, the plan or the operation under the cursor below."""

    scope = "bulk"
    BINDINGS = bindings_for("bulk")

    def __init__(self, plan: BulkPlan | None = None, reason: str = "") -> None:
        super().__init__()
        self.plan = plan
        """A plan that is to be confirmed."""
        self._reason = reason
        self._found: dict[str, BulkStatus] = {}

    def make_table(self) -> RowTable:
        """Operations."""
        return RowTable(BULK_COLUMNS, empty=EMPTY["bulk"], id="bulk")

    def body(self) -> ComposeResult:
        """Both."""
        yield self.make_table()
        yield Page(id="page")

    def crumb(self) -> str:
        """Where we are."""
        return f"{self.console.current_mode} > bulk {self.table.total}"

    def on_mount(self) -> None:
        """Ask about a plan that was brought along."""
        super().on_mount()
        if self.plan is not None:
            self._ask(self.plan)

    def show(self, snapshot: FleetSnapshot) -> None:
        """Fetch them all; the one under the cursor with what it skipped."""
        self.look(lambda door: door.list_bulk(LISTED_MAX), self._take, group="list")
        self._draw()

    def _take(self, found: Sequence[BulkStatus]) -> None:
        self._found = {op.id: op for op in found}
        self.set_rows(bulk_rows(found, ascii_only=self.console.ascii_mode))
        self.table.styles.height = min(ROWS_MAX, max(1, len(self.all_rows))) + 1
        self._draw()
        self.draw_crumb()

    def _draw(self) -> None:
        lines = [line(""), *plan_lines(self.plan)] if self.plan is not None else []
        if (op := self._here()) is not None and self.plan is None:
            lines = [line(""), *status_lines(op)]
        self.query_one("#page", Page).set_lines(lines)

    def _here(self) -> BulkStatus | None:
        return self._found.get(self.table.current.id) if self.table.current is not None else None

    def on_row_table_moved(self) -> None:
        """Another one is told of."""
        self._draw()

    def action_open(self) -> None:
        """All that it skipped."""
        op = self._here()
        if op is None:
            return

        def tell(found: BulkStatus) -> None:
            self._found[found.id] = found
            self._draw()
            self.query_one("#page", Page).focus()

        self.look(lambda door: door.show_bulk(op.id), tell, group="detail", about=op.id)

    def step_back(self) -> bool:
        """A plan that was not confirmed goes first; it stays in the list for a while."""
        if self.plan is not None:
            self.plan = None
            self.console.paint()
            return True
        return super().step_back()

    def action_apply(self) -> None:
        """Set the planned one under the cursor to work."""
        op = self._here()
        if op is None or not self.may_write():
            return
        if op.state != BulkState.PLANNED:
            self.bottom.say(f"{op.id} is {op.state}: only what is planned can be applied", "warn")
            return
        self._confirm(op.id, op.kind, op.deed, op.planned, f"{op.deed} {op.planned:,}")

    def _ask(self, plan: BulkPlan) -> None:
        if not plan.count:
            self.bottom.say(f"{plan.deed}: nothing to do, see why below", "warn")
        elif not plan.token:
            self.bottom.say("this plan can only be looked at: nothing may be written here", "warn")
        else:
            cost = f", {money(plan.cost_usd)}" if plan.calls else ""
            label = f"{plan.deed} {plan.count:,}{cost}, {age(plan.takes_s)}"
            self._confirm(plan.token, plan.kind, plan.deed, plan.count, label)

    def _confirm(self, token: str, kind: str, deed: str, count: int, label: str) -> None:
        """A flush wants the lane's name typed, many events their number; then why."""

        def ask_why() -> None:
            if self._reason:
                self._apply(token, self._reason)
            else:
                question = Question(f"{label}: why?", lambda why: self._apply(token, why), required=True)
                question.history = self.console.reason_history
                self.bottom.ask(question)

        if kind == BulkKind.FLUSH:
            lane = deed.split(" ")[1]
            self.bottom.ask(Question(f"{label}. Type {lane} to cancel all that waits there:", lambda _: ask_why(), wanted=lane))
        else:
            self.confirm(label, ask_why, count=count)

    def _apply(self, token: str, why: str) -> None:
        def tell(op: BulkStatus) -> None:
            self.plan = None
            self.bottom.say(f"{op.id}: {op.planned:,} at {op.rate_per_s:g}/s; P pauses, C cancels, esc leaves it to the fleet", "good")
            self.console.paint()

        if self.may_write():
            self.fetch(lambda door: door.apply_bulk(token, why), tell, group="apply")

    def action_pause(self) -> None:
        """Pause the one under the cursor, or let it go on."""
        op = self._here()
        if op is None or not self.may_write():
            return
        if op.state == BulkState.PAUSED:
            self.write(lambda door: door.resume_bulk(op.id), f"resume {op.id}")
        else:
            self.write(lambda door: door.pause_bulk(op.id), f"pause {op.id}")

    def action_cancel(self) -> None:
        """End the one under the cursor where it stands, after y/N."""
        op = self._here()
        if op is not None and self.may_write():
            self.confirm(f"cancel {op.id} ({op.left:,} left)", lambda: self.write(lambda door: door.cancel_bulk(op.id), f"cancel {op.id}"))
