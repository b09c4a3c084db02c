"""Embedded servers that nobody has shut down, as the kernel knows them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path


def servers_below(folder: Path) -> list[int]:
    """Process ids of the servers whose store is somewhere below ``folder``: a server works in its store's folder."""
    return [pid for pid, cwd in _working_folders() if cwd == folder or folder in cwd.parents]


def processes_that_say(words: str) -> list[int]:
    """Process ids of living processes with these words in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:  # it has just ended
                continue
            if words in line:
                found.append(int(entry.name))
    return found


def wait_until(true: Callable[[], object], within_s: float, what: str) -> None:
    """Look again and again until it is true.

    Raises:
        AssertionError: it did not become true.
    """
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def _working_folders() -> list[tuple[int, Path]]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if "-server" in (entry / "comm").read_text():
                    found.append((int(entry.name), Path(os.readlink(entry / "cwd"))))
            except OSError:
                continue
    return found
