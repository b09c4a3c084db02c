"""Appending to the spool: what was written is synced before it counts, and what failed leaves nothing behind. Everything here blocks."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from gitbridge_console.ingress.spool_files import MAGIC, Position, segment_path


class Appender:
    """Appends to segments; what :meth:`write` returned from is on disk."""

    def __init__(self, folder: Path, next_number: int, segment_max_bytes: int) -> None:
        self._folder = folder
        self._next = next_number
        self._segment_max = segment_max_bytes
        self._file: BinaryIO | None = None
        self._number = 0
        self._end = 0

    def write(self, packed: list[bytes]) -> Position:
        """Append records, all of them into one segment, and sync. Returns where the first one begins.

        Raises:
            OSError: nothing of it counts; what may have been written is cut again, and the next write begins a new segment.
        """
        if self._file is None or self._end >= self._segment_max:
            self._begin()
        assert self._file is not None
        start = self._end
        try:
            _write_whole(self._file.fileno(), b"".join(packed))
            os.fsync(self._file.fileno())
        except OSError:
            # After a failed sync nobody knows what is on disk; readers stop at the end that was known before.
            with suppress(OSError):
                if start == len(MAGIC):
                    segment_path(self._folder, self._number).unlink()
                else:
                    self._file.truncate(start)
            self.close()
            raise
        self._end += sum(map(len, packed))
        return Position(self._number, start)

    def _begin(self) -> None:
        self.close()
        number, self._next = self._next, self._next + 1
        path = segment_path(self._folder, number)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.fdopen(os.open(path, flags, 0o600), "wb", buffering=0)
        try:
            _write_whole(file.fileno(), MAGIC)
            sync_folder(self._folder)
        except OSError:
            file.close()
            with suppress(OSError):
                path.unlink()
            raise
        self._file, self._number, self._end = file, number, len(MAGIC)

    def close_if(self, number: int) -> None:
        """As :meth:`close`, if that is the segment being written to."""
        if self._number == number:
            self.close()

    def close(self) -> None:
        """Let go of the segment that is written to; the next write begins another."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None


def write_alone(path: Path, packed: bytes) -> None:
    """Write one record as a segment of its own.

    Raises:
        OSError: the disk does not take it.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        _write_whole(descriptor, MAGIC + packed)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(path.parent)


def _write_whole(descriptor: int, data: bytes) -> None:
    """A disk that is nearly full takes the beginning of a write and says so only by the number."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable.

    Raises:
        OSError: it cannot be synced.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
