"""Frozen views of the fleet: what ``status --json`` prints and the console paints. Field names are a contract."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from gitbridge_console.domain.provider_health import HealthFinding


class View(BaseModel):
    """Base of every view: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class StoreStatus(View):
    """The store's health. ``url`` never holds a password; ``age_s`` is how old this picture is.

    ``memory_max_bytes`` is the server's ``maxmemory``, ``None`` where it has none.
    """

    url: str
    ok: bool
    age_s: float = 0.0
    error: str | None = None
    memory_bytes: int | None = None
    memory_max_bytes: int | None = None


class PauseInfo(View):
    """Who holds a lane, since when, until when, and why."""

    by: str
    reason: str
    since: str
    until: str | None = None


class LaneStatus(View):
    """One lane: ``depth`` is ready and claimable, ``waiting`` delayed until a time, ``leased`` being worked on, ``held`` kept back
    by the cap on one repository's tasks, ``batched`` those of the waiting whose questions wait for a batch or are in one."""

    depth: int = 0
    by_priority: dict[str, int] = Field(default_factory=dict)
    waiting: int = 0
    leased: int = 0
    held: int = 0
    batched: int = 0
    oldest_age_s: float | None = None
    paused: PauseInfo | None = None
    draining: PauseInfo | None = None
    """Its provider gets no new seats; what waits is finished."""


class Percentiles(View):
    """Latency percentiles in milliseconds; ``None`` where nothing was measured."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class ErrorStatus(View):
    """Share of failed attempts over 15 minutes (0..1) and their classes."""

    rate: float = 0.0
    by_class: dict[str, int] = Field(default_factory=dict)


BreakerWord = Literal["open", "close", "reset"]
"""What an operator can say to a circuit breaker: hold it open, close it, or close it and forget all that was held against it."""


class BreakerStatus(View):
    """Circuit breaker of a provider's model.

    ``openings`` makes the next open time longer and is forgiven with time; ``share`` is the part of its weight the provider gets
    while it comes back; ``forced_by`` holds it open, and said why.
    """

    state: str = "closed"
    failures: int = 0
    next_probe: str | None = None
    causes: tuple[str, ...] = ()
    since: str | None = None
    openings: int = 0
    share: float = 1.0
    forced_by: str = ""
    forced_why: str = ""


class BudgetStatus(View):
    """A provider's budget of the day (UTC): limits (``None``: none), what was spent, and what calls in flight may still cost.

    ``state`` is ok, warn or spent; ``unknown_calls`` are calls whose cost is not known and therefore not in ``usd``.
    """

    state: str = "ok"
    usd: float = 0.0
    usd_max: float | None = None
    reserved_usd: float = 0.0
    tokens: int = 0
    tokens_max: int | None = None
    reserved_tokens: int = 0
    calls: int = 0
    unknown_calls: int = 0


class RateLimitStatus(View):
    """One rate limit of a provider's model, shared by the fleet. ``limit`` is units a minute, ``source`` settings or headers;
    ``remaining`` what may be taken at once; ``opens_at`` when the next call may begin, ``None``: now."""

    limit: int
    remaining: int
    opens_at: str | None = None
    source: str = "headers"


class RetryBudgetStatus(View):
    """How much may be asked twice. ``tokens`` of 10 are left to the provider, by the engine that has fewest: nothing is repeated
    at 5 or less. ``repeats`` of ``calls`` of the last minute repeated others, over all providers and engines."""

    tokens: float = 10.0
    repeats: int = 0
    calls: int = 0


class BatchStatus(View):
    """A batch at a service: when it was closed, how many questions it has and how many are done, and what went wrong last.

    ``id`` is the service's, empty before it was handed in.
    """

    id: str = ""
    at: str
    count: int
    done: int = 0
    problem: str = ""


class BatchesStatus(View):
    """Questions of a provider that wait for the next batch, and the batches under way."""

    collecting: int = 0
    since: str | None = None
    open: tuple[BatchStatus, ...] = ()


class ProviderStatus(View):
    """One provider. ``state`` is ok, slow, limited, open, half_open, paused, draining, disabled or no_key."""

    state: str
    since: str | None = None
    reason: str = ""
    """One line an operator can act on: what is wrong and what to do, empty when nothing is."""
    model: str = ""
    api: str = ""
    in_flight: int = 0
    limit: int = 0
    """Calls at the same time that all engines allow it now; it adapts to what the provider bears, up to ``limit_max``."""
    limit_max: int = 0
    rate_limits: dict[str, RateLimitStatus] = Field(default_factory=dict)
    """By what is limited: requests, input_tokens, output_tokens, and tokens where the provider counts both together."""
    retry_budget: RetryBudgetStatus = RetryBudgetStatus()
    calls: dict[str, int] = Field(default_factory=lambda: {"1m": 0, "15m": 0})
    latency_ms: Percentiles = Percentiles()
    errors: ErrorStatus = ErrorStatus()
    availability: float | None = None
    tokens: dict[str, int] = Field(default_factory=lambda: {"in": 0, "out": 0})
    cost_usd: float | None = None
    gate_until: str | None = None
    breaker: BreakerStatus = BreakerStatus()
    budget: BudgetStatus | None = None
    batches: BatchesStatus | None = None
    """``None`` while nothing waits for a batch and none is under way."""
    health: HealthFinding | None = None
    """What the last look at it found, by whichever engine; ``None`` before there was one."""
    availability_by_window: dict[str, float | None] = Field(default_factory=dict)
    """Over ``5m``, ``1h`` and ``24h``, 0 to 1; ``None`` without calls."""
    latency_trend_ms: tuple[float | None, ...] = ()
    """p95 of each of the last 15 minutes, oldest first."""


class CacheStatus(View):
    """The answer cache over 15 minutes: questions answered from it, those asked, those that waited for an equal one in flight.

    ``hit_rate`` is ``None`` where nothing was looked up; ``saved_usd`` what the hits had cost, ``None`` where no price is known.
    """

    hits: int = 0
    misses: int = 0
    waits: int = 0
    hit_rate: float | None = None
    saved_usd: float | None = None
    answers: int = 0
    bytes: int = 0


class Alert(View):
    """A condition that wants the operator. ``level`` is warning or critical; ``jump`` names the screen that shows it."""

    level: str
    code: str
    text: str
    since: str
    jump: str = "pulse"
    about: str = ""
    """The lane or provider, where there may be several conditions of that code."""
    acked_by: str = ""
    """Who has said that they saw it."""
    silenced_until: str = ""


class OverloadStatus(View):
    """Which step of cutting work down is in force: normal, smaller_panels, single_seats or shedding, and why.

    ``fill`` is undecided events as a share of ``queue.max_waiting``; ``waits_s`` what a newcomer would wait in each
    provider's lane; ``stored_bytes`` what is kept of events, beside the two limits on it (0: none).
    """

    step: str = "normal"
    reason: str = ""
    fill: float = 0.0
    waits_s: dict[str, float] = Field(default_factory=dict)
    stored_bytes: int = 0
    soft_bytes: int = 0
    hard_bytes: int = 0


class LegacyStatus(View):
    """The list of older producers as an engine saw it last: entries that wait, those being taken over, how many may wait.

    ``problem`` says why it could not be read; the numbers are not known then.
    """

    at: str
    waiting: int = 0
    processing: int = 0
    max_waiting: int = 0
    problem: str = ""


class ReconcileStatus(View):
    """The last look for deliveries that never arrived: how many were missed, how many of them were asked for again or given up."""

    at: str
    applied: bool = False
    missed: int = 0
    asked: int = 0
    given_up: int = 0
    problem: str = ""


class EngineStatus(View):
    """One process of the fleet."""

    id: str
    host: str
    role: str
    beat_age_s: float
    version: str = ""
    settings: str = ""
    """Fingerprint of its settings; a difference between engines is an alert."""


class SpoolStatus(View):
    """What a receiver of webhooks keeps on disk because the store did not take it. Bytes are those of the files.

    ``failure``: why the disk did not take the last delivery, empty where it does.
    """

    records: int = 0
    bytes: int = 0
    max_bytes: int = 0
    oldest_age_s: float | None = None
    failure: str = ""


class ReceiverStatus(View):
    """One process that receives webhooks; ``spool`` is ``None`` where it keeps none."""

    id: str
    host: str
    beat_age_s: float
    spool: SpoolStatus | None = None


class LogLine(View):
    """One line of the fleet's event log, newest last."""

    at: str
    level: str
    what: str
    id: str = ""
    text: str = ""


class FleetSnapshot(View):
    """Everything the Pulse needs, taken at one moment."""

    at: str
    namespace: str
    store: StoreStatus
    lanes: dict[str, LaneStatus] = Field(default_factory=dict)
    providers: dict[str, ProviderStatus] = Field(default_factory=dict)
    events: dict[str, int] = Field(default_factory=dict)
    totals: dict[str, int] = Field(default_factory=dict)
    rates: dict[str, float] = Field(default_factory=lambda: {"in_per_s": 0.0, "out_per_s": 0.0})
    queue_latency_ms: Percentiles = Percentiles()
    routing_latency_ms: Percentiles = Percentiles()
    engines: tuple[EngineStatus, ...] = ()
    receivers: tuple[ReceiverStatus, ...] = ()
    quarantined: int = 0
    duplicates: int = 0
    refused: int = 0
    """Newcomers that were turned away with BACKPRESSURE; the number only grows."""
    overload: OverloadStatus = OverloadStatus()
    next_chance: str | None = None
    """While events are parked: when the first provider that is shut can be asked again, as far as anybody knows."""
    alerts: tuple[Alert, ...] = ()
    cache: CacheStatus = CacheStatus()
    consensus: dict[str, int] = Field(default_factory=dict)
    """Decisions of the retained history by state: complete, partial, degraded, failed; and ``split``: verdicts differed."""
    log: tuple[LogLine, ...] = ()
    max_waiting: int = 0
    legacy: LegacyStatus | None = None
    """``None`` where no engine reads such a list."""
    reconcile: ReconcileStatus | None = None
    """``None`` before there was a look."""
