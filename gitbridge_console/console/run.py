"""Starts the application and ends it cleanly, whatever the terminal does: quit, SIGTERM, hang-up, a terminal that is stuck."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from gitbridge_console.console.bridge import Fleet

if TYPE_CHECKING:
    from gitbridge_console.settings.model import Settings
    from gitbridge_console.settings.opening import Opening

logger = logging.getLogger(__name__)

GRACE_S = 5.0
"""Beyond ``queue.drain_s``, how long an ending may take before the watchdog ends the process."""

LAST_WORDS_S = 1.0
"""How long the watchdog waits for its line to reach the log."""

RESTORE = b"\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[0m\r\n"


def run_console(
    fleet: Fleet,
    settings: Settings | Opening,
    *,
    read_only: bool = False,
    demo: bool = False,
    ascii_mode: bool = False,
    no_color: bool | None = None,
    mouse: bool | None = None,
    refresh_s: float | None = None,
    theme: str | None = None,
) -> int:
    """Show the console until the operator quits or a signal ends it; returns the exit code (128 + number for a signal).

    What is not given comes from the settings; ``no_color`` from ``NO_COLOR`` in the environment.
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
    with _signals(app, fleet, settings.queue.drain_s + GRACE_S) as received:
        code = app.run(mouse=settings.console.mouse if mouse is None else mouse)
    return 128 + received[0] if received else code or 0


def save_snapshot(fleet: Fleet, settings: Settings, path: str, size: tuple[int, int] = (120, 40)) -> None:
    """Draw the Pulse once, without a terminal, and write it as SVG.

    Raises:
        OSError: the file cannot be written.
    """
    import asyncio

    from gitbridge_console.console.app import ConsoleApp

    async def draw() -> str:
        app = ConsoleApp(fleet, settings, read_only=True, painting=False)
        async with app.run_test(size=size) as pilot:
            while fleet.snapshot is None:  # noqa: ASYNC110 - it comes from another thread
                await asyncio.sleep(0.05)
            app.paint()
            await pilot.pause()
            return app.export_screenshot(title="GitBridge Console")

    Path(path).write_text(asyncio.run(draw()), "utf-8")


def speaks_unicode() -> bool:
    """Whether the terminal's encoding can show our signs."""
    return "utf" in (sys.stdout.encoding or "").lower()


@contextlib.contextmanager
def _signals(app: Any, fleet: Fleet, limit_s: float) -> Iterator[list[int]]:
    """SIGTERM and SIGHUP drain the engine and end the application.

    A handler of the main thread, since a loop's own would not run while the terminal is stuck. After ``limit_s`` a
    watchdog puts the terminal right as far as it can and ends the process.
    """
    received: list[int] = []
    saved = _terminal_state()

    def handle(number: int, frame: FrameType | None) -> None:
        if received:
            return
        received.append(number)
        stop = getattr(fleet, "request_stop", None)
        if stop is not None:
            stop()
        watchdog = threading.Timer(limit_s, _end, (128 + number, saved))
        watchdog.daemon = True
        watchdog.start()
        # From a handler nothing may be awaited or locked: the loop is only told to go on with this.
        loop = getattr(app, "_loop", None)
        if loop is not None:
            loop.call_soon_threadsafe(app.exit, 128 + number)

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _terminal_state() -> list[Any] | None:
    try:
        return termios.tcgetattr(sys.stdin.fileno())
    except (OSError, ValueError, termios.error):
        return None


def _end(code: int, saved: list[Any] | None) -> None:
    """The watchdog's last act."""
    # The log may go to the stuck terminal, or another thread may hold its lock: it gets a moment, not a say.
    last_words = threading.Thread(target=_say_and_shut, daemon=True)
    last_words.start()
    last_words.join(LAST_WORDS_S)
    with contextlib.suppress(OSError, ValueError, termios.error):
        if saved is not None:
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, saved)
        os.set_blocking(sys.stderr.fileno(), False)
        os.write(sys.stderr.fileno(), RESTORE)
    os._exit(code)


def _say_and_shut() -> None:
    logger.error("the console did not end in time; the process is ended")
    logging.shutdown()
