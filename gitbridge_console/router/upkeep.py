"""What every engine does once a beat: recover and trim, see how much there is to do, and say that it lives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.budgets import BudgetGuard
from gitbridge_console.router.lane_failover import LaneFailover, no_new_seats
from gitbridge_console.router.overload import Overload, measure
from gitbridge_console.router.rate_limits import RateLimiter
from gitbridge_console.settings.holder import SettingsHolder
from gitbridge_console.store.fleet import Beat
from gitbridge_console.store.metrics_window import PACE_MINUTES
from gitbridge_console.store.store import Store
from gitbridge_console.store.trouble import STORE_AWAY

logger = logging.getLogger(__name__)

BEAT_S = 1.0
TRIM_EVERY_BEATS = 10
HEAL_AFTER_S = 2.0


class Upkeep:
    """Keeps the store in order, and the engine informed of the fleet. Every step may be done by several engines at once."""

    def __init__(
        self,
        store: Store,
        holder: SettingsHolder,
        router: AIRouter,
        limits: RateLimiter,
        budgets: BudgetGuard,
        failover: LaneFailover,
        *,
        beat: Callable[[], Beat],
    ) -> None:
        self._store = store
        self._holder = holder
        self._router = router
        self._limits = limits
        self._budgets = budgets
        self._failover = failover
        self._beat = beat
        self.overload = Overload()

    async def run(self, over: asyncio.Event) -> None:
        """Go on until ``over`` is set, whatever the store says."""
        store, beats = self._store, 0
        while not over.is_set():
            try:
                await store.queue.recover()
                if beats % TRIM_EVERY_BEATS == 0:
                    # Before anything that needs room: at the memory limit this is what makes some.
                    await store.queue.trim()
                await store.event_log.keep(store.queue.retention.event_log_max)
                await store.queue.age()
                await self._look_round()
                await store.fleet.beat(self._beat())
                await store.metrics.flush()
                store.trouble.answered()
            except STORE_AWAY as error:
                store.trouble.report(error)
                await self.heal()
            except Exception:
                logger.exception("the upkeep failed for a reason nobody foresaw; it goes on")
            beats += 1
            await asyncio.sleep(BEAT_S)

    async def _look_round(self) -> None:
        """See which lanes are held and how much there is to do; said once when it changes."""
        settings, store, router = self._holder.current, self._store, self._router
        stats, window = await store.queue.stats(), await store.metrics.read(minutes=PACE_MINUTES)
        store.metrics.record_depths({name: lane.ready + lane.waiting + lane.leased + lane.held for name, lane in stats.lanes.items()})
        router.paused = frozenset(stats.pauses)
        router.no_new_seats = no_new_seats(stats, settings.queue.pause_hold_s)
        before, self.overload = self.overload, measure(settings.queue, settings.shedding, stats, window.paces)
        if self.overload.step is not before.step:
            logger.warning("overload: %s%s", self.overload.step.label, f": {self.overload.reason}" if self.overload.reason else "")
        await self._budgets.look()
        self._limits.engines = await store.fleet.count()
        await self._limits.look()
        await self._failover.turn(stats)

    async def heal(self) -> None:
        """Start the embedded server again where the store has been away for a while."""
        away_s = self._store.trouble.away_for_s
        if away_s is not None and away_s > HEAL_AFTER_S:
            try:
                await self._store.heal()
            except STORE_AWAY as error:
                self._store.trouble.report(error)
            except Exception:
                logger.exception("the store could not be healed for a reason nobody foresaw")
