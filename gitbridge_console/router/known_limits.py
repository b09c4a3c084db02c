"""What one engine knows of one provider's rate limits: where they come from, what they have left, and how both are told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gitbridge_console.domain.rate_limits import Amounts, Buckets, Dimension, Pace, pace_of
from gitbridge_console.domain.timestamps import iso_from_ms
from gitbridge_console.router.attempt import Outcome
from gitbridge_console.settings.routing import ProviderSettings

ONE_REQUEST: Amounts = {Dimension.REQUESTS: 1.0}


@dataclass(slots=True)
class KnownLimits:
    """What this engine knows of the limits of one provider's model; ``buckets`` is the fleet's as last heard, or its own part."""

    provider: str
    settings: ProviderSettings
    advertised: dict[Dimension, float] = field(default_factory=dict)
    paces: dict[Dimension, Pace] = field(default_factory=dict)
    buckets: Buckets = field(default_factory=Buckets)
    needs: Amounts = field(default_factory=lambda: ONE_REQUEST)
    """What the last call asked for: the next one will need about as much."""
    alone: bool = False
    rests_until: float = -1.0
    """Until when nothing is let through because the store has not answered, which says nothing of the limits."""
    heard_at_ms: float = 0.0
    reserved: int = 0
    """Calls that are reserved and not settled."""
    wanted: bool = False
    """Whether somebody was told that there is no room, and waits to hear of a change."""

    def own(self, dimension: Dimension) -> int:
        """The limit a minute set by the operator; 0: none."""
        match dimension:
            case Dimension.REQUESTS:
                return self.settings.requests_per_minute
            case Dimension.INPUT:
                return self.settings.input_tokens_per_minute
            case Dimension.OUTPUT:
                return self.settings.output_tokens_per_minute
            case Dimension.TOKENS:
                return 0

    def reckon(self, now: float, engines: int) -> None:
        """Settings or advertised limits are new: buckets for all limits there are now."""
        found = {dimension: pace_of(self.own(dimension), self.advertised.get(dimension)) for dimension in Dimension}
        self.paces = {dimension: pace for dimension, pace in found.items() if pace is not None}
        shared = {dimension: pace.shared(engines) for dimension, pace in self.paces.items()} if self.alone else self.paces
        self.buckets.use(shared, now, full=not self.alone)

    def rest(self, until: float) -> None:
        """Let nothing through before ``until``."""
        self.rests_until = until
        self.buckets.close(until)

    def reason(self, which: Dimension | None) -> str:
        """Why a call may not be made now; ``which`` is the limit that opens last, ``None`` when all are closed."""
        if which is None and self.buckets.closed_until == self.rests_until:
            return "the store did not say whether there is room"
        if which is None:
            return "asked to wait after a rate limit"
        return f"at its limit of {self.limit(which):,} {which.value.replace('_', ' ')} a minute"

    def limit(self, dimension: Dimension) -> int:
        """Units a minute: of the operator's limit and the advertised one the lower."""
        return round(min(limit for limit in (self.own(dimension) or None, self.advertised.get(dimension)) if limit is not None))

    def describe(self, now: float, wall_ms: float) -> dict[str, dict[str, Any]]:
        """Per limit: units a minute and who says so, what may be taken at once, and when the next call may begin if not now."""
        found = {}
        for dimension in self.paces:
            bucket = self.buckets.all[dimension]
            wait_s = max(bucket.wait_s(self.needs.get(dimension, 0.0), now), self.buckets.closed_until - now)
            own, advertised = self.own(dimension), self.advertised.get(dimension)
            found[dimension.value] = {
                "limit": self.limit(dimension),
                "remaining": max(0, int(bucket.level_at(now))),
                "opens_at": iso_from_ms(wall_ms + wait_s * 1000) if wait_s > 0 else None,
                "source": "settings" if own and (advertised is None or own <= advertised) else "headers",
            }
        return found


def used_by(needs: Amounts, outcome: Outcome | None) -> dict[Dimension, float]:
    """What a call took. What a refused one asked for was not read; where nothing was counted the estimate stands."""
    if outcome is None:
        return {}
    attempt = outcome.attempt
    refused = attempt.http_status is not None and attempt.http_status >= 400
    read = 0.0 if refused else needs[Dimension.INPUT] if attempt.tokens_in is None else float(attempt.tokens_in)
    written = 0.0 if refused else needs[Dimension.OUTPUT] if attempt.tokens_out is None else float(attempt.tokens_out)
    return {Dimension.REQUESTS: 1.0, Dimension.INPUT: read, Dimension.OUTPUT: written, Dimension.TOKENS: read + written}


def asked_to_wait_s(outcome: Outcome | None) -> float:
    """How long a refusal for its rate asks to be left alone."""
    failure = outcome.failure if outcome is not None else None
    return failure.retry_after_s or 0.0 if failure is not None and failure.rule.gates else 0.0
