"""Two lines at the top of every screen: the vital numbers, and the modes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitbridge_console.console.views.header import HeaderState, header_line, tabs_line
from gitbridge_console.console.widgets.lines import Lines

if TYPE_CHECKING:
    from gitbridge_console.domain.snapshots import FleetSnapshot


class Header(Lines):
    """Repainted only when what it says has changed."""

    DEFAULT_CSS = """
    Header { dock: top; height: 2; padding: 0 1; }
    """

    def show(self, snapshot: FleetSnapshot | None, state: HeaderState) -> None:
        """Say what the newest picture says."""
        self.set_lines([header_line(snapshot, state, self.content_size.width), tabs_line(snapshot, state.mode, self.content_size.width)])
