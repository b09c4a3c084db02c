"""What every screen has: header, tabs, bottom row, keys from the table of actions, and the operator's writes."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widget import Widget

from gitbridge_console.console.actions import Action, action_called, actions_for
from gitbridge_console.console.clipboard import for_clipboard, write_text
from gitbridge_console.console.dirty_lines import DirtyLinesScreen
from gitbridge_console.console.text import safe
from gitbridge_console.console.undo import UNDO_S, Undo
from gitbridge_console.console.views.cells import Cell, Line, line
from gitbridge_console.console.views.fleet import undecided
from gitbridge_console.console.views.header import HeaderState
from gitbridge_console.console.widgets.bottom_row import BottomRow, Question
from gitbridge_console.console.widgets.header import Header
from gitbridge_console.console.widgets.lines import Lines

if TYPE_CHECKING:
    from gitbridge_console.console.app import ConsoleApp
    from gitbridge_console.console.planning import Look
    from gitbridge_console.domain.bulk import Selection
    from gitbridge_console.domain.event_views import ChangeReport
    from gitbridge_console.domain.provider_health import HealthFinding
    from gitbridge_console.domain.snapshots import FleetSnapshot
    from gitbridge_console.operations.operations import Operations

T = TypeVar("T")

MIN_WIDTH, MIN_HEIGHT = 60, 16
SPLIT_WIDTH = 112
"""Columns from which a list has room for the detail of its row beside it."""
BULK = 20
"""More rows than this at once, and their number has to be typed."""


def bindings_for(scope: str) -> list[BindingType]:
    """Bindings of a scope's actions."""
    return [Binding(action.keys, action.method, action.title, show=False, id=action.id) for action in actions_for(scope) if action.keys]


class FleetScreen(DirtyLinesScreen):
    """Base of all screens. ``scope`` decides which actions it has."""

    scope = "all"
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (MIN_WIDTH, "-narrow"), (SPLIT_WIDTH, "-split"), (160, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-tiny"), (MIN_HEIGHT, "-short"), (32, "-tall")]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[tuple[str, str]] = set()
        """Questions under way, by group and what they are about."""
        self.generations: dict[str, int] = {}
        self.planning: Look | None = None
        """A look over the store for a bulk operation, while it is under way."""

    @property
    def console(self) -> ConsoleApp:
        """The application, by its own type."""
        return cast("ConsoleApp", self.app)

    @property
    def bottom(self) -> BottomRow:
        """This screen's bottom row."""
        return self.query_one(BottomRow)

    @property
    def too_small(self) -> bool:
        """Whether only the vital numbers have room."""
        return self.size.width < MIN_WIDTH or self.size.height < MIN_HEIGHT

    def compose(self) -> ComposeResult:
        """Header above, the body, the bottom row below."""
        yield Header(id="header")
        yield from self.body()
        yield Lines(id="too-small")
        yield BottomRow(self.console.clock)

    def body(self) -> ComposeResult:
        """Widgets between tabs and bottom row."""
        yield Widget()

    def on_screen_resume(self) -> None:
        """Come back up to date."""
        self.take_over()
        self.console.paint()

    def take_over(self) -> None:
        """Take what another screen or a command left for this one."""

    def crumb(self) -> str:
        """Where the operator is."""
        return self.scope

    def paint(self, snapshot: FleetSnapshot | None) -> None:
        """Show the newest picture; called on the timer, for the screen in front only."""
        app = self.console
        role = app.role.word if app.shows_role else ""
        state = HeaderState(app.current_mode, app.demo, app.read_only, app.frozen, app.data_age_s, app.refresh_s, app.rates, role)
        self.query_one(Header).show(snapshot, state)
        if self.too_small:
            self.query_one("#too-small", Lines).set_lines(_card(snapshot, self.size.width, self.size.height))
        elif snapshot is not None:
            self.show(snapshot)
        else:
            self.bottom.say("waiting for the first picture of the fleet", "dim")
        self.draw_crumb()

    def draw_crumb(self) -> None:
        """Where the operator is, and the keys worth knowing there; or how far a plan is."""
        self.bottom.set_hints(self.console.hints(self.scope), self.crumb())
        if self.planning is not None and any(group == "plan" for group, _ in self.asked):
            self.bottom.say(self.planning.words)

    def show(self, snapshot: FleetSnapshot) -> None:
        """Fill the body."""

    def fetch(self, operation: Callable[[Operations], Awaitable[T]], then: Callable[[T], None], *, group: str, about: str = "") -> None:
        """Ask for something without waiting; a newer question of the same group makes this one stale."""
        self.console.fetch(self, operation, then, group, about)

    def look(self, operation: Callable[[Operations], Awaitable[T]], then: Callable[[T], None], *, group: str, about: str = "") -> None:
        """Ask for a list or a detail; not while the store is away, which the header says already."""
        if self.console.snapshot is not None and self.console.snapshot.store.ok:
            self.fetch(operation, then, group=group, about=about)

    def write(
        self, operation: Callable[[Operations], Awaitable[ChangeReport]], done: str, undo: Undo | None = None, *, about: str = ""
    ) -> None:
        """Run an operator's write and say what came of it; ``undo`` takes it back for a while.

        ``about`` tells it from others that are called the same.
        """
        if not self.may_write():
            return

        def tell(report: ChangeReport) -> None:
            self.console.changed.extend(report.ids)
            self.console.remember(undo if report.changed else None)
            self.wrote()
            notes = f"  ({'; '.join(report.notes[:2])})" if report.notes else ""
            back = f"   u takes it back for {UNDO_S:.0f} s" if undo is not None and report.changed else ""
            self.console.say(f"{done}: {report.changed} changed{notes}{back}", "good" if report.changed else "warn")
            self.console.paint()

        self.console.change(self, operation, tell, done, about)

    def wrote(self) -> None:
        """Something was changed from here."""

    def refuse(self, text: str) -> None:
        """Say that a write is not done, and why. What is typed on for a question that was not asked goes nowhere."""
        self.bottom.refuse(text)

    def doubt(self) -> str:
        """Why what a write would be about may not be what the operator saw; empty where it is. Said once: the next time he has seen it."""
        return f"too small to show what it would be about (need {MIN_WIDTH}x{MIN_HEIGHT}): nothing is done" if self.too_small else ""

    def confirm(self, label: str, then: Callable[[], None], *, count: int = 1) -> None:
        """Ask y/N; for many rows at once their number has to be typed."""
        if count > BULK:
            self.bottom.ask(Question(f"{label}? type {count} to do it:", lambda _: then(), wanted=str(count)))
        else:
            self.bottom.ask(Question(f"{label}? y/N", lambda _: then(), yes_no=True))

    def may_write(self) -> bool:
        """Whether writes are possible here; says so when not."""
        if self.console.read_only:
            self.refuse("read-only: not done")
        return not self.console.read_only

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """``None``, which greys a binding, for what this operator may not do."""
        method = f"{action}({', '.join(map(repr, parameters))})" if parameters else action
        known = action_called(self.scope, method, self.console.actions)
        return None if known is not None and self.console.why_not(known) else True

    def step_back(self) -> bool:
        """Go up one level inside the screen; ``False`` where there is none, and the screen is left."""
        return False

    def stop_planning(self) -> bool:
        """Stop a look that is under way; ``False`` where there is none."""
        look, self.planning = self.planning, None
        if look is not None:
            look.stopped = True
        return look is not None

    def lane_here(self) -> str | None:
        """The lane or provider the cursor is on."""
        return None

    def events_here(self) -> list[str]:
        """Ids of the events that are marked, or the one the cursor is on."""
        return []

    def selection_here(self) -> Selection | None:
        """What is marked, or under the cursor, for an operation over many events; ``None`` where nothing is listed."""
        return None

    def priorities_here(self) -> dict[str, str]:
        """Priority by id, of what is listed here."""
        return {}

    def point_at(self, name: str) -> None:
        """Put the cursor on what is called so, where that is listed here."""

    def set_filter(self, text: str) -> None:
        """Narrow what is listed here."""
        self.bottom.say("nothing is listed here that could be filtered", "warn")

    def plain_text(self, *, whole: bool) -> str:
        """What is shown, as text: all of it, or what the cursor is on."""
        return ""

    def open_event(self, event_id: str) -> None:
        """Go down to one event."""
        from gitbridge_console.console.screens.event import EventScreen

        self.app.push_screen(EventScreen(event_id.partition(".")[0]))

    def open_provider(self, name: str) -> None:
        """Go down to one provider."""
        from gitbridge_console.console.screens.provider import ProviderScreen

        self.app.push_screen(ProviderScreen(name))

    def check_provider(self, name: str) -> None:
        """Ask a provider for its list of models, now."""

        def tell(found: dict[str, HealthFinding]) -> None:
            finding = found[name]
            word = f"answers in {finding.ms:.0f} ms, model {finding.model.replace('_', ' ')}" if finding.ok else "is not well"
            self.bottom.say(f"{name} {word}" + (f": {safe(finding.reason)}" if finding.reason else ""), "good" if finding.ok else "bad")

        self.bottom.say(f"asking {name} ...")
        self.fetch(lambda door: door.health([name]), tell, group="check")

    def do(self, action: Action) -> None:
        """Run an action of the table as if its key had been pressed."""
        self.call_later(self.run_action, action.method)

    def action_command(self) -> None:
        """``:`` prompt."""
        self.ask_command()

    def ask_command(self, text: str = "") -> None:
        """Ask for a command, of which ``text`` was given already."""
        from gitbridge_console.console.commands import completions

        history = self.console.command_history
        self.bottom.ask(Question(":", self.command, text=text, complete=lambda typed: completions(self, typed), history=history))

    def command(self, text: str) -> None:
        """Do what was typed after ``:``."""
        from gitbridge_console.console.commands import Unusable, run_command

        try:
            run_command(self, text, self.console.actions)
        except Unusable as error:
            self.bottom.say(str(error), "warn")

    def action_copy(self) -> None:
        """Send the row or page to the terminal's clipboard; whether it takes it, nobody tells."""
        text, cut = for_clipboard(self.plain_text(whole=False))
        if not text:
            self.bottom.say("there is nothing to copy", "dim")
            return
        self.app.copy_to_clipboard(text)
        self.bottom.say(
            f"{len(text)} characters sent to the terminal's clipboard{', the rest is too long for it' if cut else ''}; w writes a file"
        )

    def action_write_file(self) -> None:
        """Write what is listed here to a file."""
        name = f"gitbridge-{self.scope}-{time.strftime('%Y%m%d-%H%M%S')}.txt"
        self.bottom.ask(Question("write to:", self._write_file, text=name, required=True))

    def _write_file(self, name: str) -> None:
        try:
            size = write_text(Path(name), self.plain_text(whole=True))
        except OSError as error:
            self.bottom.say(f"not written ({error.strerror or error}): {name}", "bad")
        else:
            self.bottom.say(f"{size:,} bytes written: {name}", "good")

    def action_palette(self) -> None:
        """Find an action or command by name."""
        from gitbridge_console.console.screens.palette import PaletteScreen

        self.app.push_screen(PaletteScreen(self))

    def action_doctor(self) -> None:
        """What a run needs, and whether it is here."""
        from gitbridge_console.console.screens.doctor import DoctorScreen

        self.app.push_screen(DoctorScreen())

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
