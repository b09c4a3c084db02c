"""What the queue gives and takes: claimed jobs, plans, counts, and its refusals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gitbridge_console.domain.events import Priority


class BackPressure(Exception):
    """The store takes no new work now; everything already accepted keeps moving. Try again later."""


class PayloadTooLarge(Exception):
    """The payload is over ``queue.payload_max_bytes``."""


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What became of a delivery: ``new``, ``duplicate`` (dropped, counted) or ``requeued`` (it had failed before)."""

    id: str
    status: str


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job under lease. ``fence`` must be shown at every write; a stale one is refused."""

    id: str
    lane: str
    fence: str
    header: Mapping[str, str]
    event: Mapping[str, str]
    """Header of the event the job belongs to (the job's own for events)."""
    payload: bytes = b""
    diff: str | None = None
    claimed_ms: int = 0
    """The server's clock at the claim."""

    @property
    def event_id(self) -> str:
        """The event this job is or belongs to."""
        return self.id.partition(".")[0]

    @property
    def is_task(self) -> bool:
        """Whether this is a seat of a panel rather than an event."""
        return "." in self.id

    @property
    def priority(self) -> Priority:
        """Its priority class."""
        return Priority(int(self.header["pr"]))

    def number(self, name: str, default: int = 0) -> int:
        """A numeric header field."""
        return int(float(self.header.get(name, default)))


@dataclass(frozen=True, slots=True)
class Claim:
    """Result of one claim: the jobs, whether the lane is paused, and when its next waiting job is due."""

    jobs: tuple[ClaimedJob, ...]
    paused: bool
    next_due_s: float | None


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """What the ``route`` stage decided: the panel and its bounds. Times in seconds."""

    kind: str
    priority: Priority
    lanes: tuple[str, ...]
    quorum: int
    grace_s: float
    deadline_s: float
    expires_s: float
    subject: str = ""
    version: int = 0
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LaneCounts:
    """Raw counts of one lane; ``by_priority`` in the order of :class:`Priority`."""

    ready: int
    waiting: int
    leased: int
    oldest_age_ms: int | None
    by_priority: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class QueueStats:
    """One consistent count of a partition, taken by a single script. ``now_ms`` is the server's clock."""

    now_ms: int
    lanes: Mapping[str, LaneCounts]
    states: Mapping[str, int]
    counters: Mapping[str, int]
    pauses: Mapping[str, Mapping[str, str]]
