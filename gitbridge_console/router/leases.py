"""Keeps the leases of everything this engine works on, and stops work whose lease is lost."""

from __future__ import annotations

import asyncio
import logging

from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.records import ClaimedJob
from gitbridge_console.store.trouble import STORE_AWAY, StoreTrouble
from gitbridge_console.store.wakeups import LEASES, Wakeups

logger = logging.getLogger(__name__)

POKED_EVERY_S = 0.2
"""Hints that something is not wanted any more are followed at most so often."""


class LeaseKeeper:
    """One round trip every third of a lease for all jobs together."""

    def __init__(self, queue: RedisEventQueue, trouble: StoreTrouble, wakeups: Wakeups | None = None) -> None:
        """With ``wakeups`` work that nobody wants any more is stopped when that is told, else a third of a lease later at most."""
        self._queue = queue
        self._trouble = trouble
        self._held: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._stopping = False
        self._wakeups = wakeups
        self._poke = asyncio.Event()

    def hold(self, job: ClaimedJob, task: asyncio.Task[None]) -> None:
        """Keep the lease of ``job`` until :meth:`let_go`; ``task``, which works on it, is cancelled when the lease is lost."""
        self._held[job.id, job.fence] = task

    def let_go(self, job: ClaimedJob) -> None:
        """Its work is over."""
        self._held.pop((job.id, job.fence), None)

    def __len__(self) -> int:
        return len(self._held)

    def stop(self) -> None:
        """Nothing is held any more: :meth:`run` ends at its next turn, or sooner when it is cancelled."""
        self._stopping = True

    async def _sleep(self, seconds: float) -> None:
        if self._wakeups is None:
            await asyncio.sleep(seconds)
            return
        await asyncio.sleep(min(seconds, POKED_EVERY_S))
        try:
            async with asyncio.timeout(max(0.0, seconds - POKED_EVERY_S)):
                await self._poke.wait()
        except TimeoutError:
            pass
        self._poke.clear()

    async def run(self) -> None:
        """Extend until stopped or cancelled."""
        if self._wakeups is not None:
            self._wakeups.subscribe(LEASES, self._poke)
        try:
            await self._extend_all()
        finally:
            if self._wakeups is not None:
                self._wakeups.unsubscribe(LEASES, self._poke)

    async def _extend_all(self) -> None:
        while not self._stopping:
            await self._sleep(self._queue.settings.lease_s / 3)
            held = list(self._held)
            try:
                kept = await self._queue.extend(held)
            except STORE_AWAY as error:
                self._trouble.report(error)
                continue
            except Exception:
                logger.exception("extending leases failed for a reason nobody foresaw; it is tried again")
                continue
            for key, still_ours in zip(held, kept, strict=True):
                task = self._held.get(key)
                if not still_ours and task is not None:
                    logger.info("job %s was taken away: its lease is lost or it was cancelled", key[0])
                    task.cancel()
