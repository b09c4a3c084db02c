"""Dead letters: events that failed or were shed. Which of them the store has to give up, and what consoles are told of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from gitbridge_console.domain.event_views import EventSummary
from gitbridge_console.domain.events import EventState

DEAD_STATES = (EventState.FAILED, EventState.SHED)

SLACK = 0.05
"""Once a bound is passed, so much of it is given up beyond: a file holds many letters, not one file each."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that failed or was shed, and since when, in milliseconds since the epoch."""

    event_id: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """How many there are, and the oldest of them, oldest first. ``now_ms`` is the server's clock."""

    now_ms: int
    total: int
    oldest: tuple[DeadLetter, ...]


@dataclass(frozen=True, slots=True)
class DeadExports:
    """What was exported lately, all engines together; ``last_file`` lies in the state folder of ``engine``."""

    since_ms: int
    count: int
    files: int
    last_file: str
    engine: str


@dataclass(frozen=True, slots=True)
class DeadTrouble:
    """Why an engine could not export dead letters."""

    since_ms: int
    engine: str
    text: str


def beyond_retention(found: DeadLetters, *, most: int, longest_s: float) -> Sequence[DeadLetter]:
    """Those of ``found.oldest`` the store gives up: over ``most`` in number, or dead for more than ``longest_s`` (0: for ever)."""
    surplus = found.total - int(most * (1 - SLACK)) if found.total > most else 0
    before_ms = 0.0
    if longest_s and found.oldest and found.oldest[0].since_ms < found.now_ms - longest_s * 1000:
        before_ms = found.now_ms - longest_s * 1000 * (1 - SLACK)
    return [letter for n, letter in enumerate(found.oldest) if n < surplus or letter.since_ms < before_ms]


@dataclass(frozen=True, slots=True)
class DeadGroup:
    """Dead letters of one class of error, panel and kind. ``newest`` is the id of the one that died last, ``example`` what it said."""

    error: str
    providers: str
    kind: str
    count: int
    newest: str
    example: str


class DeadGroups:
    """Groups, gathered from events with their panels in the order in which they died, the last one first."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str, str], DeadGroup] = {}

    def add(self, rows: Iterable[tuple[EventSummary, Sequence[str]]]) -> None:
        """Some more of them."""
        for event, panel in rows:
            key = (event.error_class or event.state, ", ".join(name for name in panel if name) or "-", event.kind or "-")
            known = self._groups.get(key)
            example = event.error_text or event.reason or event.title
            self._groups[key] = DeadGroup(*key, 1, event.id, example) if known is None else replace(known, count=known.count + 1)

    def largest_first(self) -> list[DeadGroup]:
        """What was found so far."""
        return sorted(self._groups.values(), key=lambda group: -group.count)
