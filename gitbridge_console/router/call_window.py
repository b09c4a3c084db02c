"""What the calls of the last minute came to, in ten buckets, and how long calls usually take."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from gitbridge_console.store.latency_histogram import LatencyHistogram

BUCKETS = 10
USUAL_MIN = 30
"""Calls after which "usually" means something."""

USUAL_MAX = 2_000
"""Calls after which the counts are halved: old habits fade, and the memory stays bounded."""


@dataclass(slots=True)
class _Bucket:
    number: int
    calls: int = 0
    failures: float = 0.0
    slow: int = 0


class CallWindow:
    """Calls, counted failures and slow calls of the last ``window_s`` seconds; all times in seconds of one clock."""

    def __init__(self, window_s: float) -> None:
        self._bucket_s = window_s / BUCKETS
        self._buckets: deque[_Bucket] = deque(maxlen=BUCKETS)

    def add(self, now: float, *, failure: float = 0.0, slow: bool = False) -> None:
        """Count one call that ended ``now``; ``failure`` is what it weighs as one, 0 for a success."""
        number = int(now / self._bucket_s)
        if not self._buckets or self._buckets[-1].number < number:
            self._buckets.append(_Bucket(number))
        bucket = self._buckets[-1]
        bucket.calls += 1
        bucket.failures += failure
        bucket.slow += slow

    def sums(self, now: float) -> tuple[int, float, int]:
        """Calls, weight of failures and slow calls within the window."""
        oldest = int(now / self._bucket_s) - BUCKETS + 1
        recent = [bucket for bucket in self._buckets if bucket.number >= oldest]
        return sum(b.calls for b in recent), sum(b.failures for b in recent), sum(b.slow for b in recent)

    def clear(self) -> None:
        """Forget everything."""
        self._buckets.clear()


class UsualLatency:
    """The long-run 95th percentile of successful calls, of bounded size and slow to change."""

    def __init__(self) -> None:
        self._seen = LatencyHistogram()
        self._count = 0
        self.p95_s: float | None = None
        """Seconds; ``None`` before enough calls were seen."""

    def add(self, latency_s: float) -> None:
        """Take one successful call into account."""
        self._seen.add(latency_s * 1000)
        self._count += 1
        if self._count >= USUAL_MAX:
            self._seen = LatencyHistogram(n // 2 for n in self._seen.counts)
            self._count = self._seen.total
        # Reading the percentile walks all buckets; once in a while is enough for something that moves so slowly.
        if self._count >= USUAL_MIN and self._count % USUAL_MIN == 0:
            found = self._seen.percentile(0.95)
            self.p95_s = None if found is None else found / 1000
