"""When a condition of the alerts row becomes a message, as a rule of data: no clock, no store, no network.

A condition is told when it has lasted ``open_after_s`` and ended when it has been gone for ``close_after_s``; between two
messages about the same condition lies ``interval_s``, whatever it does meanwhile. So a flapping provider is opened once and,
when it has been quiet, closed once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import Field

from gitbridge_console.domain.snapshots import Alert, View

CONDITIONS_MAX = 200
"""Conditions that are followed; at the limit new ones wait until others are over."""

OUTBOX_MAX = 100
"""Messages that wait for delivery; at the limit the oldest is given up, and counted."""

TEXT_MAX = 500
"""Characters of a condition's text that are kept and told."""

SILENCE_MAX_S = 30 * 86_400.0
"""A silence lasts at most so long."""

CLOCK_SLACK_S = 86_400.0
"""A silence that seems to last longer than one can, by more than this, was made while the store's clock was wrong: it is over."""

MessageKind = Literal["open", "worse", "reminder", "close", "test"]


class Condition(View):
    """One condition that is there, or was until lately. Times in milliseconds of the store's clock."""

    key: str
    level: str
    text: str
    since_ms: int
    """When it was first seen."""
    gone_ms: int | None = None
    """Since when it is not there any more."""
    told: str = ""
    """The level it was told with; empty: nobody was told."""
    told_ms: int = 0
    """When the last message about it was made."""


class Message(View):
    """One message about one condition. ``due_ms`` says for each target that has not taken it when it is tried next."""

    id: str
    key: str
    kind: MessageKind
    level: str
    text: str
    at_ms: int
    since_ms: int
    due_ms: dict[str, int] = Field(default_factory=dict)
    tries: dict[str, int] = Field(default_factory=dict)


class TargetState(View):
    """How a target took what it was sent."""

    delivered: int = 0
    given_up: int = 0
    last_ok_ms: int = 0
    last_error: str = ""
    last_error_ms: int = 0


class AlertBook(View):
    """All that the fleet remembers of its alerts, written by one deliverer at a time."""

    conditions: tuple[Condition, ...] = ()
    outbox: tuple[Message, ...] = ()
    targets: dict[str, TargetState] = Field(default_factory=dict)
    next_id: int = 1


class Rules(View):
    """The times that decide, in seconds, and the least level that is told."""

    open_after_s: float
    close_after_s: float
    interval_s: float
    repeat_s: float
    least_level: str


class Silence(View):
    """Nobody is told of a condition until then."""

    until_ms: int
    by: str
    reason: str = ""


def named_by(name: str, key: str) -> bool:
    """Whether an operator who says ``name`` means that condition: by its whole name, or by its code."""
    return name in (key, key.partition(":")[0])


def silenced(key: str, silences: Mapping[str, Silence], now_ms: int) -> Silence | None:
    """The silence a condition is under."""
    return next((one for name, one in silences.items() if named_by(name, key) and in_force(one, now_ms)), None)


def in_force(silence: Silence, now_ms: int) -> bool:
    """Whether a silence holds."""
    return now_ms < silence.until_ms <= now_ms + (SILENCE_MAX_S + CLOCK_SLACK_S) * 1000


def _not_ahead(book: AlertBook, now_ms: int) -> AlertBook:
    """The book without times to come: a clock that was ahead and was set right would keep everybody waiting for as long as it was."""

    def past(condition: Condition) -> Condition:
        if max(condition.since_ms, condition.told_ms, condition.gone_ms or 0) <= now_ms:
            return condition
        gone_ms = None if condition.gone_ms is None else min(condition.gone_ms, now_ms)
        times = {"since_ms": min(condition.since_ms, now_ms), "told_ms": min(condition.told_ms, now_ms), "gone_ms": gone_ms}
        return condition.model_copy(update=times)

    def due(message: Message) -> Message:
        if message.at_ms <= now_ms:
            return message
        return message.model_copy(update={"at_ms": now_ms, "due_ms": dict.fromkeys(message.due_ms, now_ms)})

    return book.model_copy(update={"conditions": tuple(map(past, book.conditions)), "outbox": tuple(map(due, book.outbox))})


def step(
    book: AlertBook,
    strict: Iterable[Alert],
    relaxed: Iterable[Alert],
    now_ms: int,
    rules: Rules,
    *,
    targets: Iterable[str],
    silences: Mapping[str, Silence],
    acked: Iterable[str],
) -> AlertBook:
    """The book a moment later.

    A condition begins where ``strict`` has it, and goes on while ``relaxed``, the same with lower thresholds, does. ``targets`` are
    told; where there are none, conditions are only followed, and told once there are some. One that is silenced is not opened; a close
    is told all the same, for somebody may wait for it. Of ``acked`` conditions only that is told.
    """
    book = _not_ahead(book, now_ms)
    begins = {alert.key: alert for alert in strict}
    holds = {alert.key: alert for alert in relaxed} | begins
    known = {condition.key: condition for condition in book.conditions}
    room = CONDITIONS_MAX - len(known)
    new = [Condition(key=key, level=a.level, text=a.text[:TEXT_MAX], since_ms=now_ms) for key, a in begins.items() if key not in known]
    kept: list[Condition] = []
    messages: list[Message] = []
    hushed, next_id, names = set(acked), book.next_id, tuple(targets)
    for condition in (*known.values(), *new[: max(0, room)]):
        seen = _seen(condition, holds.get(condition.key), now_ms)
        if not names:
            seen = seen.model_copy(update={"told": ""})
        kind = _due(seen, now_ms, rules, quiet=silenced(seen.key, silences, now_ms) is not None, acked=seen.key in hushed)
        if kind is not None and names:
            messages.append(_message(seen, kind, f"{now_ms:x}-{next_id}", now_ms, names))
            next_id += 1
            seen = seen.model_copy(update={"told": "" if kind == "close" else seen.level, "told_ms": now_ms})
        if not _over(seen, now_ms, rules):
            kept.append(seen)
    outbox = (*book.outbox, *(message for message in messages if message.due_ms))
    given_up, outbox = outbox[: max(0, len(outbox) - OUTBOX_MAX)], outbox[max(0, len(outbox) - OUTBOX_MAX) :]
    states = dict(book.targets)
    for name in (name for message in given_up for name in message.due_ms):
        states[name] = _gave_up(states.get(name, TargetState()), "too many messages wait", now_ms)
    return AlertBook(conditions=tuple(kept), outbox=outbox, targets=states, next_id=next_id)


def _seen(condition: Condition, alert: Alert | None, now_ms: int) -> Condition:
    if alert is None:
        return condition if condition.gone_ms is not None else condition.model_copy(update={"gone_ms": now_ms})
    again = {"since_ms": now_ms} if condition.gone_ms is not None and not condition.told else {}
    return condition.model_copy(update={"level": alert.level, "text": alert.text[:TEXT_MAX], "gone_ms": None, **again})


def _due(condition: Condition, now_ms: int, rules: Rules, *, quiet: bool, acked: bool) -> MessageKind | None:
    """The message it is time for."""
    if condition.told_ms and now_ms < condition.told_ms + rules.interval_s * 1000:
        return None
    if condition.gone_ms is not None:
        return "close" if condition.told and now_ms >= condition.gone_ms + rules.close_after_s * 1000 else None
    if quiet or acked or (condition.level != "critical" and rules.least_level == "critical"):
        return None
    if not condition.told:
        return "open" if now_ms >= condition.since_ms + rules.open_after_s * 1000 else None
    if condition.told != "critical" and condition.level == "critical":
        return "worse"
    again = rules.repeat_s and now_ms >= condition.told_ms + rules.repeat_s * 1000
    return "reminder" if again else None


def _over(condition: Condition, now_ms: int, rules: Rules) -> bool:
    """Whether a condition can be forgotten: it is gone, nobody waits for its close, and its interval has passed."""
    return condition.gone_ms is not None and not condition.told and now_ms >= condition.told_ms + rules.interval_s * 1000


def _message(condition: Condition, kind: MessageKind, message_id: str, now_ms: int, targets: Iterable[str]) -> Message:
    return Message(
        id=f"gb-{message_id}",
        key=condition.key,
        kind=kind,
        level=condition.level,
        text=condition.text,
        at_ms=now_ms,
        since_ms=condition.since_ms,
        due_ms=dict.fromkeys(targets, now_ms),
    )


def delivered(book: AlertBook, message_id: str, target: str, now_ms: int) -> AlertBook:
    """The book once a target has taken a message."""
    state = book.targets.get(target, TargetState())
    state = state.model_copy(update={"delivered": state.delivered + 1, "last_ok_ms": now_ms, "last_error": ""})
    return _settled(book, message_id, target, state)


def failed(
    book: AlertBook, message_id: str, target: str, why: str, now_ms: int, *, tries_max: int, base_s: float, cap_s: float
) -> AlertBook:
    """The book once a target has not: tried again later, each time twice as late up to ``cap_s``, or given up after ``tries_max``."""
    state = book.targets.get(target, TargetState())
    message = next((one for one in book.outbox if one.id == message_id), None)
    if message is None:
        return book
    tries = message.tries.get(target, 0) + 1
    if tries >= tries_max:
        return _settled(book, message_id, target, _gave_up(state, why, now_ms))
    wait_ms = round(1000 * min(cap_s, base_s * 2 ** (tries - 1)))
    later = message.model_copy(
        update={"tries": message.tries | {target: tries}, "due_ms": message.due_ms | {target: now_ms + wait_ms}},
    )
    state = state.model_copy(update={"last_error": why[:300], "last_error_ms": now_ms})
    outbox = tuple(later if one.id == message_id else one for one in book.outbox)
    return book.model_copy(update={"outbox": outbox, "targets": book.targets | {target: state}})


def _gave_up(state: TargetState, why: str, now_ms: int) -> TargetState:
    return state.model_copy(update={"given_up": state.given_up + 1, "last_error": why[:300], "last_error_ms": now_ms})


def _settled(book: AlertBook, message_id: str, target: str, state: TargetState) -> AlertBook:
    """The book with nothing more to do for a target about a message."""
    outbox = []
    for message in book.outbox:
        if message.id == message_id:
            due = {name: at for name, at in message.due_ms.items() if name != target}
            message = message.model_copy(update={"due_ms": due})
            if not due:
                continue
        outbox.append(message)
    return book.model_copy(update={"outbox": tuple(outbox), "targets": book.targets | {target: state}})


def without(book: AlertBook, targets: Iterable[str]) -> AlertBook:
    """The book without what waits for targets that are not among ``targets`` any more."""
    names = set(targets)
    outbox = []
    for message in book.outbox:
        due = {name: at for name, at in message.due_ms.items() if name in names}
        if due:
            outbox.append(message.model_copy(update={"due_ms": due}))
    return book.model_copy(update={"outbox": tuple(outbox), "targets": {n: s for n, s in book.targets.items() if n in names}})
