"""What the console needs of the fleet it shows: a snapshot that is replaced whole, and a way to ask for things."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from gitbridge_console.domain.snapshots import FleetSnapshot
    from gitbridge_console.operations.operations import Operations


T = TypeVar("T")


class Fleet(Protocol):
    """Satisfied by :class:`gitbridge_console.operations.thread.EngineThread`.

    A fleet that also has ``shown()`` is told of the first frame, and one whose ``failed`` is set before its first picture ends the
    console. One that reads the settings itself has them in ``settings``, ``None`` until then.
    """

    @property
    def snapshot(self) -> FleetSnapshot | None:
        """The newest picture, ``None`` before the first."""
        ...

    def call(self, operation: Callable[[Operations], Awaitable[T]]) -> concurrent.futures.Future[T]:
        """Run an operation on the engine's loop; the future carries its result or its error."""
        ...
