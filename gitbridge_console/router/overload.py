"""What gives way when there is more work than can be done in time: first seats, then events. Pure functions of counts.

The steps come one after the other, each visible in ``status``: panels lose a seat down to their quorum; events that may
be shed get one seat; they are shed, newcomers by the store at its limits, and what is being routed where the lanes of its
panel would have it wait too long. The measure is how full the queue is and how long a newcomer would wait, since depth
alone says nothing about time (ten thousand quick answers are less than a hundred slow ones).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from gitbridge_console.domain.events import EventState, Priority
from gitbridge_console.settings.model import QueueSettings, SheddingSettings
from gitbridge_console.settings.routing import KindSettings
from gitbridge_console.store.records import QueueStats

UNDECIDED = (EventState.RECEIVED, EventState.ROUTED, EventState.PARKED, EventState.CONSENSUS_PENDING)
"""States that ``queue.max_waiting`` counts."""


class Step(IntEnum):
    """How far work is cut down; each step includes those before it."""

    NORMAL = 0
    SMALLER_PANELS = 1
    SINGLE_SEATS = 2
    SHEDDING = 3

    @property
    def label(self) -> str:
        """The word in JSON and on screen."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Overload:
    """How much there is to do, measured at one moment. ``fill`` is a fraction of ``queue.max_waiting`` and may exceed 1."""

    step: Step = Step.NORMAL
    fill: float = 0.0
    waits_s: Mapping[str, float] = field(default_factory=dict)
    """Seconds a newcomer of the last class would wait in each provider's lane, where its pace is known."""
    reason: str = ""

    def seats(self, policy: KindSettings, *, may_be_shed: bool) -> int:
        """How many seats a panel of this kind gets now."""
        if self.step >= Step.SINGLE_SEATS and may_be_shed:
            return 1
        if self.step >= Step.SMALLER_PANELS:
            return max(policy.quorum, policy.seats - 1)
        return policy.seats


def may_be_shed(priority: Priority, settings: SheddingSettings) -> bool:
    """Whether the settings allow an event of this class to be put aside."""
    return settings.enabled and priority >= Priority.parse(settings.least_priority)


def measure(queue: QueueSettings, shedding: SheddingSettings, stats: QueueStats, answers_per_s: Mapping[str, float]) -> Overload:
    """Where the queue stands. ``answers_per_s`` is each provider's pace, over all engines.

    A paused lane does not count, since its waiting is an operator's will; nor does one without a pace, whose provider has only begun, or
    is away: its work fails over or parks.
    """
    undecided = sum(stats.states.get(state, 0) for state in UNDECIDED)
    fill = undecided / queue.max_waiting
    waits = {
        lane: round(stats.lanes[lane].ready / pace, 1)
        for lane, pace in answers_per_s.items()
        if pace > 0 and lane in stats.lanes and lane not in stats.pauses
    }
    stored = sum(stats.bytes_by_state.values())
    slowest = max(waits, key=waits.__getitem__, default="")
    pressures = [(fill, f"{undecided:,} of {queue.max_waiting:,} events undecided")]
    if slowest:
        pressures.append((waits[slowest] / shedding.max_wait_s, f"about {waits[slowest]:,.0f} s of waiting in {slowest}"))
    if queue.memory_soft_bytes:
        # Below the limit bytes cut nothing down: smaller panels would not make room.
        over = stored >= queue.memory_soft_bytes
        pressures.append((1.0 if over else 0.0, f"{stored:,} bytes stored, the soft limit is {queue.memory_soft_bytes:,}"))
    pressure, reason = max(pressures)
    if not shedding.enabled or pressure < shedding.smaller_panel_fill:
        return Overload(Step.NORMAL, round(fill, 4), waits)
    step = Step.SHEDDING if pressure >= 1 else Step.SINGLE_SEATS if pressure >= shedding.single_seat_fill else Step.SMALLER_PANELS
    return Overload(step, round(fill, 4), waits, reason)
