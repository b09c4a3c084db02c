"""Dead letters in groups, and the filter that finds the events of one."""

from __future__ import annotations

from collections.abc import Sequence

from gitbridge_console.console.text import safe
from gitbridge_console.console.views.cells import Cell, Column, Row
from gitbridge_console.console.views.tables import short_id
from gitbridge_console.domain.dead_letters import DEAD_STATES, DeadGroup

GROUP_COLUMNS = (
    Column("COUNT", 8, right=True),
    Column("ERROR", 18),
    Column("KIND", 15, drop=1),
    Column("PANEL", 18),
    Column("NEWEST", 9, drop=2),
    Column("IT SAID", 20, flex=True),
)


def group_rows(groups: Sequence[DeadGroup]) -> list[Row]:
    """The groups, as they were given."""
    return [
        Row(
            f"{group.error}|{group.kind}|{group.providers}",
            (
                Cell(f"{group.count:,}", "strong"),
                Cell(safe(group.error), "bad"),
                Cell(safe(group.kind.replace("_", " ")), "dim"),
                Cell(safe(group.providers)),
                Cell(short_id(group.newest), "dim"),
                Cell(safe(group.example)),
            ),
        )
        for group in groups
    ]


def group_filter(group: DeadGroup) -> str:
    """What narrows Failures to a group. A panel of several cannot be asked for by name: those of other panels are listed too."""
    state = group.error in DEAD_STATES
    words = [f"state={group.error}" if state else f"error={group.error}"]
    if group.kind != "-":
        words.append(f"kind={group.kind}")
    if group.providers != "-" and "," not in group.providers:
        words.append(f"provider={group.providers}")
    return " ".join(words)
