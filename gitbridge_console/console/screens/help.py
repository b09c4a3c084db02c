"""``?``: every key of the screen it was asked on, from the table of actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.app import ComposeResult

from gitbridge_console.console.actions import ACTIONS, Action, actions_for
from gitbridge_console.console.commands import COMMANDS
from gitbridge_console.console.screens.base import bindings_for
from gitbridge_console.console.screens.pages import PageScreen
from gitbridge_console.console.text import fit
from gitbridge_console.console.views.cells import Cell, Line, line
from gitbridge_console.console.widgets.lines import Page
from gitbridge_console.domain.snapshots import FleetSnapshot

EVERY = 1_000
WIDE = 100
"""Columns from which there is room for the names of actions."""


class HelpScreen(PageScreen):
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
        ids = self.app.size.width >= WIDE
        self.query_one(Page).set_lines(help_lines(self._about, self.console.actions, off=self.console.why_not, ids=ids))
        self.query_one(Page).focus()


def help_lines(
    scope: str, actions: Sequence[Action] = ACTIONS, *, off: Callable[[Action], str] = lambda _: "", ids: bool = True
) -> list[Line]:
    """Keys, words and commands of a scope, those few screens have first; writes are marked, and grey where they would be refused.

    ``ids``: with the name by which ``:`` knows each.
    """
    lines = [line(Cell(f" {scope.upper()}", "head"), "   capital letters and + - = write; of them S and G only look"), line("")]
    everywhere = False
    for action in sorted(actions_for(scope, actions), key=_screens):
        if _screens(action) == EVERY and not everywhere:
            everywhere = True
            lines += [line(""), line(Cell(" EVERYWHERE", "head")), line("")]
        grey = bool(off(action))
        lines.append(
            line(
                Cell(f"  {fit(action.shown_keys, 17)}", "dim" if grey else "accent"),
                Cell(fit(action.title, 58), "dim" if grey else ""),
                Cell("W " if action.write else "  ", "warn"),
                Cell(f":{action.id}" if ids else "", "dim"),
            )
        )
    lines += [line(""), line(Cell(" COMMANDS", "head"), "   after :, in the words of the command line; tab completes"), line("")]
    lines += [line(Cell(f"  {fit(f':{command.word} {command.usage}', 44)}", "accent"), command.title) for command in COMMANDS]
    return [*lines, line(""), line(Cell("  esc goes back; 8 is the documentation", "dim"))]


def _screens(action: Action) -> int:
    """How many screens have it."""
    return EVERY if "all" in action.scope else len(action.scope)
