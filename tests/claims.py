"""Claiming all there is: one call gives as many jobs as the server has time for."""

from __future__ import annotations

from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.records import ClaimedJob


async def claim_all(queue: RedisEventQueue, lane: str, count: int) -> list[ClaimedJob]:
    """Exactly so many jobs of a lane."""
    jobs: list[ClaimedJob] = []
    while len(jobs) < count:
        found = (await queue.claim(lane, count - len(jobs))).jobs
        assert found, f"{lane} has {len(jobs)} jobs and not {count}"
        jobs += found
    return jobs
