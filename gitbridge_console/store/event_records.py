"""Whole events with their raw bytes, read one at a time, for files outside the store."""

from __future__ import annotations

import json
import zlib
from collections.abc import AsyncIterator, Sequence

from pydantic import ValidationError
from redis.asyncio import Redis

from gitbridge_console.domain.event_records import EventRecord
from gitbridge_console.domain.events import EventState
from gitbridge_console.domain.facts import supersede_version
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.store.headers import header_of
from gitbridge_console.store.keys import Keys, home_of
from gitbridge_console.store.reader import EventReader
from gitbridge_console.store.replies import server_now_ms, text_of, unpack

IDS_AT_ONCE = 5_000
EVENTS_AT_ONCE = 200
HEADS_MAX = 500
"""Most events whose payload is read to see whether a newer head came; of more, some from everywhere are."""
PAYLOADS_AT_ONCE = 20


class UnreadableEvent(Exception):
    """What is stored of an event cannot be read whole; the message says why in one line."""


class EventRecords:
    """Events as records, from all partitions of a queue."""

    def __init__(self, client: Redis, partitions: Sequence[Keys], reader: EventReader) -> None:
        self._client = client
        self._partitions = partitions
        self._reader = reader

    async def read(self, event_id: str) -> EventRecord | None:
        """All of one event, ``None`` when there is none.

        Raises:
            UnreadableEvent: a part of it is damaged; a record would not hold all there is.
        """
        pipe, keys = self._client.pipeline(transaction=False), home_of(event_id, self._partitions)
        pipe.get(keys.job(event_id))
        pipe.get(keys.payload(event_id))
        pipe.get(keys.diff(event_id))
        pipe.exists(keys.decision(event_id))
        raw, payload, diff, decided = await pipe.execute()
        try:
            detail = await self._reader.event_detail(event_id)
            if detail is None:
                return None
            if payload is None or (decided and detail.decision is None):
                raise UnreadableEvent(f"event {event_id}: its {'payload is gone' if payload is None else 'decision cannot be read'}")
            header = header_of(raw)
            return EventRecord(detail, header.get("src", ""), unpack(payload), unpack(diff) if diff else None, pinned="pin" in header)
        except (ValidationError, ValueError, TypeError, zlib.error) as error:
            raise UnreadableEvent(f"event {event_id}: {' '.join(str(error).split())[:200]}") from error

    async def matching(self, wanted: EventFilter, *, before: str = "") -> AsyncIterator[str]:
        """Ids of the events that match, newest first, as of when it began; only ids are held, however many there are.

        ``before``: only those that came in before the event of that id.
        """
        ids: set[str] = set()
        states = [EventState(wanted.state)] if wanted.state else list(EventState)
        for index in (keys.state(state) for keys in self._partitions for state in states):
            start, more = 0, True
            while more:
                # From the newest down: what is trimmed meanwhile goes at the other end, and what comes is only seen twice.
                page = await self._client.zrevrange(index, start, start + IDS_AT_ONCE - 1)
                ids.update(text_of(raw) for raw in page)
                start, more = start + IDS_AT_ONCE, len(page) == IDS_AT_ONCE
        ordered = sorted((event_id for event_id in ids if not before or event_id < before), reverse=True)
        now = await server_now_ms(self._client)
        for start in range(0, len(ordered), EVENTS_AT_ONCE):
            for summary, _ in await self._reader.matching(ordered[start : start + EVENTS_AT_ONCE], wanted, now):
                yield summary.id

    async def newer_heads(self, events: Sequence[tuple[str, str]]) -> tuple[int, int]:
        """How many of the events, given as (id, type), have a newer head that is open or resolved, and of how many that was looked up.

        Run again they end superseded, without a question to anybody.
        """
        looked = events[:: -(-len(events) // HEADS_MAX) or 1]
        newer = 0
        for start in range(0, len(looked), PAYLOADS_AT_ONCE):
            some = looked[start : start + PAYLOADS_AT_ONCE]
            pipe = self._client.pipeline(transaction=False)
            for event_id, _ in some:
                pipe.get(home_of(event_id, self._partitions).payload(event_id))
            heads = {event_id: _head(type, raw) for (event_id, type), raw in zip(some, await pipe.execute(), strict=True)}
            newer += sum([await self._is_older(event_id, *head) for event_id, head in heads.items() if head is not None])
        return newer, len(looked)

    async def _is_older(self, event_id: str, subject: str, version: int) -> bool:
        keys = home_of(event_id, self._partitions)
        other, _, its_version = text_of(await self._client.get(keys.newest_head(subject))).partition(" ")
        if not other or other == event_id or int(its_version or 0) <= version:
            return False
        header = await self._reader.find_event(other) or {}
        return header.get("state") in NEWER_STANDS


NEWER_STANDS = frozenset({"received", "routed", "parked", "consensus_pending", "awaiting_approval", "resolved"})
"""States in which a newer head has an older one superseded, as ``route.lua`` has it."""


def moves_a_head(type: str) -> bool:
    """Whether events of a type can have a newer one that replaces them."""
    return type in ("pull_request", "push")


def _head(type: str, raw: bytes | None) -> tuple[str, int] | None:
    """Supersede key and version of a stored payload; ``None`` for what moves no head or cannot be read."""
    try:
        return supersede_version(type, json.loads(unpack(raw)))
    except (ValueError, RecursionError, zlib.error):
        return None
