"""Bookkeeping that must go on when the server is at its memory limit, where an operator needs it most.

Only what is bounded by itself may be written here: a stream with a length, a hash that expires, one field for each
engine that lives. Each script touches the keys of one tag.
"""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from gitbridge_console.store.scripts_loader import FIRST_WITH_FLAGS

APPEND = "return redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', unpack(ARGV, 2))"
"""Append an entry to a stream. ``ARGV``: its length, then field and value in turn. Returns the entry's id."""

COUNT = """
for i = 2, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
return redis.call('EXPIRE', KEYS[1], ARGV[1])
"""
"""Add to the numbers of a hash. ``ARGV``: seconds it is kept, then field and number in turn."""

GREATEST = """
for i = 2, #ARGV, 2 do
  local now = tonumber(redis.call('HGET', KEYS[1], ARGV[i])) or -1
  if tonumber(ARGV[i + 1]) > now then redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
end
return redis.call('EXPIRE', KEYS[1], ARGV[1])
"""
"""Raise the numbers of a hash to those given. ``ARGV``: seconds it is kept, then field and number in turn."""

REMEMBER = """
redis.call('SADD', KEYS[1], unpack(ARGV, 2))
return redis.call('EXPIRE', KEYS[1], ARGV[1])
"""
"""Add to a set. ``ARGV``: seconds it is kept, then members."""

SET = "return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])"
"""Set one field of a hash that is there for good. ``ARGV``: field and value."""

LOCK = """
local owner = redis.call('GET', KEYS[1])
if ARGV[1] == 'leave' then
  return owner == ARGV[2] and redis.call('DEL', KEYS[1]) or 0
end
if owner and owner ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return owner and tonumber(redis.call('GET', KEYS[1] .. ':fence')) or redis.call('INCR', KEYS[1] .. ':fence')
"""
"""A lock that goes by itself. ``ARGV``: "hold" or "leave", owner's token, ms. Returns the holder's fence, or 0: somebody else has it."""

BEAT = """
local now = redis.call('TIME')
local oldest = now[1] * 1000 + math.floor(now[2] / 1000) - ARGV[3]
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local readable, beat = pcall(cjson.decode, all[i + 1])
  if not readable or type(beat) ~= 'table' or (tonumber(beat.at) or 0) < oldest then redis.call('HDEL', KEYS[1], all[i]) end
end
return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
"""
"""Write an engine's heartbeat and forget engines that fell silent. ``ARGV``: engine, JSON with ``at`` in ms, ms after which."""


class BoundedWrites:
    """Runs the scripts above, allowed at the memory limit where the server knows of such a thing (major version 7 on)."""

    def __init__(self, client: Redis, server_major: int = FIRST_WITH_FLAGS) -> None:
        self._client = client
        self._flags = "#!lua flags=allow-oom\n" if server_major >= FIRST_WITH_FLAGS else ""

    async def run(self, script: str, key: str, *args: str | bytes | int) -> Any:
        """Run one script; returns its raw reply.

        Raises:
            redis.exceptions.RedisError: the server is away, or old and out of memory.
        """
        return await self._client.eval(self._flags + script, 1, key, *args)

    def add_to(self, pipe: Pipeline, script: str, key: str, *args: str | bytes | int) -> None:
        """Put one script into a pipeline."""
        pipe.eval(self._flags + script, 1, key, *args)
