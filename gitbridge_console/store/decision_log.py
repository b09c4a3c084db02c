"""The decision log: what was decided, by whom it was changed, what was done, as a hash chain of each partition. Append-only.

======================  ======================================================================================
``<tag>:dc``            stream: links, ids are their numbers; ``p`` hash before, ``h`` hash, ``r`` record, deflated
``<tag>:m``             ``dc:seq``, ``dc:hash`` head; ``dc:aseq``, ``dc:ahash`` the last link trimmed; ``dc:bytes``
======================  ======================================================================================
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis

from gitbridge_console.domain.chain_lines import ChainReport
from gitbridge_console.domain.hash_chain import Link, canonical, link_hash
from gitbridge_console.store.partition import Partition
from gitbridge_console.store.replies import pack, text_of
from gitbridge_console.store.stored_chain import StoredChain

TRY_FOR_S = 10.0
"""How long a record is hashed anew because another engine's came first. Where many engines decide at once, the slowest of them comes late
each time: beside nine others a hundred tries, half a second, were not always enough."""


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
            ChainContended: after :data:`TRY_FOR_S`.
            redis.exceptions.RedisError: the store is away; the record was written, or it was not.
        """
        body = canonical(record)
        packed = pack(body)
        async with self._lock:
            give_up = time.monotonic() + TRY_FOR_S
            while True:
                head = self._head if self._head is not None else await self._read_head()
                self._head = None  # not known until the reply is here
                own = link_hash(head, body)
                reply = await write(head, own, packed)
                if not isinstance(reply, list):
                    self._head = own if reply else head
                    return reply
                self._head = text_of(reply[0])
                if time.monotonic() > give_up:
                    raise ChainContended(f"the chain of decisions moved for {TRY_FOR_S:g} s whenever one record was to be appended")

    async def _read_head(self) -> str:
        return text_of(await self._client.hget(self._partition.keys.meta, "dc:hash") or b"")


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

    def chain_of(self, partition: Partition) -> StoredChain:
        """Where a partition's chain is kept."""
        keys = partition.keys
        return StoredChain(self._client, keys.tag, f"{keys.tag}:dc", keys.meta, "dc:")

    async def verify(self) -> list[ChainReport]:
        """Check every chain, a page at a time."""
        return [await self.chain_of(partition).verify() for partition in self._partitions]

    async def links(self) -> AsyncIterator[tuple[str, Link]]:
        """Every link with the name of its chain, chain by chain."""
        for partition in self._partitions:
            async for link in self.chain_of(partition).links():
                yield partition.keys.tag, link

    async def records(self) -> AsyncIterator[tuple[str, Link, dict[str, Any]]]:
        """Every record with its link and the name of its chain.

        Raises:
            ValueError: one is damaged.
        """
        async for name, link in self.links():
            yield name, link, json.loads(link.body)
