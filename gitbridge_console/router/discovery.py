"""Looks at every provider at the start, when its settings change, and while nobody asks it anything."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable

from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.health import look_at
from gitbridge_console.router.provider_state import ProviderState
from gitbridge_console.settings.routing import HealthSettings
from gitbridge_console.store.provider_board import ProviderBoard
from gitbridge_console.store.trouble import STORE_AWAY, StoreTrouble

logger = logging.getLogger(__name__)

TURN_S = 1.0
JITTER = 0.2
"""Share by which the time to the next look differs, so that engines and providers are not looked at in step."""


class Discovery:
    """One background job of the engine. What it finds stands in the provider's state; nothing it meets ends the engine.

    A provider that answers questions needs no looking at. One that does not is looked at by one engine of the fleet.
    """

    def __init__(
        self,
        router: AIRouter,
        board: ProviderBoard,
        trouble: StoreTrouble,
        settings: Callable[[], HealthSettings],
        *,
        clock: Callable[[], float] = time.monotonic,
        seed: int | None = None,
    ) -> None:
        self._router = router
        self._board = board
        self._trouble = trouble
        self._settings = settings
        self._clock = clock
        self._random = random.Random(seed)
        self._next: dict[str, tuple[ProviderState, float]] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.turn()
            except Exception:
                logger.exception("providers could not be looked at for a reason nobody foresaw; it goes on")
            await asyncio.sleep(TURN_S)

    async def turn(self) -> None:
        """Look at whoever is due, all at once."""
        due = [name for name, state in self._router.states.items() if self._is_due(name, state)]
        await asyncio.gather(*(self._look(name) for name in due))
        self._next = {name: known for name, known in self._next.items() if name in self._router.states}

    def _is_due(self, name: str, state: ProviderState) -> bool:
        settings, now = self._settings(), self._clock()
        if not settings.enabled or state.provider is None or not state.settings.enabled:
            return False
        known, at = self._next.get(name, (None, 0.0))
        if known is not state:
            return True
        idle = now >= at and now - state.heard_at >= settings.idle_s
        return idle and not state.disabled and name not in self._router.paused

    async def _look(self, name: str) -> None:
        state, settings = self._router.states[name], self._settings()
        first = self._next.get(name, (None, 0.0))[0] is not state
        wait_s = settings.idle_s * (1 + JITTER * (2 * self._random.random() - 1))
        self._next[name] = state, self._clock() + wait_s
        assert state.provider is not None, "only one with a client is due"
        # At the start each engine looks for itself: its key and its way there are its own.
        if not first and not await self._is_ours(name, settings.idle_s):
            return
        finding, failure = await look_at(state.provider, state.settings.model, timeout_s=settings.timeout_s)
        if first and (not finding.ok or finding.model == "not_listed"):
            logger.warning("%s: %s", name, finding.reason)
        self._router.looked(state, finding, failure)

    async def _is_ours(self, name: str, for_s: float) -> bool:
        try:
            return await self._board.take_look(name, for_s)
        except STORE_AWAY as error:
            self._trouble.report(error)
            return True
