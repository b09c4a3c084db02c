"""A namespace as records, and back. Events are read whole, one at a time; the order of lanes is made anew from what they say of themselves.

What is not copied: leases (their work waits again), who is alive, locks, bulk operations, and caches.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gitbridge_console.domain.backup_file import EVENT, GROUP, HEAD, KEY, Record, document
from gitbridge_console.store.keys import STORE_VERSION, Keys
from gitbridge_console.store.partition import Partition
from gitbridge_console.store.replies import server_now_ms, text_of

AT_ONCE = 20
SCAN_COUNT = 500
MARK = "restoring"
"""Field of the first partition's ``m`` while a backup is being restored: which one."""

OF_EVENTS = frozenset("jxpfnohvat")
"""First letters of the keys that belong to one event, or to one of its tasks."""
MADE_ANEW = frozenset({"r", "l", "w", "g", "k", "e", "b", "held", "fences"})
NOT_COPIED = frozenset({"dl", "dx", "dt", "op", "od", "os", "i"})
TAGS_NOT_COPIED = ("ctl", "cache", "diffs")


class CannotRestore(Exception):
    """The store is not one this backup can go into; one line that says why."""


class BackupStore:
    """Reads all of a namespace, and writes it into an empty one."""

    def __init__(self, client: Redis, keys: Keys, partitions: Sequence[Partition]) -> None:
        self._client = client
        self._keys = keys
        self._partitions = {partition.keys.tag: partition for partition in partitions}
        self._start = f"{{{keys.namespace}:"

    async def head(self, version: str) -> Record:
        """What the file is of."""
        info = await self._client.info("server")
        fields = {
            "program": version,
            "store_version": STORE_VERSION,
            "namespace": self._keys.namespace,
            "partitions": len(self._partitions),
            "at_ms": await server_now_ms(self._client),
            "server": _family(info),
            "server_version": _version(info),
        }
        return document(HEAD, fields)

    async def records(self) -> AsyncIterator[Record]:
        """All there is. Each event as it stood at one moment; what comes while this runs may be missing, and nothing is there twice."""
        seen: set[str] = set()
        waiting: dict[str, list[str]] = {tag: [] for tag in self._partitions}
        others: list[str] = []
        async for raw in self._client.scan_iter(match=f"{self._start}*", count=SCAN_COUNT):
            name = text_of(raw)
            tag, _, rest = name.partition("}:")
            tag += "}"
            letter, _, thing = rest.partition(":")
            if tag in self._partitions and letter in OF_EVENTS:
                if letter == "j" and "." not in thing and thing not in seen:
                    seen.add(thing)
                    waiting[tag].append(thing)
                if len(waiting[tag]) >= AT_ONCE:
                    for record in await self._events(tag, waiting[tag]):
                        yield record
                    waiting[tag] = []
            elif name not in seen and self._is_plain(tag, letter, rest):
                seen.add(name)
                others.append(name)
                if len(others) >= AT_ONCE:
                    for record in await self._plain(others):
                        yield record
                    others = []
        for tag, ids in waiting.items():
            for record in await self._events(tag, ids):
                yield record
        for record in await self._plain(others):
            yield record
        # Last, so that the sequence they hold is beyond every id above.
        for tag in self._partitions:
            yield await self._group([f"{tag}:m", f"{tag}:dc"])
        yield await self._group([self._keys.audit, f"{self._keys.audit}:ends"])

    def _is_plain(self, tag: str, letter: str, rest: str) -> bool:
        """Whether a key is copied as it is, by itself."""
        if tag in self._partitions:
            return letter not in MADE_ANEW and letter not in NOT_COPIED and rest not in ("m", "dc")
        scope = tag.removeprefix(self._start).rstrip("}").partition(":")[0]
        return scope not in (*TAGS_NOT_COPIED, "audit")

    async def _events(self, tag: str, ids: Sequence[str]) -> list[Record]:
        found = await self._partitions[tag].run("pack_events", *ids) if ids else []
        return [Record(EVENT, (tag.removeprefix(self._start).encode(), *map(_bytes, parts))) for parts in found if parts]

    async def _plain(self, names: Sequence[str]) -> list[Record]:
        pipe = self._client.pipeline(transaction=False)
        for name in names:
            pipe.pttl(name)
            pipe.dump(name)
        replies = await pipe.execute() if names else []
        rows = zip(names, replies[::2], replies[1::2], strict=True)
        return [Record(KEY, (self._short(name), _bytes(max(0, ttl)), dump)) for name, ttl, dump in rows if dump is not None]

    async def _group(self, names: Sequence[str]) -> Record:
        """Keys that are only right together, read in one transaction."""
        pipe = self._client.pipeline(transaction=True)
        for name in names:
            pipe.dump(name)
        dumps = await pipe.execute()
        parts = [part for name, dump in zip(names, dumps, strict=True) if dump is not None for part in (self._short(name), dump)]
        return Record(GROUP, tuple(parts))

    def _short(self, name: str) -> bytes:
        """A key without its namespace: a backup can go into another one."""
        return name.removeprefix(self._start).encode()

    async def check(self, head: Mapping[str, Any], digest: str) -> bool:
        """Whether a backup can go in here; returns whether an earlier try of the same one is gone on with.

        Raises:
            CannotRestore: it cannot; nothing was written.
        """
        if head.get("store_version") != STORE_VERSION or head.get("partitions") != len(self._partitions):
            raise CannotRestore(
                f"it has {head.get('partitions')} partitions of layout {head.get('store_version')}, this store "
                f"{len(self._partitions)} of layout {STORE_VERSION}: set queue.partitions and use a new namespace"
            )
        info = await self._client.info("server")
        theirs = tuple(int(part) for part in str(head.get("server_version", "0")).split(".")[:2])
        ours = tuple(int(part) for part in _version(info).split(".")[:2])
        if head.get("server") != _family(info) or ours < theirs:
            raise CannotRestore(
                f"it was made on {head.get('server')} {head.get('server_version')}, this server is {_family(info)} {_version(info)}: "
                "use the same one or a newer; `events export` and `submit --records` go anywhere"
            )
        mark = text_of(await self._client.hget(self._keys.meta, MARK))
        if mark:
            if mark != digest:
                raise CannotRestore("another backup is only half restored here: go on with that one, or use a new namespace")
            return True
        used = [f"{tag}:{name}" for tag in self._partitions for name in ("lanes", "c", "dc", "q")]
        for name in (*used, self._keys.audit):
            if await self._client.exists(name):
                raise CannotRestore(f"namespace {self._keys.namespace} is in use: a backup goes into an empty one only")
        return False

    async def begin(self, roots: Sequence[Record], digest: str) -> None:
        """Write what belongs to no single event, and mark the store as being restored."""
        for record in roots:
            names = [f"{self._start}{text_of(part)}" for part in record.parts[::2]]
            async with self._client.pipeline(transaction=True) as pipe:
                for name, dump in zip(names, record.parts[1::2], strict=True):
                    pipe.restore(name, 0, dump, replace=True)
                if self._keys.meta in names:
                    pipe.hset(self._keys.meta, MARK, digest)
                await self._sent(pipe)

    async def write(self, records: Sequence[Record]) -> int:
        """Write events and keys; returns how many events were not there yet."""
        new = 0
        pipe = self._client.pipeline(transaction=False)
        for record in records:
            if record.kind == KEY:
                name, ttl, dump = record.parts
                pipe.restore(f"{self._start}{text_of(name)}", int(ttl), dump, replace=True)
            elif record.kind == EVENT:
                tag, *parts = record.parts
                new += int(await self._partitions[f"{self._start}{text_of(tag)}"].run("restore_event", *parts))
        await self._sent(pipe)
        return new

    async def _sent(self, pipe: Any) -> None:
        try:
            await pipe.execute()
        except ResponseError as error:
            raise CannotRestore(f"the server does not take it: {' '.join(str(error).split())[:200]}") from error

    async def end(self) -> None:
        """It is whole."""
        await self._client.hdel(self._keys.meta, MARK)


def _bytes(part: Any) -> bytes:
    return part if isinstance(part, bytes) else str(part).encode()


def _family(info: Mapping[str, Any]) -> str:
    return "valkey" if "valkey_version" in info else "redis"


def _version(info: Mapping[str, Any]) -> str:
    return str(info.get("valkey_version") or info.get("redis_version") or "0")
