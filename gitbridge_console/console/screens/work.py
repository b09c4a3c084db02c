"""Queue, Failures and Consensus: lists that are fetched for the screen in front only."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING

from gitbridge_console.console import steering
from gitbridge_console.console.screens.base import bindings_for
from gitbridge_console.console.screens.detail import DetailScreen
from gitbridge_console.console.screens.judging import waits_for_nobody
from gitbridge_console.console.screens.listing import NOTHING
from gitbridge_console.console.screens.paging import STEP, PagedScreen
from gitbridge_console.console.views.cells import Row
from gitbridge_console.console.views.tables import DECISION_COLUMNS, EVENT_COLUMNS, JOB_COLUMNS, decision_rows, event_rows, job_rows
from gitbridge_console.console.views.tours import EMPTY
from gitbridge_console.console.widgets.row_table import RowTable
from gitbridge_console.domain.bulk import AT_ONCE_MAX, Selection
from gitbridge_console.domain.event_views import DecisionSummary, EventSummary, JobSummary
from gitbridge_console.domain.events import EventState
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.domain.snapshots import FleetSnapshot
from gitbridge_console.domain.windows import Bookmark, SearchStep, Window

if TYPE_CHECKING:
    from gitbridge_console.operations.operations import Operations


DECISIONS_MAX = 500
FAILED_STATES = (EventState.FAILED, EventState.PARKED, EventState.SHED)


class QueueScreen(PagedScreen[JobSummary]):
    """What waits, in the order it will be claimed; of one lane where that was asked for."""

    scope = "queue"
    BINDINGS = bindings_for("queue")

    def __init__(self) -> None:
        super().__init__()
        self.lane: str | None = None

    def make_table(self) -> RowTable:
        """Jobs."""
        return RowTable(JOB_COLUMNS, empty=EMPTY["queue"], id="jobs")

    def rows_of(self, items: Sequence[JobSummary]) -> list[Row]:
        """Jobs as rows."""
        return job_rows(items)

    def window(self, door: Operations, first: int, count: int, follow: str) -> Awaitable[Window[JobSummary]]:
        """Jobs in the order of claiming."""
        return door.job_window(self.lane, first, count, follow)

    def search(self, door: Operations, wanted: EventFilter, bookmark: Bookmark) -> Awaitable[SearchStep[JobSummary]]:
        """Jobs whose events match."""
        return door.job_search(self.lane, wanted, bookmark, STEP)

    def everything(self) -> Selection:
        """Events of the jobs that match."""
        return Selection(self.filter, lane=self.lane or "*")

    def action_move(self) -> None:
        """Move the marked tasks of the lane under the cursor to another provider, planned first."""
        lane, snapshot, chosen = self.lane_here(), self.console.snapshot, self.table.chosen()
        if lane is None or snapshot is None or not chosen:
            self.refuse(NOTHING)
        elif self.may_write():
            every = self.all_marked and self.filter and (len(chosen) > AT_ONCE_MAX or self.gathering)
            steering.move(self, lane, Selection(self.filter) if every else Selection(ids=tuple(chosen)), snapshot)

    def where(self) -> str:
        """Which lane."""
        return f" > {self.lane}" if self.lane else ""

    def take_over(self) -> None:
        """Take over a lane from the screen where it was opened."""
        if self.console.pending_lane:
            self.lane, self.console.pending_lane = self.console.pending_lane, ""
            self.table.put_away()
            self.set_filter("")
        super().take_over()

    def step_back(self) -> bool:
        """From one lane to all, last of all."""
        if super().step_back():
            return True
        if self.lane is not None:
            self.lane = None
            self.console.paint()
            return True
        return False

    def lane_here(self) -> str | None:
        """The lane of the job under the cursor."""
        return self.table.current.cells[1].text if self.table.current is not None else self.lane


class FailuresScreen(PagedScreen[EventSummary]):
    """Events that failed, are parked or were shed, what changed last first; with ``/state=`` any others."""

    scope = "failures"
    BINDINGS = bindings_for("failures")

    def make_table(self) -> RowTable:
        """Events."""
        return RowTable(EVENT_COLUMNS, empty=EMPTY["failures"], id="events")

    def rows_of(self, items: Sequence[EventSummary]) -> list[Row]:
        """Events as rows."""
        return event_rows(items)

    def window(self, door: Operations, first: int, count: int, follow: str) -> Awaitable[Window[EventSummary]]:
        """Events in trouble."""
        return door.event_window(FAILED_STATES, first, count, follow)

    def search(self, door: Operations, wanted: EventFilter, bookmark: Bookmark) -> Awaitable[SearchStep[EventSummary]]:
        """Those that match; of all states where one is asked for."""
        return door.event_search(_states_of(wanted), wanted, bookmark, STEP)

    def action_groups(self) -> None:
        """Count the dead letters by what went wrong."""
        from gitbridge_console.console.screens.groups import GroupsScreen

        self.app.push_screen(GroupsScreen())

    def everything(self) -> Selection:
        """Events that match, in the states that are listed."""
        states = _states_of(EventFilter.parse(self.filter))
        return Selection(self.filter, states=() if states == tuple(EventState) else states)


def _states_of(wanted: EventFilter) -> tuple[EventState, ...]:
    """Those in trouble, or any where one is asked for by name."""
    return FAILED_STATES if wanted.state is None or wanted.inverted else tuple(EventState)


class ConsensusScreen(DetailScreen):
    """Decisions and what the reviewers made of the same thing."""

    scope = "consensus"
    BINDINGS = bindings_for("consensus")

    def __init__(self) -> None:
        super().__init__()
        self._waiting: frozenset[str] = frozenset()
        """Ids of the events listed that wait for an operator."""

    def make_table(self) -> RowTable:
        """Decisions."""
        return RowTable(DECISION_COLUMNS, empty=EMPTY["consensus"], id="decisions")

    def show(self, snapshot: FleetSnapshot) -> None:
        """Fetch the newest that match."""
        wanted = EventFilter.parse(self.filter)
        self.look(
            lambda door: door.list_decisions(DECISIONS_MAX, wanted),
            self._list,
            group="list",
            about=self.filter,
        )
        self.fetch_detail()

    def _list(self, decisions: Sequence[DecisionSummary]) -> None:
        self._waiting = frozenset(row.event_id for row in decisions if row.needs_operator)
        self.table.set_rows(decision_rows(decisions))

    def action_approve(self) -> None:
        """Approve the event under the cursor, after y/N."""
        self._judge(approve=True)

    def action_reject(self) -> None:
        """Reject the event under the cursor, after y/N."""
        self._judge(approve=False)

    def _judge(self, *, approve: bool) -> None:
        row = self.table.current
        if row is None:
            self.refuse(NOTHING)
        elif row.id not in self._waiting:
            self.refuse(waits_for_nobody(row.id))
        elif self.may_write():
            steering.judge(self, row.id, approve=approve)

    def crumb(self) -> str:
        """Screen, filter, how many, marks."""
        marked = f", {len(self.table.marked)} marked" if self.table.marked else ""
        more = "the newest " if self.table.total >= DECISIONS_MAX else ""
        return f"{self.scope}{f' /{self.filter}' if self.filter else ''} {more}{self.table.total:,}{marked}"

    def set_filter(self, text: str) -> None:
        """Narrow the list in the store."""
        try:
            EventFilter.parse(text)
        except ValueError as error:
            self.bottom.say(str(error), "warn")
            return
        if text.strip() != self.filter:
            self.table.put_away()
        self.filter = text.strip()
        self.console.paint()
