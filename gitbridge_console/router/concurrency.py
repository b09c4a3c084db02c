"""How many calls a provider gets at the same time: additive increase, multiplicative decrease; the clock is handed in.

Not a gradient of latency: how long an answer takes follows its length. After Netflix's ``AIMDLimit``, whose half-full
rule keeps a limit from growing while nobody needs it.
"""

from __future__ import annotations

from gitbridge_console.domain.failures import Failure, FailureClass

START, MIN = 8, 1
CUT = 0.7
HALVE = 0.5
CUTS = frozenset({FailureClass.RATE_LIMIT, FailureClass.OVERLOADED, FailureClass.SILENT})
"""Failures that say the provider has too much to do: 429, 529 and time-outs."""

SLOW_DOWN = "slow_down"
"""OpenAI's code for calls that came too fast, whatever the quota: half is left."""

UNKNOWN_RTT_S = 1.0
RTT_ALPHA = 0.2


class AdaptiveLimit:
    """The limit of one provider, from 1 to ``most``. Times are seconds of one monotonic clock."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(min(START, most))
        self._successes = 0
        self._rtt_s: float | None = None
        self._cut_at: float | None = None

    @property
    def limit(self) -> int:
        """Calls at the same time, at most."""
        return int(self._limit)

    @property
    def most(self) -> int:
        """What it may grow to."""
        return self._most

    def bound(self, most: int) -> None:
        """Take over another upper bound; what was learned stays."""
        self._most = most
        self._limit = min(self._limit, float(most))

    def succeeded(self, in_flight: int, latency_s: float) -> None:
        """A call went well; ``in_flight`` counts it. One more after as many as the limit while at least half of it was in use."""
        self._rtt_s = latency_s if self._rtt_s is None else self._rtt_s + RTT_ALPHA * (latency_s - self._rtt_s)
        if in_flight * 2 < self.limit:
            return
        self._successes += 1
        if self._successes >= self.limit:
            self._successes = 0
            self._limit = min(float(self._most), self.limit + 1.0)

    def failed(self, failure: Failure, now: float) -> None:
        """A call failed. What was in flight together fails together: at most one cut per mean round trip."""
        slow_down = failure.provider_code == SLOW_DOWN
        if not slow_down and failure.cls not in CUTS:
            return
        rtt_s = UNKNOWN_RTT_S if self._rtt_s is None else self._rtt_s
        if self._cut_at is not None and now - self._cut_at < rtt_s:
            return
        self._cut_at = now
        self._successes = 0
        self._limit = max(float(MIN), self._limit * (HALVE if slow_down else CUT))
