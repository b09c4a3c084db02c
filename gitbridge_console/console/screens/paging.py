"""Lists too long to hold: a window of the store's own order, or what a search found so far, looked for step by step."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from gitbridge_console.console.screens.detail import DetailScreen
from gitbridge_console.console.views.cells import Row
from gitbridge_console.console.widgets.row_table import RowTable
from gitbridge_console.domain.bulk import AT_ONCE_MAX, Selection
from gitbridge_console.domain.filters import SAVED, EventFilter
from gitbridge_console.domain.snapshots import FleetSnapshot
from gitbridge_console.domain.windows import Bookmark, SearchStep, Window

if TYPE_CHECKING:
    from gitbridge_console.operations.operations import Operations


T = TypeVar("T")

STEP = 1_000
"""Rows looked at in one question to the fleet."""
FOUND_MAX = 5_000
"""Most rows a search or a sorted list holds; it says when there are more."""
AGAIN_AFTER = 10
"""Times what a search took, until it is made anew: so a long one has the store at work for a tenth of the time at most."""


class PagedScreen(DetailScreen, Generic[T]):
    """Unfiltered and unsorted it shows a window and follows the store; else it gathers, and shows how far it has come.

    What is gathered is gathered anew, after a pause of several times what it took, or at once after a write; until that is done what was
    found before is listed.
    """

    def __init__(self) -> None:
        super().__init__()
        self._wanted: EventFilter | None = None
        """What is gathered by; ``None``: nothing is, a window is shown."""
        self._found: list[Row] = []
        self._step: SearchStep[T] | None = None
        self._search = 0
        """Number of the search; answers to earlier ones are dropped."""
        self._began_at = 0.0
        self._again_at = 0.0
        """When it is gathered anew, on the application's clock."""
        self._outdated = False
        """Whether something was written since it began to be gathered."""
        self._stopped = False
        self._all_of: set[str] = set()
        """What is marked since all that match were; other marks mean these rows and no others."""

    @abstractmethod
    def window(self, door: Operations, first: int, count: int, follow: str) -> Awaitable[Window[T]]:
        """Ask for part of the list."""

    @abstractmethod
    def search(self, door: Operations, wanted: EventFilter, bookmark: Bookmark) -> Awaitable[SearchStep[T]]:
        """Ask for the next step of a search."""

    @abstractmethod
    def rows_of(self, items: Sequence[T]) -> list[Row]:
        """As rows."""

    @abstractmethod
    def everything(self) -> Selection:
        """All that the filter finds here, for a bulk operation."""

    @property
    def all_marked(self) -> bool:
        """Whether all that match are marked, those that are not listed included."""
        return bool(self._all_of) and self.table.marked == self._all_of

    def selection_here(self) -> Selection | None:
        """What is marked, or under the cursor; all that match where that was asked for and is more than one call takes."""
        if self.all_marked and self.filter and (len(self._all_of) > AT_ONCE_MAX or self.gathering):
            return self.everything()
        return super().selection_here()

    @property
    def gathering(self) -> bool:
        """Whether a search is still under way."""
        return self._wanted is not None and (self._step is None or self._step.next is not None)

    def crumb(self) -> str:
        """Screen, filter, how far a search is, marks."""
        marked = f", {len(self.table.marked):,} marked" if self.table.marked else ""
        marked = ", all that match marked" if self.all_marked and self.gathering else marked
        name = f"{self.scope}{self.where()}" + (f" /{self.filter}" if self.filter else "")
        if self._wanted is None or self._step is None:
            at = f" {self.table.index + 1:,} of {self.table.total:,}" if self.table.total else " 0"
            return f"{name}{at}{marked}"
        looked = f"looked at {self._step.looked:,} of {max(self._step.total, self._step.looked):,}"
        stop = "  esc stops" if self._step.next is not None and len(self._found) < FOUND_MAX else ""
        return f"{name} {len(self._found):,} found, {looked}{stop}{marked}"

    def where(self) -> str:
        """Which part of everything is listed."""
        return ""

    def show(self, snapshot: FleetSnapshot) -> None:
        """Ask for what is in sight; or gather it anew, where it is time for that."""
        if self._wanted is None:
            self._ask_window(*self.table.span)
        elif self._is_due() and not any(group == "search" for group, _ in self.asked):
            self._gather()
        self.fetch_detail()

    def _is_due(self) -> bool:
        return not self._stopped and (self._outdated or self.console.clock() >= self._again_at)

    def wrote(self) -> None:
        """What is listed may be another by now, and what is being gathered may have been read before."""
        self._outdated = True

    def on_row_table_wanted(self, message: RowTable.Wanted) -> None:
        """The eye came to rows that are not known."""
        if self._wanted is None:
            self._ask_window(message.first, message.count)

    def _ask_window(self, first: int, count: int) -> None:
        follow = self.table.here

        def show(window: Window[T]) -> None:
            if self._wanted is None:
                self.table.set_window(window.first, self.rows_of(window.rows), window.total, window.followed)
                self.draw_crumb()

        self.look(lambda door: self.window(door, first, count, follow), show, group="list", about=f"{first} {follow}")

    def set_filter(self, text: str) -> None:
        """Narrow the list in the store; an empty text shows all again. ``@name`` stands for a filter that was saved."""
        if SAVED.search(text):
            self.fetch(lambda door: door.expand_filter(text), self.set_filter, group="saved", about=text)
            return
        try:
            wanted = EventFilter.parse(text) if text.strip() else None
        except ValueError as error:
            self.bottom.say(str(error), "warn")
            return
        if text.strip() != self.filter:
            self.table.put_away()
        self.filter = text.strip()
        self._wanted = EventFilter() if wanted is None and self.table.sort_column is not None else wanted
        self._step = None
        if self._wanted is not None:
            self._gather()
        self.console.paint()

    def _gather(self) -> None:
        self._search += 1
        self._began_at, self._again_at, self._outdated, self._stopped = self.console.clock(), 0.0, False, False
        self._next(Bookmark(), self._search, [])

    def _next(self, bookmark: Bookmark, search: int, before: Sequence[Row]) -> None:
        wanted, listed = self._wanted, self._step is not None and (not self.gathering or len(self._found) == FOUND_MAX)
        if wanted is None or search != self._search:
            return

        def take(step: SearchStep[T]) -> None:
            if search != self._search or self._wanted is not wanted:
                return
            found = [*before, *self.rows_of(step.rows)][:FOUND_MAX]
            more = step.next if len(found) < FOUND_MAX else None
            if more is None or not listed:
                self._found, self._step = found, step
                self.table.set_rows(found)
                self.draw_crumb()
            if more is not None:
                self._next(more, search, found)
                return
            now = self.console.clock()
            self._again_at = now + AGAIN_AFTER * (now - self._began_at)
            if step.next is not None and not listed:
                self.bottom.say(f"the first {FOUND_MAX:,} found are listed: narrow the filter to see others", "warn")

        self.look(lambda door: self.search(door, wanted, bookmark), take, group="search", about=f"{search} {bookmark.looked}")

    def step_back(self) -> bool:
        """Stop a search that is under way; then as every list."""
        if self.gathering and self._step is not None and self._step.next is not None and len(self._found) < FOUND_MAX:
            self._search += 1
            self._stopped = True
            self._step = SearchStep(self._step.rows, self._step.looked, self._step.total, None)
            self.bottom.say(f"stopped: {len(self._found):,} found so far", "dim")
            return True
        return super().step_back()

    def action_sort(self) -> None:
        """Sort by the picked column: what the filter found, or the first rows of the list, up to a bound that is said."""
        title = self.table.sort_by_picked()
        if self._wanted is None:
            self._gather_for_order()
        elif not title and not self.filter and not self.table.sort_down:
            self._wanted = None
        self.bottom.say(f"sorted by {title}" if title else "in its own order", "dim")
        self.console.paint()

    def action_reverse(self) -> None:
        """Turn the order round."""
        self.table.reverse_sort()
        if self._wanted is None:
            self._gather_for_order()
        self.console.paint()

    def _gather_for_order(self) -> None:
        self._wanted, self._step = EventFilter(), None
        self._gather()

    def action_mark_all(self) -> None:
        """Mark all that match; of an unfiltered long list that is not known row by row."""
        if self.table.windowed:
            self.bottom.say(f"{self.table.total:,} rows: narrow them with / first, then * marks all that match", "warn")
        else:
            self.table.mark_all()
            self._all_of = set(self.table.marked)
            self.draw_crumb()
