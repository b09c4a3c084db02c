"""``:doctor``: is everything here that a run needs? One line per check, with what to do."""

from __future__ import annotations

from textual.app import ComposeResult

from gitbridge_console.console.screens.base import bindings_for
from gitbridge_console.console.screens.pages import PageScreen
from gitbridge_console.console.text import fit, safe
from gitbridge_console.console.views.cells import Cell, line, wrap
from gitbridge_console.console.widgets.lines import Page
from gitbridge_console.domain.snapshots import FleetSnapshot
from gitbridge_console.operations.checks import Check, check_place, check_settings

TONES = {"ok": "good", "warn": "warn", "fail": "bad"}


class DoctorScreen(PageScreen):
    """The same checks as ``gitbridge-console doctor``, of the process that draws this screen."""

    scope = "help"
    BINDINGS = bindings_for("help")

    def __init__(self) -> None:
        super().__init__()
        self._checks: list[Check] = []
        """Made once, at the first picture; the settings have come before it."""

    def body(self) -> ComposeResult:
        """The page."""
        yield Page(id="page")

    def crumb(self) -> str:
        """Where we are."""
        return f"{self.console.current_mode} > doctor"

    def on_mount(self) -> None:
        """Keys go to the page."""
        self.page.focus()

    def show(self, snapshot: FleetSnapshot) -> None:
        """The checks, and what the store says now."""
        if not self._checks and self.console.settings is not None:
            self._checks = [*check_place(), *check_settings(self.console.settings)]
        lines = [line(Cell(" DOCTOR", "head")), line("")]
        store = "answers" if snapshot.store.ok else safe(snapshot.store.error or "does not answer")
        found = [(check.level, check.name, safe(check.text), safe(check.todo)) for check in self._checks]
        found.append(("ok" if snapshot.store.ok else "fail", "store", f"{safe(snapshot.store.url)} {store}", ""))
        found.append(("ok" if snapshot.engines else "warn", "engines", f"{len(snapshot.engines)} running", ""))
        for level, name, text, todo in found:
            whole = line(
                Cell(f"  {level:<5}", TONES[level]), fit(name, 18), " ", text, *([Cell(f"  do: {todo}", "strong")] if todo else [])
            )
            lines += wrap(whole, self.page.content_size.width, 26)
        self.page.set_lines(lines)
