"""Lines of the log and the audit."""

from __future__ import annotations

from collections.abc import Sequence

from gitbridge_console.console.text import safe
from gitbridge_console.console.views.cells import Cell, Column, Row, clock
from gitbridge_console.console.views.tables import short_id
from gitbridge_console.domain.event_views import AuditEntry
from gitbridge_console.domain.snapshots import LogLine

LEVELS = ("", "warning", "error")
"""What is shown, from everything to errors only."""
RANKS = {"info": 0, "warning": 1, "error": 2, "critical": 2}

LOG_COLUMNS = (Column("TIME", 8), Column("WHO", 14), Column("WHAT", 11), Column("TARGET", 18), Column("TEXT", 24, flex=True))


def log_rows(log: Sequence[LogLine], audit: Sequence[AuditEntry], level: str = "") -> list[Row]:
    """Operators' writes and the fleet's event log in one stream, newest first; of the log, what is as bad as ``level`` or worse."""
    rows = [
        (
            entry.at,
            Row(
                f"a{entry.at}{entry.what}{entry.target}",
                (
                    Cell(clock(entry.at), "dim"),
                    Cell(safe(entry.who), "accent"),
                    Cell(entry.what, "strong"),
                    Cell(safe(entry.target)),
                    Cell(safe(f"{entry.reason}  [{entry.result}]")),
                ),
            ),
        )
        for entry in audit
    ]
    for entry in log:
        if RANKS.get(entry.level, 0) < RANKS.get(level, 0):
            continue
        tone = {"error": "bad", "warning": "warn"}.get(entry.level, "dim")
        rows.append(
            (
                entry.at,
                Row(
                    f"l{entry.at}{entry.what}{entry.id}{entry.text}",
                    (
                        Cell(clock(entry.at), "dim"),
                        Cell("fleet", "dim"),
                        Cell(safe(entry.what), tone),
                        Cell(short_id(safe(entry.id))),
                        Cell(safe(entry.text)),
                    ),
                ),
            )
        )
    return [row for _, row in sorted(rows, key=lambda pair: pair[0], reverse=True)]
