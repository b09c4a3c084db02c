"""A made-up past: one provider that got slow, then failed, and came back."""

from __future__ import annotations

import math

from gitbridge_console.console.spans import words_of
from gitbridge_console.domain.history import (
    BreakerTurn,
    FleetHistory,
    History,
    ProviderHistory,
    ProviderStory,
    RecentAttempt,
)

STEPS = 15


def wave(low: float, high: float, phase: float = 0.0) -> tuple[float | None, ...]:
    return tuple(round(low + (high - low) * (1 + math.sin(n / 2 + phase)) / 2, 2) for n in range(STEPS))


def provider(phase: float, *, sick: bool = False) -> ProviderHistory:
    failed = tuple(0 if n < 8 or not sick else 12 for n in range(STEPS))
    return ProviderHistory(
        calls=(40,) * STEPS,
        failed=failed,
        p50_ms=wave(300, 500, phase),
        p95_ms=wave(700, 4_000 if sick else 1_100, phase),
        cost_usd=wave(0.01, 0.03, phase),
        tokens=wave(9_000, 12_000, phase),
        errors={"timeout": failed, "rate_limit": (None,) * 14 + (1,)} if sick else {},
        histogram=tuple((100 * 1.2**n, max(1, 40 - (n - 6) ** 2)) for n in range(20)),
    )


def history(span_s: int) -> History:
    assert words_of(span_s)
    depth = {"claude": wave(2, 12), "grok": wave(0, 60, 1), "chatgpt": wave(1, 9, 2), "route": (0,) * STEPS}
    fleet = FleetHistory(
        received=wave(40, 60),
        finished=wave(38, 58, 0.4),
        routing_p95_ms=wave(5, 9),
        processing_p50_ms=wave(1_500, 2_500),
        processing_p95_ms=wave(3_000, 9_000),
        queue_p95_ms=wave(20, 400),
        depth=depth,
    )
    providers = {"claude": provider(0), "grok": provider(1, sick=True), "chatgpt": provider(2)}
    return History(span_s, max(60, span_s // STEPS), fleet, providers)


def story() -> ProviderStory:
    at = 1_795_382_000_000
    return ProviderStory(
        attempts=(
            RecentAttempt(at, "00001002.1", "grok-4.7", "timeout", 15_000.0, http_status=None, request_id="req_1"),
            RecentAttempt(at - 4_000, "00001001.1", "grok-4.7", "ok", 840.0, 220.0, 0.0031, 200, "\x1b[31mreq_0"),
        ),
        turns=(BreakerTurn(at - 9_000, "opened", "timeout, timeout"), BreakerTurn(at - 90_000, "held open", "bill", "ana")),
        choices=(("0000100200", "chosen, preferred: score 0.20"), ("0000100100", "not chosen: its circuit breaker is open")),
    )
