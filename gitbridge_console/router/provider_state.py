"""What one engine knows of one provider: its client, its health, and how both are told."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from dataclasses import dataclass, field
from typing import Any

from gitbridge_console.domain.provider_health import HealthFinding
from gitbridge_console.domain.timestamps import iso_from_ms
from gitbridge_console.providers.base import Provider
from gitbridge_console.providers.registry import key_stamp
from gitbridge_console.router.breaker import BreakerState, CircuitBreaker
from gitbridge_console.router.concurrency import AdaptiveLimit
from gitbridge_console.router.retry_budget import RetryTokens
from gitbridge_console.settings.routing import ProviderSettings

logger = logging.getLogger(__name__)

ERROR_HALF_LIFE_S = 20.0
SLOW_FACTOR = 3.0
CLOSE_S = 2.0
"""How long closing a client may take."""


@dataclass(slots=True)
class ProviderState:
    """What this engine knows of one provider."""

    name: str
    settings: ProviderSettings
    provider: Provider | None
    problem: str
    breaker: CircuitBreaker
    gate_until: float = 0.0
    key_stamp: tuple[int, int, int] | None = field(init=False)
    """Of the file its key was read from."""
    disabled: str = ""
    disabled_at_ms: float = 0.0
    disabled_alone: bool = False
    """What disables it is this engine's own: keys are found on each host, so another engine's may be good."""
    in_flight: int = 0
    begun: dict[int, float] = field(default_factory=dict)
    """Calls in flight by number, oldest first, and when they began."""
    latency_s: float | None = None
    usual_latency_s: float | None = None
    error: float = 0.0
    error_at: float = 0.0
    heard_at: float = -math.inf
    """When a call ended last, well or not."""
    finding: HealthFinding | None = None
    """What the last look at it found."""
    silent_at: float = -math.inf
    """When a time-out was last counted."""
    concurrency: AdaptiveLimit = field(init=False)
    retries: RetryTokens = field(default_factory=RetryTokens)

    def __post_init__(self) -> None:
        self.concurrency = AdaptiveLimit(self.settings.max_concurrency)
        self.key_stamp = key_stamp(self.settings)

    def learn_from(self, before: ProviderState) -> None:
        """Go on with what was learned of the same service under other settings: calls still in flight there count here too."""
        if (self.settings.api, self.settings.base_url, self.settings.model) == (
            before.settings.api,
            before.settings.base_url,
            before.settings.model,
        ):
            self.concurrency, self.retries = before.concurrency, before.retries
            self.concurrency.bound(self.settings.max_concurrency)

    @property
    def question_tokens_max(self) -> int:
        """Tokens a question may have so that the longest answer still fits beside it."""
        return self.settings.context_tokens - self.settings.max_output_tokens

    @property
    def service(self) -> tuple[str, str]:
        """Provider and model: what latencies are kept by."""
        return (self.name, self.settings.model)

    def oldest_s(self, now: float) -> float:
        """How long the oldest call in flight has been waiting."""
        return max(0.0, now - next(iter(self.begun.values()), now))

    def error_now(self, now: float) -> float:
        """Decayed share of failures, 0 to 1."""
        return self.error * math.pow(0.5, (now - self.error_at) / ERROR_HALF_LIFE_S)

    async def close(self) -> None:
        """Close its client; one that cannot be closed is said and dropped."""
        if self.provider is None:
            return
        try:
            async with asyncio.timeout(CLOSE_S):
                await self.provider.aclose()
        except Exception:
            logger.exception("the client of %s could not be closed; it is dropped", self.name)

    def describe(self, now: float) -> dict[str, Any]:
        """What :meth:`AIRouter.describe` says; ``now`` is the router's clock, in seconds."""
        wall = time.time() * 1000
        word, reason = "ok", ""
        if not self.settings.enabled:
            word, reason = "disabled", "switched off in the settings"
        elif self.provider is None:
            word, reason = "no_key", self.problem
        elif self.disabled:
            word, reason = "disabled", self.disabled
        elif self.breaker.forced is not None:
            word, reason = "open", f"circuit breaker held open by {self.breaker.forced.by}: {self.breaker.forced.why}"
        elif self.breaker.state is BreakerState.OPEN and now < self.breaker.open_until:
            word, reason = "open", f"circuit breaker open after {', '.join(self.breaker.causes)}"
        elif self.breaker.state is not BreakerState.CLOSED:
            word, reason = "half_open", "circuit breaker tries one call at a time"
        elif now < self.gate_until:
            word, reason = "limited", f"rate limited for {self.gate_until - now:.0f} s more"
        elif self.latency_s and self.usual_latency_s and self.latency_s > SLOW_FACTOR * self.usual_latency_s:
            word, reason = "slow", f"{self.latency_s:.1f} s an answer, usually {self.usual_latency_s:.1f} s"
        about = self._describe_breaker(now, wall)
        since = iso_from_ms(self.disabled_at_ms) if self.disabled else about["since"]
        return {
            "state": word,
            "since": since,
            "reason": reason,
            "in_flight": self.in_flight,
            "limit": self.concurrency.limit,
            "limit_max": self.concurrency.most,
            "gate_until": iso_from_ms(wall + (self.gate_until - now) * 1000) if now < self.gate_until else None,
            "breaker": about,
            "health": None if self.finding is None else self.finding.model_dump(),
        }

    def _describe_breaker(self, now: float, wall_ms: float) -> dict[str, Any]:
        breaker = self.breaker
        probe_at = wall_ms + (breaker.open_until - now) * 1000 if breaker.state is BreakerState.OPEN and not breaker.forced else None
        since_ms = float(breaker.forced.at_ms) if breaker.forced else wall_ms - (now - breaker.since) * 1000 if breaker.since else None
        return {
            "state": "forced_open" if breaker.forced else breaker.state.value,
            "failures": round(breaker.failures),
            "next_probe": iso_from_ms(probe_at) if probe_at else None,
            "causes": list(breaker.causes),
            "since": iso_from_ms(since_ms) if since_ms else None,
            "openings": breaker.openings,
            "share": breaker.share(now),
            "forced_by": breaker.forced.by if breaker.forced else "",
            "forced_why": breaker.forced.why if breaker.forced else "",
        }
