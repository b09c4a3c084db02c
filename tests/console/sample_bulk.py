"""Bulk operations as a fleet would tell of them."""

from __future__ import annotations

from gitbridge_console.domain.bulk import Deed, Selection
from gitbridge_console.domain.bulk_views import BulkPlan, BulkStatus


def bulk_operations() -> list[BulkStatus]:
    """One that is planned, one that runs, one that stands still, one that is over."""
    common = {"kind": "replay", "deed": "replay", "by": "ana", "host": "ops-3", "rate_per_s": 200.0, "created_at": "2026-11-22T21:00:00Z"}
    return [
        BulkStatus(id="op9", filter="state=failed", state="planned", planned=40, left=40, **common),
        BulkStatus(
            id="op8",
            filter="error=silent \x1b[31mred",
            state="running",
            reason="grok is back",
            planned=10_000,
            done=4_100,
            skipped=100,
            left=5_800,
            skips={"it was replayed since": 100},
            skipped_ids=(("0000001a00", "it was replayed since"),),
            speed_per_s=198.0,
            eta_s=29.3,
            started_at="2026-11-22T21:00:01Z",
            engine="ops-3-4711",
            **common,
        ),
        BulkStatus(id="op7", filter="kind=general", state="paused", planned=500, done=100, left=400, note="by kim", **common),
        BulkStatus(id="op6", filter="200 ids", state="finished", planned=201, done=201, ended_at="2026-11-22T20:00:00Z", **common),
    ]


def bulk_plan(deed: Deed, chosen: Selection) -> BulkPlan:
    """As many as were chosen by id, or ten thousand."""
    count = len(chosen.ids) or 10_000
    return BulkPlan(
        token="op9",
        kind=deed.kind,
        deed=deed.words,
        filter=chosen.words,
        count=count,
        looked=12_000,
        estimate=count,
        ineligible={"it is resolved: such are replayed only where the filter says state=resolved": 7},
        by_kind={"code_review": count},
        sample=("0000001a00 failed normal acme/shop#7 silent",),
        pointless=3,
        calls=2 * count,
        cost_usd=12.5,
        rate_per_s=50.0,
        takes_s=count / 50,
    )
