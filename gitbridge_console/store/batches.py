"""Questions that wait for a batch, the batches at the service, and what came of them.

======================  ==================================================================================
``<tag>:batch:c``       hash: questions being collected, by task;  ``<tag>:batch:i`` since when, how many bytes
``<tag>:batch:in``      hash: tasks in any batch, with the time they came
``<tag>:batch:open``    hash: batches closed and not yet fed back, mark to JSON
``<tag>:batch:q:<m>``   hash: the questions of a closed batch, until it is fed back
``<tag>:batch:r:<t>``   what came of a task's question, until it is taken or too old
``<tag>:batch:keeper``  the engine that minds the provider's batches; gone by itself
======================  ==================================================================================

A batch is written down with its mark before the service is asked and with the service's id after it, so an engine that dies
in between leaves something to look for.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from uuid import uuid4

from redis.asyncio import Redis

from gitbridge_console.store.bounded_writes import BoundedWrites
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.replies import pack, text_of, unpack

ROLL = """
local T = KEYS[1]
local function roll(mark, ms, count, keep_s)
  redis.call('RENAME', T .. ':c', T .. ':q:' .. mark)
  redis.call('DEL', T .. ':i')
  redis.call('HSET', T .. ':open', mark, cjson.encode({mark = mark, at_ms = ms, count = count}))
  redis.call('EXPIRE', T .. ':open', keep_s)
end
"""
"""What is collected becomes a batch, to be handed in."""

COLLECT = f"""{ROLL}
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local came = redis.call('HGET', T .. ':in', ARGV[1])
if came then
  if ms - came < tonumber(ARGV[5]) then return 1 end
  redis.call('HDEL', T .. ':in', ARGV[1])
  local freed = redis.call('HSTRLEN', T .. ':c', ARGV[1])
  if redis.call('HDEL', T .. ':c', ARGV[1]) == 1 then redis.call('HINCRBY', T .. ':i', 'bytes', -freed) end
  return 2
end
if #ARGV[2] > tonumber(ARGV[4]) then return 0 end
local count = redis.call('HLEN', T .. ':c')
if count == 0 then redis.call('DEL', T .. ':i') end
local bytes = tonumber(redis.call('HGET', T .. ':i', 'bytes')) or 0
if count >= tonumber(ARGV[3]) or bytes + #ARGV[2] > tonumber(ARGV[4]) then
  if redis.call('HLEN', T .. ':open') >= tonumber(ARGV[7]) then return 0 end
  roll(ARGV[8], ms, count, ARGV[6])
end
redis.call('HSET', T .. ':c', ARGV[1], ARGV[2])
redis.call('HSET', T .. ':in', ARGV[1], string.format('%.0f', ms))
redis.call('HSETNX', T .. ':i', 'since', string.format('%.0f', ms))
redis.call('HINCRBY', T .. ':i', 'bytes', #ARGV[2])
for _, part in ipairs({{':c', ':i', ':in'}}) do redis.call('EXPIRE', T .. part, ARGV[6]) end
return 1
"""
"""``ARGV``: task, question, most tasks, most bytes, ms after which a task is asked live, seconds to keep, most open batches,
the mark of a batch if one is full and is closed by this. Returns 1: it waits for a batch; 0: there is no room; 2: it waited too long."""

CLOSE = f"""{ROLL}
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local count = redis.call('HLEN', T .. ':c')
if count == 0 or redis.call('HLEN', T .. ':open') >= tonumber(ARGV[5]) then return 0 end
local i = redis.call('HMGET', T .. ':i', 'since', 'bytes')
local old = ms - (tonumber(i[1]) or 0) >= tonumber(ARGV[4])
if not old and count < tonumber(ARGV[2]) and (tonumber(i[2]) or 0) < tonumber(ARGV[3]) then return 0 end
roll(ARGV[1], ms, count, ARGV[6])
return count
"""
"""``ARGV``: mark, tasks and bytes from which a batch is full, ms after which it is closed as it is, most open batches, seconds to keep."""

FEED = """
local T = KEYS[1]
for n = 2, #ARGV, 2 do
  redis.call('SET', T .. ':r:' .. ARGV[n], ARGV[n + 1], 'EX', ARGV[1])
  redis.call('HDEL', T .. ':in', ARGV[n])
end
return 1
"""
"""``ARGV``: seconds to keep results, then task and result in turn."""

FINISH = """
redis.call('DEL', KEYS[1] .. ':q:' .. ARGV[1])
return redis.call('HDEL', KEYS[1] .. ':open', ARGV[1])
"""
"""``ARGV``: mark. Returns whether the batch was open."""

DROP = """
for n = 2, #ARGV do
  redis.call('HDEL', KEYS[1] .. ':q:' .. ARGV[1], ARGV[n])
  redis.call('HDEL', KEYS[1] .. ':in', ARGV[n])
end
return redis.call('HLEN', KEYS[1] .. ':q:' .. ARGV[1])
"""
"""``ARGV``: mark, then tasks."""

PUT = """
if redis.call('HEXISTS', KEYS[1] .. ':open', ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1] .. ':open', ARGV[1], ARGV[2])
return 1
"""
"""``ARGV``: mark, JSON. A batch that was fed back by another engine meanwhile stays gone."""

LET_GO = """
if redis.call('GET', KEYS[1] .. ':keeper') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1] .. ':keeper')
"""
HOLD = """
local key = KEYS[1] .. ':keeper'
local holder = redis.call('GET', key)
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', key, ARGV[1], 'PX', ARGV[2])
return 1
"""

CHUNK = 50
"""Results written in one go."""

DROPPED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A closed batch. ``id`` is the service's, empty while it is not known whether it was handed in; ``problem`` what went wrong last;
    ``tried``: it may have been handed in; ``cancelled``: the service was asked to end it; ``guessed``: the id may be that of a batch of
    somebody else, which is not ours to cancel; ``reserved``: what was set aside for it in the budget.
    """

    mark: str
    at_ms: int
    count: int
    id: str = ""
    done: int = 0
    problem: str = ""
    tried: bool = False
    cancelled: bool = False
    guessed: bool = False
    reserved: str = ""


@dataclass(frozen=True, slots=True)
class BatchCounts:
    """Tasks being collected, since when (ms, 0: none), and the open batches of one provider."""

    collecting: int = 0
    since_ms: int = 0
    open: tuple[OpenBatch, ...] = ()


class BatchStore:
    """Everything kept about the batches of the providers."""

    def __init__(self, client: Redis, keys: Keys, *, writes: BoundedWrites | None = None) -> None:
        self._client = client
        self._keys = keys
        self._writes = writes or BoundedWrites(client)
        self._collect = client.register_script(COLLECT)

    async def collect(
        self,
        name: str,
        task: str,
        question: bytes,
        *,
        tasks_max: int,
        bytes_max: int,
        open_max: int,
        live_after_s: float,
        keep_s: float,
    ) -> bool:
        """Put a task's question to those of the next batch; false: ask it live. Once in, it stays in, however often it is asked for.

        A pile that is full becomes a batch by this, and another is begun, while fewer than ``open_max`` batches are open.

        Raises:
            redis.exceptions.RedisError: the store is away, or has no room.
        """
        live_after_ms, keep = round(live_after_s * 1000), round(keep_s)
        args: list[str | bytes | int] = [task, pack(question), tasks_max, bytes_max, live_after_ms, keep, open_max, uuid4().hex]
        return int(await self._collect(keys=[self._keys.batches(name)], args=args)) == 1

    async def close(self, name: str, *, tasks: int, size: int, after_s: float, open_max: int, keep_s: float) -> int:
        """Close what was collected if it is full or old enough; returns how many questions the batch has, 0: none was closed."""
        args = (uuid4().hex, tasks, size, round(after_s * 1000), open_max, round(keep_s))
        return int(await self._writes.run(CLOSE, self._keys.batches(name), *args))

    async def questions(self, name: str, mark: str) -> dict[str, bytes]:
        """The questions of a closed batch, by task."""
        found = await self._client.hgetall(f"{self._keys.batches(name)}:q:{mark}")
        return {text_of(task): unpack(question) for task, question in found.items()}

    async def tasks(self, name: str, mark: str) -> list[str]:
        """Whose questions a closed batch has."""
        return [text_of(task) for task in await self._client.hkeys(f"{self._keys.batches(name)}:q:{mark}")]

    async def drop(self, name: str, mark: str, tasks: Collection[str]) -> int:
        """Take questions out of a closed batch that was not handed in; returns how many it has left."""
        rest, left = list(tasks), 0
        for start in range(0, max(1, len(rest)), DROPPED_AT_ONCE):
            part = rest[start : start + DROPPED_AT_ONCE]
            left = int(await self._writes.run(DROP, self._keys.batches(name), mark, *part))
        return left

    async def put(self, name: str, batch: OpenBatch) -> bool:
        """Write down what is known of an open batch; false: it is over."""
        return bool(await self._writes.run(PUT, self._keys.batches(name), batch.mark, json.dumps(asdict(batch))))

    async def feed_back(self, name: str, results: Mapping[str, bytes], *, keep_s: float) -> None:
        """Leave each task what came of its question, nothing for one that is to be asked live."""
        items = list(results.items())
        for start in range(0, len(items), CHUNK):
            pairs = [word for task, result in items[start : start + CHUNK] for word in (task, pack(result))]
            await self._writes.run(FEED, self._keys.batches(name), round(keep_s), *pairs)

    async def finish(self, name: str, mark: str) -> bool:
        """The batch is over: its tasks have their answers and were called back. False: another engine said so before."""
        return bool(await self._writes.run(FINISH, self._keys.batches(name), mark))

    async def take(self, name: str, task: str) -> bytes | None:
        """What came of a task's question: nothing where it is to be asked live, ``None`` where nothing has come yet."""
        found = await self._client.get(f"{self._keys.batches(name)}:r:{task}")
        return None if found is None else unpack(found)

    async def forget(self, name: str, task: str) -> None:
        """What came of a task's question is in its place."""
        await self._client.delete(f"{self._keys.batches(name)}:r:{task}")

    async def hold(self, name: str, engine: str, for_s: float) -> bool:
        """Whether this engine minds the batches of a provider for a while."""
        return bool(await self._writes.run(HOLD, self._keys.batches(name), engine, round(for_s * 1000)))

    async def let_go(self, name: str, engine: str) -> None:
        """Another engine may mind the batches of a provider from now on, if this one does."""
        await self._writes.run(LET_GO, self._keys.batches(name), engine)

    async def read(self, names: Iterable[str]) -> dict[str, BatchCounts]:
        """What is collected and open, by provider; providers without either are left out."""
        wanted = list(names)
        if not wanted:
            return {}
        async with self._client.pipeline(transaction=False) as pipe:
            for name in wanted:
                tag = self._keys.batches(name)
                pipe.hlen(f"{tag}:c")
                pipe.hget(f"{tag}:i", "since")
                pipe.hvals(f"{tag}:open")
            replies = iter(await pipe.execute())
        found = {name: BatchCounts(int(next(replies)), int(next(replies) or 0), _open(next(replies))) for name in wanted}
        return {name: counts for name, counts in found.items() if counts.collecting or counts.open}


def _open(raw: Iterable[bytes]) -> tuple[OpenBatch, ...]:
    batches = []
    for text in raw:
        try:
            batches.append(OpenBatch(**json.loads(text)))
        except (ValueError, TypeError):
            continue
    return tuple(sorted(batches, key=lambda batch: batch.at_ms))


def age_s(batch: OpenBatch) -> float:
    """How long ago a batch was closed, in seconds."""
    return max(0.0, time.time() - batch.at_ms / 1000)
