"""Circuit breaker of one provider's model, as a state machine whose clock is handed in.

It opens on ``consecutive_failures`` counted failures in a row (Envoy's 5), when ``failure_rate`` of at least ``calls_min``
calls of the last ``window_s`` seconds failed (resilience4j's 50 %, with fewer calls, since AI calls are few), or when
``slow_rate`` of them took longer than ``slow_factor`` times the long-run 95th percentile. It stays open for
``open_base_s * 2**(k-1)`` seconds up to ``open_cap_s``, give or take a fifth, where ``k`` counts openings and falls by one each
healthy minute (Envoy's and gRPC A50's multiplier). Then one probe at a time is let through: ``successes_to_close`` successes
close it, one failure opens it again. A provider that just recovered gets a growing share of its weight for ``ramp_s``.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from gitbridge_console.router.call_window import CallWindow, UsualLatency
from gitbridge_console.settings.routing import BreakerSettings

HEALTHY_S = 60.0
"""Every so many healthy seconds one past opening is forgiven."""

JITTER = 0.2
"""Share by which an open time is longer or shorter, so that a fleet does not probe in step."""

CAUSES_MAX = 5
RAMP = (0.25, 0.5)
"""Shares of its weight in equal parts of the ramp; full weight after it."""


class BreakerState(StrEnum):
    """Whether calls may pass."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Admission:
    """Leave to make one call. Its generation lets results from before a state change be ignored."""

    generation: int
    probe: bool


@dataclass(frozen=True, slots=True)
class Forced:
    """An operator holds the breaker open."""

    by: str
    why: str
    at_ms: int


@dataclass(slots=True)
class CircuitBreaker:
    """All times are seconds of one monotonic clock."""

    settings: BreakerSettings
    jitter: Callable[[], float] = random.random
    """A uniform draw from 0 to 1 for each opening."""
    state: BreakerState = BreakerState.CLOSED
    since: float = 0.0
    open_until: float = 0.0
    openings: int = 0
    """The ``k`` of the open time."""
    failures: float = 0.0
    causes: deque[str] = field(default_factory=lambda: deque(maxlen=CAUSES_MAX))
    forced: Forced | None = None
    transitions: int = 0
    """Openings and closings that happened here, so that whoever shares them sees that there is news."""
    usual: UsualLatency = field(default_factory=UsualLatency)
    _window: CallWindow = field(init=False)
    _successes: int = 0
    _generation: int = 0
    _probe_until: float | None = None
    _healthy_since: float = 0.0
    _ramp_from: float | None = None

    def __post_init__(self) -> None:
        self._window = CallWindow(self.settings.window_s)

    def would_admit(self, now: float) -> bool:
        """Whether a call could pass now, without taking the probe's place."""
        if self.forced is not None:
            return False
        if self.state is BreakerState.CLOSED:
            return True
        if self.state is BreakerState.OPEN and now < self.open_until:
            return False
        return self._probe_until is None or now >= self._probe_until

    def probing(self, now: float) -> bool:
        """Whether the next call that passes is a probe."""
        return self.state is not BreakerState.CLOSED and self.would_admit(now)

    def admit(self, now: float, probe_lease_s: float) -> Admission | None:
        """Ask leave for one call; ``None`` when it may not pass.

        A probe holds its place for at most ``probe_lease_s``, so that one which never reports cannot wedge the breaker.
        """
        if not self.would_admit(now):
            return None
        if self.state is BreakerState.CLOSED:
            return Admission(self._generation, probe=False)
        if self.state is BreakerState.OPEN:
            self._change(BreakerState.HALF_OPEN, now)
        self._probe_until = now + probe_lease_s
        return Admission(self._generation, probe=True)

    def probed_elsewhere(self, until: float) -> None:
        """Another engine tries whether it is back: let nothing pass before ``until``."""
        if self.state is not BreakerState.CLOSED:
            self._probe_until = max(until, self._probe_until or until)

    def succeeded(self, admission: Admission, now: float, latency_s: float | None = None) -> None:
        """The call gave a usable answer after ``latency_s`` seconds."""
        slow = latency_s is not None and self.usual.p95_s is not None and latency_s > self.settings.slow_factor * self.usual.p95_s
        if latency_s is not None:
            self.usual.add(latency_s)
        if admission.generation != self._generation:
            return
        self._free(admission)
        self.failures = 0.0
        if self.state is BreakerState.HALF_OPEN:
            self._successes += 1
            if self._successes >= self.settings.successes_to_close:
                self.close(now)
                self._ramp_from = now
            return
        self._window.add(now, slow=slow)
        if slow and self._too_many(now):
            self.causes.append("slow")
            self._open(now)
        else:
            self._forgive(now)

    def failed(self, admission: Admission, now: float, cause: str, weight: float = 1.0) -> None:
        """The call failed; ``weight`` 0 counts as neutral."""
        if weight <= 0:
            self.neutral(admission)
            return
        if admission.generation != self._generation:
            return
        self._free(admission)
        if self.state is BreakerState.CLOSED:
            self._forgive(now)
        self.causes.append(cause)
        self.failures += weight
        self._healthy_since = now
        self._window.add(now, failure=weight)
        half_open = self.state is BreakerState.HALF_OPEN
        if half_open or self.failures >= self.settings.consecutive_failures or self._too_many(now):
            self._open(now)

    def neutral(self, admission: Admission) -> None:
        """The call was cancelled or says nothing about health: only the probe's place is given back."""
        if admission.generation == self._generation:
            self._free(admission)

    def share(self, now: float) -> float:
        """Part of its weight a provider gets: less than 1 for a while after it recovered."""
        if self._ramp_from is None or not self.settings.ramp_s:
            return 1.0
        step = int((now - self._ramp_from) / self.settings.ramp_s * len(RAMP))
        return RAMP[max(0, step)] if step < len(RAMP) else 1.0

    def close(self, now: float) -> None:
        """Let calls pass again; past openings still make the next one longer."""
        self._change(BreakerState.CLOSED, now)
        self._window.clear()
        self._healthy_since = now
        self._ramp_from = None
        self.transitions += 1

    def reset(self, now: float) -> None:
        """As if nothing had ever happened, by an operator's word."""
        self.close(now)
        self.openings = 0
        self.causes.clear()

    def adopt_open(self, now: float, for_s: float, openings: int, causes: list[str]) -> None:
        """Open because another engine's breaker did, for the ``for_s`` seconds that are left of its open time."""
        if self.state is not BreakerState.OPEN:
            self._change(BreakerState.OPEN, now)
        self.open_until = now + for_s
        self.openings = openings
        self.causes = deque(causes, maxlen=CAUSES_MAX)

    def adopt_closed(self, now: float, openings: int) -> None:
        """Close because another engine's probes went well."""
        before = self.transitions
        self.close(now)
        self.transitions, self.openings, self._ramp_from = before, openings, now

    def _too_many(self, now: float) -> bool:
        calls, failures, slow = self._window.sums(now)
        own = self.settings
        return calls >= own.calls_min and (failures >= own.failure_rate * calls or slow >= own.slow_rate * calls)

    def _forgive(self, now: float) -> None:
        """Forgive one opening for each whole minute since the last failure, whether anybody called in it or not."""
        minutes = int((now - self._healthy_since) / HEALTHY_S)
        if minutes > 0:
            self.openings = max(0, self.openings - minutes)
            self._healthy_since += minutes * HEALTHY_S

    def _free(self, admission: Admission) -> None:
        if admission.probe:
            self._probe_until = None

    def _open(self, now: float) -> None:
        self.openings += 1
        self.transitions += 1
        self._change(BreakerState.OPEN, now)
        wait_s = min(self.settings.open_cap_s, self.settings.open_base_s * 2 ** min(self.openings - 1, 30))
        self.open_until = now + wait_s * (1 + JITTER * (2 * self.jitter() - 1))

    def _change(self, state: BreakerState, now: float) -> None:
        self.state = state
        self.since = now
        self._generation += 1
        self._successes = 0
        self.failures = 0.0 if state is not BreakerState.OPEN else self.failures
        self._probe_until = None
