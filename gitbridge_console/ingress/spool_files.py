"""The files of the spool: records that say their length and checksum, in segments that are only ever appended to.

Everything here blocks. A segment begins with :data:`MAGIC`; a record is its length and the CRC-32 of its body (two big-endian
32-bit numbers), then the body: one line of JSON and the payload. The cursor, a file of its own, says how far replay has come.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gitbridge_console.domain.events import IncomingEvent

logger = logging.getLogger(__name__)

MAGIC = b"GBSPOOL1"
HEAD = struct.Struct(">II")
SEGMENT_NAME = re.compile(r"(\d{10})\.spool")
CURSOR = "cursor"
CURSOR_BYTES = 48
CURSOR_FORM = re.compile(r"(\d{1,10}) (\d{1,15}) ([0-9a-f]{8}) *\n")
DAMAGED = ".damaged"
RECORD_MAX_BYTES = 1 << 30
"""A length beyond this is no length but damage."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place between two records."""

    segment: int
    offset: int


@dataclass(frozen=True, slots=True)
class Record:
    """An event as it was spooled, when (ms since 1970, this host's clock), and where its successor begins."""

    event: IncomingEvent
    at_ms: int
    end: Position


@dataclass(slots=True)
class Segment:
    """One file: its records that are not replayed yet, where the last record on disk ends, and when the first of them came."""

    number: int
    records: int = 0
    end: int = len(MAGIC)
    first_ms: int = 0


class Damaged(ValueError):
    """Bytes that are no record. ``torn``: there are fewer than a record needs, as after a crash in the middle of a write."""

    def __init__(self, text: str, *, torn: bool) -> None:
        super().__init__(text)
        self.torn = torn


def pack(event: IncomingEvent, at_ms: int) -> bytes:
    """The record of an event. Nothing of the request but what the store needs is in it: no signature, no token."""
    told = {"delivery": event.delivery, "type": event.type, "source": event.source, "at_ms": at_ms}
    body = json.dumps(told).encode() + b"\n" + event.payload
    return HEAD.pack(len(body), zlib.crc32(body)) + body


def unpack(body: bytes) -> tuple[IncomingEvent, int]:
    """The event of a record's body and when it was spooled.

    Raises:
        ValueError: it is none, although its checksum holds.
    """
    line, newline, payload = body.partition(b"\n")
    told = json.loads(line)
    if not newline or not isinstance(told, dict):
        raise ValueError("no line of JSON begins the record")
    try:
        event = IncomingEvent(delivery=str(told["delivery"]), type=str(told["type"]), payload=payload, source=str(told["source"]))
        return event, int(told["at_ms"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"a field is missing or unusable: {error}") from None


def segment_path(folder: Path, number: int) -> Path:
    """Where a segment is."""
    return folder / f"{number:010}.spool"


def read_body(file: BinaryIO) -> bytes | None:
    """The body of the next record, ``None`` at the end of the file.

    Raises:
        Damaged: what is there is no record.
    """
    head = file.read(HEAD.size)
    if not head:
        return None
    if len(head) < HEAD.size:
        raise Damaged("a record's head is cut off", torn=True)
    length, checksum = HEAD.unpack(head)
    if not 0 < length <= RECORD_MAX_BYTES:
        raise Damaged(f"a record says it has {length:,} bytes", torn=False)
    body = file.read(length)
    if len(body) < length:
        raise Damaged("a record is cut off", torn=True)
    if zlib.crc32(body) != checksum:
        raise Damaged("a record's checksum does not hold", torn=False)
    return body


def records_from(folder: Path, start: Position, end: int) -> Iterator[Record]:
    """The records of one segment from a position to the offset where what is on disk for certain ends.

    Raises:
        Damaged: a record that was whole is no longer.
        OSError: it cannot be read.
    """
    with segment_path(folder, start.segment).open("rb") as file:
        file.seek(start.offset)
        while file.tell() < end:
            body = read_body(file)
            if body is None:
                return
            try:
                event, at_ms = unpack(body)
            except ValueError as error:
                raise Damaged(f"a record cannot be read: {error}", torn=False) from None
            yield Record(event, at_ms, Position(start.segment, file.tell()))


def scan(folder: Path, number: int, start: int) -> Segment:
    """What a segment found at the start of a process holds from ``start`` on; a tail that is no record is cut, and said.

    A torn tail was never answered for and goes. Bytes that are there but wrong are kept beside, for whoever wants to look.

    Raises:
        OSError: it cannot be read or cut.
    """
    path, found = segment_path(folder, number), Segment(number)
    with path.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            if file.read(len(MAGIC)) != MAGIC:
                found.end = 0
                raise Damaged("it does not begin as a segment does", torn=size < len(MAGIC))
            file.seek(start)
            found.end = min(start, size)
            while (body := read_body(file)) is not None:
                _, at_ms = unpack(body)
                found.first_ms = found.first_ms or at_ms
                found.records += 1
                found.end = file.tell()
        except ValueError as error:
            torn = isinstance(error, Damaged) and error.torn
            if not torn:
                file.seek(found.end)
                _keep_beside(path, file)
            kept = f", kept in {path.name}{DAMAGED}" if not torn else ""
            logger.warning("spool %s: %s; its last %d bytes are cut%s", path.name, error, size - found.end, kept)
            file.truncate(found.end)
            os.fsync(file.fileno())
    return found


def _keep_beside(path: Path, file: BinaryIO) -> None:
    descriptor = os.open(path.with_name(path.name + DAMAGED), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as beside:
        while chunk := file.read(1 << 20):
            beside.write(chunk)
        beside.flush()
        os.fsync(beside.fileno())


def segments_of(folder: Path) -> list[int]:
    """Numbers of the segments in a folder, oldest first."""
    return sorted(int(match[1]) for path in folder.iterdir() if (match := SEGMENT_NAME.fullmatch(path.name)))


def read_cursor(folder: Path) -> Position | None:
    """How far replay has come, ``None`` where there is no cursor or none that can be read: then everything is replayed."""
    try:
        text = (folder / CURSOR).read_text("ascii", "replace")
    except FileNotFoundError:
        return None
    match = CURSOR_FORM.fullmatch(text)
    if match is None or zlib.crc32(f"{match[1]} {match[2]}".encode()) != int(match[3], 16):
        logger.warning("spool: the cursor cannot be read; everything is replayed, and the store drops what it has")
        return None
    return Position(int(match[1]), int(match[2]))


def write_cursor(folder: Path, position: Position) -> None:
    """Say, durably, how far replay has come: in place, so that a full disk takes it too. A torn one is seen by its checksum.

    Raises:
        OSError: it cannot be written.
    """
    text = f"{position.segment} {position.offset}"
    line = f"{text} {zlib.crc32(text.encode()):08x}".encode().ljust(CURSOR_BYTES - 1) + b"\n"
    descriptor = os.open(folder / CURSOR, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if os.pwrite(descriptor, line, 0) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_segment(folder: Path, number: int) -> None:
    """Remove a segment that is replayed; one that is gone already is no trouble."""
    segment_path(folder, number).unlink(missing_ok=True)
