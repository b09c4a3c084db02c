"""The console on a real terminal: quit, SIGTERM, hang-up, and a terminal that is stuck."""

from __future__ import annotations

import os
import pty
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
from gitbridge_console.settings.model import Settings

HERE = Path(__file__).parent
PROGRAM = """
import sys
from fakes import FakeFleet
from gitbridge_console.console import run
from gitbridge_console.settings.model import QueueSettings, Settings
run.GRACE_S = 0.3
fleet = FakeFleet()
settings = Settings(queue=QueueSettings(drain_s=0.2))
code = run.run_console(fleet, settings, refresh_s=0.2, demo=True)
print("stopped" if fleet.stopped else "not stopped", file=sys.stdout)
sys.exit(code)
"""


class Terminal:
    """A console in a terminal of its own."""

    def __init__(self) -> None:
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(self.master, (24, 80))
        self.before = termios.tcgetattr(slave)
        env = os.environ | {"PYTHONPATH": f"{HERE}:{HERE.parent.parent}", "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True
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
                time.sleep(0.02)

    def end(self) -> int:
        """Wait for the exit code, reading on."""
        deadline = time.monotonic() + 20
        while self.process.poll() is None:
            assert time.monotonic() < deadline
            try:
                self.seen += os.read(self.master, 65536)
            except BlockingIOError:
                time.sleep(0.02)
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
def test_a_signal_drains_and_restores_the_terminal(number: signal.Signals, code: int) -> None:
    """128 and the number, as shells have it."""
    terminal = Terminal()
    try:
        terminal.read_until(b"Failures")
        terminal.process.send_signal(number)
        assert terminal.end() == code
        assert b"not stopped" not in terminal.seen
        assert b"\x1b[?1049l" in terminal.seen
        assert termios.tcgetattr(terminal.slave)[3] == terminal.before[3]
        assert b"Traceback" not in terminal.seen
    finally:
        terminal.close()


def test_quit_restores_the_terminal() -> None:
    """ctrl+c is a key of the console."""
    terminal = Terminal()
    try:
        terminal.read_until(b"Failures")
        os.write(terminal.master, b":q\r")
        assert terminal.end() == 0
        assert b"not stopped" in terminal.seen
    finally:
        terminal.close()


def test_a_stuck_terminal_does_not_keep_the_process() -> None:
    """Nobody reads what it writes; the watchdog ends it."""
    terminal = Terminal()
    try:
        terminal.read_until(b"Failures")
        for n in range(400):
            try:
                os.write(terminal.master, b"123456"[n % 6 : n % 6 + 1])
            except BlockingIOError:
                break
        time.sleep(1.0)
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.process.wait(15) == 143
    finally:
        terminal.close()


def test_snapshot_is_written_as_svg(tmp_path: Path) -> None:
    """Without a terminal."""
    run.save_snapshot(FakeFleet(), Settings(), str(tmp_path / "out.svg"))
    assert "claude" in (tmp_path / "out.svg").read_text("utf-8")


def test_encoding_decides_about_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Latin-1 terminal gets ASCII."""
    clock = Clock()
    assert clock() == 100.0

    class Latin:
        encoding = "iso-8859-1"

    monkeypatch.setattr(sys, "stdout", Latin())
    assert not run.speaks_unicode()
