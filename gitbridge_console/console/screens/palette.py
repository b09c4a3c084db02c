"""Find an action or command by a few letters of its name; enter does it on the screen it was asked on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.fuzzy import Matcher

from gitbridge_console.console.actions import Action, actions_for
from gitbridge_console.console.commands import COMMANDS
from gitbridge_console.console.screens.base import FleetScreen, bindings_for
from gitbridge_console.console.views.cells import Cell, Column, Row
from gitbridge_console.console.widgets.bottom_row import Question
from gitbridge_console.console.widgets.row_table import RowTable
from gitbridge_console.domain.snapshots import FleetSnapshot

COLUMNS = (Column("KEY", 14), Column("WHAT", 30, flex=True), Column("COMMAND", 36, drop=1))


def palette_rows(actions: Sequence[Action], wanted: str, *, off: Callable[[Action], str] = lambda _: "") -> list[Row]:
    """What can be done on a screen, the best match first; each by its action's id, or ``:`` and its command."""
    rows = [
        Row(
            action.id,
            (
                Cell(action.shown_keys, "accent"),
                Cell(action.title, "dim" if off(action) else ""),
                Cell(f":{action.id}", "dim"),
            ),
        )
        for action in actions
    ]
    known = {action.id for action in actions}
    rows += [
        Row(f":{command.word}", (Cell(""), Cell(command.title), Cell(f":{command.word} {command.usage}", "dim")))
        for command in COMMANDS
        if command.action in known or command.action.startswith("mode.")
    ]
    if not wanted.strip():
        return rows
    matcher = Matcher(wanted)
    scored = [(max(matcher.match(row.cells[1].text), matcher.match(row.cells[2].text)), n, row) for n, row in enumerate(rows)]
    return [row for score, _, row in sorted(scored, key=lambda entry: (-entry[0], entry[1])) if score > 0]


class PaletteScreen(FleetScreen):
    """All actions of the screen beneath; typing narrows them."""

    scope = "palette"
    BINDINGS = bindings_for("palette")

    def __init__(self, beneath: FleetScreen) -> None:
        super().__init__()
        self._beneath = beneath

    def body(self) -> ComposeResult:
        """The table."""
        yield RowTable(COLUMNS, empty="nothing has such a name", id="found")

    @property
    def table(self) -> RowTable:
        """What was found."""
        return self.query_one(RowTable)

    def crumb(self) -> str:
        """Which screen's."""
        return f"{self._beneath.scope} > palette"

    def on_mount(self) -> None:
        """Typing begins at once."""
        self._narrow("")
        self.bottom.ask(Question("find:", self._run, typed=self._narrow, moved=self.table.move_by, dropped=self._leave))

    def show(self, snapshot: FleetSnapshot) -> None:
        """Nothing here changes."""

    def _narrow(self, text: str) -> None:
        actions = actions_for(self._beneath.scope, self.console.actions)
        self.table.set_rows(palette_rows(actions, text, off=self.console.why_not))
        self.table.move(0)

    def _leave(self) -> None:
        self.app.pop_screen()

    def _run(self, _: str) -> None:
        row = self.table.current
        self.app.pop_screen()
        if row is None:
            return
        if row.id.startswith(":"):
            command = next(command for command in COMMANDS if f":{command.word}" == row.id)
            if command.usage:
                self._beneath.ask_command(f"{command.word} ")
            else:
                self._beneath.command(command.word)
        else:
            self._beneath.do(next(action for action in self.console.actions if action.id == row.id))

    def action_cursor(self, step: int) -> None:
        """Move by rows."""
        self.table.move_by(step)

    def action_page(self, direction: int) -> None:
        """Move by screens."""
        self.table.page(direction)

    def action_edge(self, direction: int) -> None:
        """First or last row."""
        self.table.move(self.table.total - 1 if direction > 0 else 0)

    def action_open(self) -> None:
        """Do what the cursor is on."""
        self._run("")
