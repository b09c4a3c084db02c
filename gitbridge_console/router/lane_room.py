"""How many jobs the lane of a provider may claim while its rate limits are used up."""

from __future__ import annotations

import time
from collections.abc import Callable

from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.rate_limits import RateLimiter
from gitbridge_console.settings.model import Settings

WORTH_MOVING_S = 1.0
"""A limit that opens within so long is waited for; a seat that moved would hardly be asked about sooner."""

LOOK_S = 0.25
"""How often a job is claimed only to see whether it can move: many cannot, since the others sit on its panel already."""


class LaneRoom:
    """Work waits in its lane, unclaimed, until the limits open, except where another provider could take it at once."""

    def __init__(
        self,
        name: str,
        limits: RateLimiter,
        router: AIRouter,
        settings: Callable[[], Settings],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._limits = limits
        self._router = router
        self._settings = settings
        self._clock = clock
        self._look_at = 0.0

    def __call__(self, in_hand: int) -> tuple[int, float]:
        """Jobs that may be claimed beside those in hand; where none may, the seconds until one may."""
        free, opens_in_s = self._limits.room(self._name, in_hand)
        if free or opens_in_s < WORTH_MOVING_S or not self._others_take_at_once():
            return free, opens_in_s
        now = self._clock()
        if now < self._look_at:
            return 0, min(opens_in_s, self._look_at - now)
        self._look_at = now + LOOK_S
        return 1, 0.0

    def _others_take_at_once(self) -> bool:
        panels = [{*policy.prefer, *policy.reserve} for policy in self._settings().kinds.values()]
        others = {other for panel in panels if self._name in panel for other in panel - {self._name}}
        return any(self._router.takes_at_once(other) for other in others)
