"""How a lane's jobs end: what ends in the same turn of the event loop is written together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.records import ClaimedJob, Ending
from gitbridge_console.store.trouble import STORE_AWAY, StoreTrouble

logger = logging.getLogger(__name__)


class LaneEnds:
    """Writes the ends of one lane's jobs. ``hand_back`` is given what could not be ended."""

    def __init__(
        self, lane: str, queue: RedisEventQueue, trouble: StoreTrouble, hand_back: Callable[[ClaimedJob], Awaitable[None]]
    ) -> None:
        self._lane = lane
        self._queue = queue
        self._trouble = trouble
        self._hand_back = hand_back
        self._ended: list[tuple[ClaimedJob, Ending]] = []
        self._writing: set[asyncio.Task[None]] = set()

    def add(self, job: ClaimedJob, ending: Ending) -> None:
        """Have a job end so."""
        self._ended.append((job, ending))
        if len(self._ended) == 1:
            writing = asyncio.create_task(self._write(), name=f"{self._lane}: ends")
            self._writing.add(writing)
            writing.add_done_callback(self._writing.discard)

    async def written(self) -> None:
        """Wait until all that was added is written, or has gone another way."""
        await asyncio.gather(*self._writing)

    async def _write(self) -> None:
        ended, self._ended = self._ended, []
        alike: list[tuple[Ending, list[ClaimedJob]]] = []
        for job, ending in ended:
            if not alike or (alike[-1][0] is not ending and alike[-1][0] != ending):
                alike.append((ending, []))
            alike[-1][1].append(job)
        if len(alike) == 1:
            (ending, jobs), *_ = alike
            await self._conclude(jobs, ending)
        else:
            await asyncio.gather(*(self._conclude(jobs, ending) for ending, jobs in alike))

    async def _conclude(self, jobs: list[ClaimedJob], ending: Ending) -> None:
        try:
            await self._queue.conclude(jobs, ending)
        except STORE_AWAY as error:
            # Their leases run out and somebody takes them up again.
            self._trouble.report(error)
        except Exception:
            logger.exception("%d jobs of lane %s could not be ended for a reason nobody foresaw", len(jobs), self._lane)
            for job in jobs:
                await self._hand_back(job)
