"""Claiming jobs: reading what the claim script gives, and choosing among partitions."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gitbridge_console.store.headers import Header
from gitbridge_console.store.partition import Partition
from gitbridge_console.store.records import Claim, ClaimedJob
from gitbridge_console.store.replies import text_of

PEEK_FOR_S = 0.1
"""How long a look at the heads of all partitions is believed while it shows work; an empty one is never believed."""
ROUNDS_MAX = 7
"""Looks at the heads within one claim: one for each class of priority, one for what came due, one that was out of date."""
CLASS = 2**43 * 100
"""Distance in score between two classes of priority."""


def end_of_class(score: float) -> float:
    """The highest score of the class of priority a score lies in; what is due and has no place yet counts as the most urgent."""
    return score if score == math.inf else (max(1, math.floor(score / CLASS)) + 0.5) * CLASS


def claim_from(lane: str, reply: Sequence[Any]) -> Claim:
    """The reply of the claim script as records."""
    paused, due_ms, now_ms = bool(reply[0]), int(reply[1]), int(reply[2])
    next_due_s = None if due_ms < 0 else due_ms / 1000
    if len(reply) == 3:
        return Claim((), paused, next_due_s)
    fence, ids, events, payloads = text_of(reply[3]), text_of(reply[4]).split(" "), reply[6], reply[7]
    own = [Header(raw, fence) for raw in reply[5].split(b"\0")]
    about = [Header(raw) for raw in events.split(b"\0")] if events else own
    jobs = [
        ClaimedJob(job_id, lane, fence, header, event, payload, b"", now_ms)
        for job_id, header, event, payload in zip(ids, own, about, payloads or [b""] * len(ids), strict=True)
    ]
    for place, diff in zip(reply[8][::2], reply[8][1::2], strict=True):
        jobs[place - 1].packed_diff = diff
    return Claim(tuple(jobs), paused, next_due_s)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of one claim. Times in milliseconds; ``payload_bytes`` -1: no payloads."""

    lane: str
    n: int
    lease_ms: int
    payload_bytes: int
    repository_max: int

    def args(self, n: int, bound: str) -> tuple[Any, ...]:
        """Arguments of the script for ``n`` jobs no later in line than the score ``bound`` (empty: any)."""
        return self.lane, n, self.lease_ms, self.payload_bytes, self.repository_max, bound


@dataclass(frozen=True, slots=True)
class _Heads:
    """The score each partition's lane begins with: infinite where it is empty, minus one where a waiting job is due."""

    at: float
    scores: list[float]
    next_due_s: float


class Claimer:
    """Claims from all partitions class by class, as far as one look at their heads tells.

    Within a class each partition gives its oldest first, and those with the oldest head come first.
    """

    def __init__(self, partitions: Sequence[Partition], clock: Callable[[], float] = time.monotonic) -> None:
        self._partitions = partitions
        self._clock = clock
        self._seen: dict[str, _Heads] = {}

    async def claim(self, request: Request) -> Claim:
        """Up to ``request.n`` jobs."""
        if len(self._partitions) == 1:
            return claim_from(request.lane, await self._partitions[0].claim(request.n, request.args(request.n, "")))
        jobs: list[ClaimedJob] = []
        paused, due_s = False, math.inf
        for round_ in range(ROUNDS_MAX):
            seen = await self._heads(request.lane, fresh=round_ > 0)
            due_s = min(due_s, seen.next_due_s)
            bound = end_of_class(min(seen.scores))
            for n in sorted((n for n, head in enumerate(seen.scores) if head <= bound), key=seen.scores.__getitem__):
                left = request.n - len(jobs)
                claim = claim_from(request.lane, await self._partitions[n].claim(left, request.args(left, f"{bound:.0f}")))
                paused = paused or claim.paused
                due_s = min(due_s, math.inf if claim.next_due_s is None else claim.next_due_s)
                jobs.extend(claim.jobs)
                if len(jobs) >= request.n:
                    break
            if len(jobs) >= request.n or paused or min(seen.scores) == math.inf:
                break
        return Claim(tuple(jobs), paused, None if due_s == math.inf else due_s)

    async def _heads(self, lane: str, *, fresh: bool) -> _Heads:
        seen = self._seen.get(lane)
        if seen is not None and not fresh and self._clock() - seen.at < PEEK_FOR_S and min(seen.scores) < math.inf:
            return seen
        scores, dues = [], [math.inf]
        for score, due_ms in await asyncio.gather(*(partition.run("peek", lane) for partition in self._partitions)):
            scores.append(-1.0 if int(due_ms) == 0 else float(score) if score else math.inf)
            if int(due_ms) > 0:
                dues.append(int(due_ms) / 1000)
        seen = self._seen[lane] = _Heads(self._clock(), scores, min(dues))
        return seen
