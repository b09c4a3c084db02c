"""Feeds made-up events in at a steady rate."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.simulator.traffic import TrafficGenerator

log = logging.getLogger(__name__)

BEHIND_MAX_S = 1.0
LOG_EVERY_S = 10.0


async def feed(
    submit: Callable[[IncomingEvent], Awaitable[Any]],
    rate_per_s: float,
    seed: int,
    duration_s: float | None,
    stop: asyncio.Event,
    *,
    start: dt.datetime | None = None,
) -> int:
    """Submit events until ``stop`` is set or ``duration_s`` seconds have passed; the number accepted is returned.

    One submission is under way at a time. Where submitting cannot keep up, the lost time is not made up for by a burst.
    An event that is refused (queue full, store away) is counted, logged at most every ten seconds, and left behind.
    ``start`` is the time the events carry; default now.
    """
    traffic = TrafficGenerator(seed, start=start or dt.datetime.now(dt.UTC), rate_per_s=rate_per_s)
    began = due = time.monotonic()
    accepted = 0
    refusals = _Refusals()
    while True:
        event, gap_s = traffic.next()
        due = max(due + gap_s, time.monotonic() - BEHIND_MAX_S)
        if duration_s is not None and due - began > duration_s:
            await _until(began + duration_s, stop)
            break
        if await _until(due, stop):
            break
        try:
            await submit(event)
        except Exception as error:  # the door may refuse for any reason of its own; the demonstration goes on
            refusals.add(error)
        else:
            accepted += 1
    refusals.report()
    return accepted


async def _until(moment: float, stop: asyncio.Event) -> bool:
    """Wait for a moment of the monotonic clock; true when ``stop`` was set first."""
    wait_s = moment - time.monotonic()
    if wait_s > 0:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), wait_s)
    return stop.is_set()


class _Refusals:
    """Counts refused events and mentions them now and then."""

    def __init__(self) -> None:
        self._count = 0
        self._last: Exception | None = None
        self._logged = float("-inf")

    def add(self, error: Exception) -> None:
        """Count one refusal."""
        self._count += 1
        self._last = error
        if time.monotonic() - self._logged >= LOG_EVERY_S:
            self.report()

    def report(self) -> None:
        """Log what has been counted since the last time."""
        if self._count:
            log.warning("%d made-up event(s) not accepted; the last: %s: %s", self._count, type(self._last).__name__, self._last)
            self._count, self._logged = 0, time.monotonic()
