"""By how much the event loop was late a moment ago: a stalled loop makes every call in flight look like a time-out."""

from __future__ import annotations

import asyncio
import time

TICK_S = 0.1
REMEMBER_S = 1.0
"""How long a stall is remembered: what it delayed is dealt with right after it."""


class LoopLag:
    """A timer that notices when it was called too late."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._ticked = 0.0
        self._worst = 0.0
        self._worst_at = 0.0

    def start(self) -> None:
        """Watch the running loop until :meth:`stop`."""
        self._loop = asyncio.get_running_loop()
        self._ticked = time.monotonic()
        self._handle = self._loop.call_later(TICK_S, self._tick)

    def stop(self) -> None:
        """Watch no longer."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def __call__(self) -> float:
        """Seconds the loop was late, now or within the last second; 0 while it is not watched."""
        if self._handle is None:
            return 0.0
        now = time.monotonic()
        recent = self._worst if now - self._worst_at < REMEMBER_S else 0.0
        return max(recent, now - self._ticked - TICK_S, 0.0)

    def _tick(self) -> None:
        now = time.monotonic()
        late = now - self._ticked - TICK_S
        if late > self._worst or now - self._worst_at >= REMEMBER_S:
            self._worst, self._worst_at = late, now
        self._ticked = now
        assert self._loop is not None
        self._handle = self._loop.call_later(TICK_S, self._tick)
