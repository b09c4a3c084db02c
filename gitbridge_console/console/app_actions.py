"""What keys do everywhere: modes, freezing, pace, undo, alerts, the shell. The rest is the screens' own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from textual.actions import ActionParseResult
from textual.dom import DOMNode

from gitbridge_console.console import alerting
from gitbridge_console.console.actions import Action, action_called
from gitbridge_console.console.changed_cells import FrugalApp
from gitbridge_console.console.outside import NoTerminal, run_on_terminal, shell_command
from gitbridge_console.console.screens.base import FleetScreen
from gitbridge_console.console.spans import next_span
from gitbridge_console.console.undo import UNDO_S, Undo
from gitbridge_console.operations.roles import Role

if TYPE_CHECKING:
    from gitbridge_console.console.app import ConsoleApp

RATES_S = (0.2, 0.5, 1.0, 2.0, 4.0, 10.0)


class AppActions(FrugalApp):
    """Actions that belong to no screen."""

    @property
    def _console(self) -> ConsoleApp:
        return cast("ConsoleApp", self)

    @property
    def role(self) -> Role:
        """The operator's role as the settings are now, or as it was given."""
        return getattr(self._console.fleet, "role", None) or self._console.given_role

    @property
    def shows_role(self) -> bool:
        """Whether the header says it: where the settings give roles, or it is less than all."""
        settings = self._console.settings
        return self.role is not Role.ADMIN or (settings is not None and settings.roles.given)

    def why_not(self, action: Action) -> str:
        """Why an action is out of use here; empty where it is not. The door decides again, whatever the screen says."""
        return action.why_not(self.role, read_only=self._console.read_only)

    async def run_action(
        self, action: str | ActionParseResult, default_namespace: DOMNode | None = None, namespaces: Mapping[str, DOMNode] | None = None
    ) -> bool:
        """Keys, palette and commands all come by here: what may not be done is said instead."""
        screen = self.screen
        if isinstance(screen, FleetScreen) and isinstance(action, str):
            known = action_called(screen.scope, action, self._console.actions)
            refusal = self.why_not(known) if known is not None else ""
            if known is not None and not refusal and known.write and "all" not in known.scope:
                refusal = screen.doubt()
            if refusal:
                screen.refuse(refusal)
                return True
        return await super().run_action(action, default_namespace, namespaces)

    def say(self, text: str, tone: str = "") -> None:
        """A word in the bottom row of the screen in front."""
        if isinstance(self.screen, FleetScreen):
            self.screen.bottom.say(text, tone)

    def topics(self) -> list[str]:
        """Topics of the documentation."""
        from gitbridge_console.operations.manual import topics

        return list(topics())

    def action_mode(self, name: str) -> None:
        """Go to a mode; inside one, back to its list."""
        if name == self.current_mode:
            while len(self.screen_stack) > 1:
                self.pop_screen()
            if isinstance(self.screen, FleetScreen):
                self.screen.take_over()
        else:
            self.switch_mode(name)

    async def action_back(self) -> None:
        """Up one level, inside the screen first; on top nothing happens but a word about how to quit."""
        if isinstance(self.screen, FleetScreen) and (self.screen.stop_planning() or self.screen.step_back()):
            return
        if len(self.screen_stack) > 1:
            self.pop_screen()
        elif self.current_mode != "pulse":
            self.switch_mode("pulse")
        else:
            self.say("ctrl+c or :q quits", "dim")

    def action_freeze(self) -> None:
        """Hold the display still; the engine runs on."""
        self._console.frozen = not self._console.frozen
        self._console.paint()

    def action_rate(self, step: int) -> None:
        """Paint more or less often."""
        now = self._console.refresh_s
        nearest = min(range(len(RATES_S)), key=lambda n: abs(RATES_S[n] - now))
        self.set_refresh(RATES_S[max(0, min(len(RATES_S) - 1, nearest + step))])

    def set_refresh(self, seconds: float) -> None:
        """Paint every so many seconds, within what is offered."""
        self._console.refresh_s = max(RATES_S[0], min(RATES_S[-1], seconds))
        self._console.restart_timer()
        self._console.paint()

    def action_span(self, step: int) -> None:
        """Charts over a longer or shorter time."""
        self.set_span(next_span(self._console.span, step))

    def set_span(self, span: str) -> None:
        """Charts over that time."""
        self._console.span = span
        self._console.forget_history()
        self.say(f"charts over {span}", "dim")
        self._console.paint()

    def action_alert(self) -> None:
        """To the screen that shows what an alert is about, one alert after the other."""
        snapshot = self._console.snapshot
        alerts = snapshot.alerts if snapshot is not None else ()
        if not alerts:
            self.say("no alert: all is well", "good")
            return
        at = self._console.alert_seen % len(alerts)
        self._console.alert_seen, self._console.alert_shown = at + 1, alerts[at].key
        if alerts[at].jump != self.current_mode and alerts[at].jump in self.MODES:
            self.switch_mode(alerts[at].jump)
        # The screen in front is another one only after the switch.
        self.call_later(self._show_alert, f"alert {at + 1} of {len(alerts)}: ", alerts[at].text)

    def action_acknowledge(self) -> None:
        """Say that the alert that was jumped to has been seen."""
        if isinstance(self.screen, FleetScreen):
            alerting.acknowledge(self.screen)

    def action_silence(self) -> None:
        """Have nobody told of the alert that was jumped to, for a time."""
        if isinstance(self.screen, FleetScreen):
            alerting.silence(self.screen)

    def _show_alert(self, number: str, text: str) -> None:
        """Say it, with the cursor on what it is about."""
        if isinstance(self.screen, FleetScreen):
            self.screen.point_at(text.split(" ", 1)[0].rstrip(":"))
        self.say(number + text, "warn")

    def remember(self, undo: Undo | None) -> None:
        """What takes the last write back; ``None``: nothing does."""
        self._console.undoable = None if undo is None else (undo, self._console.clock() + UNDO_S)

    def action_undo(self) -> None:
        """Take the last write back, while that is still possible."""
        if not isinstance(self.screen, FleetScreen) or not self.screen.may_write():
            return
        undoable, self._console.undoable = self._console.undoable, None
        if undoable is None or self._console.clock() > undoable[1]:
            self.say(f"there is nothing to undo (a write can be taken back for {UNDO_S:.0f} s, if it can at all)", "dim")
        else:
            self.screen.write(undoable[0].run, f"undone: {undoable[0].label}")

    def action_bulk(self) -> None:
        """What runs over many events."""
        from gitbridge_console.console.screens.bulk import BulkScreen

        if not isinstance(self.screen, BulkScreen):
            self.push_screen(BulkScreen())

    def action_redraw(self) -> None:
        """Draw everything anew, whatever the terminal shows now."""
        self.drawn.forget()
        self.refresh(repaint=True, layout=True)
        self.screen.refresh(repaint=True, layout=True)

    def action_mouse(self) -> None:
        """Let the mouse act here, or leave it to the terminal for selecting text."""
        driver = self._driver
        on = not getattr(driver, "_mouse", False)
        if driver is not None and hasattr(driver, "_enable_mouse_support"):
            driver._mouse = True
            driver._enable_mouse_support() if on else driver._disable_mouse_support()  # type: ignore[attr-defined]
            driver._mouse = on
        self.say(f"mouse {'on' if on else 'off'}", "dim")

    def action_shell(self) -> None:
        """Give the terminal to a shell until that ends. Were the process stopped instead, its engine would be, too."""
        try:
            run_on_terminal(self, shell_command(), "GitBridge runs on; exit comes back to it.")
        except NoTerminal as error:
            self.say(str(error), "warn")
        self.action_redraw()

    def action_quit_console(self) -> None:
        """Leave; whoever started the console drains the engine."""
        self.exit(0)
