"""What is to be said of the spools of those who receive webhooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gitbridge_console.domain.durations import age
from gitbridge_console.domain.snapshots import Alert, ReceiverStatus

SILENT_S = 30.0
NEARLY_FULL = 0.8
"""Share of ``ingress.spool_max_bytes``."""


def spool_alerts(receivers: Sequence[ReceiverStatus], at: str) -> Iterable[Alert]:
    """One line for each receiver whose spool holds anything or cannot be written."""
    for receiver in receivers:
        spool = receiver.spool
        if spool is None or not (spool.records or spool.failure):
            continue
        oldest = "" if spool.oldest_age_s is None else f", oldest {age(spool.oldest_age_s)}"
        held = f"{spool.records:,} deliveries ({spool.bytes / 2**20:,.1f} of {spool.max_bytes / 2**20:,.0f} MiB{oldest})"
        if receiver.beat_age_s > SILENT_S:
            text = f"receiver {receiver.id} is silent for {age(receiver.beat_age_s)} with {held} in its spool: start it again"
            yield Alert(level="critical", code="spool_left", text=text, since=at)
        elif spool.failure:
            text = f"receiver {receiver.id}: the disk takes nothing for its spool: {spool.failure}; it holds {held}"
            yield Alert(level="critical", code="spool_failed", text=text, since=at)
        else:
            full = spool.bytes >= spool.max_bytes * NEARLY_FULL
            text = f"receiver {receiver.id} has spooled {held} for the store" + (
                ": nearly full, then deliveries are refused" if full else ""
            )
            yield Alert(level="critical" if full else "warning", code="spooled", text=text, since=at)
