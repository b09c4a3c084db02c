"""The console over a fleet that stands still, in this process's terminal: ``python drawn.py FOLDER [ticking]``.

Without a timer it paints at SIGUSR1 only, after one job of its Queue has changed; with ``ticking`` it paints five times a second, from a
clock that stands until there is a file ``FOLDER/clock``, and adds a byte to ``FOLDER/pictures`` for every picture.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path
from typing import Any

from fakes import FakeFleet

from gitbridge_console.console.app import ConsoleApp
from gitbridge_console.settings.model import Settings


class Counting(FakeFleet):
    """Notes how often its picture is taken."""

    def __init__(self, pictures: Path) -> None:
        self._pictures = pictures
        super().__init__()

    @property
    def snapshot(self) -> Any:
        with self._pictures.open("ab") as file:
            file.write(b".")
        return self._snapshot

    @snapshot.setter
    def snapshot(self, value: Any) -> None:
        self._snapshot = value


def main(folder: Path, ticking: bool) -> None:
    """Run until told to end."""
    fleet = Counting(folder / "pictures")

    def clock() -> float:
        return time.monotonic() if (folder / "clock").exists() else 0.0

    app = ConsoleApp(fleet, Settings(), refresh_s=0.2, painting=ticking, clock=clock)

    def change() -> None:
        jobs = fleet.door.jobs
        jobs[3] = jobs[3].model_copy(update={"tries": jobs[3].tries + 1})
        app.paint()

    def ready() -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, change)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, app.exit)
        app.paint()

    async def run() -> None:
        app.call_later(ready)
        await app.run_async(mouse=False)

    asyncio.run(run())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] == ["ticking"])
