"""How the screens look, in three sizes and without colour."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from still_fleet import StillFleet
from textual.pilot import Pilot

from gitbridge_console.console.app import ConsoleApp

SIZES = [(80, 24), (120, 40), (200, 60)]
KEYS = {
    "pulse": [],
    "queue": ["2"],
    "providers": ["3"],
    "failures": ["4"],
    "consensus": ["5"],
    "log": ["6"],
    "event": ["4", "enter"],
    "help": ["2", "question_mark"],
}


def pressing(keys: list[str]) -> Callable[[Pilot[int]], Any]:
    async def run(pilot: Pilot[int]) -> None:
        app: Any = pilot.app
        await pilot.press(*keys)
        for _ in range(3):
            app.paint()
            await app.workers.wait_for_complete()
            await pilot.pause()

    return run


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("screen", KEYS)
def test_screen(snap_compare: Any, screen: str, size: tuple[int, int]) -> None:
    assert snap_compare(ConsoleApp(StillFleet(), painting=False), terminal_size=size, run_before=pressing(KEYS[screen]))


@pytest.mark.parametrize("theme", ["gitbridge-light", "high-contrast"])
def test_theme(snap_compare: Any, theme: str) -> None:
    assert snap_compare(ConsoleApp(StillFleet(), painting=False, theme=theme), terminal_size=(80, 24), run_before=pressing([]))


def test_without_colour_and_in_ascii(snap_compare: Any) -> None:
    app = ConsoleApp(StillFleet(), painting=False, no_colour=True, ascii_mode=True)
    assert snap_compare(app, terminal_size=(80, 24), run_before=pressing([]))


def test_the_screenshot_of_the_readme_is_a_screen_the_tests_have_rendered() -> None:
    here = Path(__file__).parent
    rendered = here / "__snapshots__" / "test_snapshots" / "test_screen[pulse-120x40].svg"
    shipped = here.parent.parent / "gitbridge_console" / "docs" / "screenshot.svg"
    assert shipped.read_bytes() == rendered.read_bytes()
