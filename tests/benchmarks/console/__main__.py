"""What the console costs: bytes over the link, time from key to paint, processor, memory, start.

``python -m tests.benchmarks.console [--size 80x24] [--start] [--json] [--waiting N] [--filled DIR]``. Every figure is of a real terminal
(a pty); bytes are exact, times are of this machine and this run, and those that can be are given as a ratio to a bare application.
Traffic comes from another process (``producer``): the console that is measured only looks. ``stalled`` compares the engine's pace.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

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
    "cpu_percent_0": "<= 10 of a core at 200x60 and 1 Hz",
    "cpu_percent_100": "<= 10",
    "cpu_percent_1000": "<= 10",
    "cpu_percent_0_after": "the same fleet when the traffic is over: its charts have something to show",
    "cpu_spread": "<= 1.2, the most to the least of the first three: the first has never had an event",
    "cpu_traffic_ratio": "the dearer traffic to the same fleet when it is over",
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


@contextmanager
def traffic(env: dict[str, str], folder: str, rate: int, seconds: float) -> Iterator[list[float]]:
    """Traffic by a process of its own; the rate it reached is in the list afterwards."""
    reached: list[float] = []
    if not rate:
        yield reached
        return
    words = [sys.executable, "-m", "tests.benchmarks.console.producer", folder, str(rate), str(seconds)]
    producer = subprocess.Popen(words, stdout=subprocess.PIPE, env=os.environ | env)
    try:
        yield reached
        assert producer.stdout is not None
        reached.append(float(producer.stdout.read()))
    finally:
        producer.terminate()
        producer.wait()


def busy(env: dict[str, str], folder: str) -> dict[str, float]:
    """A console that looks, at 200x60 and 1 Hz, while a fleet does nothing, something, much: its processor time and its keys."""
    found: dict[str, float] = {}
    asyncio.run(fill(folder, 5_000))
    for name, rate in (("0", 0), ("100", 100), ("1000", 1_000), ("0_after", 0)):
        with traffic(env, folder, rate, 50.0 if rate == 1_000 else 30.0) as reached:
            terminal = Terminal([*CONSOLE, "--state-dir", folder, "--observe"], (200, 60), env)
            try:
                terminal.until("claude")
                terminal.read(8.0)
                before, began = terminal.cpu_s(), time.perf_counter()
                terminal.read(15.0)
                found[f"cpu_percent_{name}"] = 100 * (terminal.cpu_s() - before) / (time.perf_counter() - began)
                if rate == 1_000:
                    found |= keys(terminal)
            finally:
                terminal.close()
        if reached:
            found[f"reached_per_s_{rate}"] = reached[0]
    spent = [found[f"cpu_percent_{rate}"] for rate in (0, 100, 1_000)]
    busiest = max(spent[1:])
    return found | {"cpu_spread": max(spent) / min(spent), "cpu_traffic_ratio": busiest / found["cpu_percent_0_after"]}


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


def measure(size: tuple[int, int], waiting: int, filled: str | None, *, only_start: bool = False) -> dict[str, Any]:
    """All figures of one size."""
    with tempfile.TemporaryDirectory(prefix="gb-") as folder:
        env = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'console'}", "XDG_CONFIG_HOME": folder, "HOME": folder}
        found: dict[str, Any] = dict(starts(size, env, folder))
        if only_start:
            return {"size": f"{size[0]}x{size[1]}", **{name: round(value, 2) for name, value in found.items()}}
        found["row_bytes"] = row_bytes(size, env)
        found["pulse_bytes_per_s"] = pulse_bytes(size, env)
        found |= idle(size, env, f"{folder}/b")
        found |= busy(env, f"{folder}/c")
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
    parser.add_argument("--start", action="store_true", help="the start alone")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    columns, _, lines = options.size.partition("x")
    found = measure((int(columns), int(lines)), options.waiting, options.filled, only_start=options.start)
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:<22} {value!s:>12}   {GOALS.get(name, '')}")


if __name__ == "__main__":
    main()
