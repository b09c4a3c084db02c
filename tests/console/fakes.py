"""A fleet without an engine: hand-made pictures, and a door that notes what is asked of it."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from sample import audit, decisions, event, failures, fleet, jobs
from sample_bulk import bulk_operations, bulk_plan
from sample_decisions import decision
from sample_history import history, story

from gitbridge_console.domain.audit import AuditFilter
from gitbridge_console.domain.bulk import Deed, Selection
from gitbridge_console.domain.bulk_views import BulkPlan, BulkStatus
from gitbridge_console.domain.dead_letters import DeadGroup
from gitbridge_console.domain.decisions import Decision
from gitbridge_console.domain.event_views import AuditEntry, ChangeReport, DecisionSummary, EventDetail, EventSummary, JobSummary
from gitbridge_console.domain.events import Priority
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.domain.history import History, ProviderStory
from gitbridge_console.domain.provider_health import HealthFinding
from gitbridge_console.domain.snapshots import BreakerWord, FleetSnapshot
from gitbridge_console.domain.windows import Bookmark, SearchStep, Window
from gitbridge_console.operations.errors import OperationError

T = TypeVar("T")


def with_body(action: dict[str, Any], text: str) -> dict[str, Any]:
    """An action with another text in its only request."""
    (request,) = action["requests"]
    return {**action, "requests": [{**request, "body": {**request["body"], "body": text}}]}


class FakeDoor:
    """Answers like ``Operations``; ``writes`` holds every write as (name, arguments)."""

    def __init__(self) -> None:
        self.writes: list[tuple[Any, ...]] = []
        self.asked: list[str] = []
        self.refuse: OperationError | None = None
        self.jobs = jobs()
        self.failures = failures()
        self.growing: Decision | None = None
        self.event = event
        self.step = 1_000
        self.past = True
        self.prompts: tuple[str, ...] = ("shipped",)
        self.bulk = bulk_operations()
        self.planned: tuple[Deed, Selection] | None = None

    def _note(self, *what: Any) -> ChangeReport:
        if self.refuse is not None:
            raise self.refuse
        self.writes.append(what)
        ids = what[1] if isinstance(what[1], list) else [what[1]]
        return ChangeReport(changed=len(ids), ids=tuple(map(str, ids)))

    def _ask(self, name: str) -> None:
        self.asked.append(name)
        if self.refuse is not None:
            raise self.refuse

    async def list_decisions(self, limit: int = 100, wanted: EventFilter | None = None) -> list[DecisionSummary]:
        self._ask("decisions")
        return [row for row in decisions() if wanted is None or (wanted.text or "") in f"{row.subject} {row.title}"]

    async def job_window(self, lane: str | None, first: int, count: int, follow: str = "") -> Window[JobSummary]:
        self._ask("jobs")
        rows = [job for job in self.jobs if lane in (None, job.lane)]
        at = next((n for n, job in enumerate(rows) if job.id == follow), None)
        return Window(tuple(rows[first : first + count]), first, len(rows), at)

    async def job_search(self, lane: str | None, wanted: EventFilter, bookmark: Bookmark, count: int = 2_000) -> SearchStep[JobSummary]:
        self._ask("job search")
        rows = [job for job in self.jobs if lane in (None, job.lane)]
        return self._step(
            rows, [job for job in rows if wanted.provider in (None, job.lane) and (wanted.text or "") in job.subject], bookmark
        )

    async def event_window(self, states: Sequence[str], first: int, count: int, follow: str = "") -> Window[EventSummary]:
        self._ask("events")
        return Window(tuple(self.failures[first : first + count]), first, len(self.failures))

    async def event_search(
        self, states: Sequence[str], wanted: EventFilter, bookmark: Bookmark, count: int = 2_000
    ) -> SearchStep[EventSummary]:
        self._ask("event search")
        return self._step(self.failures, [row for row in self.failures if wanted.matches(row)], bookmark)

    def _step(self, rows: Sequence[Any], found: Sequence[Any], bookmark: Bookmark) -> SearchStep[Any]:
        """``step`` rows at a time of those there are; what matches is found where it stands."""
        looked = min(len(rows), bookmark.looked + self.step)
        part, matching = rows[bookmark.looked : looked], {id(row) for row in found}
        return SearchStep(
            tuple(row for row in part if id(row) in matching), looked, len(rows), None if looked == len(rows) else Bookmark({}, looked)
        )

    async def list_audit(self, limit: int = 100, wanted: AuditFilter | None = None) -> list[AuditEntry]:
        self._ask("audit")
        return [entry for entry in audit() if wanted is None or wanted.matches(entry)]

    async def history(self, span_s: int) -> History:
        self._ask("history")
        return history(span_s) if self.past else History(span_s, 60)

    async def provider_story(self, name: str) -> ProviderStory:
        self._ask("story")
        return story()

    async def show_event(self, event_id: str, *, payload: bool = False) -> EventDetail:
        self._ask("event")
        return self.event(event_id, payload=payload)

    async def pause(self, lanes: Sequence[str], reason: str, for_s: float | None = None) -> ChangeReport:
        return self._note("pause", list(lanes), reason)

    async def resume(self, lanes: Sequence[str]) -> ChangeReport:
        return self._note("resume", list(lanes))

    async def health(self, providers: Sequence[str] = ()) -> dict[str, HealthFinding]:
        self._ask("health")
        return {name: HealthFinding(ok=True, at="2026-11-22T21:00:00Z", ms=123.4, model="offered", models=3) for name in providers}

    async def ack_alert(self, code: str, reason: str = "") -> ChangeReport:
        return self._note("ack", code, reason)

    async def silence_alert(self, code: str, for_s: float, reason: str) -> ChangeReport:
        return self._note("silence", code, for_s, reason)

    async def breaker(self, provider: str, word: BreakerWord, reason: str) -> ChangeReport:
        return self._note("breaker", provider, word, reason)

    async def prioritize(self, ids: Sequence[str], to: Priority, *, front: bool = False) -> ChangeReport:
        return self._note("prioritize", list(ids), to)

    async def replay(self, ids: Sequence[str], reason: str) -> ChangeReport:
        return self._note("replay", list(ids), reason)

    async def cancel(self, ids: Sequence[str], reason: str) -> ChangeReport:
        return self._note("cancel", list(ids), reason)

    async def drain(self, provider: str, reason: str) -> ChangeReport:
        return self._note("drain", provider, reason)

    async def failover(self, provider: str, to: str, reason: str) -> ChangeReport:
        return self._note("failover", provider, to, reason)

    async def replay_edited(
        self,
        event_id: str,
        payload: bytes | None,
        reason: str,
        *,
        panel: Sequence[str] = (),
        priority: Priority | None = None,
        prompt: str = "",
    ) -> ChangeReport:
        if panel or priority or prompt:
            return self._note("replay_edited", event_id, payload, reason, list(panel), priority, *([prompt] if prompt else []))
        return self._note("replay_edited", event_id, payload, reason)

    async def prompt_versions(self, kind: str) -> tuple[str, ...]:
        return self.prompts

    async def expand_filter(self, text: str) -> str:
        return text.replace("@night", "state=failed error=silent")

    async def save_filter(self, name: str, text: str) -> ChangeReport:
        return self._note("save_filter", name, text)

    async def drop_filter(self, name: str) -> ChangeReport:
        return self._note("drop_filter", name)

    async def dead_groups(self) -> list[DeadGroup]:
        self._ask("groups")
        return [
            DeadGroup("silent", "grok", "code_review", 31, "3e9", "no first token within 15 s \x1b[2J"),
            DeadGroup("shed", "-", "-", 6, "3e1", "the queue was full"),
            DeadGroup("overloaded", "claude, grok", "push_review", 2, "3d0", "HTTP 529"),
        ]

    async def plan_bulk(self, deed: Deed, chosen: Selection, *, progress: Any = None, **options: Any) -> BulkPlan:
        self._ask("plan")
        self.planned = (deed, chosen)
        return bulk_plan(deed, chosen)

    async def apply_bulk(self, token: str, reason: str, **options: Any) -> BulkStatus:
        self._note("apply_bulk", token, reason)
        return self.bulk[0]

    async def list_bulk(self, limit: int = 200) -> list[BulkStatus]:
        self._ask("bulk")
        return self.bulk

    async def show_bulk(self, op_id: str) -> BulkStatus:
        self._ask("bulk detail")
        return next(op for op in self.bulk if op.id == op_id)

    async def pause_bulk(self, op_id: str) -> ChangeReport:
        return self._note("pause_bulk", op_id)

    async def resume_bulk(self, op_id: str) -> ChangeReport:
        return self._note("resume_bulk", op_id)

    async def cancel_bulk(self, op_id: str, reason: str = "") -> ChangeReport:
        return self._note("cancel_bulk", op_id)

    async def approve(self, event_id: str, note: str = "", *, seen: Decision | None = None, text: str | None = None) -> ChangeReport:
        return self._note("approve", event_id, *(() if text is None else (text,)))

    async def draft(self, event_id: str, *, text: str) -> dict[str, Any]:
        self._ask("draft")
        return with_body(self.event(event_id).action or {}, f"{text.strip()}\n\n<!-- gitbridge:x -->")

    async def preview(self, event: EventDetail) -> Decision | None:
        return self.growing

    async def show_decision(self, decision_id: str) -> Decision:
        self._ask("decision")
        return decision()

    async def edit_decision(
        self, decision_id: str, word: str, numbers: Sequence[int], *, value: str = "", note: str = "", seen: Decision | None = None
    ) -> Decision:
        self._note(word, list(numbers), value)
        return decision()

    async def amend(self, event_id: str, verdict: str = "", note: str = "") -> ChangeReport:
        return self._note("amend", event_id, verdict, note)

    async def reject(self, event_id: str, note: str = "") -> ChangeReport:
        return self._note("reject", event_id)


class FakeFleet:
    """Satisfies the console's ``Fleet``; operations run in a thread of their own, as the engine's do."""

    def __init__(self, snapshot: FleetSnapshot | object | None = ...) -> None:
        self.snapshot: Any = fleet() if snapshot is ... else snapshot
        self.door = FakeDoor()
        self.stopped = False
        self._threads = concurrent.futures.ThreadPoolExecutor(1)

    def call(self, operation: Callable[[Any], Awaitable[T]]) -> concurrent.futures.Future[T]:
        async def run() -> T:
            return await operation(self.door)

        return self._threads.submit(lambda: asyncio.run(run()))

    def request_stop(self) -> None:
        self.stopped = True
