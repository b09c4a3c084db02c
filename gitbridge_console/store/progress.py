"""Events whose head commit shows how far they are: which there are, and what was said of each last. Fleet-wide, bounded.

``<tag>:progress`` is a hash, event id to JSON; ``<tag>:teller`` is the engine that tells it to the host, gone by itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis

from gitbridge_console.store.bounded_writes import BoundedWrites
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.replies import text_of

WATCHED_MAX = 2_000
"""Events watched at once; of more, the host is not told how far they are."""

ADD = """
local key = KEYS[1] .. ':progress'
if redis.call('HLEN', key) >= tonumber(ARGV[1]) then return 0 end
return redis.call('HSETNX', key, ARGV[2], ARGV[3])
"""
"""``ARGV``: most events, event, JSON."""

KEEP = """
local key = KEYS[1] .. ':progress'
if ARGV[2] == '' then return redis.call('HDEL', key, ARGV[1]) end
if redis.call('HEXISTS', key, ARGV[1]) == 0 then return 0 end
redis.call('HSET', key, ARGV[1], ARGV[2])
return 1
"""
"""``ARGV``: event, JSON or "" to forget it."""


class ProgressStore:
    """What is kept for telling a host how far events are."""

    def __init__(self, client: Redis, keys: Keys, host: str, *, writes: BoundedWrites | None = None) -> None:
        self._client = client
        self._tag = keys.host(host)
        self._writes = writes or BoundedWrites(client)

    async def watch(self, event_id: str, about: Mapping[str, Any]) -> bool:
        """From now on the host is told of this event; ``False`` where it is already, or there are too many."""
        return bool(await self._writes.run(ADD, self._tag, WATCHED_MAX, event_id, json.dumps(about)))

    async def keep(self, event_id: str, about: Mapping[str, Any] | None) -> None:
        """What was said of it by now; ``None``: nothing more will be."""
        await self._writes.run(KEEP, self._tag, event_id, "" if about is None else json.dumps(about))

    async def watched(self, cursor: int, count: int) -> tuple[int, dict[str, dict[str, Any]]]:
        """About ``count`` events from ``cursor`` (0: the first) on, and where to go on; 0 after the last."""
        reply: Any = await self._client.hscan(f"{self._tag}:progress", cursor, count=count)
        more, found = reply
        pairs = {text_of(event): _read(raw) for event, raw in found.items()}
        return int(more), {event: about for event, about in pairs.items() if about is not None}

    async def take_turn(self, engine: str, for_s: float) -> bool:
        """Whether this engine is the one that tells; another one's turn ends by itself."""
        key = f"{self._tag}:teller"
        if await self._client.set(key, engine, nx=True, px=round(for_s * 1000)):
            return True
        if text_of(await self._client.get(key) or b"") != engine:
            return False
        await self._client.pexpire(key, round(for_s * 1000))
        return True


def _read(raw: Any) -> dict[str, Any] | None:
    try:
        about = json.loads(raw)
    except ValueError:
        return None
    return about if isinstance(about, dict) else None
