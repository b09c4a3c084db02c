"""The length of the fleet's log, put where the scripts that write it look."""

from __future__ import annotations

import math
from collections.abc import Sequence

from redis.asyncio import Redis

from gitbridge_console.store.bounded_writes import SET, BoundedWrites
from gitbridge_console.store.keys import Keys


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
