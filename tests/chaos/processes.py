"""The processes of a run: the server, the engines, the stubs. Each has a session of its own and none outlives the run."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gitbridge_console
from gitbridge_console.settings.model import RedisSettings
from gitbridge_console.store.connection import make_client
from gitbridge_console.store.embedded_files import find_server_binary
from gitbridge_console.store.unavailable import STORE_AWAY_ERRORS

WORKING = "working; stop with"
"""What a worker says once its engine is there."""

UNFORESEEN = re.compile(r"nobody foresaw|by a fault|fault of the program|Traceback|CRITICAL")
TAKEN_AWAY = "was taken away"
TAIL_CHARS = 1500
START_LIMIT_S = 60.0


def clean_environment(folder: Path) -> dict[str, str]:
    """An environment without the settings and keys of whoever runs this, in which the package is found."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GITBRIDGE_") and not name.endswith("_API_KEY")}
    root = str(Path(gitbridge_console.__file__).parents[1])
    return kept | {"PYTHONPATH": root, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "PYTHONUNBUFFERED": "1"}


class Process:
    """A child in a session of its own, its output in a file."""

    def __init__(self, words: list[str], folder: Path, output: Path) -> None:
        self.output = output
        with output.open("ab") as file:
            self._child = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=folder, env=clean_environment(folder), start_new_session=True
            )
        self.started = time.monotonic()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._child.pid

    @property
    def ended(self) -> bool:
        """Whether it is gone, for whatever reason."""
        return self._child.poll() is not None

    @property
    def code(self) -> int | None:
        """Its exit code, negative for a signal."""
        return self._child.returncode

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole session."""
        if not self.ended:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, number)

    def kill(self) -> None:
        """SIGKILL, and wait for the end. A stopped process dies of it too."""
        self.signal(signal.SIGKILL)
        self._child.wait()

    def said(self) -> str:
        """All of its output."""
        return self.output.read_text("utf-8", "replace")

    def told(self) -> list[dict[str, Any]]:
        """The JSON lines of its output."""
        return [json.loads(line) for line in self.said().splitlines() if line.startswith("{") and line.endswith("}")]


class Server:
    """A Valkey that flushes every write to disk before it answers, and can be killed and started on the same folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = folder / "s"
        self._process: Process | None = None
        self.url = f"unix://{self._socket}?db=0"
        self.kills = 0
        self.away_until = 0.0
        """Moment of the monotonic clock until which it was away; infinite while it is."""

    def start(self) -> None:
        """Start it; it answers a little later."""
        words = [find_server_binary(), "--port", "0", "--unixsocket", str(self._socket), "--dir", str(self._folder), "--save", ""]
        words += ["--appendonly", "yes", "--appendfsync", "always"]
        self._process = Process(words, self._folder, self._folder / "log")

    async def answering(self) -> None:
        """Wait until it has read its append-only file and answers.

        Raises:
            TimeoutError: it does not.
        """
        async with asyncio.timeout(START_LIMIT_S):
            while not await self._answers():
                await asyncio.sleep(0.05)
        self.away_until = time.monotonic()

    async def _answers(self) -> bool:
        client = make_client(RedisSettings(url=self.url))
        try:
            return bool(await client.ping())
        except STORE_AWAY_ERRORS:
            return False
        finally:
            await client.aclose()

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self.away_until = float("inf")
        self._process.kill()
        self.kills += 1

    def end(self) -> None:
        """Away with it, if it was ever there."""
        if self._process is not None:
            self._process.kill()


@dataclass
class Engine:
    """One worker process."""

    process: Process
    frozen: bool = False
    _working: bool = False

    @property
    def working(self) -> bool:
        """Whether it runs and has said that it works."""
        self._working = self._working or WORKING in self.process.said()
        return self._working and not self.process.ended


@dataclass
class Engines:
    """The worker processes; a dead one is replaced at once."""

    folder: Path
    url: str
    config: Path
    wanted: int
    running: list[Engine] = field(default_factory=list)
    killed: int = 0
    frozen: int = 0
    refused: int = 0
    """Those that ended at once because the server was away; they are told to."""
    _outputs: list[Path] = field(default_factory=list)

    def fill(self) -> None:
        """Start as many as are missing."""
        while len(self.running) < self.wanted:
            self._start()

    def _start(self) -> None:
        output = self.folder / f"engine-{len(self._outputs)}.log"
        self._outputs.append(output)
        words = [sys.executable, "-m", "gitbridge_console.cli", "worker", "--redis", self.url, "--config", str(self.config)]
        self.running.append(Engine(Process([*words, "--log-file", "-"], self.folder, output)))

    def able(self) -> list[Engine]:
        """Those that work and are not frozen."""
        return [engine for engine in self.running if not engine.frozen and engine.working]

    def kill(self, engine: Engine) -> None:
        """SIGKILL one and put another in its place."""
        self.running.remove(engine)
        engine.process.kill()
        self.killed += 1
        self.fill()

    def freeze(self, engine: Engine) -> None:
        """SIGSTOP: it holds what it holds and does not know that time passes."""
        engine.process.signal(signal.SIGSTOP)
        engine.frozen = True

    def thaw(self, engine: Engine) -> None:
        """SIGCONT: it goes on as if nothing had happened."""
        engine.process.signal(signal.SIGCONT)
        engine.frozen = False
        self.frozen += 1

    def replace_ended(self, server: Server) -> list[str]:
        """Replace those that ended by themselves; returns a line for each that had no reason to."""
        faults = []
        for engine in [engine for engine in self.running if engine.process.ended]:
            self.running.remove(engine)
            said = engine.process.said()
            if WORKING not in said and server.away_until > engine.process.started:
                self.refused += 1
            else:
                faults.append(f"an engine ended by itself with code {engine.process.code}: {said[-TAIL_CHARS:]}")
        if server.away_until != float("inf"):
            self.fill()
        return faults

    def logs(self) -> tuple[list[str], int]:
        """Lines of the engines' logs that no engine should write, and how often one found its job taken away."""
        bad, taken = [], 0
        for output in self._outputs:
            lines = output.read_text("utf-8", "replace").splitlines()
            taken += sum(TAKEN_AWAY in line for line in lines)
            for number, line in enumerate(lines):
                if UNFORESEEN.search(line):
                    bad.append(f"{output.name}: " + "\n".join(lines[number : number + 30])[:TAIL_CHARS])
                    break
        return bad, taken

    def end(self) -> None:
        """Kill whatever runs."""
        for engine in self.running:
            engine.process.kill()


class Stubs:
    """The process that forks stub workers."""

    def __init__(self, folder: Path, url: str, namespace: str, providers: list[str], *, lease_s: float, every_s: float) -> None:
        script = Path(__file__).with_name("stub.py")
        words = [sys.executable, str(script), "--redis", url, "--namespace", namespace, "--lease-s", str(lease_s)]
        self._process = Process([*words, "--every-s", str(every_s), "--providers", *providers], folder, folder / "stubs.log")

    @property
    def trouble(self) -> str:
        """Why it ended by itself, empty while it runs."""
        return f"the stubs ended by themselves: {self._process.said()[-TAIL_CHARS:]}" if self._process.ended else ""

    def deaths(self) -> tuple[int, int]:
        """How many died by SIGKILL, and how many jobs they knew to hold."""
        killed = [line for line in self._process.told() if line["signal"] == signal.SIGKILL]
        return len(killed), sum(len(line["held"] or ()) for line in killed)

    def end(self) -> None:
        """Kill it, and whichever stub is alive."""
        self._process.kill()


class Zombie:
    """The engine every write of which comes too late."""

    def __init__(self, folder: Path, config: Path) -> None:
        script = Path(__file__).with_name("zombie.py")
        self._process = Process([sys.executable, str(script), "--config", str(config)], folder, folder / "zombie.log")

    @property
    def trouble(self) -> str:
        """Why it ended by itself, empty while it runs."""
        return f"the zombie ended by itself: {self._process.said()[-TAIL_CHARS:]}" if self._process.ended else ""

    def late_writes(self) -> tuple[int, int]:
        """How many writes came too late, and how many of them were refused by a void fence."""
        lines = self._process.told()
        return len(lines), sum(line["refused"] for line in lines)

    def wrongly_accepted(self) -> list[str]:
        """The writes that were accepted though the job had another fence before they were sent."""
        return [json.dumps(line) for line in self._process.told() if line["void"] and not line["refused"]]

    def end(self) -> None:
        """Kill it for good."""
        self._process.kill()
