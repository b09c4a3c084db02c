"""A namespace as records. Events are read whole, each at one moment; the order of lanes follows from what they say of themselves.

What is not copied: leases (their work waits again), who is alive, locks, bulk operations, and caches.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis

from gitbridge_console.domain.backup_file import EVENT, GROUP, HEAD, KEY, Record, document
from gitbridge_console.store.keys import STORE_VERSION, Keys
from gitbridge_console.store.partition import Partition
from gitbridge_console.store.replies import server_now_ms, text_of
from gitbridge_console.store.server_watch import look_at_servers

READ_AT_ONCE = 10
"""Events read by one script call, and other keys by one pipeline."""
READ_BYTES = 1 << 20
"""Bytes after which such a call takes no further event."""
SCAN_COUNT = 500

MARK = "restoring"
"""Field of the first partition's ``m`` while a backup is being restored: its digest, and how far it is."""
OF_EVENTS = frozenset("jxpfnohvat")
"""First letters of the keys that belong to one event, or to one of its tasks."""
MADE_ANEW = frozenset({"r", "l", "w", "g", "k", "e", "b", "held", "fences"})
OF_ROOTS = ("m", "dc", "lanes")
"""Read and written together: what belongs to a partition as a whole."""
NOT_COPIED = frozenset({"dl", "dx", "dt", "op", "od", "os", "i"})
TAGS_NOT_COPIED = ("ctl", "cache", "diffs")


class HalfRestored(Exception):
    """A namespace that is still being restored has no backup: it would lack what is to come."""


class BackupStore:
    """Reads all of a namespace."""

    def __init__(self, client: Redis, keys: Keys, partitions: Sequence[Partition]) -> None:
        self._client = client
        self._keys = keys
        self._partitions = {partition.keys.tag: partition for partition in partitions}
        self._start = f"{{{keys.namespace}:"

    async def head(self, version: str) -> Record:
        """What the file is of."""
        server, server_version = await make_of(self._client)
        fields = {
            "program": version,
            "store_version": STORE_VERSION,
            "namespace": self._keys.namespace,
            "partitions": len(self._partitions),
            "at_ms": await server_now_ms(self._client),
            "server": server,
            "server_version": server_version,
        }
        return document(HEAD, fields)

    async def records(self) -> AsyncIterator[Record]:
        """All there is. Each event as it stood at one moment, and once; what comes while this runs may be missing.

        Raises:
            HalfRestored: not all of it is here yet.
        """
        if half := text_of(await self._client.hget(self._keys.meta, MARK)):
            raise HalfRestored(f"a backup (SHA-256 {half[:12]}…) is only half restored here: go on with that first")
        seen = {tag: _Seen() for tag in self._partitions}
        waiting: dict[str, list[str]] = {tag: [] for tag in self._partitions}
        others: list[str] = []
        async for raw in self._client.scan_iter(match=f"{self._start}*", count=SCAN_COUNT):
            name = text_of(raw)
            tag, _, rest = name.partition("}:")
            tag += "}"
            letter, _, thing = rest.partition(":")
            if tag in self._partitions and letter in OF_EVENTS:
                if letter == "j" and "." not in thing and seen[tag].is_new(thing):
                    waiting[tag].append(thing)
                if len(waiting[tag]) >= READ_AT_ONCE:
                    for record in await self._events(tag, waiting[tag]):
                        yield record
                    waiting[tag] = []
            elif self._is_plain(tag, letter, rest):
                # One that comes twice, since the server's table grew meanwhile, is there twice: the later one counts.
                others.append(name)
                if len(others) >= READ_AT_ONCE:
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
            yield await self._group([f"{tag}:{name}" for name in OF_ROOTS])
        yield await self._group([self._keys.audit, f"{self._keys.audit}:ends"])

    def _is_plain(self, tag: str, letter: str, rest: str) -> bool:
        """Whether a key is copied as it is, by itself."""
        if tag in self._partitions:
            return letter not in MADE_ANEW and letter not in NOT_COPIED and rest not in OF_ROOTS
        scope = tag.removeprefix(self._start).rstrip("}").partition(":")[0]
        return scope not in (*TAGS_NOT_COPIED, "audit")

    async def _events(self, tag: str, ids: Sequence[str]) -> list[Record]:
        """As many calls as it takes: one ends once it has enough bytes."""
        found: list[Any] = []
        while len(found) < len(ids):
            found += await self._partitions[tag].run("pack_events", READ_BYTES, *ids[len(found) :])
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


class _Seen:
    """Which ids came by, a bit each: the server may name a key more than once. Ids are numbers, and many in a row exist."""

    PAGE = 4096

    def __init__(self) -> None:
        self._pages: dict[int, int] = {}

    def is_new(self, id: str) -> bool:
        """Whether it did not come by before. What is no id is none of ours and left out."""
        try:
            page, place = divmod(int(id[:8], 16), self.PAGE)
        except ValueError:
            return False
        bits = self._pages.get(page, 0)
        self._pages[page] = bits | 1 << place
        return not bits >> place & 1


def _bytes(part: Any) -> bytes:
    return part if isinstance(part, bytes) else str(part).encode()


async def make_of(client: Redis) -> tuple[str, str]:
    """Make and version of the server, of a Cluster those of its oldest primary."""
    facts = [server.facts for server in await look_at_servers(client)]
    oldest = min(facts, key=lambda info: numbers_of(_version(info)))
    return "valkey" if "valkey_version" in oldest else "redis", _version(oldest)


def _version(info: Mapping[str, Any]) -> str:
    return str(info.get("valkey_version") or info.get("redis_version") or "0")


def numbers_of(version: str) -> tuple[int, ...]:
    """Major and minor."""
    return tuple(int(part) if part.isdigit() else 0 for part in version.split(".")[:2])
