"""What the fleet shares about a code host: when the next write may go out, and what is wrong with a credential.

======================  ===========================================================================================
``<tag>:sent:<who>``    sorted set: writes of the last hour, score = when in ms
``<tag>:gate:<who>``    hash: ``until`` (ms, closed by the host), ``hits`` (limits met in a row)
``<tag>:closed``        hash: who to ``until``, for those who look
``<tag>:faults``        hash: scope (``*``, a repository, or ``diffs:HOST:`` and one or none) to JSON ``{who, text, since, probe}``
======================  ===========================================================================================

``who`` is the fingerprint of a credential. All of it is bounded: an hour of writes within the limit, one gate a credential,
:data:`FAULTS_MAX` faults.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from redis.asyncio import Redis

from gitbridge_console.store.bounded_writes import BoundedWrites
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.replies import text_of

FAULTS_MAX = 200
STALE_MS = 3_600_000
"""A fault whose next try is past for so long is nobody's any more: nothing waits for it."""
EVERYWHERE = "*"
HITS_KEPT_S = 7_200

_NOW = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
"""

RESERVE = (
    _NOW
    + """
local sent, gate = KEYS[1] .. ':sent:' .. ARGV[1], KEYS[1] .. ':gate:' .. ARGV[1]
local wait = (tonumber(redis.call('HGET', gate, 'until') or 0)) - now
redis.call('ZREMRANGEBYSCORE', sent, '-inf', now - 3600000)
local function within(place, ms)
  local found = redis.call('ZREVRANGE', sent, place, place, 'WITHSCORES')
  if found[2] then wait = math.max(wait, tonumber(found[2]) + ms - now) end
end
within(0, tonumber(ARGV[3]))
within(tonumber(ARGV[4]) - 1, 60000)
within(tonumber(ARGV[5]) - 1, 3600000)
if wait > 0 or ARGV[2] == '' then return math.max(0, math.ceil(wait)) end
redis.call('ZADD', sent, now, ARGV[2])
redis.call('PEXPIRE', sent, 3660000)
return 0
"""
)
"""Take the next place for a write. ``ARGV``: who, a name for the write ("": only look), ms between two, most a minute, most an hour.
Returns 0, or ms to wait; then nothing was taken."""

CLOSE = (
    _NOW
    + """
local gate = KEYS[1] .. ':gate:' .. ARGV[1]
local hits = redis.call('HINCRBY', gate, 'hits', 1)
local wait = tonumber(ARGV[2])
if ARGV[3] == '1' then wait = math.min(3600000, wait * 2 ^ (math.min(hits, 12) - 1)) end
local till = math.max(tonumber(redis.call('HGET', gate, 'until') or 0), now + wait)
redis.call('HSET', gate, 'until', string.format('%.0f', till))
redis.call('EXPIRE', gate, ARGV[4])
redis.call('HSET', KEYS[1] .. ':closed', ARGV[1], string.format('%.0f', till))
redis.call('EXPIRE', KEYS[1] .. ':closed', ARGV[4])
return string.format('%.0f', till - now)
"""
)
"""The host asked to wait. ``ARGV``: who, ms, 1 to double with each time in a row, seconds kept. Returns ms until it opens."""

MAY_TRY = (
    _NOW
    + """
local wait, healed = 0, 0
for i = 3, #ARGV do
  local raw = redis.call('HGET', KEYS[1] .. ':faults', ARGV[i])
  local known, fault = pcall(cjson.decode, raw or '')
  if known and type(fault) == 'table' then
    if fault.who ~= ARGV[1] then
      redis.call('HDEL', KEYS[1] .. ':faults', ARGV[i])
      healed = 1
    elseif fault.probe > now then
      wait = math.max(wait, fault.probe - now)
    else
      fault.probe = now + tonumber(ARGV[2])
      redis.call('HSET', KEYS[1] .. ':faults', ARGV[i], cjson.encode(fault))
    end
  end
end
return {wait, healed}
"""
)
"""Whether a credential may be tried. ``ARGV``: who, ms between two tries while it is at fault, then scopes. Returns ms to wait, and 1
where a fault was of another credential, which is forgotten."""

FAULT = (
    _NOW
    + """
local key = KEYS[1] .. ':faults'
local raw = redis.call('HGET', key, ARGV[2])
local known, before = pcall(cjson.decode, raw or '')
if not raw then
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local readable, old = pcall(cjson.decode, all[i + 1])
    if not readable or type(old) ~= 'table' or (tonumber(old.probe) or 0) < now - tonumber(ARGV[6]) then redis.call('HDEL', key, all[i]) end
  end
  if redis.call('HLEN', key) >= tonumber(ARGV[5]) then return 0 end
end
local since = known and type(before) == 'table' and before.since or now
local fault = {who = ARGV[1], text = ARGV[3], since = since, probe = now + tonumber(ARGV[4])}
redis.call('HSET', key, ARGV[2], cjson.encode(fault))
return raw and 0 or 1
"""
)
"""A credential was refused. ``ARGV``: who, scope, why, ms until the next try, most faults, ms after which one nobody tried again is
forgotten. Returns 1 where that is news."""

HEAL = """
local key, healed = KEYS[1] .. ':faults', 0
for i = 2, #ARGV do healed = healed + redis.call('HDEL', key, ARGV[i]) end
if ARGV[1] ~= '' then redis.call('HDEL', KEYS[1] .. ':gate:' .. ARGV[1], 'hits') end
return healed
"""
"""It works. ``ARGV``: who, then scopes. Returns how many faults there were."""


READING = "diffs:"
"""Scopes that begin so are about reading a host's diffs; they hold nothing back."""


@dataclass(frozen=True, slots=True)
class HostFault:
    """A credential that is refused: for a repository, or everywhere (``*``)."""

    scope: str
    text: str
    since_ms: int

    @property
    def reads(self) -> tuple[str, str] | None:
        """The host whose diffs cannot be read, and the repository or ``""`` for all; ``None`` where publishing is meant."""
        if not self.scope.startswith(READING):
            return None
        host, _, repository = self.scope.removeprefix(READING).partition(":")
        return host, repository


@dataclass(frozen=True, slots=True)
class Publishing:
    """What holds publishing back: refused credentials, and until when a host asked to wait (ms), where it did."""

    faults: tuple[HostFault, ...] = ()
    closed_until_ms: int | None = None


NOTHING_HELD = Publishing()


class HostBoard:
    """One code host, as all engines of the fleet know it."""

    def __init__(self, client: Redis, keys: Keys, host: str, *, writes: BoundedWrites | None = None) -> None:
        self._client = client
        self._tag = keys.host(host)
        self._writes = writes or BoundedWrites(client)

    async def reserve(self, who: str, *, spacing_s: float, per_minute: int, per_hour: int, take: bool = True) -> float:
        """Take the next place for a write, or say in how many seconds there may be one; without ``take`` only look.

        Raises:
            redis.exceptions.RedisError: the store is away.
        """
        args = (who, uuid4().hex if take else "", round(spacing_s * 1000), per_minute, per_hour)
        return int(await self._writes.run(RESERVE, self._tag, *args)) / 1000

    async def close(self, who: str, wait_s: float, *, doubling: bool) -> float:
        """Let nothing out for so long, longer each time in a row with ``doubling``; returns the seconds until it opens."""
        reply = await self._writes.run(CLOSE, self._tag, who, round(wait_s * 1000), int(doubling), HITS_KEPT_S)
        return float(text_of(reply)) / 1000

    async def may_try(self, who: str, repository: str, every_s: float) -> tuple[float, bool]:
        """Seconds until the credential may be tried for a repository (0: now), and whether a fault of another one was forgotten."""
        wait_ms, healed = await self._writes.run(MAY_TRY, self._tag, who, round(every_s * 1000), EVERYWHERE, repository)
        return int(wait_ms) / 1000, bool(healed)

    async def fault(self, who: str, scope: str, text: str, next_try_s: float) -> bool:
        """Keep that a credential was refused; whether that is news."""
        args = (who, scope, text[:300], round(next_try_s * 1000), FAULTS_MAX, STALE_MS)
        return bool(await self._writes.run(FAULT, self._tag, *args))

    async def heal(self, who: str, repository: str) -> bool:
        """A write went through: forget faults and doublings; whether there was a fault."""
        return bool(await self._writes.run(HEAL, self._tag, who, EVERYWHERE, repository))

    async def unread(self, host: str, repository: str, text: str, again_s: float) -> None:
        """Keep that diffs of a host cannot be read for want of a credential: of a repository, or with ``""`` of all."""
        await self.fault(host, f"{READING}{host}:{repository}", text, again_s)

    async def read_again(self, host: str, repository: str) -> None:
        """A diff was read: what was kept by :meth:`unread` of the repository and of all is over."""
        scopes = (f"{READING}{host}:", f"{READING}{host}:{repository}")
        await self._writes.run(HEAL, self._tag, "", *scopes)

    async def forget_faults(self) -> int:
        """An operator says that it is mended; returns how many faults there were."""
        faults = [fault.scope for fault in await self.faults()]
        return int(await self._writes.run(HEAL, self._tag, "", *faults)) if faults else 0

    async def look(self) -> Publishing:
        """What holds publishing back now.

        Raises:
            redis.exceptions.RedisError: the store is away.
        """
        async with self._client.pipeline(transaction=False) as pipe:
            pipe.execute_command("TIME")
            pipe.hgetall(f"{self._tag}:faults")
            pipe.hgetall(f"{self._tag}:closed")
            clock, faults, closed = await pipe.execute()
        now_ms = clock[0] * 1000
        until = max((int(float(text_of(till))) for till in closed.values()), default=0)
        known = filter(None, (_fault(text_of(scope), raw, now_ms) for scope, raw in faults.items()))
        in_order = tuple(sorted(known, key=lambda fault: (fault.since_ms, fault.scope)))
        return Publishing(in_order, until if until > now_ms else None)

    async def faults(self) -> tuple[HostFault, ...]:
        """What is wrong with credentials now, the oldest first."""
        return (await self.look()).faults


def _fault(scope: str, raw: Any, now_ms: int) -> HostFault | None:
    try:
        fault = json.loads(raw)
        return HostFault(scope, str(fault["text"]), int(fault["since"])) if fault["probe"] > now_ms - STALE_MS else None
    except (ValueError, KeyError, TypeError):
        return None
