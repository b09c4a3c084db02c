"""A program in a real terminal, whose every byte is counted and stamped."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

CPUCLOCK_SCHED = 2
"""Of a process's clocks the one in nanoseconds, as Linux numbers them: ``/proc`` counts in hundredths of a second."""
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
CLOSE_S = 40.0
"""More than the console's own watchdog allows."""
SILENCE_S = 0.15
"""Without a byte for so long a frame is whole."""


class Terminal:
    """Starts ``command`` at ``size`` (columns, lines) in ``folder``, where there is one; reads what it draws when told to."""

    def __init__(self, command: Sequence[str], size: tuple[int, int], env: Mapping[str, str], folder: Path | None = None) -> None:
        self.size = size
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(self.master, (size[1], size[0]))
        os.set_blocking(self.master, False)
        self.started = time.perf_counter()
        more = {"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", "COLORTERM": ""}
        self.process = subprocess.Popen(
            list(command),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, **env, **more},
            cwd=folder,
            start_new_session=True,
        )
        os.close(slave)
        self.drawn = b""

    def read(self, seconds: float) -> int:
        """Read for so long; returns the bytes that came."""
        before, end = len(self.drawn), time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self._take(left)
        return len(self.drawn) - before

    def _take(self, timeout_s: float) -> bool:
        if not select.select([self.master], [], [], timeout_s)[0]:
            return False
        try:
            self.drawn += os.read(self.master, 1 << 16)
        except (BlockingIOError, OSError):
            return False
        return True

    def until(self, wanted: str, timeout_s: float = 60.0, *, since_start: bool = False) -> float:
        """Read until a text has been drawn since the call, or at all; returns the seconds it took.

        Raises:
            TimeoutError: it did not come.
        """
        start, began = 0 if since_start else len(self.drawn), time.perf_counter()
        while wanted not in plain(self.drawn[start:]):
            if time.perf_counter() - began > timeout_s:
                raise TimeoutError(f"{wanted!r} was not drawn in {timeout_s:.0f} s: {plain(self.drawn)[-400:]!r}")
            self._take(0.5)
        return time.perf_counter() - began

    def key_to_row(self, key: str) -> float:
        """Press a key; seconds until something is drawn in the last row, where it is echoed. What was under way is read first.

        Raises:
            TimeoutError: nothing was.
        """
        while self._take(0.02):
            pass
        start, began = len(self.drawn), time.perf_counter()
        self.press(key)
        while f"\x1b[{self.size[1]};".encode() not in self.drawn[start:]:
            if time.perf_counter() - began > 10:
                raise TimeoutError(f"nothing was drawn after {key!r}")
            self._take(1.0)
        return time.perf_counter() - began

    def whole(self, wanted: str, timeout_s: float = 60.0) -> float:
        """Seconds from now until the last byte of a frame that has a text in it: after it nothing comes for :data:`SILENCE_S`.

        Raises:
            TimeoutError: it did not come.
        """
        start, began = len(self.drawn), time.perf_counter()
        last = began
        while True:
            if self._take(SILENCE_S):
                last = time.perf_counter()
            elif wanted in plain(self.drawn[start:]):
                return last - began
            if time.perf_counter() - began > timeout_s:
                raise TimeoutError(f"{wanted!r} was not drawn in {timeout_s:.0f} s")

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self.master, keys.encode())

    def cpu_s(self) -> float:
        """Processor time the program has used, all its threads and no process it started; it has to run still."""
        return time.clock_gettime(~self.process.pid << 3 | CPUCLOCK_SCHED)

    def rss_mib(self) -> float:
        """Memory it holds."""
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * PAGE_BYTES / 2**20

    def close(self) -> None:
        """End it.

        Raises:
            TimeoutError: it did not end by itself and was killed; an embedded server of its may be left.
        """
        self.process.terminate()
        end = time.perf_counter() + CLOSE_S
        while self.process.poll() is None and time.perf_counter() < end:
            self._take(0.2)
        killed = self.process.poll() is None
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        if killed:
            raise TimeoutError(f"{self.process.args!r} did not end in {CLOSE_S:.0f} s and was killed: look for a server it left")


def read_all(terminals: Sequence[Terminal], seconds: float) -> float:
    """Read what all of them draw for so long; returns the seconds it took."""
    began = time.perf_counter()
    while (left := began + seconds - time.perf_counter()) > 0:
        ready = select.select([terminal.master for terminal in terminals], [], [], left)[0]
        for terminal in terminals:
            if terminal.master in ready:
                terminal._take(0.0)
    return time.perf_counter() - began


def plain(drawn: bytes) -> str:
    """The text alone, without escape codes."""
    return re.sub(r"\x1b(?:\[[0-9;?<>=$]*[a-zA-Z]|\][^\x07]*\x07)", "", drawn.decode("utf-8", "replace"))
