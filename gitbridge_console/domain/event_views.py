"""Frozen views of single things: events and their tasks, decisions, the audit, and what a change came to."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from gitbridge_console.domain.decisions import Answer, Decision
from gitbridge_console.domain.snapshots import View
from gitbridge_console.domain.tasks import Attempt


class EventSummary(View):
    """One row of an event list."""

    id: str
    delivery: str
    type: str
    repository: str
    subject: str
    title: str = ""
    kind: str = ""
    priority: str
    state: str
    received_at: str
    age_s: float
    run: int = 1
    lane: str = ""
    reason: str = ""
    error_class: str = ""
    error_code: str = ""
    error_text: str = ""
    verdict: str = ""
    agreement: str = ""
    """``2/3``: votes for the verdict of valid votes."""


class JobSummary(View):
    """One row of the queue: a job in a lane, event or task."""

    id: str
    event_id: str
    lane: str
    place: str
    """ready, waiting or leased."""
    priority: str
    age_s: float
    due_in_s: float | None = None
    tries: int = 0
    kind: str = ""
    repository: str = ""
    subject: str = ""


class TaskDetail(View):
    """One seat with its attempts and answer."""

    id: str
    provider: str
    """The provider whose lane it is in now (the one that answered, once it succeeded)."""
    seat: str
    """The provider that was chosen first."""
    state: str
    deliveries: int = 0
    calls: int = 0
    hedge_of: str = ""
    """The task for whose seat this is a second one, because its provider took long; the two count as one seat."""
    asks: str = ""
    """``verify`` or ``arbiter`` for a question about the panel's answers; empty for a seat of the panel."""
    attempts: tuple[Attempt, ...] = ()
    answer: Answer | None = None


class TimelineEntry(View):
    """One thing that happened to an event."""

    at: str
    what: str
    by: str


class ErrorDetail(View):
    """Why an event failed."""

    cls: str = Field(alias="class", serialization_alias="class")
    code: str
    message: str


class EventDetail(View):
    """All of one event, down to attempts and answers: ``events show ID --json``."""

    id: str
    delivery: str
    type: str
    action_name: str = ""
    repository: str
    subject: str
    title: str = ""
    author: str = ""
    url: str = ""
    head_sha: str = ""
    """The head that was looked at; empty for what has none, and for events of before it was kept."""
    kind: str
    priority: str
    state: str
    reason: str = ""
    received_at: str
    timeline: tuple[TimelineEntry, ...] = ()
    tasks: tuple[TaskDetail, ...] = ()
    decision: Decision | None = None
    action: dict[str, Any] | None = None
    error: ErrorDetail | None = None
    run: int = 1
    lineage: dict[str, Any] = Field(default_factory=lambda: {"edited_from": None, "edits": []})
    payload_text: str | None = None
    """The raw payload, only when asked for."""
    material_note: str = ""
    next_chance: str | None = None
    """While it is parked: when a provider can be asked again, as far as anybody knows."""
    routing: tuple[str, ...] = ()
    """Why each provider was or was not chosen, one line each."""


class DecisionSummary(View):
    """One row of the decisions list."""

    id: str
    event_id: str
    created_at: str
    kind: str
    repository: str
    subject: str
    title: str = ""
    state: str
    verdict: str
    agreement: str
    findings: str = ""
    """``3 of 8 confirmed`` or empty."""
    conflicts: int = 0
    conflict_types: str = ""
    """A letter for each type, with how many where there are several: ``VS2L`` (see :data:`.decisions.CONFLICT_LETTERS`)."""
    band: str = ""
    """How far the findings agree: low, usual, high or all clear."""
    needs_operator: bool = False


class AuditEntry(View):
    """One operator's write, recorded before it ran, with what came of it."""

    n: int = 0
    """Its number in the chain."""
    at: str
    who: str
    host: str
    account: str = ""
    """Whose rights the process had, as the kernel says."""
    login: str = ""
    """Who logged in, as the kernel says; empty where it does not know."""
    sudo_user: str = ""
    ssh: str = ""
    tty: str = ""
    role: str = ""
    what: str
    target: str
    reason: str
    filter: str = ""
    planned: int | None = None
    result: str = ""
    affected: int | None = None
    before: dict[str, Any] = Field(default_factory=dict)
    after: dict[str, Any] = Field(default_factory=dict)


class QuarantineEntry(View):
    """Something that came in and could not be read as an event."""

    id: str
    at: str
    source: str
    error: str
    size: int
    sample: str


class ChangeReport(View):
    """What an operation changed: how many of the named things, and why the others were left alone."""

    changed: int
    unchanged: int = 0
    ids: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
