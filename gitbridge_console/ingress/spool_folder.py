"""Who may use a spool folder: its owner, and one process at a time, by a lock that dies with it."""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path

from gitbridge_console.ingress.spool_appender import sync_folder
from gitbridge_console.ingress.spool_files import segments_of

LOCK = "lock"


class CannotSpool(Exception):
    """The spool folder cannot be used; one line for an operator."""


def cannot_text(folder: Path, error: OSError) -> str:
    """The line for an error of the system."""
    return f"the spool folder {folder} cannot be used: {error.strerror or error}; see ingress.spool_dir"


def left_in(folder: Path) -> bool:
    """Whether a receiver left deliveries there; ``False`` where nobody can tell."""
    try:
        return bool(segments_of(folder))
    except OSError:
        return False


def take_folder(folder: Path) -> int:
    """Make the folder if need be, for its owner's eyes only, and lock it; returns what holds the lock until it is closed.

    Raises:
        CannotSpool: no permission, not a folder of this user, or another process has it.
    """
    try:
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_folder(folder.parent)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise CannotSpool(f"{folder} is not a folder of this user: set ingress.spool_dir")
        if stat.S_IMODE(found.st_mode) & 0o077:
            folder.chmod(0o700)
        return _lock(folder)
    except OSError as error:
        raise CannotSpool(cannot_text(folder, error)) from error


def _lock(folder: Path) -> int:
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        text = f"the spool folder {folder} is used by process {holder}: one receiver per folder; set ingress.spool_dir for this one"
        raise CannotSpool(text) from None
    except OSError:
        os.close(descriptor)
        raise
    with suppress(OSError):  # only for those who are refused; on a full disk the lock holds without it
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor
