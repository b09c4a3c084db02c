"""However the console is ended: no process, no embedded server, no lease is left, and the terminal is as it was.

More moments and signals: ``pytest -m soak tests/console/test_ending.py``.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_console import RealConsole, real_console

from tests.orphans import servers_below, wait_until

ENDED_S = 30.0


@pytest.fixture
def console(tmp_path: Path) -> Iterator[RealConsole]:
    with real_console(tmp_path) as console:
        yield console


def at_work(console: RealConsole) -> None:
    """Events are handed in, the screen is drawn, calls are in flight."""
    console.submit()
    console.start()
    console.read_until(b"Pulse")
    console.wait_for_calls()


@pytest.mark.soak
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_one_signal(console: RealConsole, number: signal.Signals) -> None:
    at_work(console)
    console.signal(number)
    assert console.wait(ENDED_S) == 128 + number
    console.assert_nothing_is_left()
    assert b"Traceback" not in console.drawn


def test_signals_again_and_again(console: RealConsole) -> None:
    """One of the first counts; what comes after it, up to the last moment of the process, changes nothing."""
    at_work(console)
    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGTERM, signal.SIGINT)
    while console.process is not None and console.process.poll() is None:
        for number in numbers:
            console.signal(number)
        console.read(0.01)
    assert console.wait(ENDED_S) in {128 + number for number in numbers}
    console.assert_nothing_is_left()
    assert b"Traceback" not in console.drawn


def test_a_terminal_that_is_gone(console: RealConsole) -> None:
    at_work(console)
    console.hang_up()
    assert console.wait(ENDED_S, reading=False) == 129
    console.assert_nothing_is_left()


def test_a_terminal_that_is_gone_without_a_word(console: RealConsole) -> None:
    """The kernel tells only who has it: under ``nohup``, or behind a shell of its own, the console hears of it from the terminal."""
    at_work(console)
    console.hang_up(told=False)
    assert console.wait(ENDED_S, reading=False) == 129
    console.assert_nothing_is_left()


@pytest.mark.soak
def test_a_terminal_that_is_gone_while_a_shell_has_it(console: RealConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/sh")
    at_work(console)
    console.press("\x1a")
    console.read_until(b"GitBridge runs on")
    console.hang_up(told=False)
    assert console.wait(ENDED_S, reading=False) == 129
    console.assert_nothing_is_left()


def test_signals_while_it_drains_after_quitting(tmp_path: Path) -> None:
    """The drain is long enough to be said, and the signals come after that."""
    with real_console(tmp_path, drain_s=2.0) as console:
        at_work(console)
        console.press(":q\r")
        console.read_until(b"finishing what is in hand")
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGTERM):
            console.signal(number)
        assert console.wait(ENDED_S) == 0
        console.assert_nothing_is_left()


def end_early(console: RealConsole, delay_s: float) -> None:
    """Before Python has read the program nobody can answer it; nothing is open then, and the signal itself ends the process."""
    console.start()
    time.sleep(delay_s)
    console.signal(signal.SIGTERM)
    assert console.wait(ENDED_S) in (143, -signal.SIGTERM)
    console.assert_nothing_is_left()
    assert b"Traceback" not in console.drawn


@pytest.mark.parametrize("delay_s", [0.05, 0.5, 1.0])
def test_a_signal_while_it_starts(console: RealConsole, delay_s: float) -> None:
    end_early(console, delay_s)


@pytest.mark.soak
def test_a_signal_at_any_moment_of_the_start(console: RealConsole) -> None:
    for step in range(60):
        end_early(console, step * 0.05)


def test_a_signal_before_the_first_frame(console: RealConsole) -> None:
    """As soon as the application has taken the terminal."""
    console.start()
    console.read_until(b"\x1b[?1049h")
    console.signal(signal.SIGHUP)
    assert console.wait(ENDED_S) == 129
    assert b"\x1b[?1049l" in console.drawn
    console.assert_nothing_is_left()


def test_a_stuck_terminal(console: RealConsole) -> None:
    """The engine ends in order although the screen cannot; the watchdog ends the rest."""
    at_work(console)
    console.stick()
    console.signal(signal.SIGTERM)
    console.signal(signal.SIGTERM)
    assert console.wait(ENDED_S, reading=False) == 143
    console.assert_nothing_is_left()


@pytest.mark.soak
def test_a_signal_while_an_editor_or_shell_has_the_terminal(console: RealConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program outside is told to go as well."""
    monkeypatch.setenv("SHELL", "/bin/sh")
    at_work(console)
    console.press("\x1a")
    console.read_until(b"GitBridge runs on")
    console.signal(signal.SIGTERM)
    assert console.wait(ENDED_S) == 143
    console.assert_nothing_is_left()


HANGING = """
import sys, time
from gitbridge_console import cli
from gitbridge_console.operations import ending
from gitbridge_console.router.engine import Engine
ending.CLOSE_S = 0.5
async def hang(self, lanes):
    time.sleep(3600)
Engine._drain = hang
sys.exit(cli.run(sys.argv[1:]))
"""


def test_an_engine_that_hangs_is_ended_by_the_watchdog_and_its_server_after_it(console: RealConsole) -> None:
    """Its leases run out by themselves; nobody would end its server."""
    console.start(program=[sys.executable, "-c", HANGING])
    console.read_until(b"Pulse")
    wait_until(lambda: console.fleet().engines, 60, "the engine did not start")
    console.signal(signal.SIGTERM)
    assert console.wait(ENDED_S) == 143
    console.assert_nothing_is_left(leases=True)
    assert "did not end in time" in (console.state / "gitbridge.log").read_text("utf-8")


def test_the_demo_leaves_nothing(console: RealConsole) -> None:
    """It keeps its store in a folder of its own, which goes as well."""
    console.start("demo", "--rate", "8/s")
    console.read_until(b"Pulse")
    console.read(1.0)
    console.signal(signal.SIGTERM)
    console.signal(signal.SIGTERM)
    assert console.wait(ENDED_S) == 143
    console.assert_nothing_is_left()
    assert not [name for name in os.listdir(console.state.parent) if name.startswith("gitbridge-demo-")]


@pytest.mark.soak
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_headless_demo_leaves_nothing(console: RealConsole, number: signal.Signals) -> None:
    console.start("demo", "--headless", "--duration", "60s")
    wait_until(lambda: servers_below(console.state.parent), 60, "it did not start")
    console.signal(number)
    console.signal(number)
    assert console.wait(ENDED_S) == 128 + number
    console.assert_nothing_is_left()


def test_a_worker_hands_back_and_leaves_nothing(console: RealConsole) -> None:
    console.submit()
    console.start("worker")
    console.read_until(b"working")
    console.wait_for_calls()
    for _ in range(3):
        console.signal(signal.SIGTERM)
        console.read(0.05)
    assert console.wait(ENDED_S) == 0
    console.assert_nothing_is_left()


@pytest.mark.soak
def test_an_ingress_leaves_nothing(console: RealConsole) -> None:
    console.start("ingress", "--listen", "127.0.0.1:0")
    console.read_until(b"listening")
    for _ in range(3):
        console.signal(signal.SIGHUP)
    assert console.wait(ENDED_S) == 0
    console.assert_nothing_is_left()


@pytest.mark.parametrize(
    ("number", "code", "ignored"),
    [
        (signal.SIGHUP, 129, ()),
        pytest.param(signal.SIGTERM, 143, (signal.SIGINT,), id="behind-an-ampersand"),
        pytest.param(signal.SIGINT, 130, (), marks=pytest.mark.soak),
    ],
)
def test_a_command_that_only_looks_leaves_nothing(
    console: RealConsole, number: signal.Signals, code: int, ignored: tuple[signal.Signals, ...]
) -> None:
    """It was the store's last user."""
    console.start("status", "--watch", "--json", ignored=ignored)
    console.read_until(b'"namespace"')
    console.signal(number)
    assert console.wait(ENDED_S) == code
    console.assert_nothing_is_left()
    assert b"Traceback" not in console.drawn
