"""Lines of the log and the audit."""

from __future__ import annotations

from collections.abc import Sequence

from gitbridge_console.console.text import safe
from gitbridge_console.console.views.cells import Cell, Column, Line, Row, clock, line, wrap
from gitbridge_console.console.views.tables import short_id
from gitbridge_console.domain.audit import AuditFilter
from gitbridge_console.domain.event_views import AuditEntry
from gitbridge_console.domain.snapshots import LogLine

LEVELS = ("", "warning", "error")
"""What is shown, from everything to errors only."""
RANKS = {"info": 0, "warning": 1, "error": 2, "critical": 2}

LOG_COLUMNS = (Column("TIME", 8), Column("WHO", 14), Column("WHAT", 11), Column("TARGET", 18), Column("TEXT", 24, flex=True))


def audit_row_id(entry: AuditEntry) -> str:
    """The id of the row of a write."""
    return f"a{entry.at}{entry.what}{entry.target}"


def log_rows(log: Sequence[LogLine], audit: Sequence[AuditEntry], level: str = "", wanted: AuditFilter | None = None) -> list[Row]:
    """Operators' writes and the fleet's event log in one stream, newest first; of the log, what is as bad as ``level`` or worse.

    ``wanted`` narrows the log; the audit was searched with it already.
    """
    rows = [
        (
            entry.at,
            Row(
                audit_row_id(entry),
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
        if RANKS.get(entry.level, 0) < RANKS.get(level, 0) or (wanted is not None and not wanted.matches(_as_write(entry))):
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


def _as_write(entry: LogLine) -> AuditEntry:
    """A line of the log as the filter of the audit looks at it."""
    return AuditEntry(at=entry.at, who="fleet", host="", what=entry.what, target=entry.id, reason=entry.text, result=entry.level)


def audit_page(entry: AuditEntry, width: int) -> list[Line]:
    """Everything the audit keeps of one write."""
    counted = {"planned": entry.planned, "affected": entry.affected}
    said = {
        "who": entry.who,
        "role": entry.role,
        "account": entry.account,
        "logged in": entry.login,
        "SUDO_USER": entry.sudo_user,
        "host": entry.host,
        "terminal": entry.tty,
        "": "",
        "what": entry.what,
        "target": entry.target,
        "filter": entry.filter,
        "reason": entry.reason,
        "result": entry.result,
    } | {name: f"{count:,}" for name, count in counted.items() if count is not None}
    lines = [line(Cell(f" WRITE {entry.n}  ", "head"), Cell(entry.at, "dim")), line("")]
    for name, text in said.items():
        if text or not name:
            lines += wrap(line(Cell(f"  {name:<12}", "dim"), safe(text)), width, 14)
    for title, state in (("BEFORE", entry.before), ("AFTER", entry.after)):
        if state:
            lines += [line(""), line(Cell(f" {title}", "head"))]
            for name, value in state.items():
                lines += wrap(line(Cell(f"  {safe(name):<12}  ", "strong"), safe(str(value))), width, 16)
    return lines
