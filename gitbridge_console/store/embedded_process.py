"""Starting the embedded server's process."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from gitbridge_console.store.allocator import memory_environment
from gitbridge_console.store.embedded_files import StoreFolder, find_server_binary
from gitbridge_console.store.unavailable import EmbeddedUnavailable

_children: list[subprocess.Popen[bytes]] = []
"""Servers this process started; kept so that their exit status is collected whenever the next thing happens."""


def spawn(folder: StoreFolder, path: str, alive_fd: int, appendfsync: str) -> subprocess.Popen[bytes]:
    """Start a server on the folder; it lives until it is told to shut down, whatever becomes of this process.

    Raises:
        EmbeddedUnavailable: there is no program, or it cannot be run.
    """
    collect_children()
    Path(path).unlink(missing_ok=True)
    folder.pid_file.unlink(missing_ok=True)
    folder.shorten_log()
    folder.socket_file.write_text(path, "utf-8", "surrogateescape")
    binary = find_server_binary()
    options = {
        "port": "0",
        "unixsocket": path,
        "unixsocketperm": "600",
        "dir": str(folder.path),
        "pidfile": str(folder.pid_file),
        "appendonly": "yes",
        "appendfsync": appendfsync,
        "aof-load-truncated": "yes",
        "maxmemory-policy": "noeviction",
        "save": "",
        # Only what matters: the log is shortened at the next start, and until then this keeps it small.
        "loglevel": "warning",
    }
    arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
    try:
        with folder.log.open("ab") as output:
            process = subprocess.Popen(
                [binary, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=folder.path,
                # The server outlives us; API keys and secrets of this process's environment must not live on in it.
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **memory_environment(binary)},
                pass_fds=(alive_fd,),
                start_new_session=True,
                umask=0o077,
            )
    except OSError as error:
        raise EmbeddedUnavailable(f"the embedded server cannot be started: {binary}: {error.strerror or error}") from error
    _children.append(process)
    return process


def collect_children() -> None:
    """Take the exit status of servers of this process that have ended."""
    for process in [child for child in _children if child.poll() is not None]:
        _children.remove(process)


def end_started(process: subprocess.Popen[bytes], timeout_s: float) -> None:
    """End a server of this process that nobody has joined yet; one that does not go in time is killed."""
    process.terminate()
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    collect_children()
