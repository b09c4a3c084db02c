"""What a terminal that stops reading does to the engine behind it: ``python -m tests.benchmarks.console.stalled [SECONDS] [ROUNDS]``.

The engine's pace is bound by its services: so many calls at a time, each of the same length. In one run the terminal is read, and not
read, in turns; what counts are the calls that reach the services meanwhile. At last an operator elsewhere pauses a lane while nothing
is read, and it is seen how long that takes to be on the screen once the terminal is read again.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from gitbridge_console.operations.session import open_session
from gitbridge_console.settings.model import Settings
from gitbridge_console.simulator.service import SimulatedService
from tests.benchmarks.console.terminal import plain

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "console"))

from real_console import RealConsole, real_console

SIZE = (200, 60)
ANSWER_S = 0.4
CALLS_PER_S = 3 * 2 / ANSWER_S
SCREENS = "12345678"
WARM_S = 8.0


def note_calls() -> list[float]:
    """From now on every call that reaches a simulated service of this process is noted, by the monotonic clock."""
    times: list[float] = []
    plan = SimulatedService.plan

    def noting(self: SimulatedService, ask: Any) -> Any:
        times.append(time.monotonic())
        return plan(self, ask)

    SimulatedService.plan = noting  # type: ignore[method-assign]
    return times


def calls_during(times: list[float], begin: float, end: float) -> int:
    """How many there were between two moments."""
    return sum(begin <= at < end for at in times)


def compare(folder: Path, seconds: float, rounds: int) -> dict[str, float]:
    """Calls a second with the terminal read and not read, in turns of ``seconds``, and how the screen recovers."""
    times = note_calls()
    read, stalled = [], []
    with real_console(folder, answer_s=ANSWER_S, size=SIZE) as console:
        console.submit(int((2 * seconds + 12) * (rounds + 1) * CALLS_PER_S / 3) + 20)
        console.start()
        console.read_until(b"Pulse")
        console.wait_for_calls()
        for key in SCREENS:  # made once: afterwards they are drawn at once
            console.press(key)
            console.read(WARM_S / len(SCREENS))
        for _ in range(rounds):
            begin = time.monotonic()
            console.read(seconds)
            read.append(calls_during(times, begin, begin + seconds) / seconds)
            console.stick()
            begin = time.monotonic()
            time.sleep(seconds)
            stalled.append(calls_during(times, begin, begin + seconds) / seconds)
            console.read(1.0)
        console.press("1")
        console.read(2.0)
        found = recover(console, seconds)
        console.press("\x03")
        console.wait(60)
        console.assert_nothing_is_left()
    means = sum(read) / rounds, sum(stalled) / rounds
    return {"read_calls_per_s": means[0], "stalled_calls_per_s": means[1], "ratio": means[1] / means[0], **found}


def recover(console: RealConsole, seconds: float) -> dict[str, float]:
    """Pause a lane while nothing is read; how long, and how many bytes, until the screen shows it once it is read again."""
    console.stick()
    console.press("1")

    async def pause() -> None:
        async with open_session(Settings(state_dir=str(console.state)), role="cli", engine=False) as session:
            await session.operations.pause(["grok"], "the screen must catch up")

    asyncio.run(pause())
    time.sleep(seconds)
    start, began = len(console.drawn), time.monotonic()
    while "PAUSED" not in plain(console.drawn[start:]).upper():
        console.read(0.02)
        if time.monotonic() - began > 30:
            raise TimeoutError("the screen did not recover")
    return {"recovered_s": time.monotonic() - began, "recovered_bytes": len(console.drawn) - start}


def main() -> None:
    """Measure and print."""
    seconds, rounds = float(sys.argv[1]) if sys.argv[1:] else 10.0, int(sys.argv[2]) if sys.argv[2:] else 3
    with tempfile.TemporaryDirectory(prefix="gb-") as folder:
        print(json.dumps({name: round(value, 3) for name, value in compare(Path(folder), seconds, rounds).items()}))


if __name__ == "__main__":
    main()
