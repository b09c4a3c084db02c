"""The real console in a terminal of its own: a real engine, a real embedded store, simulated AI services that take their time."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.domain.snapshots import FleetSnapshot
from gitbridge_console.operations.session import open_session
from gitbridge_console.settings.model import Settings
from gitbridge_console.simulator.profiles import Latency, ServiceProfile
from gitbridge_console.simulator.server import ServicesThread
from tests.orphans import processes_that_say, servers_below, wait_until
from tests.payloads import pull_request

ROOT = Path(__file__).parent.parent.parent
CONSOLE = [sys.executable, "-m", "gitbridge_console.cli"]
SLOW_S = 60.0
"""How long each simulated answer takes: longer than any test, so that calls are in flight whenever it matters."""

CONCURRENCY = 2
"""Calls at the same time to each service."""

EVENTS = 4
LEASE_S = 60.0


def _hear_all_but(ignored: Sequence[signal.Signals]) -> None:
    """What these tests were told to ignore (by ``nohup``, or a shell's ``&``) the process would ignore as well."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)


class RealConsole:
    """One process in a terminal of its own, its state folder, and what is left of it afterwards."""

    def __init__(self, folder: Path, urls: dict[str, str], drain_s: float, size: tuple[int, int] = (80, 24)) -> None:
        self.state = folder / "state"
        self._folder, self._size = folder, size
        (folder / "key").write_text("simulated")
        (folder / "key").chmod(0o600)
        lines = [f"state_dir = {json.dumps(str(self.state))}", "[queue]", f"drain_s = {drain_s}", f"lease_s = {LEASE_S}"]
        for name, url in urls.items():
            lines += [f"[providers.{name}]", 'api = "responses"', 'model = "simulated-1"', f'base_url = "{url}"']
            lines += [f"api_key_file = {json.dumps(str(folder / 'key'))}", f"max_concurrency = {CONCURRENCY}"]
        (folder / "gitbridge.toml").write_text("\n".join(lines), "utf-8")
        self.process: subprocess.Popen[bytes] | None = None
        self.master = self.slave = -1
        self.drawn = b""

    def start(self, *words: str, program: Sequence[str] = CONSOLE, ignored: Sequence[signal.Signals] = ()) -> None:
        """Start the program with these words, as from a shell that has signals ignored."""
        self.master, self.slave = pty.openpty()
        os.set_blocking(self.master, False)
        termios.tcsetwinsize(self.slave, (self._size[1], self._size[0]))
        self.modes = termios.tcgetattr(self.slave)
        env = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(self._folder), "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"}
        self.process = subprocess.Popen(
            [*program, *words],
            cwd=self._folder,
            env=env | {"TMPDIR": str(self._folder)},
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            start_new_session=True,
            preexec_fn=partial(_hear_all_but, ignored),
        )

    def signal(self, number: signal.Signals) -> None:
        """Send it, if the process still lives."""
        assert self.process is not None
        self.process.send_signal(number)

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self.master, keys.encode())

    def read(self, seconds: float) -> None:
        """Read what it draws for so long."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._take(left)

    def read_until(self, wanted: bytes, within_s: float = 30.0) -> None:
        """Read what it draws until that has come."""
        deadline = time.monotonic() + within_s
        while wanted not in self.drawn:
            assert time.monotonic() < deadline, self.drawn[-2000:]
            self._take(0.2)

    def _take(self, timeout_s: float) -> None:
        if select.select([self.master], [], [], timeout_s)[0]:
            with suppress(OSError):
                self.drawn += os.read(self.master, 1 << 16)

    def wait(self, within_s: float, *, reading: bool = True) -> int:
        """Its exit code."""
        assert self.process is not None
        deadline = time.monotonic() + within_s
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it still runs after {within_s} s"
            if reading:
                self._take(0.05)
            else:
                time.sleep(0.02)
        if reading:
            self.read(0.1)
        return self.process.returncode

    def stick(self, keys: str = "12345678", within_s: float = 60.0) -> None:
        """Read nothing and press keys until the terminal takes no byte any more: the kernel says so."""
        deadline = time.monotonic() + within_s
        for key in itertools.cycle(keys):
            with suppress(BlockingIOError):
                self.press(key)
            if not select.select([], [self.slave], [], 0.2)[1]:
                return
            assert time.monotonic() < deadline, "the terminal takes everything"
            time.sleep(0.3)  # of keys that come in a burst only the last screen is drawn

    def hang_up(self, *, told: bool = True) -> None:
        """Close the terminal under it, and say so as the kernel does to whoever has it in that moment."""
        os.close(self.slave)
        os.close(self.master)
        self.master = self.slave = -1
        if told:
            self.signal(signal.SIGHUP)

    def fleet(self) -> FleetSnapshot:
        """The fleet as another user of the store sees it; the store is left again."""

        async def look() -> FleetSnapshot:
            async with open_session(Settings(state_dir=str(self.state)), role="cli", engine=False) as session:
                return await session.operations.status()

        return asyncio.run(look())

    def submit(self, events: int = EVENTS) -> None:
        """Hand in so many pull requests that want to be reviewed."""

        async def hand_in() -> None:
            async with open_session(Settings(state_dir=str(self.state)), role="cli", engine=False) as session:
                for number in range(events):
                    payload = json.dumps(pull_request(number)).encode()
                    await session.operations.submit(IncomingEvent(f"d{number}", "pull_request", payload, "test"))

        asyncio.run(hand_in())

    def wait_for_calls(self) -> None:
        """Until providers are being asked. The store is left again."""

        async def look() -> None:
            async with open_session(Settings(state_dir=str(self.state)), role="cli", engine=False) as session, asyncio.timeout(60):
                while sum(lane.leased for lane in (await session.operations.status()).lanes.values()) < CONCURRENCY:
                    await asyncio.sleep(0.1)

        asyncio.run(look())

    def assert_nothing_is_left(self, *, leases: bool = False) -> None:
        """No process, no server, no lease (but for an end by force), and the terminal as it was."""
        if self.slave >= 0:
            assert termios.tcgetattr(self.slave)[:4] == self.modes[:4], "the terminal's modes are not what they were"
        wait_until(lambda: not servers_below(self._folder), 15, "the embedded server is still there")
        wait_until(lambda: not processes_that_say(str(self._folder)), 5, "a process is still there")
        if self.state.exists():
            held = {name: lane.leased for name, lane in self.fleet().lanes.items() if lane.leased}
            assert leases or not held, f"a lease is held: {held}"
            assert not servers_below(self._folder)

    def close(self) -> None:
        """Leave nothing behind, whatever the test came to."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for end in (self.master, self.slave):
            if end >= 0:
                os.close(end)
        for pid in servers_below(self._folder):
            os.kill(pid, signal.SIGKILL)


@contextmanager
def real_console(folder: Path, drain_s: float = 0.5, answer_s: float = SLOW_S, size: tuple[int, int] = (80, 24)) -> Iterator[RealConsole]:
    """A console that was not started yet, and the services it will ask, each of which takes ``answer_s`` for an answer."""
    # One API for all, since the SDKs take longer to import than everything else here.
    profiles = {name: ServiceProfile(latency=Latency(answer_s, 0.0, 1.0, answer_s)) for name in ("claude", "grok", "chatgpt")}
    services = ServicesThread(7, profiles)
    console = RealConsole(folder, services.start(), drain_s, size)
    try:
        yield console
    finally:
        console.close()
        services.stop()
