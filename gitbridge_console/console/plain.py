"""The fleet as plain text: for ``status``, dumb terminals, pipes and screen readers. Needs no Textual."""

from __future__ import annotations

from gitbridge_console.console.text import fit, safe
from gitbridge_console.console.views.fleet import LANE_COLUMNS, alert_lines, count_lines, first_run_lines, header_line, lane_rows
from gitbridge_console.domain.snapshots import FleetSnapshot


def render_report(snapshot: FleetSnapshot, width: int = 80) -> str:
    """The Pulse without colour, cursor or chart."""
    columns = [column for column in LANE_COLUMNS if column.title != "TREND"]
    lines = [header_line(snapshot, {}, None).plain.strip()]
    lines += [line.plain for line in alert_lines(snapshot, 20)]
    lines.append(" ".join(fit(column.title, column.width, right=column.right) for column in columns))
    for row in lane_rows(snapshot):
        lines.append(" ".join(fit(cell.text, column.width, right=column.right) for cell, column in zip(row.cells, columns, strict=False)))
    lines += [line.plain for line in count_lines(snapshot)]
    lines += [line.plain for line in first_run_lines(snapshot)]
    return "\n".join(safe(line)[:width].rstrip() for line in lines) + "\n"
