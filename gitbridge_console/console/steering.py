"""An operator's writes, asked for with what is at stake: the same for keys and for ``:`` commands.

Each takes a reason where one was given already; else it asks for it. What can be taken back leaves an :class:`Undo`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gitbridge_console.console import planning
from gitbridge_console.console.text import safe
from gitbridge_console.console.undo import Undo
from gitbridge_console.console.views.stakes import healthy_providers, replay_cost, waiting_in
from gitbridge_console.console.views.tables import short_id
from gitbridge_console.console.widgets.bottom_row import Question
from gitbridge_console.domain.bulk import AT_ONCE_MAX, BulkKind, Deed, Selection
from gitbridge_console.domain.events import STAGE_LANES, Priority
from gitbridge_console.domain.timestamps import ms_from_iso

if TYPE_CHECKING:
    from gitbridge_console.console.screens.base import FleetScreen
    from gitbridge_console.console.undo import Write
    from gitbridge_console.domain.snapshots import BreakerWord, FleetSnapshot

JUST_NOW_MS = 3_000
"""Between a look at a lane and the key that is pressed on it."""


def pause_or_resume(screen: FleetScreen, lane: str, snapshot: FleetSnapshot, reason: str = "") -> None:
    """Pause a lane, the last healthy provider only after its name was typed; one that is held already is resumed."""
    if not _resumed(screen, lane, snapshot):
        pause(screen, lane, snapshot, reason)


def pause(screen: FleetScreen, lane: str, snapshot: FleetSnapshot, reason: str = "") -> None:
    """Hold a lane."""
    status = snapshot.lanes.get(lane)
    label = f"pause {lane} ({waiting_in(snapshot, lane)} wait, {status.leased if status else 0} in hand), why?"
    undo = Undo(f"resume {lane}", (lambda door: door.resume([lane]),))

    def write(why: str) -> None:
        screen.write(lambda door: door.pause([lane], why), f"pause {lane}", undo)

    _for_a_reason(screen, lane, snapshot, label, "pause it", write, reason)


def resume(screen: FleetScreen, lane: str, snapshot: FleetSnapshot) -> None:
    """Let a lane go on, at once: a pause can be had again."""
    status = snapshot.lanes.get(lane)
    held = status.paused if status else None
    undo = Undo(f"pause {lane} again", (lambda door: door.pause([lane], held.reason),)) if held is not None else None
    screen.write(lambda door: door.resume([lane]), f"resume {lane}", undo)


def _resumed(screen: FleetScreen, lane: str, snapshot: FleetSnapshot) -> bool:
    """Whether the key meant the other way: the lane is held, and goes on. Not where somebody else held it while this one reached for it."""
    status = snapshot.lanes.get(lane)
    held = (status.paused or status.draining) if status is not None else None
    if held is None:
        return False
    if lane not in screen.console.changed and ms_from_iso(snapshot.at) - ms_from_iso(held.since) < JUST_NOW_MS:
        screen.refuse(f"{lane} was held just now by {safe(held.by)}: {safe(held.reason)}; nothing is done")
    else:
        screen.bottom.hold(f"{lane} goes on")
        resume(screen, lane, snapshot)
    return True


def drain(screen: FleetScreen, provider: str, snapshot: FleetSnapshot, reason: str = "") -> None:
    """Give a provider no new seats; one that drains already gets some again."""
    status = snapshot.lanes.get(provider)
    if status is not None and status.draining is not None and _resumed(screen, provider, snapshot):
        return
    label = f"drain {provider} ({waiting_in(snapshot, provider)} are finished first), why?"
    undo = Undo(f"resume {provider}", (lambda door: door.resume([provider]),))
    _for_a_reason(
        screen,
        provider,
        snapshot,
        label,
        "drain it",
        lambda why: screen.write(lambda door: door.drain(provider, why), f"drain {provider}", undo),
        reason,
    )


def breaker(screen: FleetScreen, provider: str, snapshot: FleetSnapshot, word: BreakerWord | None = None, reason: str = "") -> None:
    """Hold a breaker open; without a word, where something is held against the provider already, reset that."""
    status = snapshot.providers.get(provider)
    if status is None:
        screen.refuse(f"{provider} has no breaker: it is no provider")
        return
    held = status.breaker.state != "closed" or status.state in ("disabled", "limited")
    what: BreakerWord = word or ("reset" if held else "open")
    asks = {
        "open": f"hold the breaker of {provider} open ({status.in_flight} in flight)",
        "close": f"close the breaker of {provider} (now {status.breaker.state})",
        "reset": f"reset {provider} (now {status.state})",
    }
    _for_a_reason(
        screen,
        provider,
        snapshot,
        f"{asks[what]}, why?",
        "hold it open",
        lambda why: screen.write(lambda door: door.breaker(provider, what, why), f"breaker {what} {provider}"),
        reason,
        risky=what == "open",
    )


def failover(screen: FleetScreen, provider: str, snapshot: FleetSnapshot, to: str = "", reason: str = "") -> None:
    """Move what waits for a provider to another one: which, and why."""
    if provider in STAGE_LANES or provider not in snapshot.providers:
        screen.refuse(f"{provider} is no provider: only providers fail over")
        return
    others = [name for name in healthy_providers(snapshot) if name != provider] or [n for n in snapshot.providers if n != provider]
    if not others:
        screen.refuse(f"there is no other provider than {provider}")
        return
    count = waiting_in(snapshot, provider)
    if not count:
        screen.refuse(f"nothing waits for {provider}")
        return

    def ask_why(target: str) -> None:
        target = target or others[0]
        if target == provider or target not in snapshot.providers:
            screen.refuse(f"no other provider {target}: there are {', '.join(others)}")
            return

        def write(why: str) -> None:
            screen.write(lambda door: door.failover(provider, target, why), f"failover {provider} to {target}")

        label = f"move {count} from {provider} to {target}{replay_cost(snapshot, count, (target,))}"
        if reason:
            screen.confirm(label, lambda: write(reason), count=count)
        else:
            screen.bottom.ask(Question(f"{label}, why?", write, required=True, history=screen.console.reason_history))

    if to:
        ask_why(to)
    else:
        screen.bottom.ask(Question(f"move {count} from {provider} to:", ask_why, text=others[0], complete=others))


def failback(screen: FleetScreen, provider: str, snapshot: FleetSnapshot, reason: str = "") -> None:
    """Plan to bring back what failovers by hand took away from a provider."""
    if provider in STAGE_LANES or provider not in snapshot.providers:
        screen.refuse(f"{provider} is no provider: nothing fails over from it, and so nothing comes back")
        return
    planning.plan(screen, Deed(BulkKind.FAILBACK, lane=provider), Selection(), reason)


def replay(screen: FleetScreen, chosen: Selection, snapshot: FleetSnapshot | None, reason: str = "") -> None:
    """Run finished events again, after y/N with count and cost; many, or those of a filter, as a bulk operation."""
    if is_bulk(chosen):
        planning.plan(screen, Deed(BulkKind.REPLAY), chosen, reason)
        return
    names = list(chosen.ids)
    cost = replay_cost(snapshot, len(names)) if snapshot is not None else ""
    screen.confirm(
        f"replay {named(names)}{cost}",
        lambda: screen.write(lambda door: door.replay(names, reason or "from the console"), "replay", about=" ".join(names)),
        count=len(names),
    )


def cancel(screen: FleetScreen, chosen: Selection, reason: str = "") -> None:
    """Cancel unfinished events, after y/N; many, or those of a filter, as a bulk operation."""
    if is_bulk(chosen):
        planning.plan(screen, Deed(BulkKind.CANCEL), chosen, reason)
        return
    names = list(chosen.ids)
    screen.confirm(
        f"cancel {named(names)}",
        lambda: screen.write(lambda door: door.cancel(names, reason or "from the console"), "cancel", about=" ".join(names)),
        count=len(names),
    )


def judge(screen: FleetScreen, event_id: str, *, approve: bool, note: str = "") -> None:
    """Approve or reject what waits for an operator, after y/N."""
    word = "approve" if approve else "reject"
    screen.confirm(
        f"{word} {short_id(event_id)}",
        lambda: screen.write(lambda door: door.approve(event_id, note) if approve else door.reject(event_id, note), word, about=event_id),
    )


def set_priority(screen: FleetScreen, before: dict[str, str], to: Priority) -> None:
    """Give jobs or events a priority class; ``before`` says which each had, which undoing gives back."""
    names = list(before)
    undo = None
    if all(before.values()):
        steps = tuple(_give([name for name in names if before[name] == word], Priority.parse(word)) for word in sorted({*before.values()}))
        undo = Undo(f"{named(names)} to the old priority", steps)
    screen.write(lambda door: door.prioritize(names, to), f"priority {to.label}", undo, about=" ".join(names))


def _give(ids: list[str], to: Priority) -> Write:
    return lambda door: door.prioritize(ids, to)


def ask_priority(screen: FleetScreen, before: dict[str, str], chosen: Selection | None = None) -> None:
    """Ask for a priority by name and set it; to many as a bulk operation."""
    words = [priority.label for priority in Priority]
    many = chosen if chosen is not None and is_bulk(chosen) else None

    def set_it(word: str) -> None:
        try:
            to = Priority.parse(word)
        except ValueError as error:
            screen.refuse(str(error))
            return
        if many is not None:
            planning.plan(screen, Deed(BulkKind.PRIORITIZE, to=to.label), many)
        else:
            set_priority(screen, before, to)

    whose = named(list(before)) if many is None else many.words
    screen.bottom.ask(Question(f"priority of {whose} ({', '.join(words)}):", set_it, complete=words))


def move(screen: FleetScreen, lane: str, chosen: Selection, snapshot: FleetSnapshot) -> None:
    """Move the chosen tasks of a provider to another one, planned first."""
    others = [name for name in healthy_providers(snapshot) if name != lane] or [n for n in snapshot.providers if n != lane]
    if lane not in snapshot.providers or not others:
        screen.refuse(f"{lane} is no provider with another one beside it: only tasks of providers move")
        return

    def go(target: str) -> None:
        planning.plan(screen, Deed(BulkKind.FAILOVER, to=target or others[0], lane=lane), chosen)

    screen.bottom.ask(Question(f"move {chosen.words} from {lane} to:", go, text=others[0], complete=others))


def is_bulk(chosen: Selection) -> bool:
    """Whether the fleet has to do it: what a filter finds, or more than is done in one call."""
    return not chosen.ids or len(chosen.ids) > AT_ONCE_MAX


def next_priority(now: str, step: int) -> Priority | None:
    """The class ``step`` below (above: negative) ``now``; ``None`` at either end."""
    classes = list(Priority)
    at = classes.index(Priority.parse(now)) + step
    return classes[at] if 0 <= at < len(classes) else None


def named(ids: Sequence[str]) -> str:
    """One by its id, several by their number."""
    return short_id(ids[0]) if len(ids) == 1 else f"{len(ids)} events"


def _for_a_reason(
    screen: FleetScreen,
    name: str,
    snapshot: FleetSnapshot,
    label: str,
    deed: str,
    write: Callable[[str], None],
    reason: str,
    *,
    risky: bool = True,
) -> None:
    """Ask why unless that was said; about the last healthy provider only after its name was typed."""
    question = Question(label, write, required=True, history=screen.console.reason_history)

    def go_on() -> None:
        if reason:
            write(reason)
        else:
            screen.bottom.ask(question)

    if risky and healthy_providers(snapshot) == [name]:
        text = f"{name} is the last healthy provider. Type {name} to {deed}:"
        screen.bottom.ask(Question(text, lambda _: go_on(), wanted=name))
    else:
        go_on()
