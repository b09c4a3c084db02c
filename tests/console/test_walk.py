"""A bad night in a real terminal, from the first look to the audit: each step in three keys or fewer, a typed reason not counted.

Half a minute of a real fleet: it runs with ``pytest -m soak tests/console/test_walk.py``.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.console.terminal import Terminal, plain

SICK = """
base = "none"
[claude]
latency = { median_s = 0.4, sigma = 0.2 }
faults = { refusal = 0.5 }
[chatgpt]
latency = { median_s = 0.4, sigma = 0.2 }
faults = { refusal = 0.5 }
[grok]
latency = { median_s = 9.0, sigma = 0.1 }
"""
ENTER, REDRAW, QUIT = "\r", "\x0c", "\x03"
ROOT = Path(__file__).parent.parent.parent


class Night:
    """An operator at the demo's console."""

    def __init__(self, folder: Path) -> None:
        profile = folder / "sick.toml"
        profile.write_text(SICK, "utf-8")
        command = [sys.executable, "-m", "gitbridge_console.cli", "demo", "--rate", "12/s", "--faults", str(profile)]
        env = {"PYTHONPATH": str(ROOT), "HOME": str(folder), "XDG_STATE_HOME": str(folder), "NO_COLOR": "1"}
        # A key that goes astray may write a file where the console was started.
        self.terminal = Terminal(command, (120, 40), env, folder)
        self.terminal.until("Pulse")

    def screen(self) -> str:
        """What is on the screen, drawn anew."""
        start = len(self.terminal.drawn)
        self.terminal.press(REDRAW)
        self.terminal.read(0.5)
        return plain(self.terminal.drawn[start:])

    def sees(self, *wanted: str, within_s: float = 45.0) -> None:
        """Wait until all of it is on the screen."""
        end = time.monotonic() + within_s
        while not all(text in (shown := self.screen()) for text in wanted):
            assert time.monotonic() < end, f"{wanted} not in {shown}"

    def sees_waiting(self, lane: str, count: int) -> None:
        """Wait until so many tasks wait for a provider, by its row on Pulse."""
        end = time.monotonic() + 45.0
        while not ((row := re.search(rf"\b{lane} +[A-Za-z]+ +(\d+) ", shown := self.screen())) and int(row[1]) >= count):
            assert time.monotonic() < end, f"fewer than {count} wait for {lane} in {shown}"

    def step(self, keys: str, *wanted: str, reason: str = "", tries: int = 1) -> None:
        """Press keys, give the reason that was asked for, and see what came of it.

        What the cursor is on may end in the moment it is acted on; then one acts on what is there now, at most ``tries`` times in all.
        """
        assert len(keys) + len(ENTER if reason else "") <= 3
        for left in reversed(range(tries)):
            for key in keys:
                self.terminal.press(key)
                self.terminal.read(0.4)
            if reason:
                self.terminal.press(reason + ENTER)
            try:
                self.sees(*wanted, within_s=4.0 if left else 20.0)
            except AssertionError:
                if not left:
                    raise
            else:
                return


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    operator = Night(tmp_path)
    yield operator
    operator.terminal.close()


@pytest.mark.soak
def test_a_storm_from_the_first_look_to_the_audit(night: Night) -> None:
    night.sees_waiting("grok", 15)
    night.step("2Cy", "cancel: 1 changed", tries=5)
    night.step("3", "PROVIDER", "grok")
    night.step("jP", "pause grok: 1 changed", "PAUSED", reason="answers too slowly")
    night.step("F" + ENTER, "failover grok to", "changed", reason="while it is slow")
    night.step("2+", "1 changed", tries=5)
    night.step("4/", "cancelled", reason="state=cancelled")
    night.step("Ry", "replay: 1 changed")
    night.step("5Oy", "approve: 1 changed")
    night.step("6ii", "approve", "replay", "prioritize", "failover", "answers too slowly", "while it is slow")
    night.terminal.press(QUIT)
    assert night.terminal.process.wait(30) == 0
