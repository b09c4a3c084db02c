"""Whether a key that writes would be about the row the operator saw."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitbridge_console.console.widgets.row_table import RowTable


def doubt_about(table: RowTable, changed: Iterable[str]) -> str:
    """Why it might not be; empty where it would. Said once: who has read it has seen where the cursor is now.

    What was chosen has left the list, and the cursor stands on its neighbour; or another list is wanted and not here yet. ``changed`` are
    the ids of what the operator changed: that those leave the list is no surprise.
    """
    left, marks, current = table.left, table.marks_left, table.current
    table.acknowledge()
    if table.marked or table.range_from is not None:
        return ""
    if not table.known:
        return "the list is still being read: nothing is done"
    own = {_event(name) for name in changed}
    if any(_event(name) not in own for name in marks):
        return "what was marked is no longer listed: nothing is done"
    if left is None or _event(left.id) in own:
        return ""
    here = f", the cursor is on {current.cells[0].text} now" if current is not None else ""
    return f"{left.cells[0].text} is no longer listed: nothing is done{here}"


def _event(name: str) -> str:
    """Of a task's id its event's: an operator who changed the event expects that its tasks go."""
    return name.partition(".")[0]
