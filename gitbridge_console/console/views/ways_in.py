"""How events come in beside ``submit``: receivers with their spools, the list of older producers, the last look for what never came."""

from __future__ import annotations

from collections.abc import Iterable

from gitbridge_console.console.text import safe
from gitbridge_console.console.views.cells import Cell, Line, clock, line
from gitbridge_console.console.views.sizes import mebibytes
from gitbridge_console.domain.durations import age
from gitbridge_console.domain.snapshots import FleetSnapshot, LegacyStatus, ReceiverStatus, ReconcileStatus, SpoolStatus

LATE_S = 5.0
"""Seconds without a sign of life after which a receiver is called late."""


def ways_in_lines(snapshot: FleetSnapshot) -> list[Line]:
    """A section with a line for each; nothing where there is none."""
    lines = [_receiver(receiver) for receiver in snapshot.receivers]
    if snapshot.legacy is not None:
        lines.append(_legacy(snapshot.legacy))
    if snapshot.reconcile is not None:
        lines.append(_reconcile(snapshot.reconcile))
    return [line(Cell("WAYS IN", "head")), *lines, line("")] if lines else []


def _receiver(receiver: ReceiverStatus) -> Line:
    late = receiver.beat_age_s > LATE_S
    return line(
        "  receiver ",
        Cell(f"{safe(receiver.id)} ", "strong"),
        Cell("LATE" if late else "ok", "bad" if late else "good"),
        Cell(f"  beat {age(receiver.beat_age_s)}", "bad" if late else "dim"),
        *_spool(receiver.spool),
    )


def _spool(spool: SpoolStatus | None) -> Iterable[Cell]:
    if spool is None:
        return (Cell("  no spool: what the store does not take is refused", "dim"),)
    if spool.failure:
        return (Cell(f"  SPOOL FAILS: {safe(spool.failure)}", "bad"),)
    if not spool.records:
        return (Cell("  spool empty", "dim"),)
    oldest = "" if spool.oldest_age_s is None else f", the oldest {age(spool.oldest_age_s)}"
    return (Cell(f"  SPOOLED {spool.records:,} ({mebibytes(spool.bytes)} of {mebibytes(spool.max_bytes)}{oldest})", "warn"),)


def _legacy(legacy: LegacyStatus) -> Line:
    if legacy.problem:
        return line("  legacy list ", Cell(f"NOT READ: {safe(legacy.problem)}", "bad"))
    return line(f"  legacy list {legacy.waiting:,} of {legacy.max_waiting:,} wait, {legacy.processing:,} under way")


def _reconcile(last: ReconcileStatus) -> Line:
    told = f"  reconcile {clock(last.at)}  {last.missed:,} missed, {last.asked:,} asked for again"
    given_up = f", {last.given_up:,} given up" if last.given_up else ""
    return line(told, Cell(given_up, "warn"), Cell(f"  {safe(last.problem)}" if last.problem else "", "bad"))
