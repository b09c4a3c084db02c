"""The audit of operators' writes: recorded before a write runs, completed after it, as one hash chain of the fleet.

========================  ==========================================================================================
``{ns:audit}:chain``       stream: links, ids are their numbers; ``p`` hash before, ``h`` hash, ``r`` record, deflated
``{ns:audit}:chain:ends``  hash: ``seq``, ``hash`` head; ``aseq``, ``ahash`` the last link that was trimmed; ``exported``
                           links that went to files, ``file`` the newest of them; ``lost`` links that went without
``{ns:audit}:chain:lock``  who exports, gone by itself
========================  ==========================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from gitbridge_console.domain.audit import AuditFilter, Intent, Outcome, entry_of
from gitbridge_console.domain.chain_lines import ChainReport
from gitbridge_console.domain.event_views import AuditEntry
from gitbridge_console.domain.hash_chain import End, Link, canonical, link_hash
from gitbridge_console.domain.timestamps import iso_from_ms
from gitbridge_console.store.bounded_writes import BoundedWrites
from gitbridge_console.store.durability import LOOK_FIRST, DiskWait
from gitbridge_console.store.fleet_lock import FleetLock
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.replies import pack, table_of, text_of
from gitbridge_console.store.stored_chain import PAGE, StoredChain, link_of

TRIES = 100
"""How often a record is hashed anew because another one came first."""

EXPORT_LOCK_S = 120.0

_APPEND = """
local ends = KEYS[1] .. ':ends'
local h = redis.call('HMGET', ends, 'seq', 'hash')
if not h[1] then
  local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  if last then h = {string.match(last[1], '^%d+'), last[2][4]} end
end
local seq = (tonumber(h[1]) or 0) + 1
if (h[2] or '') ~= ARGV[1] then return {seq - 1, h[2] or ''} end
local id = string.format('%.0f', seq) .. '-1'
redis.call('XADD', KEYS[1], id, 'p', ARGV[1], 'h', ARGV[2], 'r', ARGV[3])
redis.call('HSET', ends, 'seq', string.format('%.0f', seq), 'hash', ARGV[2])
for _ = 1, 50 do
  if redis.call('XLEN', KEYS[1]) <= tonumber(ARGV[4]) then break end
  local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
  local gone = redis.pcall('XDEL', KEYS[1], oldest[1])
  if type(gone) == 'table' and gone.err then break end
  redis.call('HSET', ends, 'aseq', string.match(oldest[1], '^%d+'), 'ahash', oldest[2][4])
  redis.call('HINCRBY', ends, 'lost', 1)
end
return seq
"""
"""Append a link. ``ARGV``: hash of the head it was made for, its own, the record, most links kept. Returns its number, or number and
hash of the head where another link came first. A head that is gone is taken from the last link, and a user that may not remove links
removes none, so that operators can go on."""

_TRIM = """
local ends = KEYS[1] .. ':ends'
local gone = redis.call('XRANGE', KEYS[1], '-', ARGV[1] .. '-1', 'COUNT', 200)
if #gone == 0 then return 0 end
for _, link in ipairs(gone) do redis.call('XDEL', KEYS[1], link[1]) end
local last = gone[#gone]
redis.call('HSET', ends, 'aseq', string.match(last[1], '^%d+'), 'ahash', last[2][4], 'file', ARGV[2])
redis.call('HINCRBY', ends, 'exported', #gone)
return #gone
"""
"""Remove the oldest links, at most 200 at once. ``ARGV``: number of the last one to go, the file they lie in. Returns how many went."""


class AuditContended(RuntimeError):
    """Others write to the audit without end; nothing was written."""


@dataclass(frozen=True, slots=True)
class AuditBooks:
    """What left the audit: links that went to files, the newest of these, and links that went without since nobody exported them."""

    exported: int = 0
    file: str = ""
    lost: int = 0


class AuditJournal:
    """An entry's outcome is a second link that names the first, so nothing is ever rewritten.

    Written at the memory limit too: that is when operators have to act. ``keep`` is how many links stay before the oldest are
    exported; where nobody exports, twice as many are kept and then the oldest go, which is counted.
    """

    def __init__(
        self,
        client: Redis,
        keys: Keys,
        *,
        keep: Callable[[], int],
        writes: BoundedWrites | None = None,
        disk: DiskWait | None = None,
    ) -> None:
        self._client = client
        self._keep = keep
        self._writes = writes or BoundedWrites(client)
        self._disk = disk or DiskWait()
        self.chain = StoredChain(client, keys.audit.rpartition(":")[0], keys.audit, f"{keys.audit}:ends")
        self.lock = FleetLock(self._writes, f"{keys.audit}:lock", ttl_s=EXPORT_LOCK_S)

    async def begin(self, intent: Intent) -> str:
        """Record the intention; returns its number for :meth:`end`.

        Raises:
            AuditContended: others write without end.
            redis.exceptions.RedisError: the store is away; the write must not be made.
        """
        return await self._append(intent.record, wait=False)

    async def end(self, entry: str, outcome: Outcome) -> None:
        """Record what came of it and, where ``redis.durability`` asks for it, wait until that is on disk.

        The append-only file keeps the order of writes, so what came before this entry, the operator's write and its
        beginning, is on disk with it. Any process may end what another one began.

        Raises:
            NotDurable: all is done, but not confirmed on disk.
        """
        await self._append(lambda number, at_ms: outcome.record(number, at_ms, int(entry)), wait=True)

    async def _append(self, record: Callable[[int, int], dict[str, Any]], *, wait: bool) -> str:
        head: End | None = None
        for _ in range(TRIES):
            seconds, micros = await self._client.time()
            if head is None:
                _, head = await self.chain.ends()
            body = canonical(record(head.seq + 1, int(seconds) * 1000 + int(micros) // 1000))
            async with self._client.pipeline(transaction=False) as pipe:
                args = (head.hash, link_hash(head.hash, body), pack(body), 2 * self._keep())
                self._writes.add_to(pipe, _APPEND, self.chain.stream, *args)
                waits = wait and self._disk.append(pipe)
                replies = await pipe.execute(raise_on_error=False)
            if isinstance(replies[0], Exception):
                raise replies[0]
            if not isinstance(replies[0], list):
                if waits:
                    self._disk.check(replies[1], advice=LOOK_FIRST)
                return str(int(replies[0]))
            head = End(int(replies[0][0]), text_of(replies[0][1]))
        raise AuditContended(f"the audit moved {TRIES} times while one entry was to be written")

    async def newest(self, limit: int = 100, wanted: AuditFilter | None = None) -> list[AuditEntry]:
        """The newest writes that match, with their outcomes, newest first. Looks back as far as the audit goes, a page at a time."""
        outcomes: dict[int, dict[str, Any]] = {}
        found: list[AuditEntry] = []
        end = "+"
        while page := await self._client.xrevrange(self.chain.stream, max=end, count=PAGE):
            for entry_id, fields in page:
                link = link_of(entry_id, fields)
                record = _readable(link.body)
                if "of" in record:
                    outcomes[int(record["of"])] = record
                    continue
                at_ms = int(record.get("at_ms", 0))
                if wanted is not None and wanted.since_ms is not None and not wanted.inverted and 0 < at_ms < wanted.since_ms:
                    return found
                entry = entry_of(link.seq, iso_from_ms(at_ms), record, outcomes.pop(link.seq, None))
                if wanted is None or wanted.matches(entry):
                    found.append(entry)
                    if len(found) == limit:
                        return found
            end = f"({text_of(page[-1][0])}"
        return found

    async def verify(self) -> ChainReport:
        """Check the whole chain."""
        return await self.chain.verify()

    async def size(self) -> tuple[int, int]:
        """Links that are kept, and when the oldest was made, in milliseconds; 0 where there is none."""
        async with self._client.pipeline(transaction=False) as pipe:
            pipe.xlen(self.chain.stream)
            pipe.xrange(self.chain.stream, count=1)
            count, oldest = await pipe.execute()
        return int(count), made_ms(link_of(*oldest[0])) if oldest else 0

    async def trim(self, until: int, file: str) -> int:
        """Remove the links up to that number, which lie in ``file``; returns how many went."""
        went = 0
        while gone := int(await self._writes.run(_TRIM, self.chain.stream, until, file[:200])):
            went += gone
        return went

    async def books(self) -> AuditBooks:
        """What left the audit."""
        found = table_of(await self._client.hgetall(self.chain.ends_key))
        return AuditBooks(int(found.get("exported", 0)), found.get("file", ""), int(found.get("lost", 0)))


def made_ms(link: Link) -> int:
    """When a link was made, in milliseconds."""
    return int(_readable(link.body).get("at_ms", 0))


def _readable(body: bytes) -> dict[str, Any]:
    """A record; what is no record any more (only tampering makes such) is shown as one that says nothing."""
    try:
        record = json.loads(body)
    except ValueError:
        return {"what": "unreadable"}
    return record if isinstance(record, dict) else {"what": "unreadable"}
