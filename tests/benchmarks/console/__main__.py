"""What the console costs: bytes over the link, time from key to paint, processor, memory, start.

``python -m tests.benchmarks.console [--size 80x24] [--json] [--rate N] [--waiting N]``. Every figure is of a real terminal (a pty);
bytes are exact, times are of this machine and this run, and those that can be are given as a ratio to a bare application.
The traffic is made by the demo's engine in the console's own process, which is the harder case for the screen.
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
from pathlib import Path
from typing import Any

from tests.benchmarks.console.terminal import Terminal

ROOT = Path(__file__).parent.parent.parent.parent
PROGRAMS = str(Path(__file__).parent / "programs.py")
CONSOLE = [sys.executable, "-m", "gitbridge_console.cli"]
GOALS = {
    "row_bytes": "<= 200 at 80x24, <= 350 at 200x60",
    "pulse_bytes_per_s": "<= 1500 at 80x24",
    "idle_bytes_per_s": "the clock only",
    "key_p95_ms": "<= 50",
    "observe_cpu_percent": "<= 10",
    "queue_opens_ms": "<= 150 at 1,000,000",
    "start_s": "<= 0.8",
    "start_ratio": "<= 1.3",
    "rss_mib": "<= 150",
}


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


def start_s(command: list[str], wanted: str, size: tuple[int, int], env: dict[str, str]) -> float:
    """Median seconds from starting a process to its first frame, of five."""
    found = []
    for _ in range(5):
        terminal = Terminal(command, size, env)
        try:
            terminal.until(wanted)
            found.append(time.perf_counter() - terminal.started)
        finally:
            terminal.close()
    return statistics.median(found)


def busy(size: tuple[int, int], env: dict[str, str], rate: int) -> dict[str, float]:
    """The Pulse in steady traffic, and keys on the Queue meanwhile."""
    terminal = Terminal([*CONSOLE, "demo", "--rate", f"{rate}/s", "--faults", "none"], size, env)
    try:
        terminal.until("Pulse")
        terminal.read(20.0)
        pulse = terminal.read(30.0) / 30
        terminal.press("2")
        terminal.read(3.0)
        keys = [1000 * terminal.key_to_paint("j" if n % 20 < 10 else "k") for n in range(60)]
        return {"pulse_bytes_per_s": pulse, "key_p50_ms": statistics.median(keys), "key_p95_ms": statistics.quantiles(keys, n=20)[-1]}
    finally:
        terminal.close()


def idle(size: tuple[int, int], env: dict[str, str], folder: str) -> dict[str, float]:
    """An engine with nothing to do, and a console that only looks."""
    terminal = Terminal([*CONSOLE, "--state-dir", folder], size, env)
    try:
        terminal.until("Pulse")
        terminal.read(12.0)
        quiet, memory = terminal.read(10.0) / 10, terminal.rss_mib()
        looking = Terminal([*CONSOLE, "--state-dir", folder, "--observe"], (200, 60), env)
        try:
            looking.until("Pulse")
            looking.read(8.0)
            before, began = looking.cpu_s(), time.perf_counter()
            terminal.read(0.1)
            looking.read(15.0)
            cpu = 100 * (looking.cpu_s() - before) / (time.perf_counter() - began)
        finally:
            looking.close()
        return {"idle_bytes_per_s": quiet, "rss_mib": memory, "observe_cpu_percent": cpu}
    finally:
        terminal.close()


async def fill(folder: str, count: int) -> None:
    """So many events that wait, with nobody to work on them."""
    from gitbridge_console.domain.events import IncomingEvent
    from gitbridge_console.operations.session import open_session
    from gitbridge_console.settings.model import QueueSettings, Settings

    settings = Settings(state_dir=folder, queue=QueueSettings(max_waiting=max(10_000, 2 * count)))
    async with open_session(settings, role="cli", engine=False) as session:
        for start in range(0, count, 500):
            events = (
                session.store.queue.enqueue(
                    IncomingEvent(f"d{n}", "push", b"{}", "bench"), repository=f"acme/{n % 50}", texts={"subject": f"acme/{n % 50}@main"}
                )
                for n in range(start, min(count, start + 500))
            )
            await asyncio.gather(*events)


def long_queue(size: tuple[int, int], env: dict[str, str], folder: str, count: int) -> float:
    """Median milliseconds from pressing ``2`` to the first rows of a queue of ``count``, of five."""
    asyncio.run(fill(folder, count))
    terminal = Terminal([*CONSOLE, "--state-dir", folder, "--observe"], size, env)
    try:
        terminal.until("Pulse")
        terminal.read(3.0)
        found = []
        for _ in range(5):
            terminal.press("2")
            found.append(1000 * terminal.until("acme/"))
            terminal.press("7")
            terminal.read(2.0)
        return statistics.median(found)
    finally:
        terminal.close()


def measure(size: tuple[int, int], rate: int, waiting: int) -> dict[str, Any]:
    """All figures of one size."""
    with tempfile.TemporaryDirectory(prefix="gb-") as folder:
        env = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'console'}", "XDG_CONFIG_HOME": folder, "HOME": folder}
        ours = start_s([*CONSOLE, "--state-dir", f"{folder}/a"], "Pulse", size, env)
        theirs = start_s([sys.executable, PROGRAMS, "bare"], "bare", size, env)
        found: dict[str, Any] = {"row_bytes": row_bytes(size, env), "start_s": ours, "bare_start_s": theirs, "start_ratio": ours / theirs}
        found |= idle(size, env, f"{folder}/b")
        found |= busy(size, env, rate)
        found["queue_opens_ms"] = long_queue(size, env, f"{folder}/c", waiting)
    rounded = {name: round(value, 2) for name, value in found.items()}
    return {"size": f"{size[0]}x{size[1]}", "events_per_s": rate, "waiting": waiting, **rounded}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="80x24")
    parser.add_argument("--rate", type=int, default=20, help="events a second the demo makes")
    parser.add_argument("--waiting", type=int, default=100_000, help="events in the long queue")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    columns, _, lines = options.size.partition("x")
    found = measure((int(columns), int(lines)), options.rate, options.waiting)
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:<22} {value!s:>12}   {GOALS.get(name, '')}")


if __name__ == "__main__":
    main()
