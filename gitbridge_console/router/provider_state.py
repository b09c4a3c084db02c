"""What one engine knows of one provider: its client, its health, and how both are told."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from dataclasses import dataclass
from typing import Any

from gitbridge_console.domain.timestamps import iso_from_ms
from gitbridge_console.providers.base import Provider
from gitbridge_console.router.breaker import BreakerState, CircuitBreaker
from gitbridge_console.settings.model import ProviderSettings

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
    disabled: str = ""
    disabled_at_ms: float = 0.0
    in_flight: int = 0
    latency_s: float | None = None
    usual_latency_s: float | None = None
    error: float = 0.0
    error_at: float = 0.0

    @property
    def question_tokens_max(self) -> int:
        """Tokens a question may have so that the longest answer still fits beside it."""
        return self.settings.context_tokens - self.settings.max_output_tokens

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
        elif self.breaker.state is BreakerState.OPEN and now < self.breaker.open_until:
            word, reason = "open", f"circuit breaker open after {', '.join(self.breaker.causes)}"
        elif self.breaker.state is not BreakerState.CLOSED:
            word, reason = "half_open", "circuit breaker tries one call at a time"
        elif now < self.gate_until:
            word, reason = "limited", f"rate limited for {self.gate_until - now:.0f} s more"
        elif self.latency_s and self.usual_latency_s and self.latency_s > SLOW_FACTOR * self.usual_latency_s:
            word, reason = "slow", f"{self.latency_s:.1f} s an answer, usually {self.usual_latency_s:.1f} s"
        since_ms = self.disabled_at_ms if self.disabled else wall - (now - self.breaker.since) * 1000 if self.breaker.since else None
        return {
            "state": word,
            "since": iso_from_ms(since_ms) if since_ms else None,
            "reason": reason,
            "in_flight": self.in_flight,
            "limit": self.settings.max_concurrency,
            "gate_until": iso_from_ms(wall + (self.gate_until - now) * 1000) if now < self.gate_until else None,
            "breaker": {
                "state": self.breaker.state.value,
                "failures": round(self.breaker.failures),
                "next_probe": iso_from_ms(wall + (self.breaker.open_until - now) * 1000)
                if self.breaker.state is BreakerState.OPEN
                else None,
                "causes": list(self.breaker.causes),
            },
        }
