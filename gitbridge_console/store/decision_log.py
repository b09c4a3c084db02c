"""The decision log: what was decided, by whom it was changed, what was done, as a hash chain of each partition. Append-only.

======================  ======================================================================================
``<tag>:dc``            stream: links, ids are their numbers; ``p`` hash before, ``h`` hash, ``r`` record, deflated
``<tag>:m``             ``dc:seq``, ``dc:hash`` head; ``dc:aseq``, ``dc:ahash`` the last link trimmed; ``dc:bytes``
======================  ======================================================================================
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from gitbridge_console.domain.hash_chain import ChainCheck, End, Link, canonical, link_hash
from gitbridge_console.store.partition import Partition
from gitbridge_console.store.replies import pack, text_of, unpack

TRIES = 100
"""How often a record is hashed anew because another engine's came first."""

PAGE = 200
"""Links read at once."""


class ChainContended(RuntimeError):
    """Other engines append without end; nothing was written."""


class Chain:
    """The chain of one partition, as this process knows its head. Appends of one process wait for each other."""

    def __init__(self, client: Redis, partition: Partition) -> None:
        self._client = client
        self._partition = partition
        self._lock = asyncio.Lock()
        self._head: str | None = None

    async def append(self, record: Mapping[str, Any], write: Callable[[str, str, bytes], Awaitable[Any]]) -> Any:
        """Hash a record with the head and hand both to ``write``, again while that answers with another head; its last reply.

        Raises:
            ChainContended: after :data:`TRIES`.
            redis.exceptions.RedisError: the store is away; the record was written, or it was not.
        """
        body = canonical(record)
        packed = pack(body)
        async with self._lock:
            for _ in range(TRIES):
                head = self._head if self._head is not None else await self._read_head()
                self._head = None  # not known until the reply is here
                own = link_hash(head, body)
                reply = await write(head, own, packed)
                if not isinstance(reply, list):
                    self._head = own if reply else head
                    return reply
                self._head = text_of(reply[0])
        raise ChainContended(f"the chain of decisions moved {TRIES} times while one record was to be appended")

    async def _read_head(self) -> str:
        return text_of(await self._client.hget(self._partition.keys.meta, "dc:hash") or b"")


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What checking one chain came to; ``problem`` is empty where it holds."""

    name: str
    entries: int
    anchor: End
    head: End
    problem: str


class DecisionLog:
    """All partitions' chains."""

    def __init__(self, client: Redis, partitions: Sequence[Partition], bounds: Callable[[], tuple[int, int]]) -> None:
        self._client = client
        self._partitions = partitions
        self._chains = {partition.keys.tag: Chain(client, partition) for partition in partitions}
        self._bounds = bounds

    async def append(self, partition: Partition, record: Mapping[str, Any]) -> None:
        """Add a record to the chain of its event's partition.

        Raises:
            ChainContended: other engines append without end.
            redis.exceptions.RedisError: the store is away.
        """
        entries, size = self._bounds()

        async def write(head: str, own: str, packed: bytes) -> Any:
            return await partition.run("chain", head, own, packed, entries, size)

        await self._chains[partition.keys.tag].append(record, write)

    async def with_record(self, partition: Partition, record: Mapping[str, Any], write: Callable[..., Awaitable[Any]]) -> Any:
        """Have a transition append a record: ``write`` gets head, hash, record and the bounds, and answers a list where the head moved."""
        entries, size = self._bounds()
        return await self._chains[partition.keys.tag].append(record, lambda head, own, packed: write(head, own, packed, entries, size))

    async def links(self, partition: Partition) -> AsyncIterator[Link]:
        """The links of one chain in the order in which they are kept, some at a time.

        Raises:
            zlib.error: one is damaged.
        """
        start = "-"
        while page := await self._client.xrange(f"{partition.keys.tag}:dc", start, "+", count=PAGE):
            for entry_id, raw in page:
                fields: Any = raw
                seq = int(text_of(entry_id).partition("-")[0])
                yield Link(seq, text_of(fields[b"p"]), text_of(fields[b"h"]), unpack(fields[b"r"]))
            start = f"({text_of(page[-1][0])}"

    async def verify(self) -> list[ChainReport]:
        """Check every chain, a page at a time."""
        return [await self._verify(partition) for partition in self._partitions]

    async def _verify(self, partition: Partition) -> ChainReport:
        anchor, _ = await self._ends(partition)
        check = ChainCheck(anchor)
        async for link in self.links(partition):
            check.add(link)
        now, head = await self._ends(partition)
        if now != anchor:  # trimmed while it was read: the first pages may be gone, and once more is enough
            return await self._verify(partition)
        problem = check.end(head)
        return ChainReport(partition.keys.tag, check.count, anchor, head, problem)

    async def _ends(self, partition: Partition) -> tuple[End, End]:
        fields = ("dc:aseq", "dc:ahash", "dc:seq", "dc:hash")
        found = [text_of(raw or b"") for raw in await self._client.hmget(partition.keys.meta, fields)]
        return End(int(found[0] or 0), found[1]), End(int(found[2] or 0), found[3])

    async def records(self) -> AsyncIterator[tuple[str, Link, dict[str, Any]]]:
        """Every record with its link and the name of its chain, chain by chain."""
        for partition in self._partitions:
            async for link in self.links(partition):
                yield partition.keys.tag, link, json.loads(link.body)
