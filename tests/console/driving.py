"""How the tests drive the application: no timer, paint when wanted, wait until every question is answered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fakes import FakeFleet
from textual.events import Paste
from textual.pilot import Pilot

from gitbridge_console.console.app import ConsoleApp
from gitbridge_console.console.screens.base import SPLIT_WIDTH, FleetScreen
from gitbridge_console.console.widgets.row_table import RowTable
from gitbridge_console.settings.model import Settings


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def make_app(fleet: FakeFleet, **options: Any) -> ConsoleApp:
    """The application without its timer and with a clock that stands."""
    return ConsoleApp(fleet, Settings(), **{"painting": False, "clock": Clock()} | options)


async def settle(pilot: Pilot[Any]) -> None:
    """Paint, and wait until what that asked of the fleet is on the screen."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    await pilot.pause()
    for _ in range(2 if app.size.width >= SPLIT_WIDTH else 1):  # where there is room for it, the list is followed by a detail
        app.paint()
        await app.workers.wait_for_complete()
        await pilot.pause()


class Driver:
    """A running application and what a test looks at."""

    def __init__(self, app: ConsoleApp, fleet: FakeFleet, pilot: Pilot[Any]) -> None:
        self.app, self.fleet, self.pilot = app, fleet, pilot

    @property
    def clock(self) -> Clock:
        assert isinstance(self.app.clock, Clock)
        return self.app.clock

    @property
    def screen(self) -> FleetScreen:
        assert isinstance(self.app.screen, FleetScreen)
        return self.app.screen

    @property
    def table(self) -> RowTable:
        return self.screen.query_one(RowTable)

    @property
    def writes(self) -> list[tuple[Any, ...]]:
        return self.fleet.door.writes

    @property
    def bottom(self) -> str:
        return self.screen.bottom.render_line(0).text

    async def press(self, *keys: str) -> None:
        """Press keys and let everything settle."""
        await self.pilot.press(*keys)
        await settle(self.pilot)

    async def type(self, text: str) -> None:
        """Give a text and enter; pasted, since each key pressed takes the pilot a while."""
        self.app.post_message(Paste(text))
        await self.press("enter")

    def shown(self) -> str:
        """The screen as text."""
        return "\n".join("".join(segment.text for segment in strip) for strip in self.app.screen._compositor.render_strips())


@asynccontextmanager
async def driving(snapshot: Any = ..., size: tuple[int, int] = (80, 24), **options: Any) -> AsyncIterator[Driver]:
    """Run the application headless over a fake fleet."""
    fleet = FakeFleet(snapshot)
    app = make_app(fleet, **options)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        yield Driver(app, fleet, pilot)
