"""Rate limits shared by the fleet: one script reserves all buckets of a provider's model at once, another settles.

The arithmetic is that of :mod:`gitbridge_console.domain.rate_limits`, by the server's clock. Per bucket the hash keeps
``level at`` (units, ms); ``until`` is when the whole opens again, ``sent`` when the youngest request whose response was
taken over had been reserved. The hash goes by itself once every bucket is full again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitbridge_console.domain.rate_limits import ENOUGH, Amounts, Dimension, Pace
from gitbridge_console.store.bounded_writes import BoundedWrites
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.replies import text_of

_BUCKETS = """
local now = redis.call('TIME')
now = now[1] * 1000 + now[2] / 1000
local flat, kept = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #flat, 2 do kept[flat[i]] = flat[i + 1] end
local levels, paces, changed, full_in = {}, {}, {}, 0

local function level_of(name, per_ms, burst)
  local level, at = string.match(kept[name] or '', '^(%S+) (%S+)$')
  if not level then return burst end
  return math.min(burst, tonumber(level) + math.max(0, now - tonumber(at)) * per_ms)
end

local function keep(name, level, per_ms, burst)
  changed[#changed + 1], changed[#changed + 2] = name, string.format('%.6f %.3f', level, now)
  levels[#levels + 1], levels[#levels + 2] = name, string.format('%.6f', level)
  full_in = math.max(full_in, (burst - level) / per_ms)
end

local function close()
  local closed = math.max(0, tonumber(kept['until'] or 0) - now)
  redis.call('HSET', KEYS[1], unpack(changed))
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.min(86400000, math.max(full_in, closed)) + 60000))
  return closed
end
"""

RESERVE = (
    _BUCKETS
    + """
local wait, which = math.max(0, tonumber(kept['until'] or 0) - now), ''
for i = 1, #ARGV, 5 do
  local name, per_ms, burst, need = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
  local level = math.min(tonumber(ARGV[i + 4]) or burst, level_of(name, per_ms, burst))
  local enough = math.min(need, burst)
  if level < enough * ENOUGH and (enough - level) / per_ms > wait then wait, which = (enough - level) / per_ms, name end
  levels[i] = level
end
local found = levels
levels = {}
for i = 1, #ARGV, 5 do
  local need = wait > 0 and 0 or tonumber(ARGV[i + 3])
  keep(ARGV[i], found[i] - need, tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]))
end
close()
return {string.format('%.3f', wait), which, string.format('%.3f', now), unpack(levels)}
""".replace("ENOUGH", repr(ENOUGH))
)
"""Take the needs of one call from every bucket, or from none. ``ARGV`` per bucket: name, units a ms, burst, need, and the most
it may hold now or "". Returns {ms to wait or 0, the bucket that opens last, now, then name and level of each}."""

SETTLE = (
    _BUCKETS
    + """
local stamp, hold = tonumber(ARGV[1]), tonumber(ARGV[2])
local young = stamp >= tonumber(kept.sent or 0)
if young then changed[1], changed[2] = 'sent', ARGV[1] end
if hold > 0 then
  kept['until'] = string.format('%.3f', math.max(tonumber(kept['until'] or 0), now + hold))
  changed[#changed + 1], changed[#changed + 2] = 'until', kept['until']
end
for i = 3, #ARGV, 5 do
  local name, per_ms, burst, left = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 4])
  local level = math.min(burst, level_of(name, per_ms, burst) + tonumber(ARGV[i + 3]))
  if left and young then level = math.min(level, left) end
  keep(name, level, per_ms, burst)
end
return {string.format('%.3f', close()), '', string.format('%.3f', now), unpack(levels)}
"""
)
"""Give back what was reserved and not used (below zero: take more), and hold no more than the provider says is left, unless
a younger request has said so already. ``ARGV``: when the request was reserved, ms to let nothing through from now on, then per
bucket name, units a ms, burst, what to give back, what is left or "". Returns as above, the wait being how long all is closed."""


REOPEN = "return redis.call('HDEL', KEYS[1], 'until')"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the store says. ``wait_s`` 0: granted; ``at_ms`` is its clock."""

    wait_s: float
    which: Dimension | None
    at_ms: float
    levels: dict[Dimension, float]


class RateLimitStore:
    """The limits as the whole fleet sees them."""

    def __init__(self, keys: Keys, writes: BoundedWrites) -> None:
        self._keys = keys
        self._writes = writes

    async def reserve(
        self, provider: str, model: str, paces: Mapping[Dimension, Pace], needs: Amounts, tops: Amounts | None = None
    ) -> Ruling:
        """Take ``needs`` from every bucket, or say how long to wait; ``tops`` is the most each may hold.

        Raises:
            redis.exceptions.RedisError: the store is away.
        """
        args = _flat(paces, ((needs.get(name, 0.0), (tops or {}).get(name)) for name in paces))
        return _ruling(await self._writes.run(RESERVE, self._keys.rate_limits(provider, model), *args))

    async def settle(
        self,
        provider: str,
        model: str,
        paces: Mapping[Dimension, Pace],
        back: Amounts,
        *,
        reserved_at_ms: float = 0.0,
        remaining: Amounts | None = None,
        closed_s: float = 0.0,
    ) -> Ruling:
        """Give back the difference between what was reserved and used, and take over what the provider says is left.

        ``reserved_at_ms`` is the ``at_ms`` of the reservation: what an older request heard is not believed any more.

        Raises:
            redis.exceptions.RedisError: the store is away.
        """
        args = _flat(paces, ((back.get(name, 0.0), (remaining or {}).get(name)) for name in paces))
        key = self._keys.rate_limits(provider, model)
        return _ruling(await self._writes.run(SETTLE, key, f"{reserved_at_ms:.3f}", f"{closed_s * 1000:.3f}", *args))

    async def reopen(self, provider: str, model: str) -> None:
        """Forget a wait that a response asked for; what the buckets hold stays.

        Raises:
            redis.exceptions.RedisError: the store is away.
        """
        await self._writes.run(REOPEN, self._keys.rate_limits(provider, model))


def _flat(paces: Mapping[Dimension, Pace], pairs: Iterable[tuple[float, float | None]]) -> list[str]:
    return [
        word
        for (name, pace), (amount, bound) in zip(paces.items(), pairs, strict=True)
        for word in (name, f"{pace.per_s / 1000:.12g}", f"{pace.burst:.6f}", f"{amount:.6f}", "" if bound is None else f"{bound:.6f}")
    ]


def _ruling(reply: Sequence[Any]) -> Ruling:
    wait_ms, which, at_ms, *flat = (text_of(part) for part in reply)
    levels = {Dimension(name): float(level) for name, level in zip(flat[::2], flat[1::2], strict=True)}
    return Ruling(float(wait_ms) / 1000, Dimension(which) if which else None, float(at_ms), levels)
