"""The one loop of the engine: claim jobs of a lane, work on them, hand them on."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import TypeVar

from gitbridge_console.router.lane_ends import LaneEnds
from gitbridge_console.router.leases import LeaseKeeper
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.records import Claim, ClaimedJob, Ending
from gitbridge_console.store.standing_claims import StandingClaim
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

STANDING_CLAIM_MAX = 4
"""Jobs of a claim that waits for work: few, since meanwhile there may be less room; what is left is claimed right after it."""

STARTING_MAX = 2
"""Workers started ahead. Each works on one job after the other, so where jobs wait for nothing few of them do all."""

AT_A_STRETCH = 16
"""Jobs a worker does before it lets others have a turn, where none of them waits for anything: what has ended is written meanwhile, and the
server does not wait for the rest."""

Work = Callable[[ClaimedJob], Awaitable[Ending | None]]
"""What is done with a job. Whoever has nothing more to say of an event than how it ends may return that: the lane writes such ends
together, while it works on the next jobs."""


def _wait_after(claim: Claim) -> float:
    """How long there is nothing to do, as far as a claim tells."""
    return LOOK_EVERY_S if claim.next_due_s is None else min(LOOK_EVERY_S, max(SHORTEST_SLEEP_S, claim.next_due_s))


Answer = TypeVar("Answer", Claim, Claim | None)


class Lane:
    """Works on one lane with up to ``slots()`` jobs at a time until told to stop.

    While ``shut_for_s()`` is above zero nothing is claimed: it could not be worked on. While there is much to do a second
    claim is under way, so that the server looks for the next jobs while these are worked on.
    """

    def __init__(
        self,
        name: str,
        work: Work,
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
        self._cancelled = False
        self._claimed: deque[ClaimedJob] = deque()
        self._starting = 0
        self._ends = LaneEnds(name, queue, trouble, lambda job: self._hand_back(job, counted=True))
        self._asked_for = 0
        self._busy = self._helped = self._dry = self._refused = self._put_off = False
        self._standing: StandingClaim | None = None
        self.active = 0

    def stop(self) -> None:
        """Claim nothing more; :meth:`run` returns when what is in hand is finished."""
        self._stopping = True
        self.poke()

    def poke(self) -> None:
        """Look again now: there may be room, or work."""
        self._poke.set()
        if self._standing is not None:
            self._standing.withdraw()

    async def run(self) -> None:
        """Claim and work until :meth:`stop`. Cancelling hands unfinished jobs back at once."""
        self._wakeups.subscribe(self.name, self._poke)
        try:
            async with asyncio.TaskGroup() as group:
                try:
                    await self._claim_all(group)
                except asyncio.CancelledError:
                    self._cancelled = True
                    raise
        finally:
            self._wakeups.unsubscribe(self.name, self._poke)
            await self._leave_nothing()

    async def _claim_all(self, group: asyncio.TaskGroup) -> None:
        while not self._stopping:
            self._poke.clear()
            wait_s = await self._claim(group)
            if self._busy and not self._helped:
                self._helped = True
                group.create_task(self._claim_too(group), name=f"{self.name}: second claim")
            while wait_s > 0 and not self._stopping:
                wait_s = await self._wait(group, wait_s)

    async def _claim_too(self, group: asyncio.TaskGroup) -> None:
        """Claim beside the other as long as that gives much."""
        try:
            while not self._stopping and await self._claim(group) == 0.0:
                pass
        finally:
            self._helped = False
            # How long to wait is known to the one that claimed last.
            self._poke.set()

    async def _leave_nothing(self) -> None:
        """What ended is written, however this lane ends; jobs whose workers were cancelled before they began them go back."""
        unbegun, self._claimed = self._claimed, deque()
        await asyncio.gather(self._ends.written(), *(self._hand_back(job, counted=False) for job in unbegun))

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._poke.wait()
        except TimeoutError:
            return

    def _unused(self) -> int:
        return self._slots() - self.active - self._asked_for

    def _free(self) -> tuple[int, float]:
        """How many jobs may be claimed now; for none, in how many seconds to look again."""
        free = min(self._unused(), CLAIM_MAX)
        if free <= 0:
            return 0, LOOK_EVERY_S
        if (shut_for_s := self._shut_for_s()) > 0:
            return 0, min(LOOK_EVERY_S, max(SHORTEST_SLEEP_S, shut_for_s))
        if self._room is None:
            return free, LOOK_EVERY_S
        room, opens_in_s = self._room(self.active + self._asked_for)
        return max(0, min(free, room)), min(LOOK_EVERY_S, opens_in_s + 0.001)

    def _wanted(self) -> tuple[int, float]:
        """How many are worth a claim now. While some in hand are not begun yet, which more would only wait behind, a claim of fewer than
        fit beside a whole one is not."""
        if self._claimed and self._unused() < min(self._slots() - CLAIM_MAX, CLAIM_MAX):
            self._put_off = True
            return 0, LOOK_EVERY_S
        return self._free()

    async def _claim(self, group: asyncio.TaskGroup) -> float:
        """Claim what fits; returns how long to wait before looking again, in seconds."""
        self._busy = False
        free, wait_s = self._wanted()
        if free == 0:
            return wait_s
        claiming = self._queue.claim(self.name, free, payloads=self._payloads, repository_max=self._repository_max())
        claim = await self._answer_of(claiming, free)
        if isinstance(claim, float):
            return claim
        self._begin(group, claim.jobs)
        self._busy = len(claim.jobs) == CLAIM_MAX
        self._dry = len(claim.jobs) < free
        return _wait_after(claim) if self._dry else 0.0

    async def _wait(self, group: asyncio.TaskGroup, seconds: float) -> float:
        """Wait, ``seconds`` at most, for work where claims stand at the server, else for a hint; returns how long to wait on."""
        free = min(self._wanted()[0], STANDING_CLAIM_MAX)
        standing = None
        # A store that refused a claim is asked for another when that time is over, and not sooner.
        if free > 0 and not self._refused:
            if not self._dry:
                # Room has come since, and there may be work of which another engine was told.
                return 0.0
            standing = self._queue.stand(self.name, free, seconds, payloads=self._payloads, repository_max=self._repository_max())
        if standing is None:
            await self._sleep(seconds)
            return 0.0
        claim = await self._stand(standing, free, seconds)
        if isinstance(claim, float):
            await self._sleep(claim)
        if claim is None or isinstance(claim, float):
            return 0.0
        # Meanwhile the lane may have been told to stop, been shut, or got less room.
        fitting = 0 if self._stopping else self._free()[0]
        self._begin(group, claim.jobs[:fitting])
        await asyncio.gather(*(self._hand_back(job, counted=False) for job in claim.jobs[fitting:]))
        # First things first: they are begun in this turn of the event loop.
        await asyncio.sleep(0)
        return 0.0 if len(claim.jobs) == free else _wait_after(claim)

    async def _stand(self, standing: StandingClaim, free: int, seconds: float) -> Claim | float | None:
        self._standing = standing
        # The server looks only ten times a second who has waited long enough. What is due before the next look does not wait for that.
        due = None if seconds >= LOOK_EVERY_S else asyncio.get_running_loop().call_later(seconds, standing.withdraw)
        try:
            return await self._answer_of(standing.claim(), free)
        except asyncio.CancelledError:
            await asyncio.gather(*(self._hand_back(job, counted=False) for job in standing.unwanted))
            raise
        finally:
            self._standing = None
            if due is not None:
                due.cancel()

    async def _answer_of(self, claiming: Awaitable[Answer], asked_for: int) -> Answer | float:
        """The claim, or in how many seconds to try again."""
        self._asked_for += asked_for
        try:
            claim = await claiming
        except STORE_AWAY as error:
            self._refused = True
            self._trouble.report(error)
            return LOOK_EVERY_S
        except Exception:
            self._refused = True
            # Whatever the store answered, the lane lives on; it would be missed by everybody who waits in it.
            logger.exception("claiming from lane %s failed for a reason nobody foresaw", self.name)
            return FAULT_DELAY_S
        finally:
            self._asked_for -= asked_for
        self._refused = False
        self._trouble.answered()
        return claim

    def _begin(self, group: asyncio.TaskGroup, jobs: Sequence[ClaimedJob]) -> None:
        self.active += len(jobs)
        self._claimed.extend(jobs)
        self._start_workers(group)
        # Those that start have their turn of the event loop before this.
        asyncio.get_running_loop().call_soon(self._note, jobs)

    def _note(self, jobs: Sequence[ClaimedJob]) -> None:
        if self._on_claim is not None:
            for job in jobs:
                self._on_claim(job)

    def _start_workers(self, group: asyncio.TaskGroup) -> None:
        """While a job waits for a worker one is starting, whatever those do that have begun."""
        while self._starting < STARTING_MAX and self._starting < len(self._claimed):
            self._starting += 1
            group.create_task(self._work_on_all(group), name=f"{self.name}: worker")

    async def _work_on_all(self, group: asyncio.TaskGroup) -> None:
        """Work on one claimed job after the other until nobody's is left."""
        self._starting -= 1
        task = asyncio.current_task()
        assert task is not None
        for n in count(1):
            if n % AT_A_STRETCH == 0:
                await asyncio.sleep(0)
            if not self._claimed or self._cancelled:
                break
            job = self._claimed.popleft()
            if self._put_off and not self._claimed:
                self._put_off = False
                self._poke.set()
            self._start_workers(group)
            self._leases.hold(job, task)
            try:
                if self._payloads and not job.packed_payload:
                    job = await self._queue.load(job)
                ending = await self._work(job)
                if ending is not None:
                    self._ends.add(job, ending)
            except asyncio.CancelledError:
                self._leases.let_go(job)
                await self._hand_back(job, counted=False)
                if self._cancelled or self._stopping:
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
                while task.cancelling() and not self._cancelled:
                    # This job was taken away, whatever its work made of that, and no other.
                    task.uncancel()

    async def _hand_back(self, job: ClaimedJob, *, counted: bool) -> None:
        try:
            reason = f"{self.name}: internal fault, tried again" if counted else ""
            await self._queue.release(job, delay_s=FAULT_DELAY_S if counted else 0.0, counted=counted, reason=reason)
        except STORE_AWAY as error:
            self._trouble.report(error)
        except Exception:
            logger.exception("job %s could not be handed back; its lease runs out", job.id)
