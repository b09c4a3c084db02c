"""Which events a bulk operation is about: what a filter finds, looked for in bounded steps, and what is left out for which reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from sys import intern
from typing import NamedTuple

from gitbridge_console.domain.bulk import OF_LANES, BulkKind, Deed, Entry, Selection, plan_event, plan_job
from gitbridge_console.domain.event_views import EventSummary, JobSummary
from gitbridge_console.domain.events import EventState
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.domain.windows import Bookmark
from gitbridge_console.operations.listings import STEP_MAX
from gitbridge_console.operations.reports import full_ids
from gitbridge_console.store.replies import server_now_ms
from gitbridge_console.store.store import Store

IDS_AT_ONCE = 200
LINE_MAX = 160
SAMPLE = 5
"""Of a plan that many are told one by one."""

Progress = Callable[[int, int], None]
"""Told how many of about how many were looked at."""


class Brief(NamedTuple):
    """What sort of event one is."""

    type: str
    kind: str
    state: str


@dataclass(slots=True)
class Found:
    """What a look over the store came to."""

    entries: dict[str, Entry] = field(default_factory=dict)
    briefs: dict[str, Brief] = field(default_factory=dict)
    """Of the events among them, as little as a plan of many thousands needs."""
    left_out: Counter[str] = field(default_factory=Counter)
    looked: int = 0
    total: int = 0
    whole: bool = True

    def judge(self, name: str, verdict: Entry | str) -> bool:
        """Take one in, or count why not; whether it is in."""
        if isinstance(verdict, str):
            self.left_out[verdict] += 1
            return False
        self.entries[name] = verdict
        return True


class Finder:
    """One look over the store for one deed; it ends early once ``most`` were found, and says so. Raises as the store does."""

    def __init__(self, store: Store, deed: Deed, wanted: EventFilter, most: int, progress: Progress) -> None:
        self._store = store
        self._deed = deed
        self._wanted = wanted
        self._most = most
        self._progress = progress
        self._found = Found()

    async def find(self, chosen: Selection, lanes: Sequence[str]) -> Found:
        """Look; ``lanes`` are those whose jobs are looked at where jobs are."""
        found, ids = self._found, {*full_ids(chosen.ids)} if chosen.ids else set()
        if self._deed.kind is BulkKind.FAILBACK:
            await self._moved_away(ids)
            return found
        if self._deed.kind in OF_LANES:
            async for job in self._jobs([self._deed.lane]):
                if not ids or ids & {job.id, job.event_id}:
                    found.judge(job.id, plan_job(job))
            if self._deed.kind is BulkKind.FAILOVER:
                await self._leave_out_the_immovable()
            return found
        named = self._wanted.state if not self._wanted.inverted else None
        events = self._named(sorted(ids)) if ids else self._of_jobs(lanes) if chosen.lane else self._in_states(chosen.states)
        async for event in events:
            # One that changes its state meanwhile may come by twice.
            if event.id not in found.entries and found.judge(event.id, plan_event(self._deed, event, named)):
                found.briefs[event.id] = Brief(intern(event.type), intern(event.kind), intern(event.state))
        return found

    async def sample(self, names: Sequence[str]) -> tuple[str, ...]:
        """A line about each of a few events or jobs."""
        events = {name: name.partition(".")[0] for name in names}
        now = await server_now_ms(self._store.client)
        rows = {row.id: _line(row) for row, _ in await self._store.reader.summaries(list({*events.values()}), now)}
        return tuple(f"{name} {rows.get(event_id, '')}"[:LINE_MAX] for name, event_id in events.items())

    async def _named(self, names: Sequence[str]) -> AsyncIterator[EventSummary]:
        now = await server_now_ms(self._store.client)
        for start in range(0, len(names), IDS_AT_ONCE):
            some = names[start : start + IDS_AT_ONCE]
            rows = await self._store.reader.summaries(some, now)
            if len(some) > len(rows):
                self._found.left_out["there is no such event"] += len(some) - len(rows)
            self._go_on(start + len(some), len(names), None)
            for row, _ in rows:
                yield row

    async def _of_jobs(self, lanes: Sequence[str]) -> AsyncIterator[EventSummary]:
        events: dict[str, None] = {}
        async for job in self._jobs(lanes):
            events[job.event_id] = None
        async for event in self._named(list(events)):
            yield event

    async def _in_states(self, states: Sequence[str]) -> AsyncIterator[EventSummary]:
        mark: Bookmark | None = Bookmark()
        while mark is not None:
            step = await self._store.reader.event_search(states or tuple(EventState), self._wanted, mark, STEP_MAX)
            for row in step.rows:
                yield row
            mark = self._go_on(step.looked, step.total, step.next)

    async def _jobs(self, lanes: Sequence[str]) -> AsyncIterator[JobSummary]:
        mark: Bookmark | None = Bookmark()
        while mark is not None:
            step = await self._store.reader.job_search(lanes, self._wanted, mark, STEP_MAX)
            for row in step.rows:
                yield row
            mark = self._go_on(step.looked, step.total, step.next)

    def _go_on(self, looked: int, total: int, after: Bookmark | None) -> Bookmark | None:
        """How far the look is, and from where it goes on."""
        self._found.looked, self._found.total = looked, max(total, looked)
        self._progress(self._found.looked, self._found.total)
        if after is not None and len(self._found.entries) >= self._most:
            self._found.whole = False
            return None
        return after

    async def _moved_away(self, ids: set[str]) -> None:
        """The tasks that were moved out of the lane by hand: those that can go back, and why the others cannot."""
        bulk, now = self._store.bulk, await server_now_ms(self._store.client)
        total = await bulk.count_moved(self._deed.lane)
        looked = 0
        async for names in bulk.moved_out_of(self._deed.lane, IDS_AT_ONCE):
            looked += len(names)
            events = list(dict.fromkeys(name.partition(".")[0] for name in names))
            chosen = [name for name in names if not ids or ids & {name, name.partition(".")[0]}]
            if self._wanted != EventFilter():
                rows = await self._store.reader.summaries(events, now)
                matching = {row.id for row, panel in rows if self._wanted.matches(row, panel)}
                chosen = [name for name in chosen if name.partition(".")[0] in matching]
            for name, why in zip(chosen, await bulk.look_back(self._deed.lane, chosen), strict=True):
                self._found.judge(name, why or Entry(name))
            if self._go_on(looked, total, Bookmark()) is None:
                return

    async def _leave_out_the_immovable(self) -> None:
        """Count the tasks that the other provider cannot take, with why not."""
        names = list(self._found.entries)
        for name, why in zip(names, await self._store.bulk.look_ahead(self._deed.lane, self._deed.to, names), strict=True):
            if why:
                del self._found.entries[name]
                self._found.left_out[why] += 1


def _line(event: EventSummary) -> str:
    return f"{event.state} {event.priority} {event.subject or event.repository} {event.error_class or event.title}"
