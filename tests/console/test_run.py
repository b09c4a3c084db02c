"""The console on a real terminal: quit, SIGTERM, hang-up, and a terminal that is stuck."""

from __future__ import annotations

import contextlib
import itertools
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from driving import Clock
from fakes import FakeFleet

from gitbridge_console.console import run
from gitbridge_console.console.terminal_state import RESTORE
from gitbridge_console.operations.ending import Ending
from gitbridge_console.settings.model import Settings

HERE = Path(__file__).parent
PROGRAM = """
import sys
from pathlib import Path
from fakes import FakeFleet
from gitbridge_console.commands.logs import set_up_logging
from gitbridge_console.console import run
from gitbridge_console.operations.ending import Ending
from gitbridge_console.settings.model import Settings
fleet = FakeFleet()
settings = Settings()
log = sys.argv[1]
set_up_logging(settings, None if log == "-" else Path(log), to_stderr=log == "-")
with Ending(lambda: 0.5) as ending:
    ending.tell(fleet.request_stop)
    code = run.run_console(fleet, settings, ending, refresh_s=0.2, demo=True)
print("stopped" if fleet.stopped else "not stopped", file=sys.stdout)
sys.exit(code)
"""


class Terminal:
    """A console in a terminal of its own."""

    def __init__(self, log: Path | str) -> None:
        """``log`` is the file its log goes to, ``-`` for the terminal itself."""
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(self.master, (24, 80))
        self.before = termios.tcgetattr(slave)
        env = os.environ | {"PYTHONPATH": f"{HERE}:{HERE.parent.parent}", "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(log)], stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True
        )
        self.slave = slave
        self.seen = b""

    def read_until(self, wanted: bytes, timeout_s: float = 20.0) -> None:
        """Read what the console draws until ``wanted`` has come."""
        deadline = time.monotonic() + timeout_s
        os.set_blocking(self.master, False)
        while wanted not in self.seen:
            assert time.monotonic() < deadline, self.seen[-2000:]
            try:
                self.seen += os.read(self.master, 65536)
            except BlockingIOError:
                select.select([self.master], [], [], 0.2)

    def press_until_stuck(self, keys: bytes, timeout_s: float = 60.0) -> None:
        """Press keys and read nothing, until the console can draw no more: its terminal takes no byte for a while.

        The kernel says so: a terminal is not ready for writing while it is full and a writer waits for room in it.
        The keys come one by one: of a burst only the last screen is drawn. With ctrl+l among them all of a screen is sent, not its changes.
        """
        deadline = time.monotonic() + timeout_s
        os.set_blocking(self.master, False)
        for key in itertools.cycle(keys):
            with contextlib.suppress(BlockingIOError):
                os.write(self.master, bytes([key]))
            if not select.select([], [self.slave], [], 0.2)[1]:
                return
            assert time.monotonic() < deadline, "the terminal takes everything"
            time.sleep(0.1)

    def left(self) -> bytes:
        """What an ended console has written and nobody has read."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self.seen += os.read(self.master, 65536)
        return self.seen

    def end(self) -> int:
        """Wait for the exit code, reading on."""
        deadline = time.monotonic() + 20
        while self.process.poll() is None:
            assert time.monotonic() < deadline
            try:
                self.seen += os.read(self.master, 65536)
            except BlockingIOError:
                select.select([self.master], [], [], 0.2)
        self.read_until(b"stopped")
        return self.process.returncode

    def close(self) -> None:
        """Leave nothing behind."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.slave)
        os.close(self.master)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_drains_and_restores_the_terminal(number: signal.Signals, code: int, tmp_path: Path) -> None:
    """128 and the number, as shells have it."""
    terminal = Terminal(tmp_path / "log")
    try:
        terminal.read_until(b"Fail")
        terminal.process.send_signal(number)
        assert terminal.end() == code
        assert b"not stopped" not in terminal.seen
        assert b"\x1b[?1049l" in terminal.seen
        assert termios.tcgetattr(terminal.slave)[3] == terminal.before[3]
        assert b"Traceback" not in terminal.seen
    finally:
        terminal.close()


def test_quit_restores_the_terminal(tmp_path: Path) -> None:
    """ctrl+c is a key of the console."""
    terminal = Terminal(tmp_path / "log")
    try:
        terminal.read_until(b"Fail")
        os.write(terminal.master, b":q\r")
        assert terminal.end() == 0
        assert b"not stopped" in terminal.seen
    finally:
        terminal.close()


def test_a_stuck_terminal_does_not_keep_the_process(tmp_path: Path) -> None:
    """Nobody reads what it writes; the watchdog ends it."""
    terminal = Terminal(tmp_path / "log")
    try:
        terminal.read_until(b"Fail")
        terminal.press_until_stuck(b"\x0c1\x0c2\x0c3")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.process.wait(15) == 143
        left = terminal.left()
        assert b"stopped" not in left, "it could still write: nothing was stuck"
        assert left.endswith(RESTORE.replace(b"\n", b"\r\n")), "the screen was not put back"
        assert termios.tcgetattr(terminal.slave)[3] == terminal.before[3]
        assert "did not end in time" in (tmp_path / "log").read_text("utf-8")
    finally:
        terminal.close()


def test_a_stuck_terminal_that_gets_the_log_as_well_does_not_keep_the_process() -> None:
    """As with ``--log-file -``."""
    terminal = Terminal("-")
    try:
        terminal.read_until(b"Fail")
        terminal.press_until_stuck(b"\x0c1\x0c2\x0c3")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.process.wait(15) == 143
    finally:
        terminal.close()


def test_snapshot_is_written_as_svg(tmp_path: Path) -> None:
    """Without a terminal."""
    with Ending(lambda: 10.0) as ending:
        assert run.save_snapshot(FakeFleet(), Settings(), str(tmp_path / "out.svg"), ending)
    assert "claude" in (tmp_path / "out.svg").read_text("utf-8")


def test_encoding_decides_about_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Latin-1 terminal gets ASCII."""
    clock = Clock()
    assert clock() == 100.0

    class Latin:
        encoding = "iso-8859-1"

    monkeypatch.setattr(sys, "stdout", Latin())
    assert not run.speaks_unicode()
