"""Docs: the documentation, topic by topic."""

from __future__ import annotations

from textual.app import ComposeResult

from gitbridge_console.console.screens.base import SPLIT_WIDTH, bindings_for
from gitbridge_console.console.screens.listing import TableScreen
from gitbridge_console.console.screens.pages import PageScreen
from gitbridge_console.console.views.cells import Cell, Column, Row
from gitbridge_console.console.widgets.lines import Page
from gitbridge_console.console.widgets.row_table import RowTable
from gitbridge_console.console.widgets.split import Split
from gitbridge_console.domain.snapshots import FleetSnapshot
from gitbridge_console.operations.manual import read_topic, topics

COLUMNS = (Column("TOPIC", 22), Column("ABOUT", 20, flex=True))


class DocsScreen(TableScreen):
    """Topics left, the one under the cursor right where there is room; enter reads it on a page of its own."""

    scope = "docs"
    BINDINGS = bindings_for("docs")

    def make_table(self) -> RowTable:
        """Topics."""
        return RowTable(COLUMNS, id="topics")

    def body(self) -> ComposeResult:
        """Both."""
        with Split(id="split"):
            yield self.make_table()
            yield Page(id="detail")

    def on_mount(self) -> None:
        """They do not change while this runs."""
        super().on_mount()
        self.set_rows([Row(name, (Cell(name, "strong"), Cell(title))) for name, title in topics().items()])

    def take_over(self) -> None:
        """Open the topic a command named."""
        wanted, self.console.pending_filter = self.console.pending_filter, ""
        if wanted in topics():
            self.app.push_screen(TopicScreen(wanted))
        elif wanted:
            self.set_filter(wanted)

    def show(self, snapshot: FleetSnapshot) -> None:
        """The topic under the cursor."""
        self._preview()

    def on_row_table_moved(self) -> None:
        """Another topic."""
        self._preview()

    def _preview(self) -> None:
        if self.table.current is not None and self.size.width >= SPLIT_WIDTH:
            from gitbridge_console.console.views.manual import manual_lines

            page = self.query_one("#detail", Page)
            page.set_lines(manual_lines(read_topic(self.table.current.id), page.content_size.width))

    def action_open(self) -> None:
        """Read it."""
        if self.table.current is not None:
            self.app.push_screen(TopicScreen(self.table.current.id))


class TopicScreen(PageScreen):
    """One topic."""

    scope = "help"
    BINDINGS = bindings_for("help")

    def __init__(self, topic: str) -> None:
        super().__init__()
        self.topic = topic

    def body(self) -> ComposeResult:
        """The page."""
        yield Page(id="page")

    def crumb(self) -> str:
        """Which one."""
        return f"docs > {self.topic}"

    def on_mount(self) -> None:
        """Keys scroll it."""
        self.page.focus()

    def show(self, snapshot: FleetSnapshot) -> None:
        """Laid out for this width."""
        from gitbridge_console.console.views.manual import manual_lines

        self.page.set_lines(manual_lines(read_topic(self.topic), self.page.content_size.width))
