"""What runs in the terminals: the console over a made-up fleet, and a bare application to compare the start with."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "console"))


def one_row() -> None:
    """The console's Queue at 5 Hz over a fleet that stands still; at SIGUSR1 one of its jobs changes."""
    from fakes import FakeFleet
    from sample import fleet

    from gitbridge_console.console.run import run_console
    from gitbridge_console.operations.ending import Ending
    from gitbridge_console.settings.model import Settings

    class Lively(FakeFleet):
        """Sends the same picture anew all the time, so that none is called old."""

        @property
        def snapshot(self) -> Any:
            return fleet()

        @snapshot.setter
        def snapshot(self, value: Any) -> None:
            """The first one is not kept either."""

    made_up = Lively()

    def change(number: int, frame: FrameType | None) -> None:
        jobs = made_up.door.jobs
        jobs[3] = jobs[3].model_copy(update={"tries": jobs[3].tries + 1})

    signal.signal(signal.SIGUSR1, change)
    with Ending(lambda: 5.0) as ending:
        run_console(made_up, Settings(), ending, refresh_s=0.2)


def bare() -> None:
    """An application with one line."""
    from textual.app import App, ComposeResult
    from textual.widgets import Static

    class Bare(App[None]):
        def compose(self) -> ComposeResult:
            yield Static("bare")

    Bare().run(mouse=False)


if __name__ == "__main__":
    {"one_row": one_row, "bare": bare}[sys.argv[1]]()
