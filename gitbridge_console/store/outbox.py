"""What is about to be done outside for an event, stored before it is done: under the fence, one call per marker at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from redis.asyncio import Redis

from gitbridge_console.store.in_pieces import UPKEEP_CHUNK, run_on
from gitbridge_console.store.keys import partition_of
from gitbridge_console.store.partition import Partition
from gitbridge_console.store.records import ClaimedJob

LANE = "act"


class FenceVoid(Exception):
    """Somebody else holds the job by now: whoever meets this does nothing more."""


class OutboxStore:
    """The intents of actions, each with its event."""

    def __init__(self, client: Redis, partitions: Sequence[Partition]) -> None:
        self._client = client
        self._partitions = partitions

    def _of(self, event_id: str) -> Partition:
        return self._partitions[partition_of(event_id, len(self._partitions))]

    async def intend(self, job: ClaimedJob, action: Mapping[str, Any], marker: str, hold_s: float) -> float:
        """Store an action's state, and for ``hold_s`` keep others from calling with its marker; 0: no call is under way any more.

        Returns 0.0, or the seconds until nobody else's call with that marker can be under way; then nothing was stored.

        Raises:
            FenceVoid: the job is not this engine's any more.
            redis.exceptions.RedisError: the store is away; it was stored, or it was not.
        """
        key = hashlib.sha256(marker.encode()).hexdigest()[:32] if marker else ""
        reply = await self._of(job.id).run("intend", job.id, job.fence, key, round(hold_s * 1000), json.dumps(action))
        if int(reply) < 0:
            raise FenceVoid(f"{job.id} is worked on elsewhere")
        return int(reply) / 1000

    async def read(self, event_id: str) -> dict[str, Any] | None:
        """The action of an event as it was stored last; ``None`` where there is none that can be read."""
        raw = await self._client.get(self._of(event_id).keys.action(event_id))
        try:
            action = json.loads(raw) if raw else None
        except ValueError:
            return None
        return action if isinstance(action, dict) else None

    async def wake(self) -> int:
        """Have everything that waits for a time in the ``act`` lane tried now; returns how many jobs, bounded per partition."""
        return sum([sum(await run_on(partition, "wake", LANE, UPKEEP_CHUNK)) for partition in self._partitions])
