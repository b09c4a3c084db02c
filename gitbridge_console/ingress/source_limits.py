"""How much one source may send: a token bucket for each, in a table of bounded size."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

SOURCES_MAX = 10_000
"""Sources remembered; the one heard of longest ago is forgotten for a new one, and begins anew when it comes again."""
BURST_S = 2.0
"""A source that was quiet may send at once what it may send within so many seconds."""


class SourceLimits:
    """Token buckets by source. A limit of 0 is none."""

    def __init__(self, sources_max: int = SOURCES_MAX, clock: Callable[[], float] = time.monotonic) -> None:
        self._sources_max = sources_max
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, source: str, per_second: float) -> float:
        """Count a request of a source; returns 0 when it may pass, else the seconds after which the next one may."""
        if per_second <= 0:
            return 0.0
        now, most = self._clock(), max(1.0, per_second * BURST_S)
        left, at = self._buckets.pop(source, (most, now))
        left = min(most, left + (now - at) * per_second)
        passes = left >= 1
        self._buckets[source] = (left - 1 if passes else left, now)
        if len(self._buckets) > self._sources_max:
            self._buckets.popitem(last=False)
        return 0.0 if passes else math.ceil((1 - left) / per_second * 1000) / 1000
