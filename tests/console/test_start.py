"""The start: the first frame needs neither settings nor store, and what is wrong with them still ends in one line."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import pty
import select
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from driving import Clock
from fakes import FakeFleet

from gitbridge_console.commands.held_log import hold_log
from gitbridge_console.commands.logs import set_up_logging
from gitbridge_console.console.app import ConsoleApp
from gitbridge_console.console.modes import MODES, import_the_rest
from gitbridge_console.settings.model import ConsoleSettings, Settings
from gitbridge_console.settings.opening import Opening, OpeningConsole

ROOT = Path(__file__).parent.parent.parent
FIRST_FRAME = """
import sys
from gitbridge_console import cli
from gitbridge_console.console.app import ConsoleApp
def shown(self):
    with open(sys.argv.pop(), "w") as file:
        file.write("\\n".join(sys.modules))
    self.exit(0)
ConsoleApp._go_on = shown
file = sys.argv.pop()
sys.argv.append(file)
cli.run(sys.argv[1:-1])
"""
NOT_YET = {
    "pydantic": "checks the settings and the fleet's pictures",
    "redis": "the store",
    "plotext": "the first chart",
    "httpx2": "the services",
    "gitbridge_console.settings.model": "settings",
    "gitbridge_console.operations.session": "the store and the router",
    "gitbridge_console.consensus": "decisions",
    "gitbridge_console.domain.snapshots": "pictures of the fleet",
    "gitbridge_console.domain.events": "lists of events",
    "gitbridge_console.domain.filters": "the first filter",
    "gitbridge_console.domain.audit": "who is at the keyboard, which only writes and roles ask",
    "gitbridge_console.console.steering": "the first write",
    "gitbridge_console.console.screens.providers": "another screen",
    "gitbridge_console.console.screens.work": "another screen",
    "gitbridge_console.console.screens.event": "another screen",
    "gitbridge_console.console.commands": "the prompt",
}


def run_in_terminal(home: Path, *words: str) -> tuple[int, str]:
    """Run something in a terminal until it ends; its exit code and what it drew."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    os.set_blocking(master, False)
    env = {**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home), "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}
    process = subprocess.Popen([sys.executable, *words], stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True)
    os.close(slave)
    drawn, deadline = b"", time.monotonic() + 60
    try:
        while True:
            assert time.monotonic() < deadline, drawn[-2000:]
            ended = process.poll() is not None
            try:
                while select.select([master], [], [], 0.1)[0]:
                    drawn += os.read(master, 65536)
            except OSError:  # nobody has the other end open
                pass
            if ended:
                return process.returncode, drawn.decode("utf-8", "replace")
    finally:
        process.kill()
        process.wait()
        os.close(master)


def test_what_is_not_needed_for_the_first_frame_is_not_imported_before_it(tmp_path: Path) -> None:
    (tmp_path / "first.py").write_text(FIRST_FRAME, "utf-8")
    found = tmp_path / "modules"
    run_in_terminal(tmp_path, str(tmp_path / "first.py"), "--state-dir", str(tmp_path / "state"), str(found))
    modules = found.read_text("utf-8").split("\n")
    assert "gitbridge_console.console.screens.lanes" in modules
    assert {name: why for name, why in NOT_YET.items() if name in modules} == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[console]\nrefresh_s = 'soon'\n", "own.toml:2: console.refresh_s: "),
        ("[providers.grok]\ncolour = 1\n", "own.toml:2: providers.grok"),
        ("[console\n", "own.toml:1: not TOML: "),
    ],
)
def test_wrong_settings_end_in_one_line_and_exit_code_2(tmp_path: Path, text: str, said: str) -> None:
    """Also those that are found only after the first frame, when the terminal is free again."""
    (tmp_path / "own.toml").write_text(text, "utf-8")
    words = ["--config", str(tmp_path / "own.toml"), "--state-dir", str(tmp_path / "state")]
    code, drawn = run_in_terminal(tmp_path, "-m", "gitbridge_console.cli", *words)
    last = drawn.rpartition("\x1b[?1049l")[2]
    assert code == 2
    assert said in last
    assert "Traceback" not in drawn


class LateFleet(FakeFleet):
    """Reads its settings after the first frame, as the engine's thread does."""

    settings: Settings | None = None


@pytest.mark.anyio
async def test_settings_that_come_with_the_fleet_are_taken_over(tmp_path: Path) -> None:
    fleet = LateFleet()
    app = ConsoleApp(fleet, Opening(OpeningConsole(theme="deep-sea")), painting=False, clock=Clock())
    async with app.run_test(size=(80, 24)) as pilot:
        app.paint()
        assert app.settings is None
        assert app.theme == "deep-sea"
        own = ConsoleSettings(refresh_s=3.0, bell=True, theme="deep-sea")
        fleet.settings = Settings(read_only=True, console=own, keymap={"view.freeze": "x"})
        app.paint()
        await pilot.press("x")
        await pilot.pause()
        assert app.frozen
        assert (app.read_only, app.refresh_s, app.rings) == (True, 3.0, True)


@pytest.mark.anyio
async def test_the_other_themes_are_read_after_the_first_frame() -> None:
    app = ConsoleApp(LateFleet(), Opening(OpeningConsole(theme="deep-sea")), painting=False)
    async with app.run_test(size=(80, 24)):
        assert app.theming.files == {}
        assert app.theming.look()
        assert "amber-tube" in app.theming.names
        assert app.theming.kept == app.theming.files["deep-sea"]
        assert not app.theming.look()


@pytest.mark.anyio
async def test_what_was_imported_by_the_time_it_settled_is_not_looked_through_for_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice: what the first frame needed, and what came after it."""
    monkeypatch.setattr("gitbridge_console.console.app.SETTLED_S", 0.05)
    frozen: list[bool] = []
    monkeypatch.setattr("gitbridge_console.console.app.gc.freeze", lambda: frozen.append(gc.isenabled()))
    gc.disable()
    try:
        app = ConsoleApp(FakeFleet(), Settings())
        async with app.run_test(size=(80, 24)) as pilot, asyncio.timeout(10):
            while len(frozen) < 2:
                await pilot.pause(0.02)
    finally:
        gc.enable()
    assert frozen == [False, True]


def test_every_mode_has_its_screen_when_the_rest_is_imported() -> None:
    import_the_rest()
    for mode, make in MODES.items():
        assert not isinstance(make, str)
        assert make().scope == mode  # type: ignore[attr-defined]


def test_what_is_logged_before_there_is_a_log_reaches_it(tmp_path: Path) -> None:
    hold_log()
    logging.getLogger("gitbridge_console.early").warning("said early")
    set_up_logging(Settings(), tmp_path / "log")
    logging.getLogger("gitbridge_console.early").warning("said late")
    set_up_logging(Settings(), None)
    lines = (tmp_path / "log").read_text("utf-8").splitlines()
    assert [line.rpartition(": ")[2] for line in lines] == ["said early", "said late"]
