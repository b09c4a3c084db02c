"""Heartbeats of the processes that share a store, and what each knows of its providers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis

from gitbridge_console.store.bounded_writes import BEAT, BoundedWrites
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.replies import server_now_ms, table_of

FORGET_AFTER_S = 60.0
"""An engine that has not been heard of for so long is dropped from the list."""


@dataclass(frozen=True, slots=True)
class Beat:
    """What one process says of itself. ``providers`` maps a name to the fields of its provider status."""

    id: str
    host: str
    role: str
    version: str
    settings: str
    providers: dict[str, dict[str, Any]] = field(default_factory=dict)
    at_ms: int = 0


class FleetRegistry:
    """Who is alive."""

    def __init__(self, client: Redis, keys: Keys, *, writes: BoundedWrites | None = None) -> None:
        self._client = client
        self._key = keys.engines
        self._writes = writes or BoundedWrites(client)

    async def beat(self, beat: Beat) -> None:
        """Say that this process is alive, at the memory limit too, and forget those that fell silent."""
        body = {
            "host": beat.host,
            "role": beat.role,
            "version": beat.version,
            "settings": beat.settings,
            "providers": beat.providers,
            "at": await server_now_ms(self._client),
        }
        await self._writes.run(BEAT, self._key, beat.id, json.dumps(body), round(FORGET_AFTER_S * 1000))

    async def leave(self, engine_id: str) -> None:
        """Say goodbye."""
        await self._client.hdel(self._key, engine_id)

    async def count(self) -> int:
        """How many processes share the store, this one included; one that died within the last minute is counted still."""
        return max(1, int(await self._client.hlen(self._key)))

    async def alive(self) -> list[Beat]:
        """Everyone heard of lately, oldest id first; the others are forgotten."""
        now = await server_now_ms(self._client)
        beats, gone = [], []
        for engine_id, raw in table_of(await self._client.hgetall(self._key)).items():
            body = json.loads(raw)
            if now - body["at"] > FORGET_AFTER_S * 1000:
                gone.append(engine_id)
                continue
            beats.append(
                Beat(
                    id=engine_id,
                    host=body["host"],
                    role=body["role"],
                    version=body["version"],
                    settings=body["settings"],
                    providers=body["providers"],
                    at_ms=body["at"],
                )
            )
        if gone:
            await self._client.hdel(self._key, *gone)
        return sorted(beats, key=lambda beat: beat.id)
