"""A mergeable histogram of durations with fixed logarithmic buckets: engines add, minutes and hosts sum up."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import accumulate

GROWTH = 1.2
MIN_MS = 1.0
MAX_MS = 600_000.0

BOUNDS_MS: tuple[float, ...] = tuple(MIN_MS * GROWTH**step for step in range(math.ceil(math.log(MAX_MS / MIN_MS, GROWTH)) + 1))
"""Upper bounds in milliseconds, 1 ms to ten minutes; a percentile is off by at most the growth of one bucket (20 %)."""


class LatencyHistogram:
    """Counts per bucket; the last bucket takes everything above the last bound."""

    __slots__ = ("counts",)

    def __init__(self, counts: Iterable[int] | None = None) -> None:
        self.counts = list(counts) if counts is not None else [0] * (len(BOUNDS_MS) + 1)

    @staticmethod
    def bucket(ms: float) -> int:
        """Index of the bucket a duration falls into; what is negative or not a number counts as no time."""
        return bisect_left(BOUNDS_MS, ms) if ms > 0 else 0

    @property
    def total(self) -> int:
        """How many durations were added."""
        return sum(self.counts)

    def add(self, ms: float, n: int = 1) -> None:
        """Count a duration in milliseconds."""
        self.counts[self.bucket(ms)] += n

    def merge(self, other: LatencyHistogram) -> None:
        """Add another histogram's counts to this one's."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]

    def percentile(self, fraction: float) -> float | None:
        """Duration below which ``fraction`` (0..1) of all lie, interpolated within its bucket; ``None`` when empty."""
        return self.percentiles(fraction)[0]

    def percentiles(self, *fractions: float) -> list[float | None]:
        """As :meth:`percentile`, of several."""
        up_to = list(accumulate(self.counts))
        total = up_to[-1]
        if not total:
            return [None] * len(fractions)
        first = bisect_right(up_to, 0)
        found: list[float | None] = []
        for fraction in fractions:
            rank = min(max(fraction, 0.0), 1.0) * total
            index = max(bisect_left(up_to, rank), first)
            if index >= len(BOUNDS_MS):
                found.append(BOUNDS_MS[-1])
                continue
            low = BOUNDS_MS[index - 1] if index else 0.0
            seen = up_to[index] - self.counts[index]
            found.append(low + (BOUNDS_MS[index] - low) * max(rank - seen, 0.0) / self.counts[index])
        return found

    def to_fields(self, prefix: str) -> dict[str, int]:
        """The counts that are not zero as fields of a hash: ``<prefix><bucket>``."""
        return {f"{prefix}{index}": count for index, count in enumerate(self.counts) if count}

    @classmethod
    def from_fields(cls, fields: Mapping[str, int], prefix: str) -> LatencyHistogram:
        """Read what :meth:`to_fields` wrote; fields of other prefixes and unknown buckets are passed over."""
        histogram, buckets = cls(), _buckets(prefix)
        for name in buckets.keys() & fields.keys():
            histogram.counts[buckets[name]] = fields[name]
        return histogram


@lru_cache(maxsize=64)
def _buckets(prefix: str) -> dict[str, int]:
    """The index of each bucket by the name of its field."""
    return {f"{prefix}{index}": index for index in range(len(BOUNDS_MS) + 1)}
