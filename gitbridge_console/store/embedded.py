"""The embedded server: a Valkey of our own in the state folder, shared by every process that uses that folder.

It belongs to nobody's terminal: it runs in a session of its own, so a hang-up or Ctrl-C never reaches it. Three locks
rule its life. ``start.lock`` serialises starting, joining and leaving. ``store.lock`` is held shared by every user; who
can take it exclusively when leaving is the last one and shuts the server down. ``server.lock`` is inherited by the
server, so the kernel itself says whether it lives, whatever pid files or sockets a crash left behind.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import socket
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from gitbridge_console.settings.model import Durability
from gitbridge_console.store.durability import APPENDFSYNC, asks_for_more
from gitbridge_console.store.embedded_files import StoreFolder, open_lock, try_lock
from gitbridge_console.store.embedded_process import collect_children, end_started, spawn
from gitbridge_console.store.unavailable import EmbeddedUnavailable

log = logging.getLogger(__name__)

START_TIMEOUT_S = 10.0
"""How long a server may take to answer, one that hangs included."""
LOAD_TIMEOUT_S = 300.0
"""How long it may take to read its append-only file."""
PING_TIMEOUT_S = 2.0
STOP_TIMEOUT_S = 20.0
_POLL_S = 0.01

T = TypeVar("T")


class EmbeddedServer:
    """One user's hold on the server of a state folder.

    ``start_now``, ``ensure_now`` and ``leave_now`` block; ``start``, ``ensure`` and ``leave`` do the same in a thread.
    """

    def __init__(
        self, state_dir: str | os.PathLike[str], *, durability: Durability = "everysec", start_timeout_s: float = START_TIMEOUT_S
    ) -> None:
        self.state_dir = Path(state_dir)
        self.durability: Durability = durability
        self.start_timeout_s = start_timeout_s
        self._folder: StoreFolder | None = None
        self._users_fd: int | None = None
        self._given_up = threading.Event()

    def start_now(self) -> str:
        """Join the folder's server, or start it; returns its URL. A second call only makes sure that it still runs.

        Raises:
            EmbeddedUnavailable: no server program, folder unusable, server refuses to start or hangs; one line each.
        """
        folder = self._folder = StoreFolder.prepare(self.state_dir)
        held_before = self._users_fd is not None
        try:
            with self._exclusive(folder):
                if self._users_fd is None:
                    self._users_fd = open_lock(folder.users_lock)
                    if try_lock(self._users_fd) and folder.server_lives():
                        log.warning("the embedded server of %s had no user: the last one was killed; it is taken over", folder.path)
                    fcntl.flock(self._users_fd, fcntl.LOCK_SH)
                path = self._find_or_start(folder)
                _sync_at_least(path, self.durability, joining=not held_before)
                return _url(path)
        except (OSError, EmbeddedUnavailable) as error:
            if not held_before:
                self._drop_hold()
            if isinstance(error, EmbeddedUnavailable):
                raise
            raise EmbeddedUnavailable(f"the embedded store in {folder.path} cannot be used: {error.strerror or error}") from error

    ensure_now = start_now

    def leave_now(self) -> None:
        """Give up the hold; whoever is last shuts the server down cleanly. Never raises: what fails is logged."""
        folder, fd = self._folder, self._users_fd
        if folder is None or fd is None:
            return
        try:
            with self._exclusive(folder):
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return
                self._stop(folder)
        except (OSError, EmbeddedUnavailable) as error:
            log.warning("leaving the embedded store: %s", error)
        finally:
            self._drop_hold()
            collect_children()

    async def start(self) -> str:
        """:meth:`start_now` in a thread. Cancelled, it takes its hold back before it ends."""
        return await self._in_thread(self.start_now)

    async def ensure(self) -> str:
        """Start the server again if it died; cheap when it answers. For use after the store went away."""
        return await self._in_thread(self.ensure_now)

    async def leave(self) -> None:
        """:meth:`leave_now` in a thread; runs to its end even when cancelled."""
        self._given_up.clear()
        await _finish_in_thread(self.leave_now)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        self._given_up.clear()
        held_before = self._users_fd is not None
        task = asyncio.create_task(asyncio.to_thread(work))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self._given_up.set()
            with suppress(EmbeddedUnavailable):
                await task
            self._given_up.clear()
            if not held_before:
                await _finish_in_thread(self.leave_now)
            raise

    def _drop_hold(self) -> None:
        if self._users_fd is not None:
            os.close(self._users_fd)
            self._users_fd = None

    @contextmanager
    def _exclusive(self, folder: StoreFolder) -> Iterator[None]:
        fd = open_lock(folder.start_lock)
        try:
            deadline = time.monotonic() + self.start_timeout_s + STOP_TIMEOUT_S
            while not try_lock(fd):
                self._pause_until(deadline, f"another process has been starting or stopping the store in {folder.path} for too long")
            yield
        finally:
            os.close(fd)

    def _pause_until(self, deadline: float, complaint: str) -> None:
        if time.monotonic() > deadline:
            raise EmbeddedUnavailable(complaint)
        if self._given_up.wait(_POLL_S):
            raise EmbeddedUnavailable("starting the embedded store was given up")

    def _find_or_start(self, folder: StoreFolder) -> str:
        """Socket path of a server that answers. Must be called under the start lock."""
        started: list[subprocess.Popen[bytes]] = []
        try:
            return self._answering(folder, started)
        except EmbeddedUnavailable:
            if self._given_up.is_set():
                for process in started:
                    end_started(process, STOP_TIMEOUT_S)
            raise

    def _answering(self, folder: StoreFolder, started: list[subprocess.Popen[bytes]]) -> str:
        process: subprocess.Popen[bytes] | None = None
        path = folder.recorded_socket()
        deadline = time.monotonic() + self.start_timeout_s
        loading_until = time.monotonic() + LOAD_TIMEOUT_S
        while True:
            answer = _ask(path, b"PING") if path else "away"
            if path and answer.startswith("+PONG"):
                return path
            if answer.startswith("-LOADING"):
                deadline = min(loading_until, time.monotonic() + self.start_timeout_s)
            if process is not None and process.poll() is not None:
                why = folder.last_log_line() or f"exit status {process.returncode}"
                raise EmbeddedUnavailable(f"the embedded server refused to start: {why} (see {folder.log})")
            if process is None and answer == "away" and (alive_fd := folder.take_alive_lock()) is not None:
                try:
                    path = folder.choose_socket()
                    process = spawn(folder, path, alive_fd, APPENDFSYNC[self.durability])
                    started.append(process)
                finally:
                    os.close(alive_fd)
            self._pause_until(deadline, _silent(folder))

    def _stop(self, folder: StoreFolder) -> None:
        path = folder.recorded_socket()
        fd = folder.take_alive_lock()
        if fd is None and path:
            if _ask(path, b"PING") == "":
                raise EmbeddedUnavailable(_silent(folder))
            # With `save ""` and the append-only file on, SHUTDOWN flushes and syncs that file and writes nothing else.
            if (refusal := _ask(path, b"SHUTDOWN", STOP_TIMEOUT_S)).startswith("-"):
                raise EmbeddedUnavailable(f"the embedded server will not shut down: {refusal[1:].strip()} (see {folder.log})")
            deadline = time.monotonic() + STOP_TIMEOUT_S
            while (fd := folder.take_alive_lock()) is None:
                self._pause_until(deadline, _silent(folder))
        if fd is not None:
            os.close(fd)
        if path:
            Path(path).unlink(missing_ok=True)


@asynccontextmanager
async def embedded_server(state_dir: str | os.PathLike[str]) -> AsyncIterator[str]:
    """The URL of the state folder's server, held until the block ends.

    Raises:
        EmbeddedUnavailable: it cannot be started or joined.
    """
    server = EmbeddedServer(state_dir)
    url = await server.start()
    try:
        yield url
    finally:
        await server.leave()


async def _finish_in_thread(work: Callable[[], None]) -> None:
    task = asyncio.create_task(asyncio.to_thread(work))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


def _url(path: str) -> str:
    return f"unix://{quote(path)}?db=0"


def _silent(folder: StoreFolder) -> str:
    pid = folder.pid()
    who = f"pid {pid}, " if pid else ""
    return f"the embedded server does not answer ({who}log {folder.log}): it hangs or is stopped; end it with kill -9 and start again"


def _ask(path: str, command: bytes, timeout_s: float = PING_TIMEOUT_S) -> str:
    """The server's reply to an inline command; ``"away"`` when nobody listens, ``""`` when it hangs or hung up."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return "away"
        except OSError:
            return ""
        try:
            connection.sendall(command + b"\r\n")
            return connection.recv(256).decode("utf-8", "replace")
        except OSError:
            return ""


def _sync_at_least(path: str, durability: Durability, *, joining: bool) -> None:
    """Make a server that another user started sync as often as this one needs; it is never made to sync less.

    Raises:
        EmbeddedUnavailable: it refuses.
    """
    found = _ask(path, b"CONFIG GET appendfsync").split()[-1:]
    in_force = found[0] if found else "no"
    wanted = APPENDFSYNC[durability]
    if asks_for_more(durability, in_force):
        if not (refusal := _ask(path, f"CONFIG SET appendfsync {wanted}".encode())).startswith("+OK"):
            raise EmbeddedUnavailable(f"the embedded server refuses appendfsync {wanted}: {refusal[1:].strip() or 'no answer'}")
        log.warning("the embedded server had appendfsync %s and follows redis.durability %s now", in_force, durability)
    elif joining and in_force != wanted:
        log.warning("the embedded server has appendfsync %s, more than redis.durability %s needs; it is kept", in_force, durability)
