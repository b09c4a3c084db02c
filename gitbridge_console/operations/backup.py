"""Backup of a namespace to one file, and its restoration into an empty one."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from gitbridge_console import __version__
from gitbridge_console.domain.backup_file import EVENT, GROUP, HEAD, KEY, MAGIC, TRAILER, BadBackup, BlockWriter, Record, records_of
from gitbridge_console.domain.timestamps import iso_from_ms
from gitbridge_console.operations.door import Door
from gitbridge_console.operations.errors import OperationError, Refused, Usage
from gitbridge_console.store.backup import HalfRestored
from gitbridge_console.store.restoration import EVENTS, ROOTS, CannotRestore

BATCH = 200
BATCH_BYTES = 1 << 20
"""Records that are written together, while as many are read: one at least."""

Told = Callable[[int, int], None]
"""Told how many events were written or restored so far, of how many; 0 where nobody knows."""


@dataclass(frozen=True, slots=True)
class BackupFacts:
    """What a whole backup says of itself. ``digest`` names its contents."""

    at: str
    namespace: str
    program: str
    server: str
    events: int
    keys: int
    digest: str


@dataclass(frozen=True, slots=True)
class _Checked:
    """A file that was read to its end and is whole."""

    facts: BackupFacts
    head: dict[str, Any]
    roots: tuple[Record, ...]


class BackupOperations(Door):
    """One file with events, tasks, decisions, audit and switches."""

    async def backup(self, told: Told = lambda events, of: None) -> AsyncIterator[bytes]:
        """The file, piece by piece. Nothing is paused: each event is as it stood at one moment while this ran."""
        store, writer = self._store.backup, BlockWriter()
        async with self._writing("backup", f"namespace {self._store.keys.namespace}") as entry:
            yield MAGIC + writer.add(await store.head(__version__))
            try:
                async for record in store.records():
                    if piece := writer.add(record):
                        yield piece
                    told(writer.counts.get("E", 0), 0)
            except HalfRestored as error:
                raise Refused(f"{error}; no backup was written") from None
            yield writer.end({"namespace": self._store.keys.namespace})
            entry.affected = writer.counts.get("E", 0)
            entry.result = f"{entry.affected} events, {writer.counts.get('K', 0)} keys"

    async def check_backup(self, path: Path) -> BackupFacts:
        """Read a file to its end.

        Raises:
            Refused: it is no backup, not whole, or altered.
        """
        return (await self._checked(path)).facts

    async def _checked(self, path: Path) -> _Checked:
        try:
            return await asyncio.to_thread(_read_through, path)
        except BadBackup as error:
            raise Refused(f"{path}: {error}; nothing was restored") from None
        except OSError as error:
            raise Usage(f"{path}: {error.strerror or error}") from None

    async def restore(self, path: Path, told: Told = lambda events, of: None) -> BackupFacts:
        """Put a backup into this namespace, which must be empty, or hold the first part of the same one.

        The whole file is checked before anything is written. What was being worked on when it was made waits again.

        Raises:
            Refused: the file is not whole, or the store is not one it can go into.
        """
        self._allow("restore", f"namespace {self._store.keys.namespace}")
        checked = await self._checked(path)
        try:
            async with self._asking(), self._store.restoration.alone():
                await self._restore(path, checked, told)
        except CannotRestore as error:
            raise Refused(f"{path}: {error}") from None
        return checked.facts

    async def _restore(self, path: Path, checked: _Checked, told: Told) -> None:
        store, facts = self._store.restoration, checked.facts
        step = await store.check(checked.head, facts.digest)
        if step in ("", ROOTS):
            # The audit of the backup comes first, for what is written next is entered into it.
            await store.begin(checked.roots, facts.digest)
        target = f"namespace {self._store.keys.namespace} from {path.name}"
        async with self._writing("restore", target, planned=facts.events) as entry:
            if step != EVENTS:
                async with aclosing(_batches(path, KEY)) as batches:
                    async for batch in batches:
                        await store.write_keys(batch)
                await store.keys_are_written(facts.digest)
            entry.affected = looked = 0
            async with aclosing(_batches(path, EVENT)) as batches:
                async for batch in batches:
                    entry.affected += await store.write_events(batch)
                    looked += len(batch)
                    told(looked, facts.events)
            entry.result = f"{entry.affected} events restored" + (", gone on with" if step else "")
            await store.end()


async def _batches(path: Path, kind: bytes) -> AsyncGenerator[list[Record]]:
    """The records of one kind, a few at a time; the next are read while these are written.

    Raises:
        OperationError: the file is not the one any more that was checked.
    """
    try:
        with path.open("rb") as file:
            records = (record for record in records_of(file) if record.kind == kind)

            def next_batch() -> list[Record]:
                batch: list[Record] = []
                size = 0
                for record in islice(records, BATCH):
                    batch.append(record)
                    size += sum(map(len, record.parts))
                    if size >= BATCH_BYTES:
                        break
                return batch

            batch = await asyncio.to_thread(next_batch)
            while batch:
                ahead = asyncio.create_task(asyncio.to_thread(next_batch))
                try:
                    yield batch
                finally:
                    # Whatever becomes of these: the file is open for as long as somebody reads it.
                    batch = await ahead
    except (BadBackup, OSError) as error:
        raise OperationError(f"{path} changed while it was restored ({error}): run it again with the whole file") from None


def _read_through(path: Path) -> _Checked:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        head, roots, counts = _gather(records_of(file))
        file.seek(0)
        while piece := file.read(1024 * 1024):
            digest.update(piece)
    facts = BackupFacts(
        at=iso_from_ms(int(head.get("at_ms", 0))),
        namespace=str(head.get("namespace", "")),
        program=str(head.get("program", "")),
        server=f"{head.get('server')} {head.get('server_version')}",
        events=counts[EVENT],
        keys=counts[KEY],
        digest=digest.hexdigest(),
    )
    return _Checked(facts, head, tuple(roots))


def _is_of(record: Record, partitions: int) -> bool:
    """Whether an event is of one of so many partitions."""
    return (found := re.fullmatch(rb"([0-9a-f]{2})\}", record.parts[0])) is not None and int(found[1], 16) < partitions


def _gather(records: Iterator[Record]) -> tuple[dict[str, Any], list[Record], dict[bytes, int]]:
    head: dict[str, Any] = {}
    roots: list[Record] = []
    counts = dict.fromkeys((HEAD, EVENT, KEY, GROUP, TRAILER), 0)
    for record in records:
        if record.kind not in counts:
            raise BadBackup(f"a record of the unknown kind {record.kind!r}")
        counts[record.kind] += 1
        if not record.fits or (record.kind == EVENT and not _is_of(record, head.get("partitions", 0))):
            raise BadBackup(f"a record of the kind {record.kind.decode()} is not made as those of a backup")
        if record.kind == HEAD:
            head = record.document
            if not all(isinstance(head.get(name), int) for name in ("partitions", "at_ms")):
                raise BadBackup("it does not say when it was made, or of how many partitions")
        elif record.kind == GROUP:
            roots.append(record)
    if not head:
        raise BadBackup("it does not say what it is of")
    return head, roots, counts
