"""One exported file: written beside its name, read back, and only then there. Everything here blocks."""

from __future__ import annotations

import asyncio
import gzip
import os
import re
import stat
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, TypeVar

T = TypeVar("T")

SUFFIX = ".jsonl.gz"
LEFT_BEHIND_S = 3600.0
"""A temporary file so old belongs to a process that died."""


class ExportFailed(Exception):
    """A file could not be written, or is not what was written. One line; nothing may be removed from the store."""


def file_name(at_ms: int, engine: str, token: str) -> str:
    """``20261122T210000Z-HOST-PID-TOKEN.jsonl.gz``: UTC time first, so names sort by age."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{moment}-{re.sub(r'[^A-Za-z0-9._-]', '_', engine)}-{token}{SUFFIX}"


def prepare_folder(state_dir: Path, name: str) -> Path:
    """A folder for exported files, for its owner's eyes only; what a process that died left half written is removed.

    Raises:
        ExportFailed: it cannot be made, or is no folder of ours.
    """
    folder = state_dir / name
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise ExportFailed(f"{folder} is not a folder of this user")
        if stat.S_IMODE(found.st_mode) & 0o077:
            folder.chmod(0o700)
        for path in folder.glob(f".*{SUFFIX}"):
            if time.time() - path.lstat().st_mtime > LEFT_BEHIND_S:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise _failed(error) from error
    return folder


class ExportFile:
    """A file being written. It has its name only after :meth:`publish`; :meth:`discard` leaves no trace before that."""

    def __init__(self, folder: Path, name: str) -> None:
        """Begin it.

        Raises:
            ExportFailed: no permission, no room.
        """
        self.path = folder / name
        self.size_bytes = 0
        """Of the lines, before compression."""
        self._beside = folder / f".{name}"
        self._published = False
        try:
            descriptor = os.open(self._beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _failed(error) from error
        self._raw: BinaryIO = os.fdopen(descriptor, "wb")
        self._packed = gzip.GzipFile(filename="", fileobj=self._raw, mode="wb", compresslevel=6)

    def write(self, line: bytes) -> None:
        """Write one line, newline included.

        Raises:
            ExportFailed: no room.
        """
        try:
            self._packed.write(line)
        except OSError as error:
            raise _failed(error) from error
        self.size_bytes += len(line)

    def close_and_check(self, check: Callable[[Iterator[bytes]], None]) -> None:
        """Bring it to the disk, close it, read it back and have ``check`` look at every line.

        Raises:
            ExportFailed: the disk refused, what is there cannot be read, or ``check`` raises it.
        """
        try:
            self._packed.close()
            self._raw.flush()
            os.fsync(self._raw.fileno())
            self._raw.close()
            with gzip.open(self._beside, "rb") as packed:
                check(_lines(packed, self.size_bytes))
        except (OSError, EOFError, zlib.error) as error:
            raise _failed(error) from error

    def publish(self) -> None:
        """Give it its name, for good.

        Raises:
            ExportFailed: the disk refused.
        """
        try:
            self._beside.rename(self.path)
            descriptor = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _failed(error) from error
        self._published = True

    def discard(self) -> None:
        """Remove what was not published; does nothing to what was.

        Raises:
            ExportFailed: the disk refused even that.
        """
        if self._published:
            return
        # What is still buffered goes nowhere, so it does not matter that it cannot be written.
        for part in (self._packed, self._raw):
            with suppress(OSError):
                part.close()
        try:
            for path in (self._beside, self.path):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise _failed(error) from error


def _lines(packed: gzip.GzipFile, most: int) -> Iterator[bytes]:
    while line := packed.readline(most + 1):
        yield line


def _failed(error: Exception) -> ExportFailed:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    name = getattr(error, "filename", None)
    return ExportFailed(f"{name}: {reason}" if name else reason)


async def in_thread(work: Callable[[], T]) -> T:
    """Do something that blocks. Cancelled meanwhile, it is waited for: a file is not closed while it is written."""
    job = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(job)
    except asyncio.CancelledError:
        await asyncio.wait({job})
        raise
