"""What the fleet knows of the ways in beside the webhook: how full the legacy list is, and what the last reconcile found."""

from __future__ import annotations

import json
from typing import Any

from redis.asyncio import Redis

from gitbridge_console.store.bounded_writes import SET, BoundedWrites
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.replies import server_now_ms, table_of

LEGACY, RECONCILE = "legacy", "reconcile"


class InboxBoard:
    """One JSON object for each way in, written over by whoever looked last; the time is the server's."""

    def __init__(self, client: Redis, keys: Keys, *, writes: BoundedWrites | None = None) -> None:
        self._client = client
        self._key = keys.inbox
        self._writes = writes or BoundedWrites(client)

    async def put(self, name: str, **facts: Any) -> None:
        """Say what was found just now, at the memory limit too."""
        facts["at_ms"] = await server_now_ms(self._client)
        await self._writes.run(SET, self._key, name, json.dumps(facts))

    async def age_s(self, name: str) -> float | None:
        """Seconds since somebody said something of it, ``None`` where nobody did."""
        found = (await self.read()).get(name)
        return None if found is None else max(0.0, (await server_now_ms(self._client) - found["at_ms"]) / 1000)

    async def read(self) -> dict[str, dict[str, Any]]:
        """What is known, by name."""
        return {name: json.loads(raw) for name, raw in table_of(await self._client.hgetall(self._key)).items()}
