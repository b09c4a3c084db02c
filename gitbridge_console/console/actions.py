"""Every named action of the console, once: keys, hints, help, palette and ``:`` commands are made from this table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gitbridge_console.operations.roles import Role, least_role

NAMES = {
    "question_mark": "?",
    "colon": ":",
    "slash": "/",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "plus": "+",
    "minus": "-",
    "equals_sign": "=",
    "asterisk": "*",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "comma": ",",
    "full_stop": ".",
    "exclamation_mark": "!",
    "number_sign": "#",
    "at": "@",
    "underscore": "_",
    "semicolon": ";",
    "apostrophe": "'",
    "backslash": "\\",
    "tilde": "~",
}
"""Signs that the library has names for."""


class Action(NamedTuple):
    """``method`` is the screen's ``action_<method>``, with ``app.`` in front the application's. ``scope`` names the screens that have it.

    ``danger``: 0 done at once and reversible, 1 asks y/N, 2 wants a name typed. ``keys``: empty for what is only a command.
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
        return " ".join(NAMES.get(key, key) for key in self.keys.split(","))

    def why_not(self, role: Role, *, read_only: bool) -> str:
        """Why it is out of use for somebody with that role, in one line; empty where it is not."""
        if not self.write:
            return ""
        if read_only:
            return "read-only: not done"
        least = least_role(OPERATIONS.get(self.id, self.id))
        return f"needs the role {least.word}, yours is {role.word}: {self.title.partition(':')[0].lower()}" if role < least else ""


TABLES = ("queue", "providers", "failures", "consensus", "log", "pulse", "fleet", "docs", "bulk", "groups")
PAGES = ("event", "provider", "help")
ALL = (*TABLES, *PAGES, "themes", "palette")
LISTS = ("queue", "failures", "consensus")
STEERED = ("pulse", "providers", "provider", "queue")
JUDGED = ("consensus", "event")

ACTIONS: tuple[Action, ...] = (
    Action("mode.pulse", "Pulse: the fleet at a glance", "1", "app.mode('pulse')"),
    Action("mode.queue", "Queue: what waits, in order", "2", "app.mode('queue')"),
    Action("mode.providers", "Providers: health, limits, cost", "3", "app.mode('providers')"),
    Action("mode.failures", "Failures: what went wrong", "4", "app.mode('failures')"),
    Action("mode.consensus", "Consensus: decisions and differences", "5", "app.mode('consensus')"),
    Action("mode.log", "Log: the fleet's events and operators' writes", "6", "app.mode('log')"),
    Action("mode.fleet", "Fleet: engines, store, settings", "7", "app.mode('fleet')"),
    Action("mode.docs", "Docs: the documentation", "8", "app.mode('docs')"),
    Action("alert.jump", "To what the first alert is about; again: the next one", "a", "app.alert", hint="alert"),
    Action("app.bulk", "Bulk operations: plans, bars, what came of them", "b", "app.bulk"),
    Action("alert.ack", "Acknowledge the alert that was shown: it was seen", "K", "app.acknowledge", write=True),
    Action("alert.silence", "Silence the alert that was shown, for a time", "H", "app.silence", write=True),
    Action("row.open", "Open the row under the cursor", "enter", "open", (*TABLES, "palette"), hint="open"),
    Action("theme.keep", "Keep the theme; esc takes it off", "enter", "open", ("themes",), hint="keep"),
    Action("row.down", "Down", "j,down", "cursor(1)", ALL),
    Action("row.up", "Up", "k,up", "cursor(-1)", ALL),
    Action("row.page_down", "Page down", "pagedown,ctrl+f", "page(1)", ALL),
    Action("row.page_up", "Page up", "pageup,ctrl+u", "page(-1)", ALL),
    Action("row.first", "To the top", "g,home", "edge(-1)", ALL),
    Action("row.last", "To the end", "G,end", "edge(1)", ALL),
    Action("finding.open", "Open the finding, or close it", "enter", "open", ("event",), hint="open"),
    Action("answer.next", "The next provider's original answer, then the consensus", "tab", "answer(1)", ("event",), hint="answers"),
    Action("answer.show", "Consensus, or the original answer", "o", "original", ("event",)),
    Action("finding.mark", "Mark the finding", "space", "mark", ("event",)),
    Action("finding.fold", "Fold or unfold what is unconfirmed or unsupported", "z", "fold", ("event",)),
    Action("row.trouble", "Next row in trouble", "n", "trouble", TABLES),
    Action("row.pane", "Next provider, or the other pane", "tab", "pane", TABLES),
    Action("provider.next", "The next provider", "tab", "next", ("provider",), hint="next"),
    Action("row.mark", "Mark the row for bulk work", "space", "mark", LISTS),
    Action("row.range", "Begin a range of marks, or end it", "v", "mark_range", LISTS),
    Action("row.mark_all", "Mark all rows that match, or none", "asterisk", "mark_all", LISTS),
    Action("column.next", "Pick the next column", "l,right", "column(1)", TABLES),
    Action("column.previous", "Pick the previous column", "h,left", "column(-1)", TABLES),
    Action("row.sort", "Sort by the picked column, again to undo", "s", "sort", TABLES),
    Action("row.reverse", "Reverse the order", "S", "reverse", TABLES),
    Action("list.filter", "Filter: state= kind= provider= error= repo= since= words", "slash", "filter", TABLES, hint="filter"),
    Action("page.find", "Find a text on this page", "slash", "find", PAGES, hint="find"),
    Action("page.find_next", "The next place it stands", "n", "find_next", PAGES),
    Action("row.copy", "Copy the row or page to the terminal's clipboard (OSC 52)", "y", "copy", (*TABLES, *PAGES)),
    Action("row.file", "Write what is listed here to a file", "w", "write_file", (*TABLES, *PAGES)),
    Action("log.follow", "Follow: stay at the newest line", "t", "follow", ("log",), hint="follow"),
    Action("log.level", "Show all levels, warnings, or errors only", "i", "level", ("log",), hint="level"),
    Action("lane.pause", "Pause or resume the lane or provider", "P", "pause", STEERED, danger=2, write=True, hint="pause"),
    Action(
        "provider.failover",
        "Fail over: move what waits for it to another provider",
        "F",
        "failover",
        STEERED,
        danger=1,
        write=True,
        hint="failover",
    ),
    Action("provider.failback", "Take back what a failover moved away from it", "T", "failback", STEERED, danger=1, write=True),
    Action("provider.drain", "Drain: no new seats, what waits is finished", "D", "drain", ("providers", "provider"), danger=2, write=True),
    Action(
        "provider.check", "Ask the provider now whether it is well; costs no tokens", "c", "check", ("providers", "provider"), hint="check"
    ),
    Action(
        "provider.breaker",
        "Breaker: hold it open, or reset what is held against",
        "B",
        "breaker",
        ("providers", "provider"),
        danger=2,
        write=True,
        hint="breaker",
    ),
    Action("lane.flush", "Flush: cancel all that waits in the lane", "X", "flush", ("queue", "pulse"), danger=2, write=True),
    Action("queue.failover", "Move the marked tasks to another provider", "M", "move", ("queue",), danger=1, write=True),
    Action("bulk.apply", "Set a planned operation to work", "A", "apply", ("bulk",), danger=1, write=True, hint="apply"),
    Action("bulk.pause", "Pause the operation, or let it go on", "P", "pause", ("bulk",), write=True, hint="pause"),
    Action("bulk.cancel", "End the operation where it stands", "C", "cancel", ("bulk",), danger=1, write=True, hint="cancel"),
    Action("finding.accept", "Accept the finding, or the marked ones", "A", "edit('accept')", ("event",), write=True, hint="accept"),
    Action("finding.dismiss", "Dismiss the finding, or the marked ones", "D", "edit('dismiss')", ("event",), write=True, hint="dismiss"),
    Action("finding.undo", "Undo: take accept or dismiss back", "U", "edit('restore')", ("event",), write=True),
    Action("finding.severity", "Edit the severity of the finding", "E", "severity", ("event",), write=True, hint="severity"),
    Action("finding.join", "Join the marked findings into one", "J", "edit('join')", ("event",), write=True, hint="join"),
    Action("finding.split", "Split the finding, one for each provider", "X", "edit('split')", ("event",), write=True, hint="split"),
    Action("decision.approve", "Approve and post what waits for an operator", "O", "approve", JUDGED, danger=1, write=True, hint="approve"),
    Action("decision.reject", "Reject: end it without posting", "N", "reject", JUDGED, danger=1, write=True, hint="reject"),
    Action("decision.verdict", "Choose another verdict", "V", "verdict", ("event",), danger=1, write=True, hint="verdict"),
    Action("failures.groups", "Groups: dead letters by error, panel and kind", "d", "groups", ("failures",), hint="groups"),
    Action("event.replay", "Replay", "R", "replay", ("failures", "consensus", "event"), danger=1, write=True, hint="replay"),
    Action("event.cancel", "Cancel", "C", "cancel", (*LISTS, "event"), danger=1, write=True, hint="cancel"),
    Action("priority.raise", "Raise the priority", "plus", "priority(-1)", ("queue", "event"), write=True, hint="raise"),
    Action("priority.lower", "Lower the priority", "minus", "priority(1)", ("queue", "event"), write=True, hint="lower"),
    Action("priority.set", "Set the priority by name", "equals_sign", "priority_set", ("queue", "event"), write=True),
    Action("app.undo", "Undo the last reversible write", "u", "app.undo", write=True),
    Action(
        "event.edit",
        "Hand it in again with another panel or priority",
        "W",
        "hand_in",
        ("event",),
        danger=1,
        write=True,
    ),
    Action("event.payload", "Show the payload as received", "p", "payload", ("event",), hint="payload"),
    Action("event.editor", "In $EDITOR: what would be posted, or else the payload", "e", "editor", ("event",)),
    Action("chart.shorter", "Charts over a shorter time", "less_than_sign,comma", "app.span(-1)"),
    Action("chart.longer", "Charts over a longer time, up to 24 hours", "greater_than_sign,full_stop", "app.span(1)"),
    Action("chart.next", "Other charts", "z", "charts", ("pulse",), hint="charts"),
    Action("view.freeze", "Freeze the display; the engine runs on", "f", "app.freeze", hint="freeze"),
    Action("view.faster", "Paint more often", "right_square_bracket", "app.rate(-1)"),
    Action("view.slower", "Paint less often", "left_square_bracket", "app.rate(1)"),
    Action("view.redraw", "Draw everything anew", "ctrl+l", "app.redraw"),
    Action("view.mouse", "Mouse on or off", "m", "app.mouse"),
    Action("view.themes", "Themes: tried while the cursor is on them", "ctrl+t", "app.themes"),
    Action("app.doctor", "Doctor: settings, store, providers, terminal", "", "doctor"),
    Action("app.suspend", "A shell here; exit comes back, the engine runs on", "ctrl+z", "app.shell"),
    Action("app.palette", "Find an action or command by name", "ctrl+p", "palette"),
    Action("app.command", "Give a command, in the words of the command line", "colon", "command", hint="command"),
    Action("app.help", "Help: every key of this screen", "question_mark", "help", hint="help"),
    Action("app.back", "Back", "escape,q", "app.back"),
    Action("app.quit", "Quit: finish what is in hand first", "ctrl+c,ctrl+q", "app.quit_console"),
)


OPERATIONS = {
    "alert.ack": "alerts",
    "alert.silence": "alerts",
    "lane.pause": "pause",
    "provider.failover": "failover",
    "provider.failback": "bulk",
    "provider.drain": "drain",
    "provider.breaker": "breaker",
    "finding.accept": "decision",
    "finding.dismiss": "decision",
    "finding.undo": "decision",
    "finding.severity": "decision",
    "finding.join": "decision",
    "finding.split": "decision",
    "decision.approve": "approve",
    "decision.reject": "reject",
    "decision.verdict": "decision",
    "event.replay": "replay",
    "event.cancel": "cancel",
    "event.edit": "replay",
    "lane.flush": "bulk flush",
    "queue.failover": "bulk",
    "bulk.apply": "bulk",
    "bulk.pause": "bulk",
    "bulk.cancel": "bulk",
    "priority.raise": "prioritize",
    "priority.lower": "prioritize",
    "priority.set": "prioritize",
    "app.undo": "undo",
}
"""What each writing action is called in the table of roles, :data:`~gitbridge_console.operations.roles.LEAST`; one that is not here is the
admin's."""


def actions_for(scope: str, actions: Sequence[Action] = ACTIONS) -> list[Action]:
    """Actions a screen has."""
    return [action for action in actions if "all" in action.scope or scope in action.scope]


def action_called(scope: str, method: str, actions: Sequence[Action] = ACTIONS) -> Action | None:
    """The action a screen has for a method, as it stands in the table."""
    return next((action for action in actions_for(scope, actions) if action.method == method), None)


def hints_for(scope: str, actions: Sequence[Action] = ACTIONS) -> list[tuple[str, str, Action]]:
    """Keys and words for the bottom row, and what they do."""
    return [(action.shown_keys.split(" ")[0], action.hint, action) for action in actions_for(scope, actions) if action.hint]
