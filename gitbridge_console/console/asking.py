"""Questions to the fleet and writes: neither is waited for, and what comes of them is told on the application's loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from gitbridge_console.console.app_actions import AppActions
from gitbridge_console.console.bridge import Fleet
from gitbridge_console.operations.errors import OperationError

if TYPE_CHECKING:
    from gitbridge_console.console.screens.base import FleetScreen
    from gitbridge_console.operations.operations import Operations


logger = logging.getLogger(__name__)

T = TypeVar("T")


class AskingApp(AppActions):
    """An application with a fleet to ask."""

    fleet: Fleet

    def fetch(
        self, screen: FleetScreen, operation: Callable[[Operations], Awaitable[T]], then: Callable[[T], None], group: str, about: str = ""
    ) -> None:
        """Ask the fleet; the answer reaches ``then`` on this loop unless a newer question of the group was asked meanwhile.

        The same question (``group`` and ``about``) is under way once at most: asking again before its answer does nothing.
        """
        if (group, about) in screen.asked:
            return
        generation = screen.generations[group] = screen.generations.get(group, 0) + 1

        def is_up() -> bool:
            # An application that ends takes its screens apart before it lets go of them.
            return self.is_running and screen.is_attached

        def take(result: T) -> None:
            if is_up() and screen.generations[group] == generation:
                then(result)

        def say(text: str) -> None:
            if is_up():
                screen.bottom.say(text, "bad")

        self._ask(screen, operation, take, say, group, about)

    def change(
        self, screen: FleetScreen, operation: Callable[[Operations], Awaitable[T]], then: Callable[[T], None], what: str, about: str
    ) -> None:
        """Run a write. What came of it is told wherever the operator is by then, and whatever was asked or written meanwhile.

        The same one (``what`` and ``about``) is under way once at most: giving it again before its answer does nothing.
        """
        if (what, about) not in screen.asked:
            self._ask(screen, operation, then, lambda text: self.say(text, "bad"), what, about)

    def _ask(
        self,
        screen: FleetScreen,
        operation: Callable[[Operations], Awaitable[T]],
        take: Callable[[T], None],
        say: Callable[[str], None],
        group: str,
        about: str,
    ) -> None:
        screen.asked.add((group, about))

        async def ask() -> None:
            try:
                result = await asyncio.wrap_future(self.fleet.call(operation))
            except OperationError as error:
                say(str(error))
            except Exception:
                # A fault of ours: the operator gets a line, the log the rest; the screen goes on.
                logger.exception("%s failed for a reason nobody foresaw", group)
                say(f"{group} failed for a reason nobody foresaw: see the log")
            else:
                take(result)
            finally:
                screen.asked.discard((group, about))

        self.run_worker(ask(), group=group)
