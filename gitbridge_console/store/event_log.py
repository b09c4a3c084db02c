"""The fleet's log: its length, put where the scripts that write it look, and its lines, read as they wrote them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence

from redis.asyncio import Redis

from gitbridge_console.domain.snapshots import LogLine
from gitbridge_console.domain.timestamps import iso_from_ms
from gitbridge_console.store.bounded_writes import SET, BoundedWrites
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.replies import entry_ms, text_of


def log_lines(entry_id: str, fields: Mapping[bytes, bytes]) -> Iterator[LogLine]:
    """The lines of one entry of the log, in the order in which a script wrote them; what it said of several jobs is a line for each."""
    at = iso_from_ms(entry_ms(entry_id))
    for level, what, text, *ids in json.loads(text_of(fields.get(b"x", b"[]"))):
        yield from (LogLine(at=at, level=level, what=what, id=job_id, text=text) for job_id in ids)


class EventLog:
    """The log of a fleet: one stream in each partition, each with its share of the lines."""

    def __init__(self, client: Redis, partitions: Sequence[Keys], *, writes: BoundedWrites | None = None) -> None:
        self._partitions = tuple(partitions)
        self._writes = writes or BoundedWrites(client)
        self._kept: int | None = None

    async def keep(self, lines: int) -> None:
        """Have about ``lines`` lines kept, the newest, by every process of the fleet; asks the server only when that is news.

        Raises:
            redis.exceptions.RedisError: the server is away; it may be said again.
        """
        if lines == self._kept:
            return
        share = math.ceil(lines / len(self._partitions))
        for keys in self._partitions:
            await self._writes.run(SET, keys.meta, "log_max", share)
        self._kept = lines
