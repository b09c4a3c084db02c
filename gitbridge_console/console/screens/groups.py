"""Dead letters by class of error, panel and kind: what went wrong most, and the way to all events of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gitbridge_console.console.screens.base import bindings_for
from gitbridge_console.console.screens.listing import TableScreen
from gitbridge_console.console.views.groups import GROUP_COLUMNS, group_filter, group_rows
from gitbridge_console.console.views.tours import EMPTY
from gitbridge_console.console.widgets.row_table import RowTable
from gitbridge_console.domain.dead_letters import DeadGroup
from gitbridge_console.domain.snapshots import FleetSnapshot

COUNTED_EVERY_S = 30.0
"""Counting looks at every dead letter there is."""


class GroupsScreen(TableScreen):
    """The largest group first."""

    scope = "groups"
    BINDINGS = bindings_for("groups")

    def __init__(self) -> None:
        super().__init__()
        self._groups: dict[str, DeadGroup] = {}
        self._counted_at = -math.inf

    def make_table(self) -> RowTable:
        """Groups."""
        return RowTable(GROUP_COLUMNS, empty=EMPTY["groups"], id="groups")

    def crumb(self) -> str:
        """How many, in how many groups."""
        total = sum(group.count for group in self._groups.values())
        return f"{self.console.current_mode} > {total:,} in {len(self._groups)} groups"

    def show(self, snapshot: FleetSnapshot) -> None:
        """Count anew once in a while."""
        if self.console.clock() - self._counted_at >= COUNTED_EVERY_S:
            self._counted_at = self.console.clock()
            self.look(lambda door: door.dead_groups(), self._take, group="groups")

    def _take(self, found: Sequence[DeadGroup]) -> None:
        rows = group_rows(found)
        self._groups = {row.id: group for row, group in zip(rows, found, strict=True)}
        self.set_rows(rows)
        self.draw_crumb()

    def events_here(self) -> list[str]:
        """The newest of the group under the cursor."""
        group = self._here()
        return [group.newest] if group is not None else []

    def _here(self) -> DeadGroup | None:
        return self._groups.get(self.table.current.id) if self.table.current is not None else None

    def action_open(self) -> None:
        """Failures, narrowed to the group under the cursor."""
        group = self._here()
        if group is not None:
            self.console.pending_filter = group_filter(group)
            self.console.action_mode("failures")
