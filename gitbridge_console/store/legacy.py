"""The two Redis lists of older producers: taking an entry, letting go of it, and finding those a crash left behind."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis
from redis.crc import key_slot

from gitbridge_console.settings.model import LegacySettings
from gitbridge_console.store.addresses import Address

BLOCK_S = 1.0
"""How long a look at an empty list waits; always kept below the socket's time limit."""
STALE_S = 60.0
"""An entry that lies in the processing list for so long was left there by a process that died."""
SWEEP_LIMIT = 200
LOCK_TTL_S = 45.0

_GIVE_BACK = """
if redis.call('LREM', KEYS[1], -1, ARGV[1]) > 0 then
  redis.call('RPUSH', KEYS[2], ARGV[1])
  return 1
end
return 0
"""
_HOLD = """
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""


def legacy_warnings(store_url: str | None, settings: LegacySettings) -> tuple[str, ...]:
    """Why the legacy list cannot be read, one line for an operator; nothing where it can, or is switched off.

    An entry moves from one list to the other in one command, which a Cluster does only within one slot.
    """
    url = settings.url or store_url
    if not settings.enabled or not url or Address.parse(url).topology != "cluster":
        return ()
    if key_slot(settings.events_key.encode()) == key_slot(settings.processing_key.encode()):
        return ()
    return (
        f"the legacy list {settings.events_key} is not read: in a Cluster it and {settings.processing_key} must share a hash tag; "
        "name them so, give legacy.url, or set legacy.enabled = false",
    )


class LegacyStore:
    """``LPUSH`` at one end by the producers, taken at the other, kept in a processing list until it is stored."""

    def __init__(
        self, client: Redis, settings: LegacySettings, *, stale_s: float = STALE_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client: Any = client
        socket_timeout_s = client.get_connection_kwargs().get("socket_timeout")  # type: ignore[no-untyped-call]
        self._block_s = min(BLOCK_S, socket_timeout_s / 2) if socket_timeout_s else BLOCK_S
        self._events = settings.events_key
        self._processing = settings.processing_key
        self._lock = f"{settings.processing_key}:sweeper"
        self.max_entry_bytes = settings.max_entry_bytes
        self._stale_s = stale_s
        self._clock = clock
        self._owner = secrets.token_hex(8)
        self._seen: dict[bytes, float] = {}

    async def take(self) -> bytes | None:
        """The oldest entry, moved to the processing list; ``None`` when there is none for a second.

        Raises:
            redis.exceptions.RedisError: the server is away or the key is no list.
        """
        raw: bytes | None = await self._client.blmove(self._events, self._processing, self._block_s, "RIGHT", "LEFT")
        return raw

    async def done(self, raw: bytes) -> None:
        """Remove a stored entry from the processing list."""
        await self._client.lrem(self._processing, -1, raw)

    async def give_back(self, raw: bytes) -> bool:
        """Put an entry back where it is taken next; ``False`` if it was no longer in the processing list."""
        return bool(await self._client.eval(_GIVE_BACK, 2, self._processing, self._events, raw))

    async def waiting(self) -> int:
        """How many entries producers have pushed that nobody took yet."""
        return int(await self._client.llen(self._events))

    async def depths(self) -> tuple[int, int]:
        """How many entries wait, and how many are being taken over."""
        return await self.waiting(), int(await self._client.llen(self._processing))

    async def sweep(self) -> int:
        """Return to the list what has been in processing for too long; returns how many. One process at a time does it.

        Age is what this sweeper has seen with its own eyes, since entries carry none that could be trusted; when the
        lock passes to another process its count begins anew. A return too many is harmless: the delivery id is known.
        """
        if not await self._client.eval(_HOLD, 1, self._lock, self._owner, round(LOCK_TTL_S * 1000)):
            self._seen.clear()
            return 0
        entries: list[bytes] = await self._client.lrange(self._processing, -SWEEP_LIMIT, -1)
        now = self._clock()
        by_digest = {hashlib.sha256(raw).digest(): raw for raw in entries}
        self._seen = {digest: self._seen.get(digest, now) for digest in by_digest}
        stale = [digest for digest, since in self._seen.items() if now - since >= self._stale_s]
        returned = 0
        for digest in stale:
            returned += await self.give_back(by_digest[digest])
            del self._seen[digest]
        return returned
