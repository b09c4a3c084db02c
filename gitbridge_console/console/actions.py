"""Every named action of the console, once: keys, hints, help and ``:`` commands are made from this table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Action:
    """``method`` is the screen's ``action_<method>``, with ``app.`` in front the application's. ``scope`` names the screens that have it.

    ``danger``: 0 done at once and reversible, 1 asks y/N, 2 wants a name typed.
    """

    id: str
    title: str
    keys: str
    method: str
    scope: tuple[str, ...] = ("all",)
    danger: int = 0
    write: bool = False
    hint: str = ""
    """Short word for the bottom row; empty: only in help."""

    @property
    def shown_keys(self) -> str:
        """Keys as people write them."""
        names = {
            "question_mark": "?",
            "colon": ":",
            "slash": "/",
            "left_square_bracket": "[",
            "right_square_bracket": "]",
            "plus": "+",
            "minus": "-",
            "equals_sign": "=",
        }
        return " ".join(names.get(key, key) for key in self.keys.split(","))


TABLES = ("queue", "providers", "failures", "consensus", "log", "pulse")

ACTIONS: tuple[Action, ...] = (
    Action("mode.pulse", "Pulse: the fleet at a glance", "1", "app.mode('pulse')"),
    Action("mode.queue", "Queue: what waits, in order", "2", "app.mode('queue')"),
    Action("mode.providers", "Providers: health, limits, cost", "3", "app.mode('providers')"),
    Action("mode.failures", "Failures: what went wrong", "4", "app.mode('failures')"),
    Action("mode.consensus", "Consensus: decisions and differences", "5", "app.mode('consensus')"),
    Action("mode.log", "Log: the fleet's events and operators' writes", "6", "app.mode('log')"),
    Action("row.open", "Open the row under the cursor", "enter", "open", TABLES, hint="open"),
    Action("row.down", "Down", "j,down", "cursor(1)", TABLES),
    Action("row.up", "Up", "k,up", "cursor(-1)", TABLES),
    Action("row.page_down", "Page down", "pagedown,ctrl+f", "page(1)", TABLES),
    Action("row.page_up", "Page up", "pageup,ctrl+u", "page(-1)", TABLES),
    Action("row.first", "First row", "g,home", "edge(-1)", TABLES),
    Action("row.last", "Last row", "G,end", "edge(1)", TABLES),
    Action("row.mark", "Mark the row for bulk work", "space", "mark", ("queue", "failures", "consensus")),
    Action("row.sort", "Sort by the next column", "s", "sort", TABLES),
    Action("row.reverse", "Reverse the order", "S", "reverse", TABLES),
    Action("list.filter", "Filter the list; empty clears", "slash", "filter", TABLES, hint="filter"),
    Action(
        "lane.pause",
        "Pause or resume the lane or provider",
        "P",
        "pause",
        ("pulse", "providers", "queue"),
        danger=1,
        write=True,
        hint="pause",
    ),
    Action("priority.raise", "Raise the priority", "plus", "priority(-1)", ("queue", "event"), write=True, hint="raise"),
    Action("priority.lower", "Lower the priority", "minus", "priority(1)", ("queue", "event"), write=True, hint="lower"),
    Action("priority.set", "Set the priority by name", "equals_sign", "priority_set", ("queue", "event"), write=True),
    Action("event.replay", "Replay", "R", "replay", ("failures", "consensus", "event"), danger=1, write=True, hint="replay"),
    Action("event.cancel", "Cancel", "X", "cancel", ("queue", "failures", "consensus", "event"), danger=1, write=True, hint="cancel"),
    Action(
        "decision.approve",
        "Approve what waits for an operator",
        "O",
        "approve",
        ("consensus", "event"),
        danger=1,
        write=True,
        hint="approve",
    ),
    Action(
        "decision.reject", "Reject what waits for an operator", "D", "reject", ("consensus", "event"), danger=1, write=True, hint="reject"
    ),
    Action("event.payload", "Show the payload as received", "p", "payload", ("event",), hint="payload"),
    Action("view.freeze", "Freeze the display; the engine runs on", "f", "app.freeze", hint="freeze"),
    Action("view.faster", "Paint more often", "right_square_bracket", "app.rate(-1)"),
    Action("view.slower", "Paint less often", "left_square_bracket", "app.rate(1)"),
    Action("view.redraw", "Draw everything anew", "ctrl+l", "app.redraw"),
    Action("view.mouse", "Mouse on or off", "m", "app.mouse"),
    Action("view.theme", "Next theme", "ctrl+t", "app.theme"),
    Action("app.command", "Give a command by name", "colon", "command", hint="command"),
    Action("app.help", "Help: every key of this screen", "question_mark", "help", hint="help"),
    Action("app.back", "Back", "escape,q", "app.back"),
    Action("app.quit", "Quit: finish what is in hand first", "ctrl+c,ctrl+q", "app.quit_console"),
)

COMMANDS = {action.id.split(".")[1] if action.id.startswith("mode.") else action.id: action for action in ACTIONS} | {
    word: action
    for action in ACTIONS
    for word in {"app.quit": ("q", "quit"), "app.help": ("help",), "view.freeze": ("freeze",)}.get(action.id, ())
}
"""``:`` commands: modes by their name, everything else by its id."""


def actions_for(scope: str) -> list[Action]:
    """Actions a screen has."""
    return [action for action in ACTIONS if "all" in action.scope or scope in action.scope]


def hints_for(scope: str, *, read_only: bool) -> list[tuple[str, str]]:
    """Keys and words for the bottom row, writes left out where they would be refused."""
    return [
        (action.shown_keys.split(" ")[0], action.hint) for action in actions_for(scope) if action.hint and not (read_only and action.write)
    ]
