"""Bulk operations: one deed done to many events by the fleet, piece by piece. What may be planned, what is due next, how far it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from gitbridge_console.domain.events import FINISHED_STATES, EventState

if TYPE_CHECKING:
    from gitbridge_console.domain.event_views import EventSummary, JobSummary

CHUNK_MAX = 20
"""Most events one script call changes: more would keep other clients waiting for over 5 ms on a modest machine."""
AT_ONCE_MAX = 200
"""So many are done here and now where no rate is asked for; more, and the fleet does it."""
TICK_S = 0.04
"""Time between two chunks where the rate allows it."""


class BulkKind(StrEnum):
    """What is done to each event; ``failover`` and ``flush`` look at the jobs of one lane, ``failback`` at those that left it."""

    REPLAY = "replay"
    CANCEL = "cancel"
    PRIORITIZE = "prioritize"
    FAILOVER = "failover"
    FAILBACK = "failback"
    FLUSH = "flush"


OF_LANES = frozenset({BulkKind.FAILOVER, BulkKind.FAILBACK, BulkKind.FLUSH})


class BulkState(StrEnum):
    """Where an operation stands. ``planned`` ones change nothing and are forgotten by themselves."""

    PLANNED = "planned"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"


ENDED = frozenset({BulkState.FINISHED, BulkState.CANCELLED})


@dataclass(frozen=True, slots=True)
class Deed:
    """What is to be done: ``to`` is a priority or the provider that takes over, ``lane`` the lane that is left, returned to, or flushed."""

    kind: BulkKind
    to: str = ""
    front: bool = False
    lane: str = ""

    @property
    def scope(self) -> str:
        """Of one scope one operation runs at a time; the others wait in line."""
        return f"lane {self.lane}" if self.lane else self.kind.value

    @property
    def words(self) -> str:
        """As people say it: ``prioritize to high, front``, ``failover claude to grok``."""
        parts = [self.kind.value, self.lane, f"to {self.to}" if self.to else ""]
        return " ".join(part for part in parts if part) + (", front" if self.front else "")


@dataclass(frozen=True, slots=True)
class Selection:
    """What an operation is about: ids, or what a filter finds among events in ``states``, or among the jobs of lanes.

    ``lane`` is a lane's name, or ``*`` for the jobs of all of them.
    """

    filter: str = ""
    ids: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    lane: str = ""

    @property
    def words(self) -> str:
        """As it is kept and shown."""
        if self.ids:
            return f"{len(self.ids)} ids"
        among = f" among {', '.join(self.states)}" if self.states else f" in {'all lanes' if self.lane == '*' else self.lane}"
        return (self.filter or "everything") + (among if self.states or self.lane else "")


@dataclass(frozen=True, slots=True)
class Entry:
    """One job that was planned. It is left alone if its event is in another run by then, or, where ``state`` says one, in another state."""

    job_id: str
    run: int | None = None
    state: str = ""

    @property
    def line(self) -> str:
        """As it is stored."""
        return f"{self.job_id} {self.run or '-'} {self.state or '-'}"


def plan_event(deed: Deed, event: EventSummary, named_state: str | None) -> Entry | str:
    """The entry of an event, or why it is left out. ``named_state`` is what the filter asks for by name."""
    state = EventState(event.state)
    if deed.kind is BulkKind.REPLAY:
        if state in (EventState.FAILED, EventState.SHED) or (state == named_state and state in (EventState.CANCELLED, EventState.RESOLVED)):
            return Entry(event.id, event.run, state)
        if state in (EventState.CANCELLED, EventState.RESOLVED):
            return f"it is {state}: such are replayed only where the filter says state={state}"
        return f"it is {state}: there is nothing to replay"
    if state in FINISHED_STATES:
        return f"it is {state} already"
    if deed.kind is BulkKind.PRIORITIZE and event.priority == deed.to and not deed.front:
        return f"its priority is {deed.to} already"
    return Entry(event.id, event.run, named_state or "")


def plan_job(job: JobSummary) -> Entry | str:
    """The entry of a job of a lane, or why it is left out."""
    return "it is being worked on" if job.place == "leased" else Entry(job.id)


def chunk(rate_per_s: float, left: int, most_left: int | None) -> int:
    """How many are due in one tick, one at least while any is left."""
    wanted = min(CHUNK_MAX, max(1, round(rate_per_s * TICK_S)), left)
    return wanted if most_left is None else min(wanted, most_left)


def eta_s(left: int, rate_per_s: float, speed_per_s: float, most_left: int | None) -> float | None:
    """Seconds until it is over: by how fast it went, else by its rate."""
    rest = left if most_left is None else min(left, most_left)
    pace = speed_per_s or rate_per_s
    return round(rest / pace, 1) if pace > 0 else None


def bar(share: float, width: int, *, ascii_only: bool = False) -> str:
    """A bar of ``width`` characters."""
    full = max(0, min(width, int(share * width + 1e-9)))
    return ("#" if ascii_only else "█") * full + ("." if ascii_only else "░") * (width - full)


def waits_for(order: Sequence[tuple[str, str]], held: Mapping[str, str]) -> dict[str, str]:
    """Of operations given as (id, scope) in their order, which waits for which; ``held`` has the state of each."""
    first: dict[str, str] = {}
    waiting: dict[str, str] = {}
    for op_id, scope in order:
        if held.get(op_id) != BulkState.RUNNING:
            continue
        if scope in first:
            waiting[op_id] = first[scope]
        else:
            first[scope] = op_id
    return waiting
