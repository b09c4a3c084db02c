"""What became of findings: operators' words on them, and how far the panels of each repository used to agree.

=====================  ============================================================================================
``<tag>:chance``       hash: ``k/n`` to JSON ``[real, judged]``
``<tag>:record``       hash: ``provider|kind|category`` to JSON ``[right, wrong, ms]``, halved every 90 days
``<tag>:agree:<repo>`` list: agreement of the newest decisions of one repository, newest first
=====================  ============================================================================================

All of it is small and has an end: panels have eight seats at most, categories come from a closed list, what is not written to
for long goes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from gitbridge_console.store.bounded_writes import BoundedWrites
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.replies import text_of

HALF_LIFE_S = 90 * 86_400
"""A provider's model changes within months: what it got right a year ago says little."""

KEEP_S = 400 * 86_400
HISTORY_MAX = 100
REPOSITORY_MAX = 200

JUDGE = """
local T, keep, half_life = KEYS[1], ARGV[1], tonumber(ARGV[2])
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local real, judged = tonumber(ARGV[4]), tonumber(ARGV[5])
local function read(key, field, most)
  local raw = redis.call('HGET', key, field)
  local known, row = pcall(cjson.decode, raw or '')
  if not known or type(row) ~= 'table' or #row ~= most then return nil end
  return row
end
local row = read(T .. ':chance', ARGV[3], 2) or {0, 0}
redis.call('HSET', T .. ':chance', ARGV[3], cjson.encode({math.max(0, row[1] + real), math.max(0, row[2] + judged)}))
for n = 6, #ARGV do
  local record = read(T .. ':record', ARGV[n], 3) or {0, 0, ms}
  local left = 0.5 ^ (math.max(0, ms - record[3]) / 1000 / half_life)
  local right, wrong = record[1] * left + real, record[2] * left + judged - real
  redis.call('HSET', T .. ':record', ARGV[n], cjson.encode({math.max(0, right), math.max(0, wrong), ms}))
end
redis.call('EXPIRE', T .. ':chance', keep)
redis.call('EXPIRE', T .. ':record', keep)
return 1
"""
"""``ARGV``: seconds to keep, half-life in seconds, ``k/n``, real and judged to add (or to take back), then records."""

AGREED = """
redis.call('LPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], 0, ARGV[2] - 1)
return redis.call('EXPIRE', KEYS[1], ARGV[3])
"""
"""``ARGV``: agreement, decisions to keep, seconds to keep."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """An operator's word on a finding: which providers said it, of how many, and what sort it was."""

    k: int
    n: int
    providers: Sequence[str]
    kind: str
    category: str


class OutcomeStore:
    """One round trip each; works at the memory limit of the server too."""

    def __init__(self, client: Redis, keys: Keys, *, writes: BoundedWrites | None = None) -> None:
        self._client = client
        self._tag = keys.outcomes
        self._writes = writes or BoundedWrites(client)

    async def judge(self, what: Judgement, *, real: bool, taken_back: bool = False) -> None:
        """Book an operator's word, or take back one that was booked before.

        Raises:
            redis.exceptions.RedisError: the store is away.
        """
        sign = -1 if taken_back else 1
        records = [f"{provider}|{what.kind}|{what.category}" for provider in what.providers]
        args: list[str | int] = [KEEP_S, HALF_LIFE_S, f"{what.k}/{what.n}", sign * real, sign, *records]
        await self._writes.run(JUDGE, self._tag, *args)

    async def agreed(self, repository: str, share: float) -> None:
        """Add a decision's agreement, 0 to 1, to those of its repository."""
        await self._writes.run(AGREED, self._of(repository), f"{share:.4f}", HISTORY_MAX, KEEP_S)

    async def read(self, repository: str, kind: str) -> Outcomes:
        """All that a decision of this repository and kind looks at."""
        async with self._client.pipeline(transaction=False) as pipe:
            pipe.execute_command("TIME")
            pipe.hgetall(f"{self._tag}:chance")
            pipe.hgetall(f"{self._tag}:record")
            pipe.lrange(self._of(repository), 0, HISTORY_MAX - 1)
            clock, chances, records, history = await pipe.execute()
        return Outcomes(_chances(chances), _reliability(records, kind, clock[0]), [float(share) for share in history])

    def _of(self, repository: str) -> str:
        return f"{self._tag}:agree:{repository[:REPOSITORY_MAX]}"


@dataclass(frozen=True, slots=True)
class Outcomes:
    """By ``k/n`` how many findings were real of how many judged; by provider right and wrong ones; the repository's agreements."""

    chances: dict[str, tuple[int, int]]
    reliability: dict[str, tuple[float, float]]
    history: list[float]


def _row(raw: Any, most: int) -> list[float] | None:
    try:
        row = json.loads(raw)
    except ValueError:
        return None
    fits = isinstance(row, list) and len(row) == most and all(isinstance(number, int | float) for number in row)
    return row if fits else None


def _chances(raw: Mapping[bytes, bytes]) -> dict[str, tuple[int, int]]:
    rows = {text_of(field): _row(value, 2) for field, value in raw.items()}
    return {field: (int(row[0]), int(row[1])) for field, row in sorted(rows.items()) if row}


def _reliability(raw: Mapping[bytes, bytes], kind: str, now_s: int) -> dict[str, tuple[float, float]]:
    """A provider's records of one kind, of all categories together."""
    found: dict[str, tuple[float, float]] = {}
    for field, value in sorted(raw.items()):
        provider, _, rest = text_of(field).partition("|")
        row = _row(value, 3)
        if row is None or rest.partition("|")[0] != kind:
            continue
        left = 0.5 ** (max(0.0, now_s - row[2] / 1000) / HALF_LIFE_S)
        right, wrong = found.get(provider, (0.0, 0.0))
        found[provider] = (round(right + row[0] * left, 4), round(wrong + row[1] * left, 4))
    return found
