"""One of the fleet does a thing: a lock that its owner must prolong, with a number that tells a late owner from the one of now."""

from __future__ import annotations

import secrets

from gitbridge_console.store.bounded_writes import LOCK, BoundedWrites


class FleetLock:
    """This process's side of one lock. Taken at the memory limit too: what it guards may be what makes room."""

    def __init__(self, writes: BoundedWrites, key: str, *, ttl_s: float) -> None:
        self._writes = writes
        self._key = key
        self._token = secrets.token_hex(8)
        self.ttl_s = ttl_s

    async def hold(self) -> int:
        """Take the lock or prolong it. Returns the fence, which grows with every new owner; 0 where somebody else has it.

        Raises:
            redis.exceptions.RedisError: the store is away.
        """
        return int(await self._writes.run(LOCK, self._key, "hold", self._token, round(self.ttl_s * 1000)))

    async def leave(self) -> None:
        """Give it up, if it is still ours.

        Raises:
            redis.exceptions.RedisError: the store is away; the lock goes by itself.
        """
        await self._writes.run(LOCK, self._key, "leave", self._token, 0)
