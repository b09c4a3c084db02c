"""Read-only views of events, jobs and tasks. Nothing here changes the store."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence

from gitbridge_console.domain.decisions import Answer
from gitbridge_console.domain.event_views import (
    ErrorDetail,
    EventDetail,
    EventSummary,
    TaskDetail,
    TimelineEntry,
)
from gitbridge_console.domain.events import EventState
from gitbridge_console.domain.failures import ERROR_CODES, FailureClass
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.domain.snapshots import LogLine
from gitbridge_console.domain.tasks import Attempt
from gitbridge_console.domain.timestamps import iso_from_ms
from gitbridge_console.domain.windows import Bookmark, SearchStep, Window
from gitbridge_console.store.decision_reader import AT_ONCE, read_decision
from gitbridge_console.store.event_log import log_lines
from gitbridge_console.store.headers import header_of, read_header, read_spread, timeline_of
from gitbridge_console.store.job_reader import JobReader, priority_of
from gitbridge_console.store.keys import BELOW_LONG_MEMBER
from gitbridge_console.store.merged_sets import MergedSets
from gitbridge_console.store.replies import server_now_ms, table_of, text_of, unpack

logger = logging.getLogger(__name__)

ERROR_TEXT_MAX = 300
SCAN_MAX = 5_000
"""Most events one listing looks at; a filter that matches less is answered from these, newest first."""


class EventReader(JobReader):
    """Views of the queue over all its partitions, given by their keys in order."""

    async def list_events(self, wanted: EventFilter, limit: int = 100) -> list[EventSummary]:
        """Events that match, newest first, looking at no more than :data:`SCAN_MAX` of each state."""
        states = [EventState(wanted.state)] if wanted.state else list(EventState)
        pipe = self._client.pipeline(transaction=False)
        for state in states:
            for keys in self._partitions:
                pipe.zrevrange(keys.state(state), 0, SCAN_MAX - 1)
        ids = sorted({text_of(raw) for row in await pipe.execute() for raw in row}, reverse=True)
        now = await server_now_ms(self._client)
        found: list[EventSummary] = []
        for start in range(0, min(len(ids), SCAN_MAX), 200):
            found += [summary for summary, _ in await self.matching(ids[start : start + 200], wanted, now)]
            if len(found) >= limit:
                break
        return found[:limit]

    def _in_states(self, states: Iterable[str]) -> MergedSets:
        """Events in some states, those that changed last first."""
        return MergedSets(self._client, [keys.state(state) for state in states for keys in self._partitions], descending=True)

    async def event_window(self, states: Sequence[str], first: int, count: int, follow: str = "") -> Window[EventSummary]:
        """Events in some states from place ``first`` on, those that changed last first; ``follow`` asks where an event stands now."""
        merged = self._in_states(states)
        total = await merged.total()
        entries = await merged.window(first, count)
        rows = await self.summaries([text_of(entry.name) for entry in entries], await server_now_ms(self._client))
        followed = None
        if follow:
            home, name = self._of(follow), follow.encode()
            followed = await merged.place_of({home.state(state): name for state in states})
        return Window(tuple(summary for summary, _ in rows), first, total, followed)

    async def event_search(self, states: Sequence[str], wanted: EventFilter, bookmark: Bookmark, count: int) -> SearchStep[EventSummary]:
        """Look at about ``count`` more events in some states, those that changed last first."""
        step = await self.panel_search(states, wanted, bookmark, count)
        return SearchStep(tuple(event for event, _ in step.rows), step.looked, step.total, step.next)

    async def panel_search(
        self, states: Sequence[str], wanted: EventFilter, bookmark: Bookmark, count: int
    ) -> SearchStep[tuple[EventSummary, tuple[str, ...]]]:
        """As :meth:`event_search`, each event with the providers of its panel."""
        among = [state for state in states if wanted.inverted or wanted.state in (None, state)]
        merged = self._in_states(among)
        entries, after = await merged.after(bookmark, count)
        now = await server_now_ms(self._client)
        found: list[tuple[EventSummary, tuple[str, ...]]] = []
        for start in range(0, len(entries), AT_ONCE):
            found += await self.matching([text_of(entry.name) for entry in entries[start : start + AT_ONCE]], wanted, now)
        return SearchStep(tuple(found), bookmark.looked + len(entries), await merged.total(), after)

    async def summaries(self, ids: Sequence[str], now: int) -> list[tuple[EventSummary, tuple[str, ...]]]:
        """Rows of events with the providers of their panels; ids that are gone are left out. ``now`` in ms, for their age."""
        return await self._rows(await read_spread(self._client, self._of, ids), now)

    async def matching(self, ids: Sequence[str], wanted: EventFilter, now: int) -> list[tuple[EventSummary, tuple[str, ...]]]:
        """Those of :meth:`summaries` that a filter lets pass. Where an event's header rules it out, the rest of it is not read."""
        headers = await read_spread(self._client, self._of, ids)
        rows = await self._rows({name: header for name, header in headers.items() if not _ruled_out(wanted, name, header)}, now)
        return [(summary, providers) for summary, providers in rows if wanted.matches(summary, providers)]

    async def _rows(self, headers: Mapping[str, dict[str, str]], now: int) -> list[tuple[EventSummary, tuple[str, ...]]]:
        known = {event_id: header for event_id, header in headers.items() if header.get("state")}
        pipe = self._client.pipeline(transaction=False)
        for event_id in known:
            pipe.hgetall(self._of(event_id).about(event_id))
        abouts = map(table_of, await pipe.execute() if known else [])
        return [
            (_summary(event_id, header, about, now), tuple(about.get("panel", "").split(", ")))
            for (event_id, header), about in zip(known.items(), abouts, strict=True)
        ]

    async def routing_of(self, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Why each provider was or was not chosen, one line each, by event."""
        pipe = self._client.pipeline(transaction=False)
        for event_id in ids:
            pipe.hget(self._of(event_id).about(event_id), "routing")
        replies = await pipe.execute() if ids else []
        return {event_id: tuple(text_of(raw).split("\n")) for event_id, raw in zip(ids, replies, strict=True) if raw}

    async def find_event(self, event_id: str) -> dict[str, str] | None:
        """The header of an event, ``None`` when there is none."""
        header = await read_header(self._client, self._of(event_id), event_id)
        return header if header.get("state") else None

    async def payload(self, event_id: str) -> bytes:
        """The payload as received."""
        return unpack(await self._client.get(self._of(event_id).payload(event_id)))

    async def event_detail(self, event_id: str, *, with_payload: bool = False) -> EventDetail | None:
        """All of one event, ``None`` when there is none."""
        pipe = self._client.pipeline(transaction=False)
        keys = self._of(event_id)
        pipe.get(keys.job(event_id))
        pipe.hget(keys.fences, event_id)
        pipe.hgetall(keys.about(event_id))
        pipe.lrange(keys.timeline(event_id), 0, -1)
        pipe.get(keys.decision(event_id))
        pipe.get(keys.action(event_id))
        pipe.lrange(keys.edits(event_id), 0, -1)
        raw, fence, raw_about, older, raw_decision, raw_action, edits = await pipe.execute()
        header, about = header_of(raw, fence), table_of(raw_about)
        if not header.get("state"):
            return None
        summary = _summary(event_id, header, about, await server_now_ms(self._client))
        tasks = await self._tasks(event_id, 1, int(header.get("tasks", 0)))
        return EventDetail(
            id=event_id,
            delivery=summary.delivery,
            type=summary.type,
            action_name=header.get("ac", ""),
            repository=summary.repository,
            subject=summary.subject,
            title=summary.title,
            author=about.get("author", ""),
            url=about.get("url", ""),
            head_sha=about.get("head", ""),
            kind=summary.kind,
            priority=summary.priority,
            state=summary.state,
            reason=summary.reason,
            received_at=summary.received_at,
            timeline=tuple(_timeline((*older, *timeline_of(raw)), summary.received_at, header.get("src", ""))),
            tasks=tuple(tasks),
            decision=read_decision(raw_decision),
            action=json.loads(raw_action) if raw_action else None,
            error=_error(header, about),
            run=summary.run,
            lineage={"edited_from": header.get("from"), "edits": [text_of(edit) for edit in edits]},
            payload_text=text_of(await self.payload(event_id)) if with_payload else None,
            material_note=about.get("material", ""),
            next_chance=_next_chance(summary.state, about),
            routing=tuple(line for line in about.get("routing", "").split("\n") if line),
        )

    async def _tasks(self, event_id: str, first: int, last: int) -> list[TaskDetail]:
        ids = [f"{event_id}.{n}" for n in range(first, last + 1)]
        pipe = self._client.pipeline(transaction=False)
        keys = self._of(event_id)
        for task_id in ids:
            pipe.get(keys.job(task_id))
            pipe.hget(keys.fences, task_id)
            pipe.lrange(keys.attempts(task_id), 0, -1)
            pipe.get(keys.answer(task_id))
        replies = await pipe.execute()
        tasks = []
        for n, task_id in enumerate(ids):
            raw, fence, attempts, answer = replies[4 * n : 4 * n + 4]
            header = header_of(raw, fence)
            tasks.append(
                TaskDetail(
                    id=task_id,
                    provider=header.get("lane", ""),
                    seat=header.get("seat", ""),
                    state=header.get("state", ""),
                    deliveries=int(header.get("dv", 0)),
                    calls=int(header.get("ca", 0)) + int(header.get("cc", 0)),
                    hedge_of=header.get("hd", ""),
                    asks=header.get("q", ""),
                    attempts=tuple(Attempt.model_validate_json(raw) for raw in attempts),
                    answer=Answer.model_validate_json(answer) if answer else None,
                )
            )
        return tasks

    async def panel(self, event_id: str, header: Mapping[str, str]) -> list[TaskDetail]:
        """The seats of an event's current run, with attempts and answers."""
        return await self._tasks(event_id, int(header.get("first", 1)), int(header.get("tasks", 0)))

    async def asked(self, event_id: str, tasks: Sequence[str]) -> dict[str, str]:
        """What questions of the second round are about, by task, as :meth:`RedisEventQueue.widen` was given it."""
        if not tasks:
            return {}
        found = await self._client.hmget(self._of(event_id).about(event_id), [f"ask:{task}" for task in tasks])
        return {task: text_of(raw) for task, raw in zip(tasks, found, strict=True) if raw is not None}

    async def nothing_due(self, lanes: Iterable[str], within_s: float) -> bool:
        """Whether no lane holds work that is leased, claimable, or due within ``within_s`` seconds.

        Lanes on hold do not count, nor do parked events and their seats: both wait for somebody else.
        """
        names = list(lanes)
        until = await server_now_ms(self._client) + round(within_s * 1000)
        for keys in self._partitions:
            on_hold = [value is not None for value in await self._client.hmget(keys.meta, [f"pause:{lane}" for lane in names])]
            pipe = self._client.pipeline(transaction=False)
            for lane in names:
                pipe.zcount(keys.leased(lane), "-inf", BELOW_LONG_MEMBER)
                pipe.zrange(keys.ready(lane), 0, SCAN_MAX - 1)
                pipe.zrangebyscore(keys.waiting(lane), "-inf", until, start=0, num=SCAN_MAX)
            replies = await pipe.execute()
            due: list[str] = []
            for n, paused in enumerate(on_hold):
                leased, ready, waiting = replies[3 * n : 3 * n + 3]
                if leased:
                    return False
                due.extend(text_of(raw) for raw in (*ready, *waiting) if not paused)
            pipe = self._client.pipeline(transaction=False)
            for event_id in dict.fromkeys(job_id.partition(".")[0] for job_id in due):
                pipe.get(keys.job(event_id))
            records = await pipe.execute() if due else []
            if any(header_of(raw).get("state") != EventState.PARKED for raw in records):
                return False
        return True

    async def log(self, limit: int = 50) -> tuple[LogLine, ...]:
        """The newest lines of the event log, oldest first."""
        lines: list[LogLine] = []
        for entry_id, fields in reversed(await self._newest((keys.log for keys in self._partitions), limit)):
            lines.extend(log_lines(entry_id, fields))
        return tuple(lines[-limit:])


def _ruled_out(wanted: EventFilter, event_id: str, header: dict[str, str]) -> bool:
    return wanted.rules_out(
        event_id,
        state=header.get("state", ""),
        kind=header.get("kind", ""),
        error=header.get("err", ""),
        received_ms=int(header.get("rx", 0)),
    )


def _summary(event_id: str, header: dict[str, str], about: dict[str, str], now: int) -> EventSummary:
    received = int(header.get("rx", now))
    return EventSummary(
        id=event_id,
        delivery=header.get("dl") or about.get("delivery", ""),
        type=header.get("ty", ""),
        repository=about.get("repository", ""),
        subject=about.get("subject", ""),
        title=about.get("title", ""),
        kind=header.get("kind", ""),
        priority=priority_of(header),
        state=header["state"],
        received_at=iso_from_ms(received),
        age_s=round((now - received) / 1000, 1),
        run=int(header.get("run", 1)),
        lane=header.get("lane", "") if header.get("st") != "settled" else "",
        reason=about.get("reason", ""),
        error_class=header.get("err", ""),
        error_code=header.get("code", ""),
        error_text=about.get("error", "")[:ERROR_TEXT_MAX],
        verdict=header.get("verdict", ""),
        agreement=header.get("agree", ""),
    )


def _next_chance(state: str, about: dict[str, str]) -> str | None:
    chance = about.get("chance", "")
    return iso_from_ms(int(chance)) if state == EventState.PARKED and chance.isdecimal() else None


def _timeline(raw: Sequence[bytes], received_at: str, source: str) -> Iterable[TimelineEntry]:
    yield TimelineEntry(at=received_at, what=EventState.RECEIVED, by=source)
    for entry in raw:
        at, what, by = json.loads(entry.decode("utf-8", "replace"))
        yield TimelineEntry(at=iso_from_ms(int(at)), what=what, by=by)


def _error(header: dict[str, str], about: dict[str, str]) -> ErrorDetail | None:
    name = header.get("err")
    if not name:
        return None
    code = header.get("code") or ERROR_CODES.get(FailureClass.known(name), ERROR_CODES[FailureClass.INTERNAL])
    return ErrorDetail.model_validate({"class": name, "code": code, "message": about.get("error", "")})
