"""Shuts an embedded server down after a process that could not: ``python -m gitbridge_console.store.last_user STATE_DIR PID``.

Whoever is ended by force leaves its server running. It starts this program before, which waits for that process to be gone, joins the
server and leaves it as every user does: the last one shuts it down. If this fails as well, the next user of the folder is the last.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from gitbridge_console.store.embedded import EmbeddedServer
from gitbridge_console.store.embedded_files import StoreFolder

PARENT_S = 10.0
"""How long the process that is ended by force may take to be gone."""

_ENVIRONMENT = ("PATH", "PYTHONPATH", "HOME", "TMPDIR", "XDG_RUNTIME_DIR")
"""All this program gets to see of the environment; keys and secrets are not in it."""


def leave_later(state_dir: Path) -> None:
    """Start the program, for this process's server, and do not wait for it. Call just before the end."""
    subprocess.Popen(
        [sys.executable, "-m", __name__, str(state_dir), str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        start_new_session=True,
    )


def leave_now(state_dir: Path, parent: int) -> None:
    """Wait until ``parent`` is not our parent any more; then join the folder's server, if it runs, and leave it.

    Raises:
        EmbeddedUnavailable: it does not answer.
    """
    deadline = time.monotonic() + PARENT_S
    while os.getppid() == parent and time.monotonic() < deadline:
        time.sleep(0.02)
    if StoreFolder.prepare(state_dir).server_lives():
        server = EmbeddedServer(state_dir)
        server.start_now()
        server.leave_now()


if __name__ == "__main__":
    leave_now(Path(sys.argv[1]), int(sys.argv[2]))
