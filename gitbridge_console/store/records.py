"""What the queue gives and takes: claimed jobs, plans, counts, and its refusals."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from gitbridge_console.domain.events import EventState, Priority
from gitbridge_console.store.headers import Header
from gitbridge_console.store.replies import unpack

ASKED, ASKED_PROMPT = "asked", "asked prompt"
"""Name under which the panel an operator asked for is kept with an event's texts."""


class BackPressure(Exception):
    """The store takes no new work now; everything already accepted keeps moving. Try again later."""


class PayloadTooLarge(Exception):
    """The payload is over ``queue.payload_max_bytes``."""


class PayloadDamaged(Exception):
    """A stored payload cannot be read."""


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What became of a delivery.

    ``new``, ``duplicate`` (dropped, counted), ``requeued`` (it had failed or was shed before, and runs again) or ``shed`` (stored, put
    aside because there is too much work; it can be replayed).
    """

    id: str
    status: str


@dataclass(slots=True, eq=False)
class ClaimedJob:
    """A job under lease. ``fence`` must be shown at every write; a stale one is refused.

    Nobody changes one; a frozen class would take three times as long to make.
    """

    id: str
    lane: str
    fence: str
    header: Mapping[str, str]
    event: Mapping[str, str]
    """Header of the event the job belongs to (the job's own for events)."""
    packed_payload: bytes = b""
    """As stored; empty when it was not sent along with the claim."""
    packed_diff: bytes = b""
    claimed_ms: int = 0
    """The server's clock at the claim."""

    @property
    def payload(self) -> bytes:
        """The payload as received.

        Raises:
            PayloadDamaged: it is not there or cannot be inflated.
        """
        if not self.packed_payload:
            raise PayloadDamaged(f"the payload of {self.event_id} is not there")
        try:
            return unpack(self.packed_payload)
        except zlib.error as error:
            raise PayloadDamaged(f"the stored payload of {self.event_id} cannot be read: {error}") from error

    @property
    def diff(self) -> str | None:
        """The diff that came with the event.

        Raises:
            PayloadDamaged: it cannot be inflated.
        """
        if not self.packed_diff:
            return None
        try:
            return unpack(self.packed_diff).decode("utf-8", "replace") or None
        except zlib.error as error:
            raise PayloadDamaged(f"the stored diff of {self.event_id} cannot be read: {error}") from error

    @property
    def received_ms(self) -> int:
        """When it came in, or when an operator last had it start over."""
        if isinstance(self.event, Header):
            return self.event.received_ms or self.claimed_ms
        return int(self.event.get("since") or self.event.get("rx") or self.claimed_ms)

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
class Ending:
    """How an event ends of which there is nothing more to say; those that end alike at the same time are written together."""

    state: EventState
    why: str = ""
    by: str = "router"
    texts: Mapping[str, str] = field(default_factory=dict)


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
    """Orders the heads of ``subject``: the greater one is the newer."""
    tokens: int = 0
    """Size of the question: who cannot read so much is never given one of the seats later."""
    risk: str = ""
    """Tier of the change, by which its panel was sized."""
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seat:
    """One more seat of a panel, or a question about its answers: ``asks`` says which (``verify``, ``arbiter``), ``about`` what about."""

    lane: str
    asks: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True)
class LaneCounts:
    """Raw counts of one lane; ``by_priority`` in the order of :class:`Priority`."""

    ready: int
    waiting: int
    leased: int
    held: int
    """Kept back by the cap on jobs of one repository."""
    oldest_age_ms: int | None
    by_priority: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class QueueStats:
    """One consistent count of each partition, taken by a single script, summed up. ``now_ms`` is the server's clock."""

    now_ms: int
    lanes: Mapping[str, LaneCounts]
    states: Mapping[str, int]
    counters: Mapping[str, int]
    pauses: Mapping[str, Mapping[str, str]]
    bytes_by_state: Mapping[str, int]
    drains: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Lanes of providers that get no new seats; what waits there is finished."""


@dataclass(frozen=True, slots=True)
class Closure:
    """Why a lane's work moves on. ``retry_in_s`` is when its provider may be asked again, ``None`` where nobody knows."""

    reason: str
    retry_in_s: float | None = None
    late_only: bool = False
    """Only seats whose deadline is over before that."""
