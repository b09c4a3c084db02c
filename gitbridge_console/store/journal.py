"""The audit of operators' writes: recorded before a write runs, completed after it."""

from __future__ import annotations

from redis.asyncio import Redis

from gitbridge_console.domain.event_views import AuditEntry
from gitbridge_console.domain.timestamps import iso_from_ms
from gitbridge_console.store.bounded_writes import APPEND, BoundedWrites
from gitbridge_console.store.durability import LOOK_FIRST, DiskWait
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.replies import entry_ms, newest_entries, table_of, text_of


class AuditJournal:
    """A bounded stream; an entry's result is a second entry that names the first, so nothing is ever rewritten.

    Written at the memory limit too: that is when operators have to act.
    """

    def __init__(self, client: Redis, keys: Keys, *, keep: int, writes: BoundedWrites | None = None, disk: DiskWait | None = None) -> None:
        self._client = client
        self._key = keys.audit
        self._keep = keep
        self._writes = writes or BoundedWrites(client)
        self._disk = disk or DiskWait()

    async def begin(self, *, who: str, host: str, what: str, target: str, reason: str) -> str:
        """Record the intention; returns its id for :meth:`end`."""
        fields = {"who": who[:100], "host": host[:100], "what": what, "target": target[:1000], "reason": reason[:500]}
        pairs = [part for pair in fields.items() for part in pair]
        return text_of(await self._writes.run(APPEND, self._key, self._keep, *pairs))

    async def end(self, entry: str, result: str) -> None:
        """Record what came of it and, where ``redis.durability`` asks for it, wait until that is on disk.

        The append-only file keeps the order of writes, so what came before this entry, the operator's write and its
        beginning, is on disk with it.

        Raises:
            NotDurable: all is done, but not confirmed on disk.
        """
        async with self._client.pipeline(transaction=False) as pipe:
            self._writes.add_to(pipe, APPEND, self._key, self._keep, "of", entry, "result", result[:500])
            (reply,) = await self._disk.execute(pipe, advice=LOOK_FIRST)
        if isinstance(reply, Exception):
            raise reply

    async def newest(self, limit: int = 100) -> list[AuditEntry]:
        """The newest writes with their results, newest first."""
        results: dict[str, str] = {}
        found: list[AuditEntry] = []
        for entry_id, fields in await newest_entries(self._client, self._key, 2 * limit):
            entry = table_of(fields)
            if "of" in entry:
                results[entry["of"]] = entry.get("result", "")
                continue
            found.append(
                AuditEntry(
                    at=iso_from_ms(entry_ms(entry_id)),
                    who=entry.get("who", ""),
                    host=entry.get("host", ""),
                    what=entry.get("what", ""),
                    target=entry.get("target", ""),
                    reason=entry.get("reason", ""),
                    result=results.get(entry_id, "not known: it did not finish"),
                )
            )
        return found[:limit]
