"""Bulk operations in the store: what is planned, who works on it, and how far it is.

What an operation is stands in a hash that the fleet shares. What it is to do is a list in each partition, from which one
script takes the next entries and does and counts them: an engine that dies anywhere leaves an exact account.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from redis.asyncio import Redis

from gitbridge_console.domain.bulk import ENDED, BulkKind, BulkState, Deed, Entry
from gitbridge_console.domain.bulk_views import BulkStatus
from gitbridge_console.domain.events import Priority
from gitbridge_console.store.bounded_writes import BoundedWrites
from gitbridge_console.store.bulk_records import BulkRecord, BulkSums, describe, read_record
from gitbridge_console.store.in_pieces import run_over
from gitbridge_console.store.keys import home_of
from gitbridge_console.store.partition import Partition
from gitbridge_console.store.replies import server_now_ms, table_of, text_of

KEPT_MAX = 100
"""Ended operations that are kept to be looked at."""
PLANNED_MAX = 20
"""Plans that wait to be applied; the oldest gives way."""
ENTRIES_AT_ONCE = 1_000
ENTRIES_LONGER_S = 60

HOLD = """
local h = redis.call('HMGET', KEYS[1], 'state', 'owner', 'until', 'fence')
if h[1] ~= 'running' then return {h[1] or '', '0'} end
local clock = redis.call('TIME')
local now, fence = clock[1] * 1000 + math.floor(clock[2] / 1000), tonumber(h[4] or 0)
if h[2] ~= ARGV[1] then
  -- One that holds it for longer than anybody can did so by a clock that was ahead.
  local left = tonumber(h[3] or 0) - now
  if h[2] and h[2] ~= '' and left > 0 and left <= tonumber(ARGV[2]) then return {'held', '0'} end
  fence = fence + 1
  redis.call('HSETNX', KEYS[1], 'started', string.format('%.0f', now))
end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'until', string.format('%.0f', now + ARGV[2]), 'fence', fence)
redis.call('HSET', KEYS[1], 'speed', ARGV[3], 'note', ARGV[4])
return {'running', tostring(fence)}
"""
"""Hold an operation or prolong that. ``ARGV``: owner, ms, speed, note. Returns its state (``held``: by another) and the fence."""

LEAVE = """
if redis.call('HGET', KEYS[1], 'owner') == ARGV[1] then redis.call('HSET', KEYS[1], 'until', 0, 'speed', 0) end
return 1
"""
"""Let another engine go on at once. ``ARGV``: owner."""

TURN = """
local state = redis.call('HGET', KEYS[1], 'state') or ''
for i = 4, #ARGV do
  if state == ARGV[i] then
    local clock = redis.call('TIME')
    local now = string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000))
    redis.call('HSET', KEYS[1], 'state', ARGV[1], 'speed', 0, 'note', ARGV[3])
    redis.call('PERSIST', KEYS[1])
    if ARGV[2] == 'ends' then redis.call('HSET', KEYS[1], 'ended', now) end
    if ARGV[1] == 'finished' then redis.call('HSET', KEYS[1], 'told', 0) end
    break
  end
end
return state
"""
"""Another state, from one of those given. ``ARGV``: the new one, ``ends`` or nothing, note, then the old ones. Returns the one it had."""

APPLY = """
local state = redis.call('HGET', KEYS[1], 'state') or ''
if state == 'planned' then
  redis.call('HSET', KEYS[1], 'state', 'running', unpack(ARGV))
  redis.call('PERSIST', KEYS[1])
end
return state
"""
"""Set a plan to work, once. ``ARGV``: field and value in turn. Returns the state it was in."""

TELL = """
local h = redis.call('HMGET', KEYS[1], 'told', 'telling')
if h[1] ~= '0' then return 0 end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local since = now - tonumber(h[2] or 0)
if since >= 0 and since < tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'telling', string.format('%.0f', now))
return 1
"""
"""Whether to tell what a finished operation came to. ``ARGV``: ms for which nobody else is to. Returns 0 where that was told, or is."""

TELLING_MS = 10_000

BEING_PLANNED_MS = 60_000
"""A plan so young that has no record yet is still being written."""


class BulkStore:
    """Operations of one namespace. ``writes`` are allowed at the memory limit, as the operations themselves are, replays excepted."""

    def __init__(self, client: Redis, partitions: Sequence[Partition], writes: BoundedWrites) -> None:
        self._client = client
        self._partitions = tuple(partitions)
        self._keys = tuple(partition.keys for partition in partitions)
        self._first = self._keys[0]
        self._writes = writes

    async def plan(self, deed: Deed, wanted: str, entries: Sequence[Entry], *, by: str, host: str, keep_s: float) -> str:
        """Keep a plan for ``keep_s`` seconds; returns its id, by which it is applied.

        Raises:
            redis.exceptions.OutOfMemoryError: the server has no room for it.
        """
        now = await server_now_ms(self._client)
        await self._prune(now)
        op_id = f"op{await self._client.incr(self._first.bulk_number)}"
        # First of all it is in the index: what a planner that dies leaves is found there.
        await self._client.zadd(self._first.bulk_index, {op_id: now})
        for keys in self._keys:
            own = [entry.line for entry in entries if home_of(entry.job_id, self._keys) == keys]
            for start in range(0, len(own), ENTRIES_AT_ONCE):
                await self._client.rpush(keys.bulk_todo(op_id), *own[start : start + ENTRIES_AT_ONCE])
            # Longer than the record, so that a plan that can still be applied has all of its entries.
            await self._client.expire(keys.bulk_todo(op_id), round(keep_s) + ENTRIES_LONGER_S)
        fields: dict[str, str | int] = {
            "kind": deed.kind,
            "to": deed.to,
            "front": int(deed.front),
            "lane": deed.lane,
            "filter": wanted,
            "state": BulkState.PLANNED,
            "by": by,
            "host": host,
            "planned": len(entries),
            "created": now,
        }
        async with self._client.pipeline(transaction=True) as pipe:
            pipe.hset(self._first.bulk(op_id), mapping=fields)  # type: ignore[arg-type]  # its stubs want one type of value
            pipe.expire(self._first.bulk(op_id), round(keep_s))
            await pipe.execute()
        return op_id

    async def apply(self, op_id: str, *, by: str, host: str, reason: str, rate_per_s: float, most: int | None) -> str:
        """Set a plan to work; returns the state it was in before, ``""`` when there is no such plan any more."""
        for keys in self._keys:
            await self._client.persist(keys.bulk_todo(op_id))
        fields = ("by", by, "host", host, "reason", reason, "rate", rate_per_s, "most", "" if most is None else most)
        return text_of(await self._writes.run(APPLY, self._first.bulk(op_id), *map(str, fields)))

    async def turn(self, op_id: str, to: BulkState, *of: BulkState, note: str = "") -> str:
        """Put an operation into another state if it is in one of those given; returns the state it was in, ``""`` if unknown."""
        ends = "ends" if to in ENDED else ""
        before = text_of(await self._writes.run(TURN, self._first.bulk(op_id), to, ends, note, *of))
        if to in ENDED and before in of:
            await self.drop_left(op_id)
        return before

    async def drop_left(self, op_id: str) -> None:
        """What an ended operation has left is not done any more, and counted so; again, where whoever ended it died over it."""
        for partition in self._partitions:
            await partition.run("bulk_end", op_id)

    async def may_tell(self, op_id: str) -> bool:
        """Whether it is this caller's part to tell what an operation came to; another's again if nothing more is heard of it."""
        return bool(int(await self._writes.run(TELL, self._first.bulk(op_id), TELLING_MS)))

    async def told(self, op_id: str) -> None:
        """It was."""
        await self._writes.run("return redis.call('HSET', KEYS[1], 'told', 1)", self._first.bulk(op_id))

    async def hold(self, op_id: str, owner: str, hold_s: float, *, speed_per_s: float = 0.0, note: str = "") -> tuple[str, int]:
        """Hold a running operation or go on holding it; returns its state, ``held`` when another engine has it, and our fence."""
        args = (owner, round(hold_s * 1000), f"{speed_per_s:.1f}", note[:200])
        state, fence = await self._writes.run(HOLD, self._first.bulk(op_id), *args)
        return text_of(state), int(fence)

    async def leave(self, op_id: str, owner: str) -> None:
        """Let another engine go on with it at once."""
        await self._writes.run(LEAVE, self._first.bulk(op_id), owner)

    async def step(self, record: BulkRecord, fence: int, place: int, most: int) -> tuple[BulkSums, bool]:
        """Do the next ``most`` entries of one partition; returns what came of them, and whether the fence still holds.

        Raises:
            redis.exceptions.OutOfMemoryError: a replay found no room; nothing was done.
        """
        deed, why = record.deed, f"{record.id}: {record.reason}"[:200]
        script = "bulk_replay" if deed.kind is BulkKind.REPLAY else "bulk"
        to = str(int(Priority.parse(deed.to))) if deed.kind is BulkKind.PRIORITIZE else deed.to
        args = (record.id, fence, most, record.by, why, deed.kind, to, "front" if deed.front else "", deed.lane)
        done, *more = [int(n) for n in await self._partitions[place].run(script, *args)]
        if done < 0:
            return BulkSums(), False
        skipped, failed, _ = more
        return BulkSums(done, skipped, failed), True

    async def look_ahead(self, lane: str, to: str, jobs: Sequence[str]) -> list[str]:
        """For each task of a lane why it could not be moved to another provider now; ``""`` where it could."""
        return await self._ask_each("reseat", (lane, to, "", "look"), jobs)

    async def count_moved(self, lane: str) -> int:
        """How many tasks were moved out of a lane by hand, as far as that is remembered."""
        return sum([int(await self._client.zcard(keys.moved(lane))) for keys in self._keys])

    async def moved_out_of(self, lane: str, count: int) -> AsyncIterator[list[str]]:
        """Those tasks, ``count`` at a time, in each partition those that were moved first."""
        for keys in self._keys:
            start = 0
            while names := [text_of(raw) for raw in await self._client.zrange(keys.moved(lane), start, start + count - 1)]:
                yield names
                start += count

    async def look_back(self, lane: str, jobs: Sequence[str]) -> list[str]:
        """For each task that was moved out of a lane why it could not go back now; ``""`` where it could."""
        return await self._ask_each("bring_back", (lane, "", "look"), jobs)

    async def _ask_each(self, script: str, args: Sequence[str], jobs: Sequence[str]) -> list[str]:
        found: dict[str, str] = {}
        for partition in self._partitions:
            own = [job for job in jobs if home_of(job, self._keys) == partition.keys]
            found |= zip(own, map(text_of, await run_over(partition, script, args, own)), strict=True)
        return [found[job] for job in jobs]

    async def records(self) -> list[BulkRecord]:
        """All that are kept, oldest first; those of a newer program, which does what this one cannot, are left to it."""
        return [record for op_id, table in (await self._tables()).items() if (record := read_record(op_id, table)) is not None]

    async def _tables(self) -> dict[str, dict[str, str]]:
        ids = [text_of(raw) for raw in await self._client.zrange(self._first.bulk_index, 0, -1)]
        pipe = self._client.pipeline(transaction=False)
        for op_id in ids:
            pipe.hgetall(self._first.bulk(op_id))
        tables = [table_of(reply) for reply in await pipe.execute()] if ids else []
        return {op_id: table for op_id, table in zip(ids, tables, strict=True) if table.get("kind")}

    async def record(self, op_id: str) -> BulkRecord | None:
        """One of them, ``None`` when there is none of that id."""
        return read_record(op_id, table_of(await self._client.hgetall(self._first.bulk(op_id))))

    async def sums(self, op_id: str) -> tuple[BulkSums, dict[str, int]]:
        """What came of an operation so far, and its skips by reason."""
        pipe = self._client.pipeline(transaction=False)
        for keys in self._keys:
            pipe.hgetall(keys.bulk_sums(op_id))
            pipe.llen(keys.bulk_todo(op_id))
        replies = await pipe.execute()
        names = ("done", "skipped", "failed", "dropped")
        totals, reasons = dict.fromkeys(names, 0), dict[str, int]()
        for raw in replies[::2]:
            table = table_of(raw)
            for name in names:
                totals[name] += int(table.get(name, 0))
            for name, count in table.items():
                if name.startswith("why:"):
                    reasons[name[4:]] = reasons.get(name[4:], 0) + int(count)
        return BulkSums(**totals, lefts=tuple(replies[1::2])), reasons

    async def status(self, record: BulkRecord, *, with_skipped: bool = False) -> BulkStatus:
        """Everything there is to say about an operation."""
        sums, reasons = await self.sums(record.id)
        skipped: list[tuple[str, str]] = []
        for keys in self._keys if with_skipped else ():
            for raw in await self._client.lrange(keys.bulk_skips(record.id), 0, -1):
                job_id, _, why = text_of(raw).partition(" ")
                skipped.append((job_id, why))
        return describe(record, sums, reasons, skipped)

    async def _prune(self, now_ms: int) -> None:
        """Forget plans that expired, and of the ended and the planned ones what is too many, oldest first."""
        tables = await self._tables()
        kept = [record for op_id, table in tables.items() if (record := read_record(op_id, table)) is not None]
        older = await self._client.zrangebyscore(self._first.bulk_index, "-inf", now_ms - BEING_PLANNED_MS)
        ended = [record.id for record in kept if record.state in ENDED]
        planned = [record.id for record in kept if record.state is BulkState.PLANNED]
        surplus = [*ended[: max(0, len(ended) - KEPT_MAX)], *planned[: max(0, len(planned) - PLANNED_MAX + 1)]]
        for op_id in {text_of(raw) for raw in older} - {*tables} | {*surplus}:
            await self._forget(op_id)

    async def _forget(self, op_id: str) -> None:
        for keys in self._keys:
            await self._client.unlink(keys.bulk_sums(op_id), keys.bulk_todo(op_id), keys.bulk_skips(op_id))
        await self._client.unlink(self._first.bulk(op_id))
        await self._client.zrem(self._first.bulk_index, op_id)
