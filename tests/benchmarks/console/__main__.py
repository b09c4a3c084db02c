"""What the console costs: bytes over the link, time from key to paint, processor, memory, start.

``python -m tests.benchmarks.console [--size 80x24] [--start | --cpu] [--json] [--waiting N] [--filled DIR]``. Every figure is of a real
terminal (a pty); bytes are exact, times are of this machine and this run, and those that can be are given as a ratio to a bare application.
Traffic comes from another process (``producer``): the console that is measured only looks. ``stalled`` compares the engine's pace.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks.console.cpu import RATES, WAITING, rounds, traffic
from tests.benchmarks.console.producer import fill
from tests.benchmarks.console.terminal import Terminal

ROOT = Path(__file__).parent.parent.parent.parent
PROGRAMS = str(Path(__file__).parent / "programs.py")
CONSOLE = [sys.executable, "-m", "gitbridge_console.cli"]
GOALS = {
    "row_bytes": "<= 200 at 80x24, <= 350 at 200x60",
    "pulse_bytes_per_s": "<= 1500 at 80x24, demo at 2 events/s",
    "idle_bytes_per_s": "the clock only",
    "reached_per_s_1000": "the rate of the three below; 1000 is wanted",
    "key_p95_ms": "<= 50 at 1,000 events/s",
    "cpu_percent_0": "<= 10 of a core at 200x60 and 1 Hz: a fleet that never had traffic",
    "cpu_percent_0_lived": "<= 10, the same without traffic, but with a history of it",
    "cpu_percent_100": "<= 10",
    "cpu_percent_1000": "<= 10",
    "cpu_percent_0_beside_1000": "the first while the other fleet has traffic: what the machine makes dearer",
    "cpu_spread": "<= 1.2, the most to the least of the first four",
    "cpu_spread_beside": "the same, each to the first in the same moment",
    "cpu_traffic_ratio": "<= 1.2, the dearer traffic to the same fleet without",
    "queue_opens_ms": "<= 150 at 1,000,000, to the last byte of the frame",
    "frame_s": "<= 0.8",
    "start_ratio": "<= 1.3",
    "start_cpu_ratio": "the same, of processor time",
    "rss_mib": "<= 150, engine idle",
}
TYPED = "abcdefghij"
STARTS = 9


def row_bytes(size: tuple[int, int], env: dict[str, str]) -> float:
    """Median bytes of a picture in which one row of the Queue differs."""
    terminal = Terminal([sys.executable, PROGRAMS, "one_row"], size, env)
    try:
        terminal.until("Pulse")
        terminal.press("2")
        terminal.until("leased")
        terminal.read(2.0)
        still = terminal.read(2.0)
        changed = []
        for _ in range(7):
            os.kill(terminal.process.pid, signal.SIGUSR1)
            changed.append(terminal.read(0.8) - still * 0.4)
        return statistics.median(changed)
    finally:
        terminal.close()


def starts(size: tuple[int, int], env: dict[str, str], folder: str) -> dict[str, float]:
    """The console's start and that of a bare application, in turns, each once before it counts.

    As installed, so from bytecode. The ratios are those of neighbours: the pace of a machine changes within a run.
    """
    env = env | {"PYTHONPYCACHEPREFIX": f"{folder}/bytecode", "PYTHONDONTWRITEBYTECODE": ""}
    ours, bare = [], []
    for _ in range(STARTS + 1):
        ours.append(start([*CONSOLE, "--state-dir", f"{folder}/a"], "Pulse", "claude", size, env))
        bare.append(start([sys.executable, PROGRAMS, "bare"], "bare", "bare", size, env))
    pairs = list(zip(ours[1:], bare[1:], strict=True))
    return {
        "frame_s": statistics.median(one.frame_s for one, _ in pairs),
        "data_s": statistics.median(one.data_s for one, _ in pairs),
        "bare_frame_s": statistics.median(other.frame_s for _, other in pairs),
        "start_ratio": statistics.median(one.frame_s / other.frame_s for one, other in pairs),
        "start_cpu_ratio": statistics.median(one.cpu_s / other.cpu_s for one, other in pairs),
    }


class Start(NamedTuple):
    """Seconds from starting a process to its first frame and to the first data in it, and of the processor until that frame."""

    frame_s: float
    data_s: float
    cpu_s: float


def start(command: list[str], frame: str, data: str, size: tuple[int, int], env: dict[str, str]) -> Start:
    """One start."""
    terminal = Terminal(command, size, env)
    try:
        terminal.until(frame)
        first, cpu = time.perf_counter() - terminal.started, terminal.cpu_s()
        terminal.until(data, since_start=True)
        return Start(first, time.perf_counter() - terminal.started, cpu)
    finally:
        terminal.close()


def pulse_bytes(size: tuple[int, int], env: dict[str, str]) -> float:
    """Bytes a second of the Pulse in the steady traffic of a small fleet."""
    terminal = Terminal([*CONSOLE, "demo", "--rate", "2/s", "--faults", "none"], size, env)
    try:
        terminal.until("Pulse")
        terminal.read(20.0)
        return terminal.read(30.0) / 30
    finally:
        terminal.close()


def idle(size: tuple[int, int], env: dict[str, str], folder: str) -> dict[str, float]:
    """An engine with nothing to do."""
    terminal = Terminal([*CONSOLE, "--state-dir", folder], size, env)
    try:
        terminal.until("Pulse")
        terminal.read(12.0)
        return {"idle_bytes_per_s": terminal.read(10.0) / 10, "rss_mib": terminal.rss_mib()}
    finally:
        terminal.close()


def typing(env: dict[str, str], folder: str) -> dict[str, float]:
    """A console that looks, at 200x60 and 1 Hz, while a fleet does much, and somebody types."""
    asyncio.run(fill(folder, WAITING))
    command = [*CONSOLE, "--state-dir", folder, "--observe"]
    with traffic(env, folder, RATES[-1], 50.0) as reached, closing(Terminal(command, (200, 60), env)) as terminal:
        terminal.until("claude")
        terminal.read(8.0)
        found = keys(terminal)
    return {"reached_per_s_typing": reached[0], **found}


def keys(terminal: Terminal) -> dict[str, float]:
    """Milliseconds from a letter typed at the prompt to the bytes that draw it: its row is drawn for nothing else meanwhile."""
    terminal.press("2")
    terminal.read(3.0)
    terminal.press(":")
    terminal.read(1.0)
    found = []
    for _ in range(6):
        found += [1000 * terminal.key_to_row(letter) for letter in TYPED]
        terminal.press("\x7f" * len(TYPED))
        terminal.read(1.0)
    return {"key_p50_ms": statistics.median(found), "key_p95_ms": statistics.quantiles(found, n=20)[-1]}


def long_queue(size: tuple[int, int], env: dict[str, str], folder: str) -> float:
    """Median milliseconds from pressing ``2`` to the last byte of the Queue's frame, of five."""
    terminal = Terminal([*CONSOLE, "--state-dir", folder, "--observe"], size, env)
    try:
        terminal.until("claude")
        terminal.read(3.0)
        found = []
        for _ in range(5):
            terminal.press("8")
            terminal.read(2.0)
            terminal.press("2")
            found.append(1000 * terminal.whole("acme/"))
        return statistics.median(found)
    finally:
        terminal.close()


def measure(size: tuple[int, int], waiting: int, filled: str | None, *, only: str = "") -> dict[str, Any]:
    """All figures of one size, or ``only`` those of the ``start`` or of the processor, ``cpu``."""
    with tempfile.TemporaryDirectory(prefix="gb-") as folder:
        env = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'console'}", "XDG_CONFIG_HOME": folder, "HOME": folder}
        if only:
            found = starts(size, env, folder) if only == "start" else rounds(CONSOLE, env, folder)
            return {name: round(value, 2) for name, value in found.items()}
        found = starts(size, env, folder)
        found["row_bytes"] = row_bytes(size, env)
        found["pulse_bytes_per_s"] = pulse_bytes(size, env)
        found |= idle(size, env, f"{folder}/b")
        found |= rounds(CONSOLE, env, folder)
        found |= typing(env, f"{folder}/c")
        if filled is None:
            filled = f"{folder}/d"
            asyncio.run(fill(filled, waiting))
        found["queue_opens_ms"] = long_queue(size, env, filled)
    return {"size": f"{size[0]}x{size[1]}", "waiting": waiting, **{name: round(value, 2) for name, value in found.items()}}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="80x24")
    parser.add_argument("--waiting", type=int, default=100_000, help="events in the long queue; a million takes minutes to put in")
    parser.add_argument("--filled", metavar="DIR", help="state folder with the long queue in it, from an earlier `producer.fill`")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--start", dest="only", action="store_const", const="start", default="", help="the start alone")
    only.add_argument("--cpu", dest="only", action="store_const", const="cpu", help="processor time in traffic alone, always at 200x60")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    columns, _, lines = options.size.partition("x")
    found = measure((int(columns), int(lines)), options.waiting, options.filled, only=options.only)
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:<25} {value!s:>12}   {GOALS.get(name, '')}")


if __name__ == "__main__":
    main()
