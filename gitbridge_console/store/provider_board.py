"""What the engines of a fleet tell one another about the health of a provider: circuit breaker, rate gate, whether it is disabled.

One hash for each provider. Each opening and closing of its breaker is an *epoch*, counted by the store: who tells of a
transition names the epoch it knew, so news from an engine that missed something cannot undo what came later.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gitbridge_console.domain.history import BreakerTurn
from gitbridge_console.domain.snapshots import BreakerWord
from gitbridge_console.store.bounded_writes import BoundedWrites
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.replies import entry_ms, newest_entries, table_of, text_of

KEEP_S = 30 * 86_400
"""What nobody wrote to for so long is forgotten, but not an operator's word that holds a breaker open."""

TEXT_MAX = 300

TURNS_KEPT = 100

TURN = f"""
local function turn(what, why, by)
  local key = KEYS[1] .. ':turns'
  redis.call('XADD', key, 'MAXLEN', '~', '{TURNS_KEPT}', '*', 'w', what, 'y', why or '', 'b', by or '')
  redis.call('EXPIRE', key, '{KEEP_S}')
end
"""
"""Keeps what the breaker did for whoever looks back at it, under a name of the board's own tag."""

TELL = (
    TURN
    + """
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local what, n = ARGV[2], tonumber(ARGV[3])
local h = redis.call('HMGET', KEYS[1], 'epoch', 'open', 'until', 'gate', 'said')
local epoch, is_open = tonumber(h[1]) or 0, h[2] == '1'
-- An engine that has heard of no epoch yet is new, and has seen for itself what it tells.
local before_word = n > 0 and n < (tonumber(h[5]) or 0)
if what == 'open' and not before_word then
  local due = ms + tonumber(ARGV[5])
  if is_open and epoch > n then
    due = math.max(due, tonumber(h[3]))
  else
    epoch = math.max(epoch, n) + 1
    redis.call('HSET', KEYS[1], 'since', string.format('%.0f', ms))
    turn('opened', ARGV[6])
  end
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'open', '1', 'k', ARGV[4], 'until', string.format('%.0f', due), 'causes', ARGV[6])
elseif what == 'closed' and epoch == n and is_open then
  epoch = epoch + 1
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'open', '0', 'k', ARGV[4], 'since', string.format('%.0f', ms))
  turn('closed')
elseif what == 'gate' then
  redis.call('HSET', KEYS[1], 'gate', string.format('%.0f', math.max(tonumber(h[4]) or 0, ms + n)))
elseif what == 'disabled' then
  if redis.call('HGET', KEYS[1], 'disabled') ~= ARGV[4] then turn('disabled', ARGV[4]) end
  redis.call('HSET', KEYS[1], 'disabled', ARGV[4], 'disabled_at', string.format('%.0f', ms))
end
if redis.call('HEXISTS', KEYS[1], 'forced') == 0 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return epoch
"""
)
"""Tell of a transition. ``ARGV``: seconds to keep, what, then: ``open`` epoch, k, ms, causes; ``closed`` epoch, k; ``gate`` ms;
``disabled`` 0, reason. Returns the epoch that holds now."""

SAY = (
    TURN
    + """
local now = redis.call('TIME')
local ms = string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000))
local word = ARGV[2]
local before = redis.call('HMGET', KEYS[1], 'forced', 'open', 'disabled', 'word_at')
-- Each word is later than the one before, whatever the clock says: engines know a new one by that.
local word_at = string.format('%.0f', math.max(ms, (tonumber(before[4]) or 0) + 1))
local epoch = redis.call('HINCRBY', KEYS[1], 'epoch', 1)
redis.call('HSET', KEYS[1], 'word', word, 'word_at', word_at)
turn(word == 'open' and 'held open' or word == 'close' and 'closed by hand' or 'reset', ARGV[4], ARGV[3])
if word == 'open' then
  redis.call('HSET', KEYS[1], 'forced', ARGV[3], 'forced_why', ARGV[4], 'forced_at', ms)
else
  redis.call('HDEL', KEYS[1], 'forced', 'forced_why', 'forced_at')
  redis.call('HSET', KEYS[1], 'open', '0', 'since', ms, 'said', epoch)
end
if word == 'reset' then redis.call('HDEL', KEYS[1], 'disabled', 'disabled_at', 'gate', 'k', 'causes') end
if word == 'open' then redis.call('PERSIST', KEYS[1]) else redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return before[1] and 'held open' or before[3] and 'disabled' or before[2] == '1' and 'open' or 'closed'
"""
)
"""An operator's word. ``ARGV``: seconds to keep, word, who, why. Returns what it was before."""

TAKE = "return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0"
GIVE_BACK = "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0"


@dataclass(frozen=True, slots=True)
class BoardEntry:
    """What the fleet knows of one provider. Times in ms of the server's clock, 0 where there is none."""

    epoch: int = 0
    open: bool = False
    since_ms: int = 0
    until_ms: int = 0
    openings: int = 0
    causes: tuple[str, ...] = ()
    gate_ms: int = 0
    disabled: str = ""
    disabled_at_ms: int = 0
    forced_by: str = ""
    forced_why: str = ""
    forced_at_ms: int = 0
    word: str = ""
    word_at_ms: int = 0


class ProviderBoard:
    """Tells and asks; every call is one round trip."""

    def __init__(self, client: Redis, keys: Keys, *, writes: BoundedWrites | None = None) -> None:
        self._client = client
        self._keys = keys
        self._writes = writes or BoundedWrites(client)

    async def opened(self, name: str, epoch: int, openings: int, for_s: float, causes: Iterable[str]) -> int:
        """Its breaker opened for ``for_s`` seconds, as far as this engine knows for the ``openings``-th time; returns the epoch."""
        return await self._tell(name, "open", epoch, openings, round(for_s * 1000), json.dumps(list(causes)))

    async def closed(self, name: str, epoch: int, openings: int) -> int:
        """Its breaker closed again after the opening of ``epoch``; returns the epoch that holds."""
        return await self._tell(name, "closed", epoch, openings)

    async def gated(self, name: str, for_s: float) -> None:
        """It asked for no calls for so long; a shorter time never shortens a longer one."""
        await self._tell(name, "gate", round(for_s * 1000))

    async def disabled(self, name: str, reason: str) -> None:
        """Nobody should ask it until a person has acted."""
        await self._tell(name, "disabled", 0, reason[:TEXT_MAX])

    async def say(self, name: str, word: BreakerWord, *, by: str, why: str) -> str:
        """An operator's word; returns what held before: ``held open``, ``disabled``, ``open`` or ``closed``."""
        return text_of(await self._writes.run(SAY, self._keys.provider_board(name), KEEP_S, word, by[:100], why[:TEXT_MAX]))

    async def turns(self, name: str, limit: int = TURNS_KEPT) -> tuple[BreakerTurn, ...]:
        """What its breaker did lately, newest first."""
        entries = await newest_entries(self._client, self._keys.provider_turns(name), limit)
        return tuple(_turn(entry_ms(entry_id), table_of(fields)) for entry_id, fields in entries)

    async def take_probe(self, name: str, token: str, lease_s: float) -> bool:
        """Take the fleet's one place for a probe; it is free again by itself after ``lease_s`` seconds."""
        return bool(await self._writes.run(TAKE, self._keys.provider_probe(name), token, round(lease_s * 1000)))

    async def give_probe_back(self, name: str, token: str) -> None:
        """The probe has ended; a place that meanwhile went to another stays with it."""
        await self._writes.run(GIVE_BACK, self._keys.provider_probe(name), token)

    async def take_look(self, name: str, for_s: float) -> bool:
        """Whether it is this engine's turn to look at an idle provider; the next turn comes after ``for_s`` seconds."""
        return bool(await self._writes.run(TAKE, self._keys.provider_look(name), "1", round(for_s * 1000)))

    async def read(self, names: Iterable[str]) -> tuple[int, dict[str, BoardEntry]]:
        """The server's time in ms, and what is known of each provider."""
        wanted = list(names)
        async with self._client.pipeline(transaction=False) as pipe:
            for name in wanted:
                pipe.hgetall(self._keys.provider_board(name))
            pipe.execute_command("TIME")
            *replies, clock = await pipe.execute(raise_on_error=False)
        for reply in (*replies, clock):
            if isinstance(reply, Exception) and not isinstance(reply, ResponseError):
                raise reply
        entries = {name: entry_from(table_of(raw)) for name, raw in zip(wanted, replies, strict=True) if not isinstance(raw, Exception)}
        return clock[0] * 1000 + clock[1] // 1000, entries

    async def _tell(self, name: str, what: str, number: int, *more: str | int) -> int:
        return int(await self._writes.run(TELL, self._keys.provider_board(name), KEEP_S, what, number, *more))


def entry_from(fields: Mapping[str, Any]) -> BoardEntry:
    """Read one hash of the board; what is missing or unreadable is as if nothing had been said."""

    def number(name: str) -> int:
        word = str(fields.get(name, ""))
        return int(word) if word.isdecimal() else 0

    try:
        causes = json.loads(fields.get("causes") or "[]")
    except ValueError:
        causes = []
    return BoardEntry(
        epoch=number("epoch"),
        open=fields.get("open") == "1",
        since_ms=number("since"),
        until_ms=number("until"),
        openings=number("k"),
        causes=tuple(str(cause) for cause in causes) if isinstance(causes, list) else (),
        gate_ms=number("gate"),
        disabled=fields.get("disabled", ""),
        disabled_at_ms=number("disabled_at"),
        forced_by=fields.get("forced", ""),
        forced_why=fields.get("forced_why", ""),
        forced_at_ms=number("forced_at"),
        word=fields.get("word", ""),
        word_at_ms=number("word_at"),
    )


def _turn(at_ms: int, fields: dict[str, str]) -> BreakerTurn:
    why = fields.get("y", "")
    if fields.get("w") == "opened":
        try:
            why = ", ".join(map(str, json.loads(why)))
        except (ValueError, TypeError):
            # Written by another version: shown as it is.
            why = fields.get("y", "")
    return BreakerTurn(at_ms=at_ms, what=fields.get("w", ""), why=why, by=fields.get("b", ""))
