"""What every screen has: header, tabs, bottom row, keys from the table of actions, and the operator's writes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget

from gitbridge_console.console.actions import COMMANDS, actions_for, hints_for
from gitbridge_console.console.text import safe
from gitbridge_console.console.views.cells import Cell, Line, line
from gitbridge_console.console.views.fleet import undecided
from gitbridge_console.console.views.header import HeaderState
from gitbridge_console.console.widgets.bottom_row import BottomRow, Question
from gitbridge_console.console.widgets.header import Header
from gitbridge_console.console.widgets.lines import Lines, Page
from gitbridge_console.domain.event_views import ChangeReport
from gitbridge_console.domain.snapshots import FleetSnapshot
from gitbridge_console.operations.operations import Operations

if TYPE_CHECKING:
    from gitbridge_console.console.app import ConsoleApp

T = TypeVar("T")

MIN_WIDTH, MIN_HEIGHT = 60, 16
SPLIT_WIDTH = 112
"""Columns from which a list has room for the detail of its row beside it."""
BULK = 20
"""More rows than this at once, and their number has to be typed."""


def bindings_for(scope: str) -> list[BindingType]:
    """Bindings of a scope's actions."""
    return [Binding(action.keys, action.method, action.title, show=False, id=action.id) for action in actions_for(scope)]


class FleetScreen(Screen[None]):
    """Base of all screens. ``scope`` decides which actions it has."""

    scope = "all"
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (MIN_WIDTH, "-narrow"), (SPLIT_WIDTH, "-split"), (160, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-tiny-h"), (MIN_HEIGHT, "-short"), (32, "-tall")]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[tuple[str, str]] = set()
        """Questions under way, by group and what they are about."""
        self.generations: dict[str, int] = {}

    @property
    def console(self) -> ConsoleApp:
        """The application, by its own type."""
        return cast("ConsoleApp", self.app)

    @property
    def bottom(self) -> BottomRow:
        """This screen's bottom row."""
        return self.query_one(BottomRow)

    def compose(self) -> ComposeResult:
        """Header above, the body, the bottom row below."""
        yield Header(id="header")
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
        state = HeaderState(app.current_mode, app.demo, app.read_only, app.frozen, app.data_age_s, app.refresh_s, app.rates)
        self.query_one(Header).show(snapshot, state)
        if self.size.width < MIN_WIDTH or self.size.height < MIN_HEIGHT:
            self.query_one("#too-small", Lines).set_lines(_card(snapshot, self.size.width, self.size.height))
        elif snapshot is not None:
            self.show(snapshot)
        else:
            self.bottom.say("waiting for the first picture of the fleet", "dim")
        self.bottom.set_hints(hints_for(self.scope, read_only=app.read_only), self.crumb())

    def show(self, snapshot: FleetSnapshot) -> None:
        """Fill the body."""

    def fetch(self, operation: Callable[[Operations], Awaitable[T]], then: Callable[[T], None], *, group: str, about: str = "") -> None:
        """Ask for something without waiting; a newer question of the same group makes this one stale."""
        self.console.fetch(self, operation, then, group, about)

    def look(self, operation: Callable[[Operations], Awaitable[T]], then: Callable[[T], None], *, group: str, about: str = "") -> None:
        """Ask for a list or a detail; not while the store is away, which the header says already."""
        if self.console.snapshot is not None and self.console.snapshot.store.ok:
            self.fetch(operation, then, group=group, about=about)

    def write(self, operation: Callable[[Operations], Awaitable[ChangeReport]], done: str) -> None:
        """Run an operator's write and say what came of it."""
        if self.console.read_only:
            self.bottom.say("read-only: not done", "warn")
            return

        def tell(report: ChangeReport) -> None:
            notes = f"  ({'; '.join(report.notes[:2])})" if report.notes else ""
            self.bottom.say(f"{done}: {report.changed} changed{notes}", "good" if report.changed else "warn")
            self.console.paint()

        self.fetch(operation, tell, group=done)

    def confirm(self, label: str, then: Callable[[], None], *, count: int = 1) -> None:
        """Ask y/N; for many rows at once their number has to be typed."""
        if count > BULK:
            self.bottom.ask(Question(f"{label}? type {count} to do it:", lambda _: then(), wanted=str(count)))
        else:
            self.bottom.ask(Question(f"{label}? y/N", lambda _: then(), yes_no=True))

    def may_write(self) -> bool:
        """Whether writes are possible here; says so when not."""
        if self.console.read_only:
            self.bottom.say("read-only: not done", "warn")
        return not self.console.read_only

    def step_back(self) -> bool:
        """Go up one level inside the screen; ``False`` where there is none, and the screen is left."""
        return False

    def action_cursor(self, step: int) -> None:
        """Scroll by lines."""
        self.query_one(Page).scroll_relative(y=step, animate=False)

    def action_page(self, direction: int) -> None:
        """Scroll by screens."""
        page = self.query_one(Page)
        page.scroll_relative(y=direction * max(1, page.size.height - 2), animate=False)

    def action_edge(self, direction: int) -> None:
        """To the first or last line."""
        page = self.query_one(Page)
        page.scroll_to(y=page.max_scroll_y if direction > 0 else 0, animate=False)

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
            self.console.pending_filter = rest.strip().removeprefix("/")
        if "all" not in action.scope and self.scope not in action.scope:
            self.bottom.say(f"{word} works on: {', '.join(action.scope)}", "warn")
            return
        self.call_later(self.run_action, action.method)

    def action_help(self) -> None:
        """Every key of this screen."""
        from gitbridge_console.console.screens.help import HelpScreen

        self.app.push_screen(HelpScreen(self.scope))


def _card(snapshot: FleetSnapshot | None, width: int, height: int) -> list[Line]:
    """What is vital, in very little room."""
    lines = [line(Cell(f"have {width}x{height}, need {MIN_WIDTH}x{MIN_HEIGHT}", "warn"))]
    if snapshot is not None:
        lines.append(line(f"open {undecided(snapshot):,}  failed {snapshot.events.get('failed', 0):,}"))
        lines += [line(f"{name} {provider.state}") for name, provider in snapshot.providers.items() if provider.state != "ok"]
    return lines
