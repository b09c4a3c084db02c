"""What to do while the store does not answer, or takes nothing: say so once a minute, not once an event."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.exceptions import NoPermissionError, OutOfMemoryError, ResponseError

from gitbridge_console.store.spell import Spell
from gitbridge_console.store.unavailable import STORE_AWAY_ERRORS

logger = logging.getLogger(__name__)

STORE_AWAY: tuple[type[Exception], ...] = (*STORE_AWAY_ERRORS, OutOfMemoryError, OSError)
"""Errors that mean "not now" rather than "wrong"."""

STORE_REFUSES: tuple[type[Exception], ...] = (ResponseError,)
"""Errors of a store that answers; :func:`is_forbidden` tells what this process's user may not do."""

REFUSED_NOTHING_S = 10.0
"""A store that refused nothing for so long is not called full any more. One call that goes through proves nothing: it may need no room."""

T = TypeVar("T")


def is_full(error: BaseException) -> bool:
    """Whether the store answers, but is at its memory limit."""
    return isinstance(error, OutOfMemoryError)


def is_forbidden(error: BaseException) -> bool:
    """Whether the store's ACL does not let this process's user do it, called by itself or by a script."""
    # By itself it has a class; of a script's command there is only the text.
    return isinstance(error, NoPermissionError) or (isinstance(error, ResponseError) and "ACL failure" in str(error))


class StoreTrouble:
    """Counts failures and logs the first and then one a minute, and once more when it is over.

    "Away" and "full" are kept apart: a full store answers, and starting it again would help nobody.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._away, self._full = Spell(), Spell()
        self.last_error = ""

    @property
    def away_for_s(self) -> float | None:
        """How long the store has been away, ``None`` while it answers, if only to say that it is full."""
        return None if self._away.since is None else self._clock() - self._away.since

    @property
    def full_for_s(self) -> float | None:
        """How long the store has been full, ``None`` while it is not known to be."""
        return None if self._full.since is None else self._clock() - self._full.since

    def report(self, error: BaseException) -> None:
        """A call failed because the store is away or full."""
        in_time = "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
        self.last_error = " ".join(str(error).split())[:200] or in_time
        now = self._clock()
        if not is_full(error):
            if self._away.seen(now):
                logger.error("the store does not answer (%s); work waits, %d calls failed so far", self.last_error, self._away.count)
            return
        self._back()
        if self._full.seen(now):
            text = "the store is full (%s): it takes no new work until there is room, %d calls refused so far"
            logger.error(text, self.last_error, self._full.count)

    def answered(self) -> None:
        """A call went through."""
        self._back()
        now = self._clock()
        since = self._full.since
        if since is not None and now - self._full.last_s >= REFUSED_NOTHING_S and self._full.over():
            logger.warning(
                "the store refused calls for %.0f s and has refused none for %.0f s", self._full.last_s - since, now - self._full.last_s
            )

    def _back(self) -> None:
        since = self._away.since
        if since is not None and self._away.over():
            logger.warning("the store answers again after %.1f s", self._clock() - since)


async def insist(call: Callable[[], Awaitable[T]], trouble: StoreTrouble, for_s: float) -> T:
    """Repeat a fenced write while the store is away or full, for at most ``for_s`` seconds: what was paid for should not be lost.

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
