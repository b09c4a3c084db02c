"""Whole events with their raw bytes, read one at a time, for files outside the store."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Sequence

from pydantic import ValidationError
from redis.asyncio import Redis

from gitbridge_console.domain.event_records import EventRecord
from gitbridge_console.domain.events import EventState
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.store.headers import header_of
from gitbridge_console.store.keys import Keys, home_of
from gitbridge_console.store.reader import EventReader
from gitbridge_console.store.replies import server_now_ms, text_of, unpack

IDS_AT_ONCE = 5_000
EVENTS_AT_ONCE = 200


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

    async def matching(self, wanted: EventFilter) -> AsyncIterator[str]:
        """Ids of the events that match, newest first, as of when it began; only ids are held, however many there are."""
        ids: set[str] = set()
        states = [EventState(wanted.state)] if wanted.state else list(EventState)
        for index in (keys.state(state) for keys in self._partitions for state in states):
            start, more = 0, True
            while more:
                # From the newest down: what is trimmed meanwhile goes at the other end, and what comes is only seen twice.
                page = await self._client.zrevrange(index, start, start + IDS_AT_ONCE - 1)
                ids.update(text_of(raw) for raw in page)
                start, more = start + IDS_AT_ONCE, len(page) == IDS_AT_ONCE
        ordered, now = sorted(ids, reverse=True), await server_now_ms(self._client)
        for start in range(0, len(ordered), EVENTS_AT_ONCE):
            for summary, providers in await self._reader.summaries(ordered[start : start + EVENTS_AT_ONCE], now):
                if wanted.matches(summary, providers):
                    yield summary.id
