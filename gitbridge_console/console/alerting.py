"""Alerts on the screen: acknowledged and silenced from here, and told by the terminal's bell and title."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gitbridge_console.console.text import safe
from gitbridge_console.console.widgets.bottom_row import Question

if TYPE_CHECKING:
    from gitbridge_console.console.screens.base import FleetScreen
    from gitbridge_console.domain.snapshots import Alert, FleetSnapshot

SILENCE = "1h"
"""How long, where nobody says otherwise."""

TITLE_MAX = 80
SAVE_TITLE, GIVE_TITLE_BACK = "\x1b[22;2t", "\x1b[23;2t"


def alert_here(screen: FleetScreen, name: str = "") -> str | None:
    """The condition of that name, else the one that was jumped to last, else the first; ``None`` where all is well."""
    alerts = screen.console.snapshot.alerts if screen.console.snapshot is not None else ()
    if name:
        return name
    if not alerts:
        screen.bottom.say("no alert: all is well", "good")
        return None
    shown = screen.console.alert_shown
    if shown and all(alert.key != shown for alert in alerts):
        screen.console.alert_shown = ""
        screen.refuse(f"{shown} is over: nothing is done")
        return None
    return shown or alerts[0].key


def acknowledge(screen: FleetScreen, name: str = "", reason: str = "") -> None:
    """Say that somebody has seen it."""
    if (key := alert_here(screen, name)) is not None:
        screen.write(lambda door: door.ack_alert(key, reason), f"seen: {key}")


def silence(screen: FleetScreen, name: str = "", how_long: str = "", reason: str = "") -> None:
    """Have nobody told of it for a time: how long, and why."""
    if (key := alert_here(screen, name)) is None:
        return

    def ask_why(words: str) -> None:
        from gitbridge_console.domain.filters import duration_s

        try:
            for_s = duration_s(words)
        except ValueError as error:
            screen.bottom.say(str(error), "warn")
            return

        def write(why: str) -> None:
            screen.write(
                lambda door: door.silence_alert(key, for_s, why), f"{key} silenced for {words}" if for_s else f"{key} not silenced"
            )

        if reason or not for_s:
            write(reason)
        else:
            screen.bottom.ask(Question(f"silence {key} for {words}, why?", write, required=True, history=screen.console.reason_history))

    if how_long:
        ask_why(how_long)
    else:
        screen.bottom.ask(Question(f"silence {key} for (0 ends it):", ask_why, text=SILENCE, required=True))


def by_words(screen: FleetScreen, words: list[str]) -> None:
    """``:alerts``, ``:alerts ack NAME REASON``, ``:alerts silence NAME 1h REASON``."""
    word, name, *more = [*words, "", ""]
    action = next((action for action in screen.console.actions if action.id == f"alert.{word}" and action.write), None)
    if not word:
        screen.console.action_mode("fleet")
    elif action is None:
        screen.bottom.say("say alerts ack or alerts silence, and which one", "warn")
    elif refusal := screen.console.why_not(action):
        screen.bottom.say(refusal, "warn")
    elif word == "ack":
        acknowledge(screen, name, " ".join(more).strip())
    else:
        silence(screen, name, more[0], " ".join(more[1:]).strip())


def rings(before: FleetSnapshot | None, now: FleetSnapshot) -> bool:
    """Whether a critical alert is there that was not, and that nobody has seen or silenced."""
    known = {alert.key for alert in before.alerts} if before is not None else set()
    return any(alert.level == "critical" and alert.key not in known and not hushed(alert) for alert in now.alerts)


def hushed(alert: Alert) -> bool:
    """Whether somebody has seen it, or silenced it."""
    return bool(alert.acked_by or alert.silenced_until)


def title_of(namespace: str, alerts: Sequence[Alert]) -> str:
    """The terminal's title, as the sequence that sets it: how many alerts nobody has seen, and the first of them."""
    open_ones = [alert for alert in alerts if not hushed(alert)]
    text = f"({len(open_ones)}!) {open_ones[0].text}" if open_ones else "all well"
    plain = safe(f"{text} - GitBridge {namespace}").encode("ascii", "replace").decode("ascii")
    return f"\x1b]2;{plain[:TITLE_MAX]}\x07"
