"""Counts of the queue: reading what the stats script gives, and adding up partitions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from gitbridge_console.store.records import LaneCounts, QueueStats
from gitbridge_console.store.replies import table_of, text_of


def stats_from(reply: Sequence[Any]) -> QueueStats:
    """The reply of the stats script as records."""
    now, rows, states, counters, pauses, sizes, drains = reply
    return QueueStats(
        now_ms=int(now),
        lanes={text_of(row[0]): _lane(row[1:]) for row in rows},
        states={text_of(name): int(count) for name, count in states},
        counters={name: int(count) for name, count in table_of(counters).items()},
        pauses={text_of(lane): json.loads(description) for lane, description in pauses},
        bytes_by_state={name: int(count) for name, count in table_of(sizes).items()},
        drains={text_of(lane): json.loads(description) for lane, description in drains},
    )


def _lane(row: Sequence[Any]) -> LaneCounts:
    ready, waiting, leased, held, oldest = map(int, row[:5])
    return LaneCounts(ready, waiting, leased, held, None if oldest < 0 else oldest, tuple(map(int, row[5:])))


def add_up(parts: Sequence[QueueStats]) -> QueueStats:
    """The counts of all partitions as those of one queue; a lane is paused when it is in any of them."""
    if len(parts) == 1:
        return parts[0]
    lanes: dict[str, LaneCounts] = {}
    for part in parts:
        for name, counts in part.lanes.items():
            lanes[name] = _both(lanes[name], counts) if name in lanes else counts
    return QueueStats(
        now_ms=max(part.now_ms for part in parts),
        lanes=lanes,
        states=_sum(part.states for part in parts),
        counters=_sum(part.counters for part in parts),
        pauses={lane: pause for part in parts for lane, pause in part.pauses.items()},
        bytes_by_state=_sum(part.bytes_by_state for part in parts),
        drains={lane: drain for part in parts for lane, drain in part.drains.items()},
    )


def _both(a: LaneCounts, b: LaneCounts) -> LaneCounts:
    ages = [age for age in (a.oldest_age_ms, b.oldest_age_ms) if age is not None]
    return LaneCounts(
        ready=a.ready + b.ready,
        waiting=a.waiting + b.waiting,
        leased=a.leased + b.leased,
        held=a.held + b.held,
        oldest_age_ms=max(ages, default=None),
        by_priority=tuple(x + y for x, y in zip(a.by_priority, b.by_priority, strict=True)),
    )


def _sum(tables: Any) -> dict[str, int]:
    total: Counter[str] = Counter()
    for table in tables:
        total.update(table)
    return dict(total)
