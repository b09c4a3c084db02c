"""``:`` commands, in the words of the command line; each stands for an action of the table and obeys the same rules."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitbridge_console.console import alerting, planning, steering
from gitbridge_console.console.actions import ACTIONS, Action
from gitbridge_console.console.completing import known_words
from gitbridge_console.console.spans import SPANS
from gitbridge_console.console.text import safe
from gitbridge_console.domain.bulk import Selection
from gitbridge_console.domain.events import STAGE_LANES, Priority

if TYPE_CHECKING:
    from gitbridge_console.console.screens.base import FleetScreen
    from gitbridge_console.domain.snapshots import BreakerWord, FleetSnapshot


class Unusable(Exception):
    """A command that cannot be given like this; one line that says how."""


@dataclass(frozen=True, slots=True)
class Command:
    """``word`` as typed, ``usage`` what follows it, ``action`` the action it stands for, ``takes`` what completes each argument."""

    word: str
    usage: str
    title: str
    action: str
    run: Callable[[FleetScreen, list[str]], None]
    takes: tuple[str, ...] = ()


def _mode(name: str) -> Callable[[FleetScreen, list[str]], None]:
    def run(screen: FleetScreen, words: list[str]) -> None:
        screen.console.pending_filter = " ".join(words).removeprefix("/")
        screen.console.action_mode(name)

    return run


def _snapshot(screen: FleetScreen) -> FleetSnapshot:
    if screen.console.snapshot is None:
        raise Unusable("there is no picture of the fleet yet")
    return screen.console.snapshot


def _lane(screen: FleetScreen, words: list[str], *, stages: bool = True) -> tuple[str, str, FleetSnapshot]:
    """The lane that is named first, or the one under the cursor, and the rest as one text."""
    snapshot = _snapshot(screen)
    names = [*snapshot.providers, *(STAGE_LANES if stages else ())]
    if words and words[0] in names:
        return words[0], " ".join(words[1:]), snapshot
    if doubt := screen.doubt():
        raise Unusable(doubt)
    here = screen.lane_here()
    if words and (near := difflib.get_close_matches(words[0], names, 1, 0.75)):
        raise Unusable(f"no lane {words[0]}, did you mean {near[0]}?")
    if here is None or here not in names:
        raise Unusable(f"name one of {', '.join(names)}")
    return here, " ".join(words), snapshot


def _ids(screen: FleetScreen, words: list[str]) -> tuple[list[str], str]:
    """Ids that are named first, else those marked here, and the rest as one text."""
    count = next((n for n, word in enumerate(words) if not _is_id(word)), len(words))
    if not count and (doubt := screen.doubt()):
        raise Unusable(doubt)
    ids = words[:count] or screen.events_here()
    if not ids:
        raise Unusable("name an event by its id, or put the cursor on one")
    return ids, " ".join(words[count:])


def _is_id(word: str) -> bool:
    """Ids are hexadecimal and hold a digit; words of a reason hardly ever do both."""
    head = word.partition(".")[0]
    return any(char.isdigit() for char in head) and all(char in "0123456789abcdef" for char in head)


def _pause(screen: FleetScreen, words: list[str]) -> None:
    lane, reason, snapshot = _lane(screen, words)
    steering.pause(screen, lane, snapshot, reason)


def _resume(screen: FleetScreen, words: list[str]) -> None:
    lane, _, snapshot = _lane(screen, words)
    steering.resume(screen, lane, snapshot)


def _drain(screen: FleetScreen, words: list[str]) -> None:
    lane, reason, snapshot = _lane(screen, words, stages=False)
    steering.drain(screen, lane, snapshot, reason)


def _failover(screen: FleetScreen, words: list[str]) -> None:
    provider, rest, snapshot = _lane(screen, words, stages=False)
    to, _, reason = rest.partition(" ")
    if to == "back":
        steering.failback(screen, provider, snapshot, reason.strip())
        return
    if to not in snapshot.providers:
        to, reason = "", rest
    steering.failover(screen, provider, snapshot, to, reason.strip())


def _breaker(screen: FleetScreen, words: list[str]) -> None:
    provider, rest, snapshot = _lane(screen, words, stages=False)
    word, _, reason = rest.partition(" ")
    known: dict[str, BreakerWord] = {"open": "open", "close": "close", "reset": "reset"}
    if word and word not in known:
        raise Unusable("say open, close or reset")
    steering.breaker(screen, provider, snapshot, known.get(word), reason.strip())


def _health(screen: FleetScreen, words: list[str]) -> None:
    provider, _, _ = _lane(screen, words, stages=False)
    screen.check_provider(provider)


def _prioritize(screen: FleetScreen, words: list[str]) -> None:
    ids, word = _ids(screen, words)
    before = {name: screen.priorities_here().get(name, "") for name in ids}
    if not word:
        steering.ask_priority(screen, before)
        return
    try:
        to = Priority.parse(word.removeprefix("--to").strip())
    except ValueError as error:
        raise Unusable(str(error)) from None
    steering.set_priority(screen, before, to)


def _chosen(screen: FleetScreen, words: list[str]) -> tuple[Selection, str]:
    """What a filter at the beginning finds, or else ids that are named or marked; and the rest as one text."""
    count = next((n for n, word in enumerate(words) if "=" not in word), len(words))
    if count:
        return Selection(" ".join(shlex.quote(word) if " " in word else word for word in words[:count])), " ".join(words[count:])
    if not words and (doubt := screen.doubt()):
        raise Unusable(doubt)
    if not words and (marked := screen.selection_here()) is not None:
        return marked, ""
    ids, rest = _ids(screen, words)
    return Selection(ids=tuple(ids)), rest


def _replay(screen: FleetScreen, words: list[str]) -> None:
    chosen, reason = _chosen(screen, words)
    steering.replay(screen, chosen, screen.console.snapshot, reason)


def _cancel(screen: FleetScreen, words: list[str]) -> None:
    chosen, reason = _chosen(screen, words)
    steering.cancel(screen, chosen, reason)


def _flush(screen: FleetScreen, words: list[str]) -> None:
    lane, reason, snapshot = _lane(screen, words)
    planning.flush(screen, lane, snapshot, reason)


def _bulk(screen: FleetScreen, words: list[str]) -> None:
    screen.console.action_bulk()


def _judge(approve: bool) -> Callable[[FleetScreen, list[str]], None]:
    def run(screen: FleetScreen, words: list[str]) -> None:
        ids, note = _ids(screen, words)
        if len(ids) != 1:
            raise Unusable("one at a time: each is a decision of its own")
        steering.judge(screen, ids[0], approve=approve, note=note)

    return run


def _event(screen: FleetScreen, words: list[str]) -> None:
    ids, _ = _ids(screen, words)
    screen.open_event(ids[0])


def _provider(screen: FleetScreen, words: list[str]) -> None:
    name, _, _ = _lane(screen, words, stages=False)
    screen.open_provider(name)


def _filter(screen: FleetScreen, words: list[str]) -> None:
    screen.set_filter(" ".join(words))


def _filters(screen: FleetScreen, words: list[str]) -> None:
    name = words[1] if len(words) > 1 else ""
    text = " ".join(words[2:]) or getattr(screen, "filter", "")
    if not name or words[0] not in ("save", "drop"):
        raise Unusable("say save NAME (what is filtered by here), or drop NAME; @NAME in a filter stands for it")
    if words[0] == "drop":
        screen.write(lambda door: door.drop_filter(name), f"drop filter {name}")
    elif not text:
        raise Unusable("nothing is filtered by here: / narrows the list first")
    else:
        screen.write(lambda door: door.save_filter(name, text), f"save filter {name}")


def _theme(screen: FleetScreen, words: list[str]) -> None:
    if words:
        screen.console.choose_theme(words[0])
    else:
        screen.console.action_themes()


def _span(screen: FleetScreen, words: list[str]) -> None:
    if not words or words[0] not in SPANS:
        raise Unusable(f"say one of {', '.join(SPANS)}")
    screen.console.set_span(words[0])


def _refresh(screen: FleetScreen, words: list[str]) -> None:
    try:
        seconds = float((words or [""])[0].removesuffix("s"))
    except ValueError:
        raise Unusable("say how many seconds, as in refresh 2") from None
    screen.console.set_refresh(seconds)


COMMANDS: tuple[Command, ...] = (
    Command("pulse", "", "the fleet at a glance", "mode.pulse", _mode("pulse")),
    Command("queue", "[FILTER]", "what waits, in order", "mode.queue", _mode("queue"), ("filter",)),
    Command("providers", "[WORDS]", "health, limits, cost", "mode.providers", _mode("providers")),
    Command("failures", "[FILTER]", "what went wrong", "mode.failures", _mode("failures"), ("filter",)),
    Command("consensus", "[FILTER]", "decisions and differences", "mode.consensus", _mode("consensus"), ("filter",)),
    Command("decisions", "[FILTER]", "as consensus", "mode.consensus", _mode("consensus"), ("filter",)),
    Command("log", "[WORDS]", "the fleet's events and operators' writes", "mode.log", _mode("log")),
    Command("audit", "[WORDS]", "as log", "mode.log", _mode("log")),
    Command("fleet", "", "engines, store, settings", "mode.fleet", _mode("fleet")),
    Command("docs", "[TOPIC]", "the documentation", "mode.docs", _mode("docs"), ("topic",)),
    Command("event", "ID", "open an event", "row.open", _event),
    Command("provider", "PROVIDER", "open a provider", "row.open", _provider, ("provider",)),
    Command("filter", "[FILTER]", "narrow this list", "list.filter", _filter, ("filter",)),
    Command("filters", "save|drop NAME", "keep this filter under a name", "list.filter", _filters),
    Command("pause", "[LANE] [REASON]", "hold a lane", "lane.pause", _pause, ("lane",)),
    Command("resume", "[LANE]", "let it go on", "lane.pause", _resume, ("lane",)),
    Command("drain", "[PROVIDER] [REASON]", "no new seats; what waits is finished", "provider.drain", _drain, ("provider",)),
    Command("failover", "[PROVIDER] [TO|back] [REASON]", "move what waits", "provider.failover", _failover, ("provider", "provider")),
    Command("breaker", "[PROVIDER] open|close|reset", "its circuit breaker", "provider.breaker", _breaker, ("provider", "breaker")),
    Command("health", "[PROVIDER]", "ask it now", "provider.check", _health, ("provider",)),
    Command("prioritize", "[ID...] [PRIORITY]", "another priority, the same age", "priority.set", _prioritize, ("priority",)),
    Command("replay", "[ID...|FILTER] [REASON]", "run again", "event.replay", _replay, ("filter",)),
    Command("cancel", "[ID...|FILTER] [REASON]", "end it", "event.cancel", _cancel, ("filter",)),
    Command("flush", "[LANE] [REASON]", "cancel all that waits", "lane.flush", _flush, ("lane",)),
    Command("bulk", "", "plans, bars, what came of them", "app.bulk", _bulk),
    Command("approve", "[ID] [NOTE]", "approve and post", "decision.approve", _judge(True)),
    Command("reject", "[ID] [NOTE]", "end it without posting", "decision.reject", _judge(False)),
    Command("alerts", "[ack|silence] [ALERT] [1h] [REASON]", "see them all, say one was seen, hush it", "mode.fleet", alerting.by_words),
    Command("theme", "[NAME]", "another look", "view.themes", _theme, ("theme",)),
    Command("span", "|".join(SPANS), "how far back charts go", "chart.longer", _span, ("span",)),
    Command("refresh", "SECONDS", "how often is painted", "view.slower", _refresh),
)  # fmt: skip
"""Besides these every action can be given by its id, and by the words of :data:`WORDS`."""

WORDS = {"q": "app.quit", "quit": "app.quit", "help": "app.help", "freeze": "view.freeze", "undo": "app.undo", "doctor": "app.doctor"}
BY_WORD = {command.word: command for command in COMMANDS}


def run_command(screen: FleetScreen, text: str, actions: Sequence[Action] = ACTIONS) -> None:
    """Do what was typed after ``:``.

    Raises:
        Unusable: there is no such command, or not like this.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise Unusable(f"{str(error).lower()}: {safe(text)}") from None
    if not words:
        return
    word, *rest = words
    by_id = {action.id: action for action in actions}
    command = BY_WORD.get(word)
    action = by_id.get(command.action if command else WORDS.get(word, word))
    if action is None:
        near = difflib.get_close_matches(word, [*BY_WORD, *WORDS, *by_id], 1)
        raise Unusable(f"no command {safe(word)}" + (f", did you mean {near[0]}?" if near else ": ctrl+p finds them"))
    if refusal := screen.console.why_not(action):
        raise Unusable(refusal)
    if command is not None:
        command.run(screen, rest)
    elif "all" not in action.scope and screen.scope not in action.scope:
        raise Unusable(f"{word} works on: {', '.join(action.scope)}")
    else:
        screen.do(action)


def completions(screen: FleetScreen, text: str) -> list[str]:
    """Whole lines that begin with what was typed."""
    before, space, last = text.rpartition(" ")
    words = before.split()
    if not space:
        return sorted(word for word in {*BY_WORD, *WORDS, *(action.id for action in ACTIONS)} if word.startswith(text))
    command = BY_WORD.get(words[0]) if words else None
    if command is None or not command.takes:
        return []
    what = command.takes[min(len(words) - 1, len(command.takes) - 1)]
    if len(words) - 1 >= len(command.takes) and what != "filter":
        return []
    return [f"{before} {word}" for word in known_words(screen, what, last) if word.startswith(last)]
