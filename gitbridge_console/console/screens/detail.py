"""A list with the event of the row under the cursor beside it, where there is room."""

from __future__ import annotations

from textual.app import ComposeResult

from gitbridge_console.console.screens.base import SPLIT_WIDTH
from gitbridge_console.console.screens.listing import TableScreen
from gitbridge_console.console.views.event import event_lines
from gitbridge_console.console.widgets.lines import Page
from gitbridge_console.console.widgets.split import Split
from gitbridge_console.domain.event_views import EventDetail


class DetailScreen(TableScreen):
    """Table left, detail right (from ``SPLIT_WIDTH`` columns)."""

    def body(self) -> ComposeResult:
        """Both."""
        with Split(id="split"):
            yield self.make_table()
            yield Page(id="detail")

    def events_here(self) -> list[str]:
        """Ids of the events of the marked rows, each once, else of the one under the cursor."""
        return list(dict.fromkeys(row.partition(".")[0] for row in self.table.chosen()))

    def on_row_table_moved(self) -> None:
        """Fetch the detail of the row the cursor came to."""
        self.fetch_detail()

    def fetch_detail(self) -> None:
        """Ask for the event of the row under the cursor; without one nothing is shown."""
        row = self.table.current
        if not self.table.total:
            self.query_one("#detail", Page).set_lines([])
        if row is None or self.size.width < SPLIT_WIDTH:
            return
        event_id = row.id.partition(".")[0]
        self.look(lambda door: door.show_event(event_id), self._show_detail, group="detail", about=event_id)

    def _show_detail(self, event: EventDetail) -> None:
        row = self.table.current
        if row is None or row.id.partition(".")[0] != event.id:
            return  # the cursor went on while this was fetched
        detail = self.query_one("#detail", Page)
        detail.set_lines(event_lines(event, detail.content_size.width))
