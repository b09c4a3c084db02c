"""What each provider's calls cost today, over the whole fleet: set aside before a call, booked after it.

``<tag>:budget`` is a hash of the running UTC day (``day``, ``usd`` in millionths, ``tok``, ``calls``, ``unk`` calls of unknown
cost) with the sums of what is set aside (``rusd``, ``rtok``); ``<tag>:budget:r`` holds each reservation by its expiry. One
that nobody settles, because its engine died, is booked as spent when it expires: the safe side.
``<tag>:budget:once:<name>`` says that something was booked that may be booked once only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import uuid4

from redis.asyncio import Redis

from gitbridge_console.store.bounded_writes import BoundedWrites
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.replies import table_of

KEEP_S = 2 * 86_400

_COMMON = """
local H, R = KEYS[1], KEYS[1] .. ':r'
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local today = math.floor(now[1] / 86400)
local h = redis.call('HMGET', H, 'day', 'usd', 'tok', 'calls', 'unk', 'rusd', 'rtok')
for i = 1, 7 do h[i] = tonumber(h[i]) or 0 end
if h[1] ~= today then h[1], h[2], h[3], h[4], h[5] = today, 0, 0, 0, 0 end
local function int(n) return string.format('%.0f', n) end
local function parts(member) return string.match(member, ':(%d+):(%d+)$') end
local function take_off(member)
  local usd, tok = parts(member)
  h[6], h[7] = math.max(0, h[6] - usd), math.max(0, h[7] - tok)
end
for _, member in ipairs(redis.call('ZRANGEBYSCORE', R, '-inf', int(ms), 'LIMIT', 0, 100)) do
  redis.call('ZREM', R, member)
  take_off(member)
  local usd, tok = parts(member)
  h[2], h[3], h[4] = h[2] + usd, h[3] + tok, h[4] + 1
end
local function write()
  redis.call('HSET', H, 'day', int(h[1]), 'usd', int(h[2]), 'tok', int(h[3]), 'calls', int(h[4]), 'unk', int(h[5]))
  redis.call('HSET', H, 'rusd', int(h[6]), 'rtok', int(h[7]))
  redis.call('EXPIRE', H, ARGV[1])
  redis.call('EXPIRE', R, ARGV[1])
end
"""

RESERVE = (
    _COMMON
    + """
local usd, tok, most_usd, most_tok = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local function over(aside_usd, aside_tok)
  return most_usd >= 0 and h[2] + aside_usd + usd > most_usd or most_tok >= 0 and h[3] + aside_tok + tok > most_tok
end
local wait = -1
if over(0, 0) then wait = (today + 1) * 86400000 - ms elseif over(h[6], h[7]) then wait = 0 end
if wait < 0 then
  redis.call('ZADD', R, int(ms + ARGV[3]), ARGV[2] .. ':' .. ARGV[4] .. ':' .. ARGV[5])
  h[6], h[7] = h[6] + usd, h[7] + tok
end
write()
return wait
"""
)
"""``ARGV``: seconds to keep, token, ms until it expires, millionths of a dollar, tokens, and the day's limits on both (-1: none).
Returns -1: set aside; 0: what is in flight may use up the rest; else ms until the next day."""

SETTLE = (
    _COMMON
    + """
local usd, tok = tonumber(ARGV[3]), tonumber(ARGV[4])
if ARGV[7] ~= '' and not redis.call('SET', H .. ':once:' .. ARGV[7], 1, 'NX', 'EX', ARGV[1]) then return 0 end
if ARGV[2] ~= '' then
  if redis.call('ZREM', R, ARGV[2]) == 1 then
    take_off(ARGV[2])
  else
    local booked_usd, booked_tok = parts(ARGV[2])
    usd, tok = usd - booked_usd, tok - booked_tok
    h[4] = h[4] - 1
  end
end
h[2], h[3] = math.max(0, h[2] + usd), math.max(0, h[3] + tok)
h[4], h[5] = math.max(0, h[4] + ARGV[5]), h[5] + ARGV[6]
write()
return 1
"""
)
"""``ARGV``: seconds to keep, reservation or "", millionths of a dollar and tokens really spent, calls made, those of unknown cost,
what may be booked only once or "". Returns 0 where that was booked before."""


@dataclass(frozen=True, slots=True)
class Reserved:
    """Something set aside, to be settled."""

    member: str


@dataclass(frozen=True, slots=True)
class Spent:
    """What one provider's calls took today (UTC), and what calls in flight may take. Costs in USD."""

    usd: float = 0.0
    tokens: int = 0
    calls: int = 0
    unknown_calls: int = 0
    reserved_usd: float = 0.0
    reserved_tokens: int = 0


class BudgetStore:
    """One round trip each; works at the memory limit of the server too."""

    def __init__(self, client: Redis, keys: Keys, *, writes: BoundedWrites | None = None) -> None:
        self._client = client
        self._keys = keys
        self._writes = writes or BoundedWrites(client)

    async def reserve(
        self, name: str, *, usd: float, tokens: int, usd_max: float | None, tokens_max: int | None, expires_s: float
    ) -> Reserved | float:
        """Set aside what a call may take; else the seconds until it may be asked again (0: as soon as calls in flight have ended)."""
        token, millionths = uuid4().hex, _millionths(usd)
        limits = (-1 if usd_max is None else _millionths(usd_max), -1 if tokens_max is None else tokens_max)
        args = (KEEP_S, token, round(expires_s * 1000), millionths, tokens, *limits)
        wait_ms = int(await self._writes.run(RESERVE, self._keys.provider_budget(name), *args))
        return Reserved(f"{token}:{millionths}:{tokens}") if wait_ms < 0 else wait_ms / 1000

    async def settle(
        self,
        name: str,
        reserved: Reserved | None,
        *,
        usd: float = 0.0,
        tokens: int = 0,
        calls: int = 0,
        unknown_calls: int = 0,
        once: str = "",
    ) -> bool:
        """Book what was really spent; ``reserved`` is ``None`` for calls nothing was set aside for.

        With a name given by ``once`` the booking is made once in :data:`KEEP_S`; false: it was made before.
        """
        member = reserved.member if reserved else ""
        args = (KEEP_S, member, _millionths(usd), tokens, calls, unknown_calls, once)
        return bool(await self._writes.run(SETTLE, self._keys.provider_budget(name), *args))

    async def read(self, names: Iterable[str]) -> dict[str, Spent]:
        """What was spent today, by provider."""
        wanted = list(names)
        if not wanted:
            return {}
        async with self._client.pipeline(transaction=False) as pipe:
            pipe.execute_command("TIME")
            for name in wanted:
                pipe.hgetall(self._keys.provider_budget(name))
            clock, *replies = await pipe.execute()
        return {name: _spent(table_of(raw), clock[0] // 86_400) for name, raw in zip(wanted, replies, strict=True)}


def _spent(fields: dict[str, str], today: int) -> Spent:
    def number(field: str) -> int:
        word = fields.get(field, "")
        return int(word) if word.isdecimal() else 0

    aside = number("rusd") / 1_000_000, number("rtok")
    if number("day") != today:
        return Spent(0.0, 0, 0, 0, *aside)
    return Spent(number("usd") / 1_000_000, number("tok"), number("calls"), number("unk"), *aside)


def _millionths(usd: float) -> int:
    return max(0, round(usd * 1_000_000))
