"""Circuit breaker of one provider's model, as a state machine whose clock is handed in.

Five counted failures in a row open it for ``open_base_s * 2**(k-1)`` seconds up to ``open_cap_s``; one probe at a time
is let through afterwards, ``successes_to_close`` successes close it (parameters: the routing design, 5.4).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from gitbridge_console.settings.model import BreakerSettings

HEALTHY_S = 60.0
"""Every so many healthy seconds one past opening is forgiven."""


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


class CircuitBreaker:
    """All times are seconds of one monotonic clock."""

    def __init__(self, settings: BreakerSettings) -> None:
        self._settings = settings
        self.state = BreakerState.CLOSED
        self.since = 0.0
        self.open_until = 0.0
        self.failures = 0.0
        self.causes: deque[str] = deque(maxlen=5)
        self._openings = 0
        self._successes = 0
        self._generation = 0
        self._probe_until: float | None = None
        self._healthy_since = 0.0

    def would_admit(self, now: float) -> bool:
        """Whether a call could pass now, without taking the probe's place."""
        if self.state is BreakerState.CLOSED:
            return True
        if self.state is BreakerState.OPEN and now < self.open_until:
            return False
        return self._probe_until is None or now >= self._probe_until

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

    def succeeded(self, admission: Admission, now: float) -> None:
        """The call gave a usable answer."""
        if admission.generation != self._generation:
            return
        self._free(admission)
        self.failures = 0.0
        if self.state is BreakerState.HALF_OPEN:
            self._successes += 1
            if self._successes >= self._settings.successes_to_close:
                self._change(BreakerState.CLOSED, now)
                self._healthy_since = now
        elif self._openings and now - self._healthy_since >= HEALTHY_S:
            self._openings -= 1
            self._healthy_since = now

    def failed(self, admission: Admission, now: float, cause: str, weight: float = 1.0) -> None:
        """The call failed; ``weight`` 0 counts as neutral."""
        if weight <= 0:
            self.neutral(admission)
            return
        if admission.generation != self._generation:
            return
        self._free(admission)
        self.causes.append(cause)
        self.failures += weight
        self._healthy_since = now
        if self.state is BreakerState.HALF_OPEN or self.failures >= self._settings.consecutive_failures:
            self._open(now)

    def neutral(self, admission: Admission) -> None:
        """The call was cancelled or says nothing about health: only the probe's place is given back."""
        if admission.generation == self._generation:
            self._free(admission)

    def reset(self, now: float) -> None:
        """Back to closed and forgetful, by an operator's word."""
        self._change(BreakerState.CLOSED, now)
        self._openings = 0

    def _free(self, admission: Admission) -> None:
        if admission.probe:
            self._probe_until = None

    def _open(self, now: float) -> None:
        self._openings += 1
        self._change(BreakerState.OPEN, now)
        self.open_until = now + min(self._settings.open_cap_s, self._settings.open_base_s * 2 ** (self._openings - 1))

    def _change(self, state: BreakerState, now: float) -> None:
        self.state = state
        self.since = now
        self._generation += 1
        self._successes = 0
        self.failures = 0.0 if state is not BreakerState.OPEN else self.failures
        self._probe_until = None
