"""What every screen has: header, tabs, bottom row, keys from the table of actions, and the operator's writes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget

from gitbridge_console.console.actions import ACTIONS, COMMANDS, actions_for, hints_for
from gitbridge_console.console.text import safe
from gitbridge_console.console.views.cells import Cell, Line, line
from gitbridge_console.console.views.fleet import header_line
from gitbridge_console.console.widgets.bottom_row import BottomRow, Question
from gitbridge_console.console.widgets.lines import Lines
from gitbridge_console.domain.snapshots import ChangeReport, FleetSnapshot
from gitbridge_console.operations.operations import Operations

if TYPE_CHECKING:
    from gitbridge_console.console.app import ConsoleApp

T = TypeVar("T")

MIN_WIDTH, MIN_HEIGHT = 60, 16
MODES = ("pulse", "queue", "providers", "failures", "consensus", "log")


def bindings_for(scope: str) -> list[BindingType]:
    """Bindings of a scope's actions."""
    return [Binding(action.keys, action.method, action.title, show=False, id=action.id) for action in actions_for(scope)]


class FleetScreen(Screen[None]):
    """Base of all screens. ``scope`` decides which actions it has."""

    scope = "all"
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (MIN_WIDTH, "-narrow"), (100, "-split"), (160, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-tiny-h"), (MIN_HEIGHT, "-short"), (32, "-tall")]  # noqa: RUF012

    @property
    def console(self) -> ConsoleApp:
        """The application, by its own type."""
        return cast("ConsoleApp", self.app)

    @property
    def bottom(self) -> BottomRow:
        """This screen's bottom row."""
        return self.query_one(BottomRow)

    def compose(self) -> ComposeResult:
        """Header and tabs above, the body, the bottom row below."""
        yield Lines(id="header")
        yield Lines(id="tabs")
        yield from self.body()
        yield Lines(id="too-small")
        yield BottomRow()

    def body(self) -> ComposeResult:
        """Widgets between tabs and bottom row."""
        yield Widget()

    def on_screen_resume(self) -> None:
        """Come back up to date."""
        self.console.paint()

    def crumb(self) -> str:
        """Where the operator is."""
        return self.scope

    def paint(self, snapshot: FleetSnapshot | None) -> None:
        """Show the newest picture; called on the timer, for the screen in front only."""
        app = self.console
        flags = {"DEMO": app.demo, "READ-ONLY": app.read_only, "FROZEN": app.frozen}
        header = header_line(
            snapshot,
            flags,
            app.rates,
            clock_s=app.refresh_s if self.size.width >= 100 else None,
            old_s=0.0 if app.frozen else app.picture_age_s,
        )
        self.query_one("#header", Lines).set_lines([header])
        self.query_one("#tabs", Lines).set_lines([self._tabs(snapshot)])
        self.bottom.set_hints(hints_for(self.scope, read_only=app.read_only), self.crumb())
        if self.size.width < MIN_WIDTH or self.size.height < MIN_HEIGHT:
            self.query_one("#too-small", Lines).set_lines(_card(snapshot, self.size.width, self.size.height))
        elif snapshot is not None:
            self.show(snapshot)

    def show(self, snapshot: FleetSnapshot) -> None:
        """Fill the body."""

    def _tabs(self, snapshot: FleetSnapshot | None) -> Line:
        failed = snapshot.events.get("failed", 0) if snapshot else 0
        waits = snapshot.events.get("awaiting_approval", 0) if snapshot else 0
        counts = {"failures": failed, "consensus": waits}
        parts: list[str | Cell] = []
        for n, name in enumerate(MODES, 1):
            count = f" {counts[name]}" if counts.get(name) else ""
            word = f"{name.capitalize()}{count}"
            here = name == self.console.current_mode
            parts.append(
                Cell(f"[{n} {word}]" if here else f" {n} {word} ", "head" if here else "bad" if count and name == "failures" else "dim")
            )
            parts.append(" ")
        return line(*parts)

    def fetch(self, operation: Callable[[Operations], Awaitable[T]], then: Callable[[T], None], *, group: str = "fetch") -> None:
        """Ask for something without waiting; a newer question of the same group makes this one stale."""
        self.console.fetch(self, operation, then, group)

    def write(self, operation: Callable[[Operations], Awaitable[ChangeReport]], done: str) -> None:
        """Run an operator's write and say what came of it."""
        if self.console.read_only:
            self.bottom.say("read-only: not done", "warn")
            return

        def tell(report: ChangeReport) -> None:
            notes = f"  ({'; '.join(report.notes[:2])})" if report.notes else ""
            self.bottom.say(f"{done}: {report.changed} changed{notes}", "good" if report.changed else "warn")
            self.console.paint()

        self.fetch(operation, tell, group="write")

    def confirm(self, label: str, then: Callable[[], None]) -> None:
        """Ask y/N."""
        self.bottom.ask(Question(f"{label}? y/N", lambda _: then(), yes_no=True))

    def may_write(self) -> bool:
        """Whether writes are possible here; says so when not."""
        if self.console.read_only:
            self.bottom.say("read-only: not done", "warn")
        return not self.console.read_only

    def action_command(self) -> None:
        """``:`` prompt."""
        self.bottom.ask(Question(":", self._run_command, complete=sorted(COMMANDS), history=self.console.command_history))

    def _run_command(self, text: str) -> None:
        word, _, rest = text.partition(" ")
        action = COMMANDS.get(word)
        if action is None:
            if text:
                self.bottom.say(f"no command {safe(word)}: ? lists them", "warn")
            return
        if rest and action.id.startswith("mode."):
            self.console.pending_filter = rest
        if "all" not in action.scope and self.scope not in action.scope:
            self.bottom.say(f"{word} works on: {', '.join(action.scope)}", "warn")
            return
        self.call_later(self.run_action, action.method)

    def action_help(self) -> None:
        """Every key of this screen."""
        from gitbridge_console.console.screens.help import HelpScreen

        self.app.push_screen(HelpScreen(self.scope))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey out what a read-only console may not do."""
        for known in ACTIONS:
            if known.write and known.method.split("(")[0] == action and self.console.read_only:
                return None
        return True


def _card(snapshot: FleetSnapshot | None, width: int, height: int) -> list[Line]:
    """What is vital, in very little room."""
    lines = [line(Cell(f"have {width}x{height}, need {MIN_WIDTH}x{MIN_HEIGHT}", "warn"))]
    if snapshot is not None:
        lines.append(line(f"open {sum(lane.depth for lane in snapshot.lanes.values())}  failed {snapshot.events.get('failed', 0)}"))
        lines += [line(f"{name} {provider.state}") for name, provider in snapshot.providers.items() if provider.state != "ok"]
    return lines
