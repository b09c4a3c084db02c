"""Rows of the queue, the failures, the decisions and the audit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gitbridge_console.console.text import safe
from gitbridge_console.console.views.cells import Cell, Column, Row, clock
from gitbridge_console.domain.durations import age

if TYPE_CHECKING:
    from gitbridge_console.domain.event_views import DecisionSummary, EventSummary, JobSummary

PRIORITY_TONES = {"critical": "bad", "high": "warn", "low": "dim", "bulk": "dim"}
DECISION_TONES = {"complete": "good", "partial": "warn", "degraded": "bad", "failed": "bad"}

JOB_COLUMNS = (
    Column("ID", 13),
    Column("LANE", 9),
    Column("PRI", 8),
    Column("PLACE", 7),
    Column("AGE", 6, right=True),
    Column("TRY", 3, right=True),
    Column("KIND", 13, drop=1),
    Column("SUBJECT", 20, flex=True),
)


def job_rows(jobs: Sequence[JobSummary]) -> list[Row]:
    """The queue in the order of claiming."""
    return [
        Row(
            job.id,
            (
                Cell(short_id(job.id)),
                Cell(safe(job.lane)),
                Cell(job.priority, PRIORITY_TONES.get(job.priority, "")),
                Cell(
                    job.place if job.due_in_s is None else f"in {age(job.due_in_s)}",
                    "good" if job.place == "leased" else "dim" if job.place == "waiting" else "",
                ),
                Cell(age(job.age_s)),
                Cell(str(job.tries)),
                Cell(job.kind.replace("_", " "), "dim"),
                Cell(safe(job.subject)),
            ),
        )
        for job in jobs
    ]


def short_id(job_id: str) -> str:
    """An id without its leading zeros, as it may be typed too."""
    return job_id.lstrip("0") or "0"


EVENT_COLUMNS = (
    Column("ID", 9),
    Column("TIME", 8),
    Column("STATE", 17),
    Column("ERROR", 14),
    Column("TYPE", 14, drop=1),
    Column("SUBJECT", 18, flex=True),
    Column("RUN", 3, right=True, drop=2),
)
STATE_TONES = {"failed": "bad", "parked": "warn", "awaiting_approval": "accent", "resolved": "good"}


def event_rows(events: Sequence[EventSummary]) -> list[Row]:
    """Events with what is wrong with them."""
    return [
        Row(
            event.id,
            (
                Cell(short_id(event.id)),
                Cell(clock(event.received_at), "dim"),
                Cell(event.state.replace("_", " "), STATE_TONES.get(event.state, "")),
                Cell(event.error_class.replace("_", " "), "bad"),
                Cell(safe(event.type), "dim"),
                Cell(safe(f"{event.subject}  {event.title}")),
                Cell(str(event.run)),
            ),
        )
        for event in events
    ]


DECISION_COLUMNS = (
    Column("EVENT", 8),
    Column("TIME", 8, drop=3),
    Column("PANEL", 8),
    Column("VERDICT", 19),
    Column("CONFIRMED", 9),
    Column("AGREE", 9, drop=2),
    Column("CLASH", 6),
    Column("SUBJECT", 12, flex=True),
)


def decision_rows(decisions: Sequence[DecisionSummary]) -> list[Row]:
    """Those that wait for an operator first, marked in words, then the newest."""
    ordered = sorted(decisions, key=lambda row: not row.needs_operator)
    return [
        Row(
            row.event_id,
            (
                Cell(short_id(row.event_id)),
                Cell(clock(row.created_at), "dim"),
                Cell(
                    "OPERATOR" if row.needs_operator else row.state, "accent" if row.needs_operator else DECISION_TONES.get(row.state, "")
                ),
                Cell(f"{row.verdict.replace('_', ' ')} {row.agreement}", "strong"),
                Cell(row.findings.removesuffix(" confirmed")),
                Cell(row.band, "warn" if row.band == "low" else "dim"),
                Cell(row.conflict_types or (str(row.conflicts) if row.conflicts else ""), "warn"),
                Cell(safe(f"{row.subject}  {row.title}")),
            ),
        )
        for row in ordered
    ]
