"""``?``: every key of the screen it was asked on, from the table of actions."""

from __future__ import annotations

from textual.app import ComposeResult

from gitbridge_console.console.actions import actions_for
from gitbridge_console.console.screens.base import FleetScreen, bindings_for
from gitbridge_console.console.text import fit
from gitbridge_console.console.views.cells import Cell, Line, line
from gitbridge_console.console.widgets.lines import Page
from gitbridge_console.domain.snapshots import FleetSnapshot


class HelpScreen(FleetScreen):
    """A page of keys."""

    scope = "help"
    BINDINGS = bindings_for("help")

    def __init__(self, about: str) -> None:
        super().__init__()
        self._about = about

    def body(self) -> ComposeResult:
        """The page."""
        yield Page(id="page")

    def crumb(self) -> str:
        """Which screen's help."""
        return f"{self._about} > help"

    def show(self, snapshot: FleetSnapshot) -> None:
        """Nothing here changes."""

    def on_mount(self) -> None:
        """Fill in."""
        self.query_one(Page).set_lines(help_lines(self._about))
        self.query_one(Page).focus()


def help_lines(scope: str) -> list[Line]:
    """Keys, words and commands of a scope; writes are marked."""
    own = actions_for(scope)
    lines = [line(Cell(f" {scope.upper()}", "head"), "   capital letters and + - = write; of them S and G only look"), line("")]
    for action in own:
        lines.append(
            line(
                Cell(f"  {fit(action.shown_keys, 15)}", "accent"),
                fit(action.title, 46),
                Cell("W " if action.write else "  ", "warn"),
                Cell(f":{action.id}", "dim"),
            )
        )
    return [*lines, line(""), line(Cell("  esc goes back; documentation: gitbridge-console docs", "dim"))]
