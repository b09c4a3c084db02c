"""What to do while the store does not answer: say so once a minute, not once an event."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.exceptions import OutOfMemoryError

from gitbridge_console.store.unavailable import STORE_AWAY_ERRORS

logger = logging.getLogger(__name__)

STORE_AWAY: tuple[type[Exception], ...] = (*STORE_AWAY_ERRORS, OutOfMemoryError, OSError)
"""Errors that mean "not now" rather than "wrong"."""

REPORT_EVERY_S = 60.0

T = TypeVar("T")


class StoreTrouble:
    """Counts failures and logs the first and then one a minute; logs once more when the store is back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._reported_at: float | None = None
        self._since: float | None = None
        self._count = 0
        self.last_error = ""

    @property
    def away_for_s(self) -> float | None:
        """How long the store has been away, ``None`` while it answers."""
        return None if self._since is None else self._clock() - self._since

    def report(self, error: BaseException) -> None:
        """A call failed because the store is away."""
        now = self._clock()
        self._count += 1
        self.last_error = " ".join(str(error).split())[:200] or type(error).__name__
        if self._since is None:
            self._since = now
        if self._reported_at is None or now - self._reported_at >= REPORT_EVERY_S:
            self._reported_at = now
            logger.error("the store does not answer (%s); work waits, %d calls failed so far", self.last_error, self._count)

    def answered(self) -> None:
        """A call went through."""
        if self._since is not None:
            logger.warning("the store answers again after %.1f s", self._clock() - self._since)
            self._since = self._reported_at = None
            self._count = 0


async def insist(call: Callable[[], Awaitable[T]], trouble: StoreTrouble, for_s: float) -> T:
    """Repeat a fenced write while the store is away, for at most ``for_s`` seconds: what was paid for should not be lost.

    Safe only for writes that check a fence: if the first one went through unseen, the next finds its fence void.

    Raises:
        The last error, when time is up.
    """
    deadline = time.monotonic() + for_s
    pause_s = 0.1
    while True:
        try:
            result = await call()
        except STORE_AWAY as error:
            trouble.report(error)
            if time.monotonic() + pause_s >= deadline:
                raise
            await asyncio.sleep(pause_s)
            pause_s = min(2.0, pause_s * 2)
        else:
            trouble.answered()
            return result
