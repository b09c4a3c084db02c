"""Failover of a whole lane: what waits for a provider that cannot be asked soon enough moves to another one of its kind, or parks.

A lane whose provider's gate is closed claims nothing, so nobody touches its seats one by one only to pass them on: once a
beat a script moves what cannot wait. Nothing is moved back: new events go to a provider that is there again as its score says.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from gitbridge_console.domain.events import STAGE_LANES
from gitbridge_console.router.ai_router import AIRouter, Gate
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.routing import KindSettings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.fleet import Beat, FleetRegistry
from gitbridge_console.store.records import Closure, QueueStats

logger = logging.getLogger(__name__)

NOT_CALLABLE = frozenset({"disabled", "no_key", "open", "half_open", "limited"})
"""States in which an engine says that it cannot call a provider, or hardly; in any other it serves the lane."""

FRESH_BEAT_MS = 10_000


def too_long(retry_in_s: float | None, shut_for_s: float, hold_s: float) -> bool:
    """Whether work does not wait for a provider that can be asked in ``retry_in_s`` (``None``: nobody knows) and was shut so long."""
    return retry_in_s is None or shut_for_s + retry_in_s > hold_s


def closure_by_gate(lane: str, gate: Gate, shut_for_s: float, hold_s: float) -> Closure:
    """What follows from a closed gate: all of the lane moves, or while it is worth waiting only what would be too late."""
    return Closure(f"{lane}: {gate.reason}", gate.retry_in_s, late_only=not too_long(gate.retry_in_s, shut_for_s, hold_s))


def closure_by_pause(lane: str, pause: Mapping[str, str], now_ms: int, hold_s: float) -> Closure | None:
    """A pause holds its work; with ``hold_s`` (``queue.pause_hold_s``) above zero only for so long."""
    if hold_s <= 0 or now_ms - int(pause["since"]) < hold_s * 1000:
        return None
    ends_ms = int(pause["until"])
    retry_in_s = (ends_ms - now_ms) / 1000 if ends_ms else None
    return Closure(f"{lane}: paused by {pause['by']} for more than {hold_s:g} s: {pause['reason']}", retry_in_s)


def no_new_seats(stats: QueueStats, pause_hold_s: float) -> dict[str, str]:
    """Providers that get no seat of a new event by an operator's will, each with the line that says why."""
    shut = {lane: f"draining by {drain['by']}: {drain['reason']}" for lane, drain in stats.drains.items()}
    for lane, pause in stats.pauses.items():
        if (closure := closure_by_pause(lane, pause, stats.now_ms, pause_hold_s)) is not None:
            shut.setdefault(lane, closure.reason.partition(": ")[2])
    return shut


def first_back(router: AIRouter, policy: KindSettings, exclude: Sequence[str], *, tokens: int, within_s: float) -> list[str]:
    """Who could take over a task before long, the first to return first: shut now, but for less than ``within_s``."""
    unwanted = {*exclude, *router.paused, *router.no_new_seats}
    names = [name for name in dict.fromkeys((*policy.prefer, *policy.reserve)) if name in router.states and name not in unwanted]
    waits = {name: router.gate(name).shut_for_s for name in names if not router.too_small(name, tokens)}
    return sorted((name for name, wait_s in waits.items() if 0 < wait_s < within_s), key=waits.__getitem__)


class LaneFailover:
    """Looks through the providers' lanes once a beat, those of providers that left the settings too."""

    def __init__(
        self,
        queue: RedisEventQueue,
        fleet: FleetRegistry,
        router: AIRouter,
        settings: Callable[[], Settings],
        *,
        engine: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._fleet = fleet
        self._router = router
        self._settings = settings
        self._engine = engine
        self._clock = clock
        self._shut_since: dict[str, float] = {}
        self._passed_over: dict[tuple[str, str], int] = {}
        self._said: set[str] = set()

    async def turn(self, stats: QueueStats) -> None:
        """Move what cannot wait; seats that nobody can take are said once for each lane.

        Raises:
            redis.exceptions.RedisError: the store is away; nothing was claimed, so nothing is lost.
        """
        # Of every lane, with work in it or not: one that was shut an hour ago must not count as shut ever since.
        self._shut_since = {lane: since for lane, since in self._shut_since.items() if not self._router.gate(lane).open}
        waiting = {
            name: lane.ready + lane.waiting + lane.held
            for name, lane in stats.lanes.items()
            if name not in STAGE_LANES and lane.ready + lane.waiting + lane.held
        }
        closures = {lane: closure for lane in waiting if (closure := self._closure(lane, stats)) is not None}
        self._said.intersection_update(closures)
        if not closures:
            return
        served = self._served(await self._fleet.alive(), stats.now_ms)
        for lane, closure in closures.items():
            if lane in stats.pauses or lane not in served:
                await self._clear(lane, closure, waiting[lane])

    def _closure(self, lane: str, stats: QueueStats) -> Closure | None:
        settings, gate = self._settings(), self._router.gate(lane)
        if lane in stats.pauses:
            return closure_by_pause(lane, stats.pauses[lane], stats.now_ms, settings.queue.pause_hold_s)
        if gate.open:
            return None
        now = self._clock()
        return closure_by_gate(lane, gate, now - self._shut_since.setdefault(lane, now), settings.retry.lane_hold_s)

    def _served(self, beats: list[Beat], now_ms: int) -> set[str]:
        """Lanes of providers that another engine can call: to it, with other settings or better luck, they are left."""
        return {
            name
            for beat in beats
            if beat.id != self._engine and now_ms - beat.at_ms < FRESH_BEAT_MS
            for name, view in beat.providers.items()
            if view.get("state") not in NOT_CALLABLE
        }

    async def _clear(self, lane: str, closure: Closure, waiting: int) -> None:
        states = self._router.states
        targets = {
            str(kind): [
                (name, max(0, states[name].question_tokens_max)) for name in self._router.candidates(policy, exclude=[lane], kind=str(kind))
            ]
            for kind, policy in self._settings().kinds.items()
        }
        moved, kept = await self._queue.move_on(lane, closure, targets, passed_over=self._passed_over)
        if moved:
            logger.info("%d seats moved out of the lane of %s", moved, closure.reason)
        if kept and not closure.late_only and lane not in self._said:
            self._said.add(lane)
            logger.warning("%d seats wait until a provider of their kind is free: %s", waiting - moved, closure.reason)
