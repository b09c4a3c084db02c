"""A deed over many events, from a screen: the look over the store, which can be stopped, and then the plan to be confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitbridge_console.domain.bulk import BulkKind, Deed, Selection
from gitbridge_console.operations.errors import OperationError

if TYPE_CHECKING:
    from gitbridge_console.console.screens.base import FleetScreen
    from gitbridge_console.domain.bulk_views import BulkPlan
    from gitbridge_console.domain.snapshots import FleetSnapshot


class Look:
    """One look over the store: how far it is, told from the engine's thread, and whether it is still wanted, told from ours."""

    def __init__(self, deed: Deed) -> None:
        self.deed = deed
        self.looked = self.total = 0
        self.stopped = False

    def progress(self, looked: int, total: int) -> None:
        """So far it is.

        Raises:
            OperationError: it is not wanted any more.
        """
        self.looked, self.total = looked, total
        if self.stopped:
            raise OperationError(f"stopped: {self.deed.words} was not planned")

    @property
    def words(self) -> str:
        """As the bottom row says it."""
        return f"planning {self.deed.words}: looked at {self.looked:,} of {self.total:,}  esc stops"


def plan(screen: FleetScreen, deed: Deed, chosen: Selection, reason: str = "") -> None:
    """Plan a deed and have it confirmed on the screen of bulk operations, where its bar is followed."""
    from gitbridge_console.console.screens.bulk import BulkScreen

    look = screen.planning = Look(deed)

    def show(found: BulkPlan) -> None:
        screen.planning = None
        # What is being typed there is an answer to something else.
        if screen.console.screen is screen and not screen.bottom.asking:
            screen.console.push_screen(BulkScreen(found, reason))
        else:
            screen.console.say(f"{found.deed} is planned as {found.token}: b shows it", "good")

    screen.bottom.say(f"planning {deed.words} ...")
    screen.fetch(lambda door: door.plan_bulk(deed, chosen, progress=look.progress), show, group="plan", about=f"{deed} {chosen}")


def flush(screen: FleetScreen, lane: str, snapshot: FleetSnapshot, reason: str = "") -> None:
    """Plan to cancel all that waits in a lane."""
    plan(screen, Deed(BulkKind.FLUSH, lane=lane), Selection(), reason)
