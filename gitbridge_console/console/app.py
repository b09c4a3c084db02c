"""The application: modes, the paint timer, and questions to the fleet. It never waits for the store."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import math
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.events import Event, Key, Paste
from textual.screen import Screen

from gitbridge_console.console.actions import ACTIONS, Action, hints_for
from gitbridge_console.console.alerting import GIVE_TITLE_BACK, SAVE_TITLE, rings, title_of
from gitbridge_console.console.asking import AskingApp
from gitbridge_console.console.bridge import Fleet
from gitbridge_console.console.keymap import lay_over
from gitbridge_console.console.modes import MODES, import_the_rest
from gitbridge_console.console.screens.base import FleetScreen
from gitbridge_console.console.seen import Seen
from gitbridge_console.console.spans import SPANS
from gitbridge_console.console.style import CSS
from gitbridge_console.console.theme_watch import WATCH_S
from gitbridge_console.console.theming import NO_COLOUR, Theming
from gitbridge_console.console.undo import Undo
from gitbridge_console.console.views.charts import FEWEST_STEPS, steps_known
from gitbridge_console.console.views.fleet import flow_point, flow_rates
from gitbridge_console.operations.roles import Role
from gitbridge_console.settings.opening import Opening

if TYPE_CHECKING:
    from gitbridge_console.domain.history import History
    from gitbridge_console.domain.snapshots import FleetSnapshot
    from gitbridge_console.settings.model import Settings


logger = logging.getLogger(__name__)

LEAVE_AGAIN_S = 0.02
SETTLED_S = 10.0
"""By then all is imported and there to stay. To look through it for garbage held up both threads for a tenth of a second every few
minutes, the more often the more traffic there was.
"""
HISTORY_EVERY_S = 5.0
"""Charts are drawn no more often either."""
FLOW_POINTS = 30
CHANGED_MAX = 1_000


class ConsoleApp(AskingApp):
    """The operator's terminal on a fleet."""

    CSS = CSS
    TITLE = "GitBridge Console"
    ENABLE_COMMAND_PALETTE = False
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = MODES
    DEFAULT_MODE = "pulse"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+c", "quit_console", "Quit", show=False, priority=False)]

    def __init__(
        self,
        fleet: Fleet,
        settings: Settings | Opening,
        *,
        read_only: bool = False,
        role: Role = Role.ADMIN,
        demo: bool = False,
        ascii_mode: bool = False,
        no_color: bool = False,
        refresh_s: float | None = None,
        theme: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        painting: bool = True,
    ) -> None:
        """What is not given comes from the settings; with :class:`Opening` those come with the fleet, after the first frame.

        ``clock`` gives monotonic seconds; ``painting=False`` leaves the timer off: a test paints when it wants to.
        """
        super().__init__(ansi_color=True if no_color else None)
        self.fleet = fleet
        self.settings: Settings | None = None
        self.read_only = read_only
        self.given_role = role
        self.demo = demo
        self.ascii_mode = ascii_mode or settings.console.ascii
        self.no_color = no_color
        self.refresh_s = 1.0 if refresh_s is None else refresh_s
        self._refresh_is_given = refresh_s is not None
        self.clock = clock
        self.frozen = False
        self.snapshot: FleetSnapshot | None = None
        self.seen = Seen()
        self.history: History | None = None
        """What the fleet kept of the past, over :attr:`span`."""
        self._history_asked = -math.inf
        self._past: History | None = None
        """What charts are drawn from, until there is something newer."""
        self.flow: deque[tuple[float, int, int]] = deque(maxlen=FLOW_POINTS)
        """(seconds, events received, events finished) of the last pictures: what the rates of the header come from."""
        self.command_history: list[str] = []
        self.reason_history: list[str] = []
        self.pending_filter = ""
        """What a list is to be narrowed to as soon as it is in front."""
        self.pending_lane = ""
        """Whose work the queue is to show as soon as it is in front."""
        self.span = "15m"
        """How far back charts go."""
        self.undoable: tuple[Undo, float] | None = None
        """What takes the last write back, and until when that is offered, on :attr:`clock`."""
        self.changed: deque[str] = deque(maxlen=CHANGED_MAX)
        """Ids of what the operator changed: that it leaves a list surprises nobody."""
        self.alert_seen = 0
        """Which alert is jumped to next."""
        self.alert_shown = ""
        """Which was jumped to last, by its key: others may come before it meanwhile."""
        self.rings = False
        self.actions: tuple[Action, ...] = ACTIONS
        self.keymap_problems: list[str] = []
        self._leaving: int | None = None
        self._title = ""
        self._painting = painting
        self._timer_generation = 0
        self._seen_at = clock()
        late = isinstance(settings, Opening)
        self.theming = Theming(self, theme or settings.console.theme, no_color=no_color, all_at_once=not late)
        if not isinstance(settings, Opening):
            self._adopt(settings)

    def _adopt(self, settings: Settings) -> None:
        """Take over settings that were checked."""
        self.settings = settings
        self.read_only = self.read_only or settings.read_only
        self.rings = settings.console.bell
        self.actions, self.keymap_problems = lay_over(ACTIONS, settings.keymap)
        if not self._refresh_is_given:
            self.refresh_s = settings.console.refresh_s

    def on_mount(self) -> None:
        """Start painting. The theme is on already: put on now, every style would be made twice."""
        if self._leaving is not None:
            self._leave()
        self.theming.tell()
        if self.settings is not None:
            self._put_keys_on()
        self.restart_timer()
        if self._painting:
            self.call_after_refresh(self._go_on)
        if self._painting and not self.no_color:
            self.set_interval(WATCH_S, self.look_at_themes)

    def _go_on(self) -> None:
        """The first frame is out: what it did not need may be imported now, here and by the fleet."""
        if (shown := getattr(self.fleet, "shown", None)) is not None:
            shown()
        self.theming.look()
        if not gc.isenabled():
            gc.freeze()
            gc.enable()
            self.set_timer(SETTLED_S, gc.freeze)
        self.run_worker(import_the_rest, thread=True, group="imports")

    def _put_keys_on(self) -> None:
        """The operator's own keys, and a word about those that make no sense."""
        self.set_keymap({action.id: action.keys for action in self.actions if action.keys})
        for problem in self.keymap_problems:
            logger.warning("%s", problem)
        if self.keymap_problems:
            self.call_later(self.say, self.keymap_problems[0], "warn")

    def leave(self, code: int) -> None:
        """End with that code; from any thread, at any moment from before it runs until after it has ended."""
        self._leaving = code
        loop: asyncio.AbstractEventLoop | None = getattr(self, "_loop", None)
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        """End as soon as the first screen stands: one that is only being put up would be cut off half-way, which it takes for a fault."""
        if self.screen_stack and self.screen.is_mounted:
            self.exit(self._leaving)
        else:
            self.set_timer(LEAVE_AGAIN_S, self._leave)

    def restart_timer(self) -> None:
        """Paint from now on as often as is wanted now."""
        if not self._painting:
            return
        self._timer_generation += 1
        generation = self._timer_generation

        def tick() -> None:
            if generation == self._timer_generation:
                if not self.frozen and not self.backlog():
                    self.paint()
                self.set_timer(self.refresh_s, tick)

        self.set_timer(min(0.1, self.refresh_s), tick)

    async def on_event(self, event: Event) -> None:
        """Keys and pasted text belong to the bottom row while it asks something.

        They are taken here, where every key comes by in the order it was typed: were the focus moved instead, keys that
        come in one burst would still go to the widget that had it before.
        """
        if isinstance(event, Key | Paste) and event.is_forwarded and isinstance(self.screen, FleetScreen):
            bottom = self.screen.bottom
            if bottom.asking:
                if isinstance(event, Key):
                    bottom.take(event)
                else:
                    bottom.paste(event.text)
                return
            if bottom.holds(event):
                return
        await super().on_event(event)

    def hints(self, scope: str) -> list[tuple[str, str, bool]]:
        """Keys and words for the bottom row of a screen, and whether they are out of use for this operator."""
        role = self.role  # it is worked out anew each time it is asked for
        return [(key, word, bool(action.why_not(role, read_only=self.read_only))) for key, word, action in hints_for(scope, self.actions)]

    def backlog(self) -> int:
        """Frames the terminal has not taken yet; while there are any, painting is skipped so that this loop never blocks."""
        thread = getattr(self._driver, "_writer_thread", None)
        waiting = getattr(thread, "_queue", None)
        return waiting.qsize() if waiting is not None else 0

    def paint(self) -> None:
        """Show the newest picture on the screen in front."""
        if self.snapshot is None and getattr(self.fleet, "failed", None) is not None:
            # There is nothing to show and never will be: whoever started the console says why.
            self._leaving = 1
            self._leave()
            return
        if self.settings is None and (settings := getattr(self.fleet, "settings", None)) is not None:
            self._adopt(settings)
            self._put_keys_on()
        if not self.frozen:
            newest = self.fleet.snapshot
            if newest is not None and newest is not self.snapshot:
                self.seen.add(newest)
                self.flow.append(flow_point(newest))
                self._seen_at = self.clock()
                self._ring(newest)
            self.snapshot = newest
        # At the end screens go before the clock does.
        screen = self.screen if self.screen_stack else None
        if isinstance(screen, FleetScreen) and screen.is_mounted:
            screen.paint(self.snapshot)

    def _ring(self, newest: FleetSnapshot) -> None:
        """The terminal's bell for an alert that was not there before, and its title, where they are wanted."""
        if self.rings and rings(self.snapshot, newest):
            self.bell()
        if (
            self.settings is not None
            and self.settings.console.title
            and (title := title_of(newest.namespace, newest.alerts)) != self._title
        ):
            self._to_terminal(title if self._title else SAVE_TITLE + title)
            self._title = title

    def on_unmount(self) -> None:
        """The terminal's title is given back."""
        if self._title:
            self._to_terminal(GIVE_TITLE_BACK)

    def _to_terminal(self, sequence: str) -> None:
        if self._driver is not None:
            self._driver.write(sequence)

    def look_back(self, screen: FleetScreen) -> History:
        """What charts are drawn from: the fleet's own history, or at first what was seen here.

        The same object until it was asked for anew, every few seconds, or another span is wanted: so long there is nothing to draw.
        """
        if self.clock() - self._history_asked >= HISTORY_EVERY_S and not self.frozen:
            self._history_asked, span = self.clock(), self.span

            def take(found: History) -> None:
                self.history, self._past = found, None

            screen.look(lambda door: door.history(SPANS[span]), take, group="history", about=span)
        if self._past is None:
            known = self.history if steps_known(self.history) >= FEWEST_STEPS else None
            self._past = known or self.seen.history(self.refresh_s)
        return self._past

    def forget_history(self) -> None:
        """Ask anew at once: another span is wanted."""
        self.history, self._past, self._history_asked = None, None, -math.inf

    @property
    def data_age_s(self) -> float:
        """Seconds since the fleet last sent a new picture; more when that one was old already."""
        return self.clock() - self._seen_at + (self.snapshot.store.age_s if self.snapshot else 0.0)

    @property
    def rates(self) -> tuple[float, float] | None:
        """Events in and out per second over the last pictures, ``None`` before there are two."""
        return flow_rates(self.flow[0], self.flow[-1]) if len(self.flow) > 1 else None

    def action_themes(self) -> None:
        """The themes, each put on while the cursor is on it; asked for again, the next one."""
        from gitbridge_console.console.screens.themes import ThemesScreen

        if isinstance(self.screen, ThemesScreen):
            self.screen.action_cursor(1)
        elif self.no_color:
            self.theming.say(NO_COLOUR, "warn")
        else:
            self.push_screen(ThemesScreen())

    def choose_theme(self, name: str) -> bool:
        """Put a theme on by name; ``False``, with the reason in the bottom row, where that cannot be. Ends the chooser."""
        from gitbridge_console.console.screens.themes import ThemesScreen

        if isinstance(self.screen, ThemesScreen) and name in self.theming.files:
            self.pop_screen()
        return self.theming.choose(name)

    def look_at_themes(self) -> None:
        """Take over theme files that changed; not while the terminal lags behind."""
        if not self.backlog() and self.theming.look():
            self.paint()
