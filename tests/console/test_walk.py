"""A bad night in tmux, from the first look to the audit: each step in three keys or fewer, what is typed as a text not counted.

A real fleet under a storm, for most of a minute: it runs with ``pytest -m soak tests/console/test_walk.py``.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tmux import Window, window

from tests.orphans import processes_that_say, servers_below, wait_until

ID = "[0-9a-f]+"
STORM = """
base = "none"
[claude]
latency = { median_s = 1.2, sigma = 0.2 }
[chatgpt]
latency = { median_s = 1.2, sigma = 0.2 }
[grok]
latency = { median_s = 0.25, sigma = 0.1 }
[[grok.storms]]
from_s = 5
until_s = 3600
slowdown = 2
faults = { invalid_json = 0.4, refusal = 0.3 }
"""
"""Most answers of one provider are of no use; it is so much quicker than the others that the router prefers it whatever its errors."""

SETTINGS = """
[breaker]
consecutive_failures = 100
calls_min = 10_000
[retry]
attempts_max = 1
"""
"""A breaker that leaves it to the operator; and who cannot be asked again fails for good."""

SICK = "grok"
KEYS_MAX = 3
WHO_SHOWN = 12
"""Characters of a long name that a list has room for."""
STEP_S = 20.0
ENDED_S = 40.0
STORM_S = 90.0
"""Longest the storm is waited for: until the machine has started all of it, and enough calls have failed."""


class Typed(NamedTuple):
    """A text that is asked for, and enter, which is the one key of it that counts."""

    text: str


class Night:
    """An operator at the demo's console, who looks before each key and after it."""

    def __init__(self, terminal: Window) -> None:
        self.terminal = terminal

    def sees(self, pattern: str, within_s: float = STEP_S) -> re.Match[str]:
        """Wait until that is on the screen; ``^`` and ``$`` are the ends of a line."""
        found = None

        def there(screen: str) -> bool:
            nonlocal found
            found = re.search(pattern, screen, re.MULTILINE)
            return found is not None

        self.terminal.sees(there, within_s)
        assert found is not None
        return found

    def step(self, *does: tuple[str | Typed, str]) -> re.Match[str]:
        """Press a key or type a text, see what comes of it, and so on: one step, of three keys at most."""
        assert len(does) <= KEYS_MAX
        seen = None
        for what, sees in does:
            if isinstance(what, Typed):
                self.terminal.type(what.text)
                self.terminal.press("Enter")
            else:
                self.terminal.press(what)
            seen = self.sees(sees)
        assert seen is not None
        return seen


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    (tmp_path / "storm.toml").write_text(STORM, "utf-8")
    (tmp_path / "gitbridge.toml").write_text(SETTINGS, "utf-8")
    env = {"PYTHONPATH": str(Path(__file__).parent.parent.parent), "NO_COLOR": "1"}
    places = {name: str(tmp_path) for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "TMPDIR")}
    with window(tmp_path, (120, 40), env | places) as terminal:
        yield Night(terminal)
    wait_until(lambda: not processes_that_say(str(tmp_path / "storm.toml")), ENDED_S, "the demo did not end with its terminal")


@pytest.mark.soak
@pytest.mark.skipif(shutil.which("tmux") is None, reason="the operator sits in tmux")
def test_a_storm_from_the_first_look_to_the_audit(night: Night, tmp_path: Path) -> None:
    demo = [sys.executable, "-m", "gitbridge_console.cli", "demo", "--rate", "12/s", "--faults", str(tmp_path / "storm.toml")]
    night.sees(r"^[#$]")
    night.terminal.type(f'modes=$(stty -g); {shlex.join(demo)}; echo ended $?; [ "$modes" = "$(stty -g)" ] && echo as it was')
    night.terminal.press("Enter")
    night.sees(r"^ \[1 Pulse\]", within_s=STORM_S)

    # A look around, until the storm has done harm: an event failed for good, a decision waits for an operator.
    # A list that is narrowed counts its rows from the moment they are there; of the rows of before something may be on the screen still.
    night.step(("4", r"\[4 Fail"), ("/", r"^ / _"), (Typed("state=failed kind=general"), r"^ failures /state=failed"))
    night.sees(r"^ failures .* kind=general [1-9]", within_s=STORM_S)
    failed = night.sees(rf"^>({ID}) +\S+ failed")[1]
    night.step(("5", r"\[5 Cons"), ("/", r"^ / _"), (Typed("kind=issue_triage"), r"^ consensus /kind=issue"))
    night.sees(r"^ consensus .*issue_triage [1-9]", within_s=STORM_S)
    night.sees(rf"^.{ID} +OPERATOR", within_s=STORM_S)
    unsure = night.step(("g", rf"^ EVENT .*\n>({ID}) +OPERATOR"))[1]

    # The sick provider: an alert on the Pulse says which, and on the screen of all it is the one in trouble.
    night.step(("1", rf"^ !  .*\b{SICK}: \d+ % of \d+ calls failed"))
    night.sees(rf"^.{SICK} .* (2[6-9]|[3-9]\d)% ")
    night.step(("3", rf"^.{SICK} .* (2[6-9]|[3-9]\d)% "), ("n", rf"^>{SICK} "))

    night.step(("P", rf"^ pause {SICK} .*, why\? _"), (Typed("answers are of no use"), rf"^ pause {SICK}: 1 changed"))
    who = night.sees(rf"^ {SICK}  PAUSED .*\n +paused by (.+): answers are of no use")[1]

    # Seats it is preferred for still come in, and wait.
    night.sees(r"^ lane +([3-9]\d|\d{3,}) ready", within_s=60.0)
    to = night.step(
        ("F", rf"^ move \d+ from {SICK} to: (\w+)_"),
        ("Enter", rf"^ move \d+ from {SICK} to \w+.*, why\? _"),
        (Typed("so that nobody waits"), rf"^ failover {SICK} to (\w+): [1-9]\d* changed"),
    )[1]

    night.step(("2", r"\[2 Queue"), ("/", r"^ / _"), (Typed(f"provider={SICK} kind=general"), rf"^ queue /provider={SICK}"))
    night.sees(r"^ queue .* kind=general [1-9]", within_s=60.0)
    task, priority = night.sees(rf"^>({ID}\.\d+) +{SICK} +(\w+) +ready").groups()
    raised = night.step(("+", r"^ priority (\w+): 1 changed"))[1]
    night.sees(rf"^>{re.escape(task)} +{SICK} +{raised} +ready")
    assert raised != priority

    night.step(("4", rf"^>{failed} "), ("R", rf"^ replay {failed}.*\? y/N"), ("y", r"^ replay: 1 changed"))
    night.step(("5", rf"^>{unsure} +OPERATOR"), ("O", rf"^ approve {unsure}\? y/N"), ("y", r"^ approve: 1 changed"))

    night.step(("6", r"\[6 Log"), ("/", r"^ / _"), (Typed(f"who={who.split()[0]}"), r"^ log /who=.* 5 of 5"))
    for what, target, text in (
        ("approve", f"0*{unsure}", r"\[approved\]"),
        ("replay", f"0*{failed}", r"from the console  \[1 of 1 replayed\]"),
        ("prioritize", f"0*{re.escape(task)}", rf"to {raised}  \[1 of 1 changed\]"),
        ("failover", f"{SICK} to {to}", r"so that nobody waits  \[\d+ moved.*\]"),
        ("pause", SICK, r"answers are of no use  \[done\]"),
    ):
        night.sees(rf"^.[\d:]{{8}} {re.escape(who[:WHO_SHOWN])}.* {what} +{target} +{text}")
    night.step(("G", r"^>[\d:]{8} .* pause "), ("Enter", r"^ +reason +answers are of no use$"))
    night.sees(rf"^ +who +{re.escape(who)}$")

    night.step(("C-c", r"ended 0\nas it was$"))
    wait_until(lambda: not servers_below(tmp_path), 5, "the embedded server is still there")
    assert not processes_that_say(str(tmp_path / "storm.toml"))
    assert not list(tmp_path.glob("gitbridge-demo-*"))
