"""What takes the last write back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from gitbridge_console.domain.event_views import ChangeReport
    from gitbridge_console.operations.operations import Operations

    Write = Callable[[Operations], Awaitable[ChangeReport]]


UNDO_S = 30.0
"""How long a write can be taken back by one key; after that the world has gone on."""


class Undo(NamedTuple):
    """Writes that give back what was there before, and what to call that."""

    label: str
    steps: tuple[Write, ...]

    async def run(self, door: Operations) -> ChangeReport:
        """Do all steps; what they come to together."""
        from gitbridge_console.domain.event_views import ChangeReport

        reports = [await step(door) for step in self.steps]
        return ChangeReport(
            changed=sum(report.changed for report in reports),
            unchanged=sum(report.unchanged for report in reports),
            ids=tuple(name for report in reports for name in report.ids),
            notes=tuple(note for report in reports for note in report.notes),
        )
