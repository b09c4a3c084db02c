"""The one loop of the engine: claim jobs of a lane, work on them, hand them on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from gitbridge_console.router.leases import LeaseKeeper
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.records import ClaimedJob
from gitbridge_console.store.trouble import STORE_AWAY, StoreTrouble
from gitbridge_console.store.wakeups import Wakeups

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
"""Longest sleep of an idle lane: no wake-up hint is ever relied on."""

SHORTEST_SLEEP_S = 0.005

CLAIM_MAX = 32
"""Jobs per claim: few enough to share work fairly between engines, many enough that a round trip does not count."""

FAULT_DELAY_S = 5.0
"""Pause of a job whose handler failed in a way nobody foresaw; it is counted, and given up as poison in the end."""


class Lane:
    """Works on one lane with up to ``slots()`` jobs at a time until told to stop.

    While ``shut_for_s()`` is above zero nothing is claimed: it could not be worked on.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[ClaimedJob], Awaitable[None]],
        *,
        queue: RedisEventQueue,
        leases: LeaseKeeper,
        wakeups: Wakeups,
        trouble: StoreTrouble,
        slots: Callable[[], int],
        on_claim: Callable[[ClaimedJob], None] | None = None,
        payloads: bool = True,
        repository_max: Callable[[], int] = lambda: 0,
        shut_for_s: Callable[[], float] = lambda: 0.0,
        room: Callable[[int], tuple[int, float]] | None = None,
    ) -> None:
        """``room`` says, for so many jobs in hand, how many more may be claimed now, and else in how many seconds one may."""
        self.name = name
        self._work = work
        self._queue = queue
        self._leases = leases
        self._wakeups = wakeups
        self._trouble = trouble
        self._slots = slots
        self._on_claim = on_claim
        self._payloads = payloads
        self._repository_max = repository_max
        self._shut_for_s = shut_for_s
        self._room = room
        self._poke = asyncio.Event()
        self._stopping = False
        self.active = 0

    def stop(self) -> None:
        """Claim nothing more; :meth:`run` returns when what is in hand is finished."""
        self._stopping = True
        self._poke.set()

    def poke(self) -> None:
        """Look again now: there may be room, or work."""
        self._poke.set()

    async def run(self) -> None:
        """Claim and work until :meth:`stop`. Cancelling hands unfinished jobs back at once."""
        self._wakeups.subscribe(self.name, self._poke)
        try:
            async with asyncio.TaskGroup() as group:
                while not self._stopping:
                    self._poke.clear()
                    wait_s = await self._claim(group)
                    if wait_s > 0 and not self._stopping:
                        await self._sleep(wait_s)
        finally:
            self._wakeups.unsubscribe(self.name, self._poke)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._poke.wait()
        except TimeoutError:
            return

    async def _claim(self, group: asyncio.TaskGroup) -> float:
        """Claim what fits; returns how long to wait before looking again, in seconds."""
        free = min(self._slots() - self.active, CLAIM_MAX)
        if free <= 0:
            return LOOK_EVERY_S
        if (shut_for_s := self._shut_for_s()) > 0:
            return min(LOOK_EVERY_S, max(SHORTEST_SLEEP_S, shut_for_s))
        if self._room is not None:
            room, opens_in_s = self._room(self.active)
            free = min(free, room)
            if free <= 0:
                return min(LOOK_EVERY_S, opens_in_s + 0.001)
        try:
            claim = await self._queue.claim(self.name, free, payloads=self._payloads, repository_max=self._repository_max())
        except STORE_AWAY as error:
            self._trouble.report(error)
            return LOOK_EVERY_S
        except Exception:
            # Whatever the store answered, the lane lives on; it would be missed by everybody who waits in it.
            logger.exception("claiming from lane %s failed for a reason nobody foresaw", self.name)
            return FAULT_DELAY_S
        self._trouble.answered()
        for job in claim.jobs:
            self.active += 1
            if self._on_claim is not None:
                self._on_claim(job)
            group.create_task(self._run_one(job), name=f"{self.name}:{job.id}")
        if len(claim.jobs) == free:
            return 0.0
        return LOOK_EVERY_S if claim.next_due_s is None else min(LOOK_EVERY_S, max(SHORTEST_SLEEP_S, claim.next_due_s))

    async def _run_one(self, job: ClaimedJob) -> None:
        self._leases.hold(job)
        try:
            if self._payloads and not job.packed_payload:
                job = await self._queue.load(job)
            await self._work(job)
        except asyncio.CancelledError:
            await self._hand_back(job, counted=False)
            if self._stopping:
                raise
        except STORE_AWAY as error:
            # Its lease runs out and somebody takes it up again.
            self._trouble.report(error)
        except Exception:
            logger.exception("job %s failed in lane %s for a reason nobody foresaw", job.id, self.name)
            await self._hand_back(job, counted=True)
        finally:
            self._leases.let_go(job)
            self.active -= 1
            self._poke.set()

    async def _hand_back(self, job: ClaimedJob, *, counted: bool) -> None:
        try:
            reason = f"{self.name}: internal fault, tried again" if counted else ""
            await self._queue.release(job, delay_s=FAULT_DELAY_S if counted else 0.0, counted=counted, reason=reason)
        except STORE_AWAY as error:
            self._trouble.report(error)
        except Exception:
            logger.exception("job %s could not be handed back; its lease runs out", job.id)
