"""A hash chain kept in a stream, with its ends in a hash: read in pages, and checked while others write.

Entries have their number for an id and the fields ``p`` hash before, ``h`` hash, ``r`` record, deflated. The hash holds
``seq``, ``hash`` of the last entry and ``aseq``, ``ahash`` of the last one that was trimmed.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from gitbridge_console.domain.chain_lines import ChainReport
from gitbridge_console.domain.hash_chain import ChainCheck, End, Link
from gitbridge_console.store.replies import text_of, unpack

PAGE = 200
"""Links read at once."""

ROUNDS_MAX = 20
"""How often a check begins anew because the chain was trimmed, or follows what was appended, while it ran."""


@dataclass(frozen=True, slots=True)
class StoredChain:
    """Where one chain is kept. ``prefix`` stands before the names of the fields of its ends."""

    client: Redis
    name: str
    stream: str
    ends_key: str
    prefix: str = ""

    async def ends(self) -> tuple[End, End]:
        """The last link that was trimmed, and the last one there is."""
        fields = [f"{self.prefix}{field}" for field in ("aseq", "ahash", "seq", "hash")]
        found = [text_of(raw) for raw in await self.client.hmget(self.ends_key, fields)]
        return End(int(found[0] or 0), found[1]), End(int(found[2] or 0), found[3])

    async def links(self, after: int = 0) -> AsyncIterator[Link]:
        """The links behind that number in the order in which they are kept. One whose record is damaged has an empty body."""
        start = f"({after}-1" if after else "-"
        while page := await self.client.xrange(self.stream, start, "+", count=PAGE):
            for entry_id, fields in page:
                yield link_of(entry_id, fields)
            start = f"({text_of(page[-1][0])}"

    async def verify(self) -> ChainReport:
        """Check every link, a page at a time. What is appended meanwhile is checked too, at most :data:`ROUNDS_MAX` times."""
        anchor, _ = await self.ends()
        check = ChainCheck(anchor)
        for _ in range(ROUNDS_MAX):
            before = check.count
            async for link in self.links(check.last.seq if check.count else 0):
                check.add(link)
            now, head = await self.ends()
            if now != anchor:  # trimmed while it was read: the first pages may be gone
                anchor = now
                check = ChainCheck(anchor)
                continue
            # Its last links may have come between the last page and the ends: these are read before any is called missing.
            if check.last.seq >= head.seq or check.count == before:
                break
        return ChainReport(self.name, check.count, anchor, head, check.end(head))


def link_of(entry_id: Any, fields: Any) -> Link:
    """One entry of the stream."""
    try:
        body = unpack(fields.get(b"r"))
    except zlib.error:
        body = b""
    return Link(int(text_of(entry_id).partition("-")[0]), text_of(fields.get(b"p")), text_of(fields.get(b"h")), body)
