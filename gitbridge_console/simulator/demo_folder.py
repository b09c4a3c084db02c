"""The folder of one demo, which goes with it; what a demo that was killed has left goes with the next."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "gitbridge-demo-"
LOCK = "in-use"


@contextmanager
def demo_folder() -> Iterator[Path]:
    """An empty folder until the block ends.

    A lock on a file in it, which the system gives up with the process however that ends, says that somebody uses it.

    Raises:
        OSError: there is no room for it.
    """
    _sweep(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        unseen = folder / f"{LOCK}.new"
        with unseen.open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Whoever sweeps meanwhile sees it locked, or not at all.
            unseen.rename(folder / LOCK)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(parent: Path) -> None:
    """Remove the folders whose demo is no more. One that has no such file yet is being made, or is somebody else's."""
    for lock in parent.glob(f"{PREFIX}*/{LOCK}"):
        try:
            with open(os.open(lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
        except OSError:
            # In use, or not ours.
            continue
