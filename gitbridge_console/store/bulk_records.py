"""One bulk operation as it stands in the store, and what there is to say about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitbridge_console.domain.bulk import BulkKind, BulkState, Deed, eta_s
from gitbridge_console.domain.bulk_views import BulkStatus
from gitbridge_console.domain.timestamps import iso_from_ms


@dataclass(frozen=True, slots=True)
class BulkRecord:
    """An operation as it was asked for."""

    id: str
    deed: Deed
    filter: str
    state: BulkState
    by: str
    host: str
    reason: str
    planned: int
    rate_per_s: float
    most: int | None
    created_ms: int
    started_ms: int | None
    ended_ms: int | None
    owner: str
    until_ms: int
    speed_per_s: float
    note: str
    untold: bool = False
    """It is finished, and the audit may not say yet what it came to."""


@dataclass(frozen=True, slots=True)
class BulkSums:
    """What came of it so far, over all partitions."""

    done: int = 0
    skipped: int = 0
    failed: int = 0
    dropped: int = 0
    lefts: tuple[int, ...] = ()
    """Entries still to be looked at, by partition."""

    @property
    def left(self) -> int:
        """All of them."""
        return sum(self.lefts)

    @property
    def over(self) -> int:
        """Entries that were looked at."""
        return self.done + self.skipped + self.failed


def read_record(op_id: str, table: Mapping[str, str]) -> BulkRecord | None:
    """An operation from its hash; ``None`` where there is none, or one of a kind that only a newer program knows."""
    try:
        kind, state = BulkKind(table.get("kind", "")), BulkState(table.get("state", ""))
    except ValueError:
        return None

    def moment(name: str) -> int | None:
        return int(table[name]) if table.get(name) else None

    return BulkRecord(
        id=op_id,
        deed=Deed(kind, table.get("to", ""), table.get("front") == "1", table.get("lane", "")),
        filter=table.get("filter", ""),
        state=state,
        by=table.get("by", ""),
        host=table.get("host", ""),
        reason=table.get("reason", ""),
        planned=int(table.get("planned", 0)),
        rate_per_s=float(table.get("rate") or 0),
        most=int(table["most"]) if table.get("most") else None,
        created_ms=int(table.get("created", 0)),
        started_ms=moment("started"),
        ended_ms=moment("ended"),
        owner=table.get("owner", ""),
        until_ms=int(table.get("until") or 0),
        speed_per_s=float(table.get("speed") or 0),
        note=table.get("note", ""),
        untold=table.get("told") == "0",
    )


def describe(record: BulkRecord, sums: BulkSums, reasons: Mapping[str, int], skipped: Sequence[tuple[str, str]]) -> BulkStatus:
    """Everything there is to say about an operation."""
    most_left = None if record.most is None else max(0, record.most - sums.over)
    running = record.state is BulkState.RUNNING
    return BulkStatus(
        id=record.id,
        kind=record.deed.kind,
        deed=record.deed.words,
        filter=record.filter,
        state=record.state,
        by=record.by,
        host=record.host,
        reason=record.reason,
        planned=record.planned,
        most=record.most,
        done=sums.done,
        skipped=sums.skipped,
        failed=sums.failed,
        left=sums.left,
        dropped=sums.dropped,
        skips=dict(sorted(reasons.items(), key=lambda pair: -pair[1])),
        skipped_ids=tuple(skipped),
        rate_per_s=record.rate_per_s,
        speed_per_s=record.speed_per_s if running else 0.0,
        eta_s=eta_s(sums.left, record.rate_per_s, record.speed_per_s, most_left) if running else None,
        created_at=iso_from_ms(record.created_ms),
        started_at=None if record.started_ms is None else iso_from_ms(record.started_ms),
        ended_at=None if record.ended_ms is None else iso_from_ms(record.ended_ms),
        engine=record.owner.partition("/")[0] if running else "",
        note=record.note,
    )
