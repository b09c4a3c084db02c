"""When a second provider is asked because the first takes long: the rules, without I/O.

A call that is slower than all but the last few of its kind is likely to hang; asking somebody else at that moment cuts the
tail for a few more calls (J. Dean and L. A. Barroso, "The Tail at Scale", CACM 56(2), 2013; throttled by a share of calls
as in gRPC's proposal A6).
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence

from gitbridge_console.domain.event_views import TaskDetail

SAMPLES_MAX = 500
"""Latencies kept for one provider and kind, the newest."""

SAVED_MAX = 5.0
"""Hedges that a long time without any may save up."""

_RANKS = {"succeeded": 0, "queued": 1, "in_progress": 1, "waiting": 1, "failed": 2, "cancelled": 3}


class Latencies:
    """The newest latencies of one provider and kind, in seconds."""

    def __init__(self, most: int = SAMPLES_MAX) -> None:
        self._newest: deque[float] = deque(maxlen=most)
        self._sorted: list[float] = []

    def __len__(self) -> int:
        return len(self._newest)

    def add(self, seconds: float) -> None:
        """One more; the oldest goes."""
        if len(self._newest) == self._newest.maxlen:
            del self._sorted[bisect_left(self._sorted, self._newest[0])]
        self._newest.append(seconds)
        insort(self._sorted, seconds)

    def percentile(self, percent: float) -> float | None:
        """By the nearest rank: the smallest latency that at least ``percent`` of them do not exceed; ``None`` without any."""
        if not self._sorted:
            return None
        return self._sorted[max(0, math.ceil(len(self._sorted) * percent / 100) - 1)]


class HedgeShare:
    """Keeps hedges to a share of all calls: each call saves up that share of one, and a hedge takes a whole one."""

    def __init__(self) -> None:
        self._saved = 0.0

    def called(self, share_max: float) -> None:
        """A call is made that is no hedge."""
        self._saved = min(SAVED_MAX, self._saved + share_max)

    def take(self) -> bool:
        """Whether there is room for one hedge, which is taken."""
        # A twentieth added twenty times is a little less than one.
        if self._saved < 1 - 1e-9:
            return False
        self._saved = max(0.0, self._saved - 1)
        return True

    def give_back(self) -> None:
        """The hedge was not made."""
        self._saved = min(SAVED_MAX, self._saved + 1)


def hedge_delay_s(latencies: Latencies | None, samples_min: int, percent: float) -> float | None:
    """After how long a call is slow enough to be hedged; ``None`` while too little is known."""
    return latencies.percentile(percent) if latencies is not None and len(latencies) >= samples_min else None


def one_per_seat(panel: Sequence[TaskDetail]) -> list[TaskDetail]:
    """A panel without its hedges: of a seat and its hedge the one that counts, an answer before what is still out before a failure."""
    chosen: dict[str, TaskDetail] = {}
    for task in panel:
        seat = task.hedge_of or task.id
        before = chosen.get(seat)
        if before is None or _rank(task) < _rank(before):
            chosen[seat] = task
    return list(chosen.values())


def _rank(task: TaskDetail) -> tuple[int, bool, bool]:
    return _RANKS.get(task.state, 3), task.answer is None, bool(task.hedge_of)
