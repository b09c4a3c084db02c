"""Filters under names, shared by everybody who uses the namespace."""

from __future__ import annotations

from redis.asyncio import Redis

from gitbridge_console.store.keys import Keys
from gitbridge_console.store.replies import table_of


class SavedFilters:
    """A hash from name to filter."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._key = keys.saved_filters

    async def all(self) -> dict[str, str]:
        """By name, in order."""
        return dict(sorted(table_of(await self._client.hgetall(self._key)).items()))

    async def save(self, name: str, text: str) -> None:
        """Keep one, in place of one of that name."""
        await self._client.hset(self._key, name, text)

    async def drop(self, name: str) -> bool:
        """Forget one; ``False`` when there was none."""
        return bool(await self._client.hdel(self._key, name))
