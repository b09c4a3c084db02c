"""Starts the application on a terminal, and ends it when the process is to end."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gitbridge_console.console.bridge import Fleet
from gitbridge_console.console.outside import hang_up
from gitbridge_console.console.terminal_state import TerminalState

if TYPE_CHECKING:
    from gitbridge_console.operations.ending import Ending
    from gitbridge_console.settings.model import Settings
    from gitbridge_console.settings.opening import Opening


def run_console(
    fleet: Fleet,
    settings: Settings | Opening,
    ending: Ending,
    *,
    read_only: bool = False,
    demo: bool = False,
    ascii_mode: bool = False,
    no_color: bool | None = None,
    mouse: bool | None = None,
    refresh_s: float | None = None,
    theme: str | None = None,
) -> int:
    """Show the console until the operator quits or ``ending`` is asked for; returns the exit code.

    Whoever started the fleet stops it. What is not given comes from the settings; ``no_color`` from ``NO_COLOR`` in the environment.
    """
    from gitbridge_console.console.app import ConsoleApp

    app = ConsoleApp(
        fleet,
        settings,
        read_only=read_only,
        demo=demo,
        ascii_mode=ascii_mode or not speaks_unicode(),
        no_color=bool(os.environ.get("NO_COLOR")) if no_color is None else no_color,
        refresh_s=refresh_s,
        theme=theme,
    )

    def leave() -> None:
        hang_up()
        app.leave(ending.code)

    terminal = TerminalState()
    ending.at_last(terminal.restore)
    ending.tell(leave)
    if ending.asked:
        return ending.code
    terminal.watch()
    code = app.run(mouse=settings.console.mouse if mouse is None else mouse)
    return ending.code if ending.asked else code or 0


def save_snapshot(fleet: Fleet, settings: Settings, path: str, ending: Ending, size: tuple[int, int] = (120, 40)) -> bool:
    """Draw the Pulse once, without a terminal, and write it as SVG; ``False`` where the end was asked for before there was a picture.

    Raises:
        OSError: the file cannot be written.
    """
    import asyncio

    from gitbridge_console.console.app import ConsoleApp

    async def draw() -> str | None:
        app = ConsoleApp(fleet, settings, read_only=True, painting=False)
        async with app.run_test(size=size) as pilot:
            while fleet.snapshot is None:
                if ending.asked:
                    return None
                await asyncio.sleep(0.05)
            app.paint()
            await pilot.pause()
            return app.export_screenshot(title="GitBridge Console")

    picture = asyncio.run(draw())
    if picture is not None:
        Path(path).write_text(picture, "utf-8")
    return picture is not None


def speaks_unicode() -> bool:
    """Whether the terminal's encoding can show our signs."""
    return "utf" in (sys.stdout.encoding or "").lower()
