"""What the store says after (and during) a run, read and never written: with the product's reader, and by raw keys."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from redis.asyncio import Redis

from gitbridge_console.domain.event_views import EventDetail
from gitbridge_console.domain.events import FINISHED_STATES, STAGE_LANES, EventState
from gitbridge_console.store.event_log import log_lines
from gitbridge_console.store.headers import ask_headers, headers_from, read_headers
from gitbridge_console.store.keys import BELOW_LONG_MEMBER, Keys
from gitbridge_console.store.reader import EventReader
from gitbridge_console.store.replies import server_now_ms, table_of, text_of

EXPECTED = frozenset({EventState.RESOLVED, EventState.IGNORED, EventState.SUPERSEDED})
AT_REST = frozenset({state.value for state in FINISHED_STATES} | {EventState.AWAITING_APPROVAL.value})
TASK_ENDS = frozenset({"succeeded", "failed", "cancelled"})
SEATS_AT_ONCE = 4
"""Seats that may be added to an event between two readings."""

READ_AT_ONCE = 16
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that must not be. ``what`` is ``lost``, ``decided twice``, ``acted twice``, ``misplaced`` or ``contradiction``."""

    what: str
    about: str
    evidence: str

    def __str__(self) -> str:
        return f"{self.what}: {self.about}: {self.evidence}"


@dataclass
class Followed:
    """What the event log and the stream of decisions said, read before they are trimmed."""

    ends: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often the log gave an (event, end)."""
    decided: Counter[str] = field(default_factory=Counter)
    recovered: int = 0
    poison: list[str] = field(default_factory=list)
    _log_at: str = "0"
    _decisions_at: str = "0"

    async def read(self, client: Redis, keys: Keys) -> None:
        """Take in what is new.

        Raises:
            redis.exceptions.RedisError: the store is away; nothing is missed by it.
        """
        for entry_id, fields in await client.xrange(keys.log, min=f"({self._log_at}" if self._log_at != "0" else "-"):
            self._log_at = text_of(entry_id)
            for line in log_lines(text_of(entry_id), fields):
                if line.what == "recovered":
                    self.recovered += 1
                elif line.what == "poison":
                    self.poison.append(line.id)
                elif line.what in AT_REST:
                    self.ends[line.id, line.what] += 1
        for entry_id, fields in await client.xrange(keys.decisions, min=f"({self._decisions_at}" if self._decisions_at != "0" else "-"):
            self._decisions_at = text_of(entry_id)
            self.decided[table_of(fields)["e"]] += 1


async def all_events(client: Redis, keys: Keys) -> list[str]:
    """Ids of every event the store lists, in any state; one in two states comes twice."""
    found = [text_of(raw) for state in EventState for raw in await client.zrange(keys.state(state), 0, -1)]
    return sorted(found)


async def misplaced(client: Redis, keys: Keys, lanes: Iterable[str], events: Sequence[str]) -> list[Fault]:
    """Jobs of these events that are not in exactly the one place their header says, all read at one moment.

    May be asked while everything is at work.
    """
    places = [(place, lane) for lane in lanes for place in ("ready", "leased", "waiting")]
    seats = [int(header.get("tasks", 0)) + SEATS_AT_ONCE for header in await read_headers(client, keys, events)]
    jobs = [job for event_id, last in zip(events, seats, strict=True) for job in (event_id, *(f"{event_id}.{n + 1}" for n in range(last)))]
    pipe = client.pipeline(transaction=True)
    for place, lane in places:
        pipe.zrange(getattr(keys, place)(lane), 0, -1)
    for state in EventState:
        pipe.zrange(keys.state(state), 0, -1)
    if jobs:
        ask_headers(pipe, keys, jobs)
    replies = await pipe.execute()
    found: dict[str, list[tuple[str, str]]] = {}
    for where, members in zip(places, replies, strict=False):
        for raw in members:
            found.setdefault(text_of(raw), []).append(where)
    states: dict[str, list[str]] = {}
    for state, members in zip(EventState, replies[len(places) :], strict=False):
        for raw in members:
            states.setdefault(text_of(raw), []).append(state.value)
    found_headers = headers_from(*replies[-2:]) if jobs else []
    fields = ("st", "lane", "state", "first", "tasks")
    headers = {job: [header.get(name, "") for name in fields] for job, header in zip(jobs, found_headers, strict=True)}
    return [
        Fault("misplaced", job, f"{why}; its header says {headers[job]}, it is in {found.get(job, [])} and {states.get(job, [])}")
        for job in jobs
        if (why := _place_fault(job, headers, found.get(job, []), states.get(job, [])))
    ]


def _place_fault(job: str, headers: Mapping[str, list[str]], places: list[tuple[str, str]], states: list[str]) -> str:
    st, lane, state = headers[job][:3]
    event_id, dot, seat = job.partition(".")
    if not st:
        return "in a lane without a header" if places else "an event without a header" if not dot else ""
    if dot:
        event_state, event_first, event_tasks = headers[event_id][2:]
        if int(seat) > int(event_tasks or 0):
            return "a seat its event does not count"
        if st != "settled" and (int(seat) < int(event_first or 1)):
            return f"a seat of an earlier run is still wanted, the event is {event_state}"
    elif states != [state]:
        return "not in exactly the state of its header"
    elif (st == "settled") != (state in AT_REST) and not (state == EventState.AWAITING_APPROVAL and lane == "act"):
        return "settled, but not at rest" if st == "settled" else "at rest, but not settled"
    return "" if places == ([] if st == "settled" else [(st, lane)]) else "not in exactly the place of its header"


async def unfinished(client: Redis, keys: Keys, lanes: Iterable[str]) -> dict[str, int]:
    """How much is not at rest: events by state, jobs by lane; empty when all is done."""
    states = [state for state in EventState if state not in FINISHED_STATES]
    lanes = list(lanes)
    pipe = client.pipeline(transaction=True)
    for state in states:
        pipe.zcard(keys.state(state))
    for lane in lanes:
        pipe.zcard(keys.ready(lane))
        pipe.zcount(keys.leased(lane), "-inf", BELOW_LONG_MEMBER)
        pipe.zcard(keys.waiting(lane))
    replies = await pipe.execute()
    left = {f"events {state}": int(count) for state, count in zip(states, replies, strict=False)}
    for n, lane in enumerate(lanes):
        left[f"lane {lane}"] = sum(replies[len(states) + 3 * n : len(states) + 3 * n + 3])
    return {name: count for name, count in left.items() if count}


async def audit(
    client: Redis,
    keys: Keys,
    acknowledged: Mapping[str, str],
    heads: Mapping[str, tuple[str, int]],
    followed: Followed,
    lanes: Sequence[str],
) -> tuple[list[Fault], list[EventDetail]]:
    """Everything that is wrong once all is at rest, and every event as it ended.

    ``acknowledged`` maps a delivery to the id its submitter was given, ``heads`` to the subject and version it carries.
    """
    events = await all_events(client, keys)
    faults = [Fault("contradiction", event_id, "listed in two states") for event_id, n in Counter(events).items() if n > 1]
    known = sorted(set(events))
    details = await _read(EventReader(client, keys), known)
    faults += await _deliveries(client, keys, acknowledged, details)
    faults += [fault for event in details for fault in _event_faults(event, followed)]
    faults += _heads_faults(details, heads)
    faults += await _counter_faults(client, keys, details)
    used = {text_of(raw) for raw in await client.smembers(keys.lanes)}
    faults += await misplaced(client, keys, sorted({*lanes, *STAGE_LANES, *used}), known)
    faults += [Fault("lost", job, "given up as poison") for job in followed.poison]
    return faults, details


async def _read(reader: EventReader, ids: Sequence[str]) -> list[EventDetail]:
    found: list[EventDetail] = []
    for start in range(0, len(ids), READ_AT_ONCE):
        rows = await asyncio.gather(*(reader.event_detail(event_id) for event_id in ids[start : start + READ_AT_ONCE]))
        found.extend(row for row in rows if row is not None)
    return found


async def _deliveries(client: Redis, keys: Keys, acknowledged: Mapping[str, str], details: Sequence[EventDetail]) -> list[Fault]:
    faults = []
    by_delivery: dict[str, list[str]] = {}
    for event in details:
        by_delivery.setdefault(event.delivery, []).append(event.id)
    for delivery, event_id in acknowledged.items():
        stored = await _event_of(client, keys, delivery)
        if by_delivery.get(delivery) != [event_id] or stored != event_id:
            evidence = f"acknowledged as {event_id}, events {by_delivery.get(delivery, [])}, its key says {stored!r}"
            faults.append(Fault("lost", f"delivery {delivery}", evidence))
    strangers = {delivery: ids for delivery, ids in by_delivery.items() if delivery not in acknowledged}
    return faults + [Fault("contradiction", name, f"never acknowledged, yet it has events {ids}") for name, ids in strangers.items()]


async def _event_of(client: Redis, keys: Keys, delivery: str) -> str:
    today = await server_now_ms(client) // DAY_MS
    found = [text_of(await client.hget(keys.deliveries(day), delivery)).partition(" ")[0] for day in (today, today - 1)]
    return next(filter(None, found), "")


def _event_faults(event: EventDetail, followed: Followed) -> Iterable[Fault]:
    story = " | ".join(f"{entry.at} {entry.what} ({entry.by})" for entry in event.timeline)
    if event.state not in EXPECTED:
        yield Fault("lost", event.id, f"ended as {event.state} {event.error or event.reason}: {story}")
    decisions = followed.decided[event.id]
    if decisions > event.run:
        yield Fault("decided twice", event.id, f"{decisions} decisions in {event.run} runs: {story}")
    if (event.decision is None) != (decisions == 0):
        yield Fault("contradiction", event.id, f"{decisions} decisions announced, one stored: {event.decision is not None}: {story}")
    if event.state == EventState.RESOLVED and event.decision is None:
        yield Fault("contradiction", event.id, f"resolved without a decision: {story}")
    acts = sum(entry.by == "act" and entry.what.startswith(EventState.RESOLVED) for entry in event.timeline)
    resolved = followed.ends[event.id, EventState.RESOLVED.value]
    if acts > event.run or resolved > event.run:
        yield Fault("acted twice", event.id, f"acted {acts} times, resolved {resolved} times in {event.run} runs: {story}")
    if (event.action is not None) != (acts > 0):
        yield Fault("contradiction", event.id, f"acted {acts} times, action on record: {event.action is not None}: {story}")
    for task in event.tasks:
        if task.state not in TASK_ENDS:
            yield Fault("contradiction", task.id, f"still {task.state} when all is at rest: {story}")
        if task.state == "succeeded" and task.answer is None:
            yield Fault("lost", task.id, f"its answer is gone: {story}")
        ends = sum(entry.what.startswith((f"seat {task.id} succeeded", f"seat {task.id} failed")) for entry in event.timeline)
        if ends > 1:
            yield Fault("contradiction", task.id, f"this seat was counted down {ends} times: {story}")


def _heads_faults(details: Sequence[EventDetail], heads: Mapping[str, tuple[str, int]]) -> Iterable[Fault]:
    """The newest head of every subject must have been looked at, and only what moves a head is ever replaced."""
    newest: dict[str, int] = {}
    standing: dict[str, int] = {}
    for event in details:
        subject, version = heads.get(event.delivery, ("", 0))
        if not subject:
            if event.state == EventState.SUPERSEDED:
                yield Fault("lost", event.id, "superseded, though it moves no head")
            continue
        newest[subject] = max(newest.get(subject, 0), version)
        if event.state != EventState.SUPERSEDED:
            standing[subject] = max(standing.get(subject, 0), version)
    for subject, version in newest.items():
        if standing.get(subject) != version:
            yield Fault("lost", subject, f"its newest head {version} was superseded; the newest that was not is {standing.get(subject)}")


async def _counter_faults(client: Redis, keys: Keys, details: Sequence[EventDetail]) -> list[Fault]:
    """Counters only grow: with every event in its first run each end was entered as often as there are events in it."""
    counters = table_of(await client.hgetall(keys.counters))
    if any(event.run > 1 for event in details):
        return []
    ended = Counter(event.state for event in details)
    return [
        Fault("contradiction", f"to:{state}", f"entered {counters.get(f'to:{state}', 0)} times, {ended[state]} events are in it")
        for state in FINISHED_STATES
        if int(counters.get(f"to:{state}", 0)) != ended[state]
    ]
