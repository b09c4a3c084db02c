"""A backup's records written into an empty namespace, and how far that is, so that it can be gone on with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gitbridge_console.domain.backup_file import Record
from gitbridge_console.store.backup import MARK, make_of, numbers_of
from gitbridge_console.store.bounded_writes import BoundedWrites
from gitbridge_console.store.fleet_lock import FleetLock
from gitbridge_console.store.keys import STORE_VERSION, Keys
from gitbridge_console.store.partition import Partition
from gitbridge_console.store.replies import text_of
from gitbridge_console.store.trouble import STORE_AWAY, is_forbidden, is_full

LOCK_S = 30.0

WRITTEN_KEYS = 80
WRITTEN_BYTES = 256 << 10
"""What one script call restores at most, but always one event: the server takes 1 to 2 ms for it."""

ROOTS, PLAIN, EVENTS = STEPS = ("roots", "keys", "events")
"""In this order. What a step wrote is not written again once it is over, for by then it may have changed."""


class CannotRestore(Exception):
    """The store is not one this backup can go into; one line that says why."""


class RestoreStore:
    """Writes into one namespace."""

    def __init__(self, client: Redis, keys: Keys, partitions: Sequence[Partition], writes: BoundedWrites) -> None:
        self._client = client
        self._keys = keys
        self._partitions = {partition.keys.tag: partition for partition in partitions}
        self._start = f"{{{keys.namespace}:"
        self._lock = FleetLock(writes, keys.restore_lock, ttl_s=LOCK_S)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """While this lasts nobody else restores anything here; what is written prolongs it.

        Raises:
            CannotRestore: somebody else does.
        """
        await self._hold()
        try:
            yield
        finally:
            with suppress(*STORE_AWAY):
                await self._lock.leave()

    async def _hold(self) -> None:
        if not await self._lock.hold():
            raise CannotRestore(f"somebody restores a backup here now, or was killed over it less than {LOCK_S:.0f} s ago: try again then")

    async def check(self, head: Mapping[str, Any], digest: str) -> str:
        """Whether a backup can go in here; returns the step at which an earlier try of the same one is gone on with, else ``""``.

        Raises:
            CannotRestore: it cannot; nothing was written.
        """
        if head.get("store_version") != STORE_VERSION or head.get("partitions") != len(self._partitions):
            raise CannotRestore(
                f"it has {head.get('partitions')} partitions of layout {head.get('store_version')}, this store "
                f"{len(self._partitions)} of layout {STORE_VERSION}: set queue.partitions and use a new namespace"
            )
        server, version = await make_of(self._client)
        if head.get("server") != server or numbers_of(version) < numbers_of(str(head.get("server_version", "0"))):
            raise CannotRestore(
                f"it was made on {head.get('server')} {head.get('server_version')}, this server is {server} {version}: "
                "use the same one or a newer; `events export` and `submit --records` go anywhere"
            )
        mark, _, step = text_of(await self._client.hget(self._keys.meta, MARK)).partition(" ")
        if mark:
            if mark != digest:
                raise CannotRestore("another backup is only half restored here: go on with that one, or use a new namespace")
            return step if step in STEPS else ROOTS
        used = [f"{tag}:{name}" for tag in self._partitions for name in ("lanes", "c", "dc", "q")]
        for name in (*used, self._keys.audit):
            if await self._client.exists(name):
                raise CannotRestore(f"namespace {self._keys.namespace} is in use: a backup goes into an empty one only")
        return ""

    async def begin(self, roots: Sequence[Record], digest: str) -> None:
        """Mark the store as being restored, and write what belongs to no single event or key."""
        await self._at(digest, ROOTS)
        for record in roots:
            names = [self._long(part) for part in record.parts[::2]]
            async with self._client.pipeline(transaction=True) as pipe:
                for name, dump in zip(names, record.parts[1::2], strict=True):
                    pipe.restore(name, 0, dump, replace=True)
                if self._keys.meta in names:
                    pipe.hset(self._keys.meta, MARK, f"{digest} {ROOTS}")
                with _taken():
                    await pipe.execute()
        await self._at(digest, PLAIN)

    async def write_keys(self, records: Sequence[Record]) -> None:
        """Write keys that belong to no event."""
        if not records:
            return
        await self._hold()
        pipe = self._client.pipeline(transaction=False)
        for record in records:
            name, ttl, dump = record.parts
            pipe.restore(self._long(name), int(ttl), dump, replace=True)
        with _taken():
            await pipe.execute()

    async def keys_are_written(self, digest: str) -> None:
        """From now on only events are missing."""
        await self._at(digest, EVENTS)

    async def write_events(self, records: Sequence[Record]) -> int:
        """Write events, a few in a script call; returns how many were not there yet."""
        await self._hold()
        new = 0
        for tag, args in loads_of(records):
            while args:
                with _taken():
                    came, read = map(int, await self._partitions[self._start + tag].run("restore_events", *args))
                new, args = new + came, args[read:]
        return new

    async def end(self) -> None:
        """It is whole."""
        await self._client.hdel(self._keys.meta, MARK)

    async def _at(self, digest: str, step: str) -> None:
        await self._client.hset(self._keys.meta, MARK, f"{digest} {step}")

    def _long(self, short: bytes) -> str:
        return self._start + text_of(short)


def loads_of(records: Sequence[Record]) -> Iterator[tuple[str, list[Any]]]:
    """The arguments of script calls for events, each within the bounds, with the rest of their partition's tag."""
    gathered: dict[str, tuple[list[Any], int]] = {}
    for record in records:
        tag, (event, state, since, *texts) = text_of(record.parts[0]), record.parts[1:]
        args, size = gathered.get(tag, ([], 0))
        own = sum(map(len, texts))
        if args and (size + own > WRITTEN_BYTES or len(args) + len(texts) > 2 * WRITTEN_KEYS):
            yield tag, args
            args, size = [], 0
        gathered[tag] = [*args, event, state, since, len(texts), *texts], size + own
    yield from ((tag, args) for tag, (args, _) in gathered.items() if args)


@contextmanager
def _taken() -> Iterator[None]:
    try:
        yield
    except ResponseError as error:
        if is_full(error) or is_forbidden(error):
            raise
        raise CannotRestore(f"the server does not take it: {' '.join(str(error).split())[:200]}") from error
