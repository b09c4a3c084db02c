"""An engine's part in bulk operations: it takes those nobody holds and does them at their rate, piece by piece."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable

from gitbridge_console.domain.bulk import TICK_S, BulkState, waits_for
from gitbridge_console.router.bulk_steps import HOLD_S, finish, piece, tell
from gitbridge_console.store.bulk_operations import BulkStore
from gitbridge_console.store.bulk_records import BulkRecord
from gitbridge_console.store.journal import AuditJournal
from gitbridge_console.store.trouble import STORE_AWAY, StoreTrouble, is_full

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
RETRY_S = 1.0
SPEED_OVER_S = 5.0
"""How fast it goes is said of the last so many seconds."""


class BulkRunner:
    """Looks for operations and runs each in a task of its own; of one scope one at a time, in the order they were planned."""

    def __init__(
        self,
        bulk: BulkStore,
        journal: AuditJournal,
        trouble: StoreTrouble,
        *,
        engine: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bulk = bulk
        self._journal = journal
        self._trouble = trouble
        self._clock = clock
        # A process that comes back with the number of a dead one is not taken for it.
        self._owner = f"{engine}/{secrets.token_hex(4)}"
        self._running: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Look now and then until cancelled; what is held then is left to others at once."""
        try:
            while True:
                try:
                    await self._look()
                except STORE_AWAY as error:
                    self._trouble.report(error)
                except Exception:
                    logger.exception("bulk operations could not be looked for, for a reason nobody foresaw; it goes on")
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _look(self) -> None:
        records = await self._bulk.records()
        states = {record.id: record.state for record in records}
        waiting = waits_for([(record.id, record.deed.scope) for record in records], states)
        for record in records:
            if record.untold and record.id not in self._running:
                await self._tell(record)
            if record.state is BulkState.RUNNING and record.id not in waiting and record.id not in self._running:
                state, _ = await self._bulk.hold(record.id, self._owner, HOLD_S)
                if state == BulkState.RUNNING:
                    self._start(record)

    def _start(self, record: BulkRecord) -> None:
        task = asyncio.create_task(self._guarded(record), name=f"bulk {record.id}")
        self._running[record.id] = task
        task.add_done_callback(lambda _: self._running.pop(record.id, None))

    async def _tell(self, record: BulkRecord) -> None:
        await tell(self._bulk, self._journal, record, f"engine {self._owner.partition('/')[0]}")

    async def _guarded(self, record: BulkRecord) -> None:
        """A fault ends our part of it, not the operation: another look takes it up again."""
        try:
            await self._work(record)
        except Exception:
            logger.exception("bulk operation %s stopped for a reason nobody foresaw; it is taken up again", record.id)
        finally:
            try:
                await self._bulk.leave(record.id, self._owner)
            except STORE_AWAY as error:
                self._trouble.report(error)

    async def _work(self, record: BulkRecord) -> None:
        logger.info("bulk operation %s: %s, %d planned, at %g/s", record.id, record.deed.words, record.planned, record.rate_per_s)
        pace, note, due = _Pace(self._clock), "", self._clock()
        while True:
            try:
                state, fence = await self._bulk.hold(record.id, self._owner, HOLD_S, speed_per_s=pace.per_s, note=note)
                if state != BulkState.RUNNING:
                    logger.info("bulk operation %s: %s", record.id, "another engine has it" if state == "held" else state or "it is gone")
                    return
                done = await piece(self._bulk, record, fence, record.rate_per_s)
                if done is None:
                    if await finish(self._bulk, record):
                        await self._tell(record)
                    return
            except STORE_AWAY as error:
                self._trouble.report(error)
                note = "the store is full: it waits for room" if is_full(error) else ""
                await asyncio.sleep(RETRY_S)
                due = self._clock()
                continue
            pace.note(done)
            note = ""
            due = max(due + done / record.rate_per_s, self._clock() - TICK_S)
            await asyncio.sleep(max(0.0, due - self._clock()))


class _Pace:
    """How many entries a second over the last seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._marks: list[tuple[float, int]] = [(clock(), 0)]

    def note(self, count: int) -> None:
        """So many were just looked at."""
        now = self._clock()
        self._marks.append((now, self._marks[-1][1] + count))
        while len(self._marks) > 2 and now - self._marks[1][0] > SPEED_OVER_S:
            del self._marks[0]

    @property
    def per_s(self) -> float:
        """Entries a second."""
        (start, before), (end, total) = self._marks[0], self._marks[-1]
        return (total - before) / (end - start) if end > start else 0.0
