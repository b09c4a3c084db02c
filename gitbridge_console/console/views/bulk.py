"""Bulk operations as rows, and one of them, or a plan, as lines."""

from __future__ import annotations

from collections.abc import Sequence

from gitbridge_console.console.text import safe
from gitbridge_console.console.views.cells import Cell, Column, Line, Row, clock, line, money
from gitbridge_console.domain.bulk import bar
from gitbridge_console.domain.bulk_views import BulkPlan, BulkStatus
from gitbridge_console.domain.durations import age

BAR_WIDTH = 16
REASONS_SHOWN = 12
STATE_TONES = {"running": "accent", "paused": "warn", "finished": "good", "cancelled": "bad", "planned": "dim"}

BULK_COLUMNS = (
    Column("ID", 7),
    Column("STATE", 9),
    Column("PROGRESS", BAR_WIDTH),
    Column("OVER", 5, right=True),
    Column("DONE", 8, right=True),
    Column("LEFT", 8, right=True),
    Column("SPEED", 7, right=True, drop=2),
    Column("TIME", 6, right=True),
    Column("WHAT", 14, flex=True),
    Column("FILTER", 14, flex=True, drop=1),
)


def bulk_rows(found: Sequence[BulkStatus], *, ascii_only: bool) -> list[Row]:
    """Operations, as they were given."""
    return [
        Row(
            op.id,
            (
                Cell(op.id),
                Cell(op.state, STATE_TONES.get(op.state, "")),
                Cell(bar(op.share, BAR_WIDTH, ascii_only=ascii_only), "accent" if op.state == "running" else "dim"),
                Cell(f"{100 * op.share:.0f}%"),
                Cell(f"{op.done:,}"),
                Cell(f"{op.left:,}"),
                Cell(f"{op.speed_per_s:g}/s" if op.speed_per_s else "-", "dim"),
                Cell(age(op.eta_s)),
                Cell(safe(op.deed)),
                Cell(safe(op.filter), "dim"),
            ),
        )
        for op in found
    ]


def plan_lines(plan: BulkPlan) -> list[Line]:
    """What would be done, before anything is."""
    more = "" if plan.exact else f" of about {plan.estimate:,}"
    lines = [
        line(Cell("PLAN  ", "head"), Cell(f"{plan.deed}: {plan.count:,}{more}", "strong"), f" of {plan.looked:,} looked at"),
        line(f"  {safe(plan.filter)}; takes {age(plan.takes_s)} at {plan.rate_per_s:g}/s"),
    ]
    if plan.calls:
        lines.append(line(f"  {plan.calls:,} calls to providers, cost {money(plan.cost_usd)}"))
    if plan.pointless:
        about = "" if plan.pointless_exact else "about "
        lines.append(line(Cell(f"  {about}{plan.pointless:,} have a newer head: they end superseded and nobody is asked", "warn")))
    if plan.by_kind:
        lines.append(line("  " + ", ".join(f"{safe(kind)} {count:,}" for kind, count in plan.by_kind.items())))
    lines += [line(Cell(f"  left out {count:,}: {safe(why)}", "dim")) for why, count in list(plan.ineligible.items())[:REASONS_SHOWN]]
    lines += [line(Cell(f"  {safe(one)}", "dim")) for one in plan.sample]
    return lines


def status_lines(op: BulkStatus) -> list[Line]:
    """How far one is, who wants it, and what it skipped."""
    engine = f"held by engine {safe(op.engine)}" if op.engine else "no engine holds it" if op.state == "running" else ""
    most = "" if op.most is None else f", {op.most:,} at most"
    lines = [
        line(Cell(f"{op.id}  ", "head"), Cell(safe(op.deed), "strong"), f"  {safe(op.filter)}"),
        line(f"  {op.planned:,} planned at {op.rate_per_s:g}/s{most}, by {safe(op.by)}: {safe(op.reason)}"),
        line(f"  {op.done:,} done, {op.skipped:,} skipped, {op.failed:,} failed, {op.left:,} left, {op.dropped:,} not done"),
        line(Cell(f"  planned {clock(op.created_at)}, begun {clock(op.started_at or '-')}, over {clock(op.ended_at or '-')}", "dim")),
    ]
    if op.note or engine:
        lines.append(line(Cell(f"  {'; '.join(part for part in (safe(op.note), engine) if part)}", "dim")))
    lines += [line(f"  skipped {count:,}: {safe(why)}") for why, count in list(op.skips.items())[:REASONS_SHOWN]]
    lines += [line(Cell(f"    {safe(job_id)}  {safe(why)}", "dim")) for job_id, why in op.skipped_ids]
    return lines
