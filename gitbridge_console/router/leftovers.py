"""Seats that wait in the lane of a provider no engine has any more: they move to another provider of their kind."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection

from gitbridge_console.domain.events import STAGE_LANES
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.fleet import FleetRegistry
from gitbridge_console.store.records import ClaimedJob, QueueStats
from gitbridge_console.store.trouble import STORE_AWAY

logger = logging.getLogger(__name__)

CLAIM_MAX = 64
"""Seats of one lane that are looked at in one turn."""

FAULT_DELAY_S = 5.0


class Leftovers:
    """Looks through such lanes once a beat. ``move_on`` gives a claimed seat to another provider, or back; it says whether it moved."""

    def __init__(self, queue: RedisEventQueue, fleet: FleetRegistry, move_on: Callable[[ClaimedJob], Awaitable[bool]]) -> None:
        self._queue = queue
        self._fleet = fleet
        self._move_on = move_on
        self._said: set[str] = set()

    async def turn(self, stats: QueueStats, configured: Collection[str]) -> None:
        """Move what can be moved; how many are left is logged once for each lane.

        A lane that an engine with other settings still serves is left to that engine, a paused one to its operator.

        Raises:
            redis.exceptions.RedisError: the store is away; a claimed seat comes back when its lease runs out.
        """
        known = {*STAGE_LANES, *configured}
        waiting = {name: lane.ready + lane.waiting for name, lane in stats.lanes.items() if name not in known}
        lanes = [name for name, count in waiting.items() if count and name not in stats.pauses]
        self._said.intersection_update(lanes)
        if not lanes:
            return
        served = {name for beat in await self._fleet.alive() for name in beat.providers}
        for lane in lanes:
            if lane not in served:
                await self._clear(lane, waiting[lane])

    async def _clear(self, lane: str, waiting: int) -> None:
        jobs = (await self._queue.claim(lane, CLAIM_MAX, payloads=False)).jobs
        moved = sum([await self._moved(job) for job in jobs])
        if moved:
            logger.info("%d seats moved out of the lane of %s, which is not in the settings any more", moved, lane)
        if moved < len(jobs) and lane not in self._said:
            self._said.add(lane)
            logger.warning(
                "%d seats wait for %s, which is not in the settings any more, until another provider of their kind is free",
                waiting - moved,
                lane,
            )

    async def _moved(self, job: ClaimedJob) -> bool:
        try:
            return await self._move_on(job)
        except STORE_AWAY:
            raise
        except Exception:
            logger.exception("seat %s could not be moved on for a reason nobody foresaw", job.id)
            await self._queue.release(job, delay_s=FAULT_DELAY_S, counted=True, reason=f"{job.lane}: internal fault, tried again")
            return False
