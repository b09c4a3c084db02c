"""The owner of an ending, in a process of its own: what it tells, when it waits, when it makes an end."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gitbridge_console.operations.ending import Ending

ROOT = Path(__file__).parent.parent.parent


def run(body: str) -> subprocess.CompletedProcess[str]:
    """A program in which ``ending`` has a limit of 0.3 s; ``sig(n)`` sends it a signal."""
    program = f"""
import os, signal, sys, threading, time
from gitbridge_console.operations import ending as module
module.SCREEN_S = 0.2
sig = lambda number: os.kill(os.getpid(), number)
say = lambda *words: print(*words, flush=True)
{body}
"""
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)


def test_a_signal_is_told_once_and_the_watchdog_lets_a_clean_end_be() -> None:
    done = run("""
with module.Ending(lambda: 0.3) as ending:
    ending.tell(lambda: say("told"))
    sig(signal.SIGTERM); sig(signal.SIGHUP); sig(signal.SIGTERM)
    assert ending.wait(10) and ending.asked
    ending.tell(lambda: say("told at once"))
time.sleep(0.6)
say(ending.received.name, ending.code)
sig(signal.SIGTERM)
say("still here")
""")
    lines = done.stdout.splitlines()
    assert lines in (["told", "told at once", name, "still here"] for name in ("SIGTERM 143", "SIGHUP 129"))
    assert done.returncode == 0


def test_an_operator_who_quit_is_not_overruled_by_a_signal() -> None:
    done = run("""
with module.Ending(lambda: 5.0) as ending:
    ending.ask()
    sig(signal.SIGTERM)
    ending.wait(10)
sys.exit(ending.code)
""")
    assert done.returncode == 0


def test_what_does_not_end_in_time_is_ended() -> None:
    """Even while the main thread holds on to something; what is to be done at last is done, also when a step of it fails."""
    done = run("""
with module.Ending(lambda: 0.3) as ending:
    ending.at_last(lambda: say("first named, last done"))
    ending.at_last(lambda: 1 / 0)
    sig(signal.SIGHUP)
    time.sleep(3600)
""")
    assert (done.returncode, done.stdout) == (129, "first named, last done\n")


def test_once_everything_is_closed_the_screen_gets_a_moment_only() -> None:
    done = run("""
with module.Ending(lambda: 3600.0) as ending:
    ending.closed_when(lambda: True)
    ending.ask()
    time.sleep(3600)
""")
    assert done.returncode == 1


def test_ignored_signals_stay_ignored_where_that_is_wanted() -> None:
    """As under ``nohup``."""
    done = run("""
signal.signal(signal.SIGHUP, signal.SIG_IGN)
with module.Ending(lambda: 5.0, keep_ignored=True) as ending:
    sig(signal.SIGHUP)
    say(ending.asked)
with module.Ending(lambda: 5.0) as ending:
    sig(signal.SIGHUP)
    say(ending.asked)
""")
    assert done.stdout == "False\nTrue\n"


def test_handlers_are_put_back_where_no_signal_came() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)]
    with pytest.raises(ZeroDivisionError), Ending(lambda: 5.0):
        raise ZeroDivisionError
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)] == before
