"""What happened over time: what charts are drawn from, and the story of one provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Series = tuple[float | None, ...]
"""A value for each step, oldest first; ``None`` where nothing was measured."""


@dataclass(frozen=True, slots=True)
class ProviderHistory:
    """One provider over a span. ``histogram`` is (upper bound in ms, answers) of the whole span, empty buckets left out."""

    calls: Series = ()
    failed: Series = ()
    p50_ms: Series = ()
    p95_ms: Series = ()
    cost_usd: Series = ()
    tokens: Series = ()
    errors: Mapping[str, Series] = field(default_factory=dict)
    """Failed calls by class."""
    histogram: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True, slots=True)
class FleetHistory:
    """The fleet over a span: events received and finished, how long they took, and how much stood in each lane."""

    received: Series = ()
    finished: Series = ()
    routing_p95_ms: Series = ()
    processing_p50_ms: Series = ()
    processing_p95_ms: Series = ()
    queue_p95_ms: Series = ()
    depth: Mapping[str, Series] = field(default_factory=dict)
    """The most that stood in a lane within a step."""


@dataclass(frozen=True, slots=True)
class History:
    """All of it, in steps of ``step_s`` seconds, the last of which is still running."""

    span_s: int
    step_s: int
    fleet: FleetHistory = FleetHistory()
    providers: Mapping[str, ProviderHistory] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecentAttempt:
    """One call to a provider, briefly. Times in milliseconds."""

    at_ms: int
    job: str
    model: str
    outcome: str
    latency_ms: float
    ttft_ms: float | None = None
    cost_usd: float | None = None
    http_status: int | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class BreakerTurn:
    """Its circuit breaker opened or closed, it was disabled, or an operator said a word."""

    at_ms: int
    what: str
    why: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class ProviderStory:
    """What a provider was asked lately, what its breaker did, and why it got a seat or none; each newest first."""

    attempts: tuple[RecentAttempt, ...] = ()
    turns: tuple[BreakerTurn, ...] = ()
    choices: tuple[tuple[str, str], ...] = ()
    """Event and the reason the router gave."""
