"""The file of a backup: blocks of records, each with a digest that also holds all before it, and a trailer that says what there was.

``magic``, then blocks of ``length (4 bytes) | SHA-256 (32 bytes) | deflated records``. A record is a kind and parts, each with its
length. The digest of a block is over the digest before it and its bytes, so that nothing can be cut out, put in or moved.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

MAGIC = b"GITBRIDGE-BACKUP/1\n"
BLOCK_BYTES = 1024 * 1024
"""A block is closed once its records are so long; a longer record has a block to itself."""
BLOCK_MAX = 512 * 1024 * 1024
"""No block is longer; a file that says so is none of ours."""

HEAD, EVENT, KEY, GROUP, TRAILER = b"H", b"E", b"K", b"G", b"T"


class BadBackup(ValueError):
    """A file is no backup, or not whole; the message says why in one line."""


@dataclass(frozen=True, slots=True)
class Record:
    """One thing in a backup. What the parts are depends on its kind."""

    kind: bytes
    parts: tuple[bytes, ...]

    def packed(self) -> bytes:
        """As bytes."""
        sized = b"".join(struct.pack(">I", len(part)) + part for part in self.parts)
        return self.kind + struct.pack(">I", len(self.parts)) + sized

    @property
    def document(self) -> dict[str, Any]:
        """The JSON of a head or trailer.

        Raises:
            BadBackup: it is none.
        """
        try:
            found = json.loads(self.parts[0])
        except (ValueError, IndexError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise BadBackup("its head or trailer cannot be read")
        return found

    @property
    def fits(self) -> bool:
        """Whether its parts are those of its kind: what is written into the store goes by them."""
        count = len(self.parts)
        if self.kind == EVENT:
            return count >= 4 and count % 2 == 0 and _is_number(self.parts[3])
        if self.kind == KEY:
            return count == 3 and self.parts[1].isdigit()
        return count % 2 == 0 if self.kind == GROUP else count == 1


def _is_number(part: bytes) -> bool:
    try:
        return math.isfinite(float(part))
    except ValueError:
        return False


def document(kind: bytes, fields: dict[str, Any]) -> Record:
    """A head or trailer."""
    return Record(kind, (json.dumps(fields, sort_keys=True).encode("ascii"),))


class BlockWriter:
    """Gathers records into blocks. Every call returns the bytes that are due."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256(MAGIC).digest()
        self._waiting: list[bytes] = []
        self._size = 0
        self.counts: dict[str, int] = {}

    def add(self, record: Record) -> bytes:
        """One more record."""
        name = record.kind.decode("ascii")
        self.counts[name] = self.counts.get(name, 0) + 1
        packed = record.packed()
        self._waiting.append(packed)
        self._size += len(packed)
        return self._block() if self._size >= BLOCK_BYTES else b""

    def end(self, fields: dict[str, Any]) -> bytes:
        """The last block: what was gathered, and the trailer with the counts."""
        rest = self._block() if self._waiting else b""
        self._waiting = [document(TRAILER, {**fields, "counts": self.counts}).packed()]
        return rest + self._block()

    def _block(self) -> bytes:
        body = zlib.compress(b"".join(self._waiting), 6)
        self._waiting, self._size = [], 0
        self._digest = hashlib.sha256(self._digest + body).digest()
        return struct.pack(">I", len(body)) + self._digest + body


def records_of(file: BinaryIO) -> Iterator[Record]:
    """Every record of a file, the trailer last; holds one block at a time.

    Raises:
        BadBackup: it is no backup, it was altered, or it ends too early or too late.
    """
    if file.read(len(MAGIC)) != MAGIC:
        raise BadBackup("this is no backup of GitBridge, or one of another version")
    digest, block, ended = hashlib.sha256(MAGIC).digest(), 0, False
    counts: dict[str, int] = {}
    while head := file.read(36):
        block += 1
        if ended:
            raise BadBackup(f"something stands behind the trailer, in block {block}")
        if len(head) < 36:
            raise BadBackup(f"it is cut short in block {block}")
        (size,) = struct.unpack(">I", head[:4])
        body = file.read(size) if size <= BLOCK_MAX else b""
        if len(body) < size:
            raise BadBackup(f"it is cut short in block {block}")
        digest = hashlib.sha256(digest + body).digest()
        if digest != head[4:]:
            raise BadBackup(f"block {block} is not what was written, or does not follow the one before it")
        for record in _unpacked(_inflated(body, block), block):
            if record.kind == TRAILER:
                ended = True
                if record.document.get("counts") != counts:
                    raise BadBackup("the trailer counts other records than there are")
            else:
                name = record.kind.decode("ascii", "replace")
                counts[name] = counts.get(name, 0) + 1
            yield record
    if not ended:
        raise BadBackup("it is cut short: the trailer is missing")


def _inflated(body: bytes, block: int) -> bytes:
    engine = zlib.decompressobj()
    try:
        raw = engine.decompress(body, BLOCK_MAX)
    except zlib.error as error:
        raise BadBackup(f"block {block} cannot be inflated: {error}") from None
    if engine.unconsumed_tail or not engine.eof:
        raise BadBackup(f"block {block} is longer than any that is written")
    return raw


def _unpacked(raw: bytes, block: int) -> Iterable[Record]:
    at = 0
    try:
        while at < len(raw):
            kind, (count,) = raw[at : at + 1], struct.unpack_from(">I", raw, at + 1)
            at += 5
            parts = []
            for _ in range(count):
                (size,) = struct.unpack_from(">I", raw, at)
                part = raw[at + 4 : at + 4 + size]
                if len(part) < size:
                    raise BadBackup(f"a record of block {block} is cut short")
                parts.append(part)
                at += 4 + size
            yield Record(kind, tuple(parts))
    except struct.error:
        raise BadBackup(f"a record of block {block} cannot be read") from None
