"""Watches calls of hedged kinds and has another provider asked when one takes too long."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.breaker import BreakerState
from gitbridge_console.router.hedging import HedgeShare, Latencies, hedge_delay_s
from gitbridge_console.settings.routing import HedgingSettings, KindSettings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.records import ClaimedJob
from gitbridge_console.store.trouble import STORE_AWAY, StoreTrouble

logger = logging.getLogger(__name__)


def always(provider: str) -> bool:
    """Where no retry budget is kept."""
    return True


class Hedger:
    """What one engine knows of usual latencies, and the share of hedges it may still make.

    ``may_hedge`` says whether the retry budget of the provider whose call is slow allows another one.
    """

    def __init__(
        self,
        queue: RedisEventQueue,
        router: AIRouter,
        metrics: Metrics,
        trouble: StoreTrouble,
        settings: Callable[[], HedgingSettings],
        *,
        may_hedge: Callable[[str], bool] = always,
    ) -> None:
        self._queue = queue
        self._router = router
        self._metrics = metrics
        self._trouble = trouble
        self._settings = settings
        self._may_hedge = may_hedge
        self._latencies: dict[tuple[str, str], Latencies] = {}
        self._share = HedgeShare()

    def answered(self, provider: str, kind: str, seconds: float) -> None:
        """A usable answer took so long. Kept for hedged kinds only; there are as many of these as of providers and kinds."""
        if kind in self._settings().kinds:
            self._latencies.setdefault((provider, kind), Latencies()).add(seconds)

    @asynccontextmanager
    async def watching(self, job: ClaimedJob, policy: KindSettings, tokens: int, remaining_s: float) -> AsyncIterator[None]:
        """While the call of ``job`` runs: have somebody else asked as well, once, when it takes unusually long."""
        settings, kind = self._settings(), job.header["kind"]
        if kind not in settings.kinds or "hd" in job.header:
            yield
            return
        self._share.called(settings.share_max)
        delay_s = hedge_delay_s(self._latencies.get((job.lane, kind)), settings.samples_min, settings.percentile)
        if "hs" in job.header or delay_s is None or delay_s >= remaining_s:
            yield
            return
        watch = asyncio.create_task(self._hedge_after(delay_s, job, policy, tokens), name=f"hedge of {job.id}")
        try:
            yield
        finally:
            watch.cancel()
            await asyncio.wait([watch])

    async def _hedge_after(self, delay_s: float, job: ClaimedJob, policy: KindSettings, tokens: int) -> None:
        await asyncio.sleep(delay_s)
        asked = [name for name in self._router.states if f"ca:{name}" in job.header]
        others = [
            name
            for name in self._router.candidates(policy, exclude=[job.lane, *asked], tokens=tokens, kind=job.header["kind"])
            if self._closed(name)
        ]
        if not others or not self._closed(job.lane) or not self._may_hedge(job.lane) or not self._share.take():
            return
        try:
            lane = await self._queue.hedge_task(job, others)
        except STORE_AWAY as error:
            self._trouble.report(error)
            return
        except Exception:
            # The call goes on without a hedge.
            logger.exception("seat %s could not be hedged for a reason nobody foresaw", job.id)
            return
        if lane:
            self._router.repeated()
            self._metrics.count("hedges")
            logger.info("%s %s: no answer after %.1f s, %s is asked as well", job.id, job.lane, delay_s, lane)
        else:
            self._share.give_back()

    def _closed(self, name: str) -> bool:
        """A half-open circuit lets probes through, no hedges."""
        state = self._router.states.get(name)
        return state is not None and state.breaker.state is BreakerState.CLOSED
