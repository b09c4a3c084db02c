"""Answers that were paid for already, by what was asked: bounded in bytes and age, shared by the fleet. Diffs are kept so too.

==================  ==============================================================================
``<tag>:a:<key>``   one answer, packed; gone when its time is over
``<tag>:l:<key>``   who is asking this question right now; gone by itself
``<tag>:n``         keys of answers, by when they end;  ``<tag>:b`` hash: bytes by key, and in ``""`` their sum
==================  ==============================================================================

Nothing here may be refused room at the memory limit of the server and fail a call for it: a cache that cannot store is
only a cache that misses.
"""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from gitbridge_console.store.replies import pack, unpack

EVICT_MAX = 100
"""Answers one new one may push out; past it the new one is not kept."""

LOOK = """
local T, key = KEYS[1], ARGV[1]
local found = redis.call('GET', T .. ':a:' .. key)
if found then return found end
local holder = redis.call('GET', T .. ':l:' .. key)
if holder and holder ~= ARGV[2] then return redis.call('PTTL', T .. ':l:' .. key) end
redis.call('SET', T .. ':l:' .. key, ARGV[2], 'PX', ARGV[3])
return 0
"""
"""``ARGV``: key, who asks, ms it may take. Returns the answer; 0: it is yours to ask; or for how many ms somebody else asks."""

KEEP = """
local T, key, answer, ttl_ms = KEYS[1], ARGV[1], ARGV[3], tonumber(ARGV[4])
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
if redis.call('GET', T .. ':l:' .. key) == ARGV[2] then redis.call('DEL', T .. ':l:' .. key) end
local room = tonumber(ARGV[5])
if #answer > room then return 0 end
local bytes = tonumber(redis.call('HGET', T .. ':b', '')) or 0
local function drop(keys)
  for _, its_key in ipairs(keys) do
    bytes = bytes - (tonumber(redis.call('HGET', T .. ':b', its_key)) or 0)
    redis.call('ZREM', T .. ':n', its_key)
    redis.call('HDEL', T .. ':b', its_key)
    redis.call('DEL', T .. ':a:' .. its_key)
  end
end
drop({key})
drop(redis.call('ZRANGEBYSCORE', T .. ':n', '-inf', string.format('%.0f', ms), 'LIMIT', 0, ARGV[6]))
for _ = 1, ARGV[6] do
  if bytes + #answer <= room then break end
  drop(redis.call('ZRANGE', T .. ':n', 0, 0))
end
local kept = bytes + #answer <= room
if kept then
  redis.call('SET', T .. ':a:' .. key, answer, 'PX', ARGV[4])
  redis.call('ZADD', T .. ':n', string.format('%.0f', ms + ttl_ms), key)
  redis.call('HSET', T .. ':b', key, #answer)
  bytes = bytes + #answer
end
redis.call('HSET', T .. ':b', '', string.format('%.0f', bytes))
for _, books in ipairs({':n', ':b'}) do
  redis.call('PEXPIRE', T .. books, math.max(redis.call('PTTL', T .. books), ttl_ms))
end
return kept and 1 or 0
"""
"""``ARGV``: key, who asked, answer, ms to keep it, bytes of all answers at most, answers pushed out at most."""

FREE = """
local lease = KEYS[1] .. ':l:' .. ARGV[1]
return redis.call('GET', lease) == ARGV[2] and redis.call('DEL', lease) or 0
"""
"""``ARGV``: key, who asked."""


class AnswerCacheStore:
    """One round trip each. Not flagged for the memory limit: there the server refuses, and the caller goes on without a cache."""

    def __init__(self, client: Redis, tag: str) -> None:
        self._tag = tag
        self._client = client
        self._look = client.register_script(LOOK)
        self._keep = client.register_script(KEEP)
        self._free = client.register_script(FREE)

    async def look(self, key: str, holder: str, lease_s: float) -> bytes | float:
        """The answer kept under ``key``; or 0.0 when ``holder`` is to ask, for at most ``lease_s`` seconds; or how long another may take.

        Raises:
            redis.exceptions.RedisError: the store is away, or refuses.
            zlib.error: what is stored is damaged.
        """
        reply: Any = await self._look(keys=[self._tag], args=[key, holder, round(lease_s * 1000)])
        return max(0, reply) / 1000 if isinstance(reply, int) else unpack(reply)

    async def keep(self, key: str, holder: str, answer: bytes, *, ttl_s: float, max_bytes: int) -> bool:
        """Keep an answer and let others have it; false where there is no room. What ends soonest goes first."""
        args: list[str | bytes | int] = [key, holder, pack(answer), round(ttl_s * 1000), max_bytes, EVICT_MAX]
        return bool(await self._keep(keys=[self._tag], args=args))

    async def free(self, key: str, holder: str) -> None:
        """Nothing came of it: whoever wants to know may ask."""
        await self._free(keys=[self._tag], args=[key, holder])

    async def size(self) -> tuple[int, int]:
        """Answers kept, and their bytes; those whose time is over may still be counted."""
        async with self._client.pipeline(transaction=False) as pipe:
            pipe.zcard(f"{self._tag}:n")
            pipe.hget(f"{self._tag}:b", "")
            count, size = await pipe.execute()
        return int(count), int(size or 0)
