"""Hands the deliveries of a run in, as a code host would that repeats each until it is acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.operations.errors import StoreAway
from gitbridge_console.operations.operations import Operations
from tests.chaos.traffic import Deliveries

AT_ONCE = 6
AGAIN_S = 0.2

Fault = Callable[[str, str, str], None]


class Submitter:
    """``acknowledged`` maps each delivery to the id it was acknowledged with; ``open_events`` is set by whoever counts them."""

    def __init__(self, operations: Operations, deliveries: Deliveries, open_max: int, fault: Fault) -> None:
        self._operations = operations
        self._deliveries = deliveries
        self._open_max = open_max
        self._fault = fault
        self.acknowledged: dict[str, str] = {}
        self.open_events = 0
        self.duplicates = 0
        self.retries = 0

    async def submit_all(self, limit_s: float) -> None:
        """Submit everything; what is not acknowledged in time is a fault of the run."""
        waiting = iter(self._deliveries.events)
        try:
            async with asyncio.timeout(limit_s), asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(self._submit_some(waiting))
        except TimeoutError:
            done = f"{len(self.acknowledged)} of {self._deliveries.distinct} acknowledged after {limit_s:.0f} s"
            self._fault("run", "submitting", done)

    async def _submit_some(self, waiting: Iterator[IncomingEvent]) -> None:
        for event in waiting:
            while self.open_events >= self._open_max:
                await asyncio.sleep(AGAIN_S)
            self.open_events += 1
            await self._submit(event)

    async def _submit(self, event: IncomingEvent) -> None:
        while True:
            try:
                result = await self._operations.submit(event)
                break
            except StoreAway:
                self.retries += 1
                await asyncio.sleep(AGAIN_S)
        self.duplicates += result.status == "duplicate"
        known = self.acknowledged.setdefault(event.delivery, result.id)
        if known != result.id or result.status not in ("new", "duplicate"):
            self._fault("lost", f"delivery {event.delivery}", f"acknowledged as {known}, then as {result.status} {result.id}")
