"""Reconciles on a timer: at the start and every so often, one engine for the whole fleet."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from gitbridge_console.domain.deliveries import ReconcileReport
from gitbridge_console.ingress.reconcile import BUSY, Reconciler
from gitbridge_console.settings.hosts import ReconcileSettings
from gitbridge_console.store.inbox_board import RECONCILE, InboxBoard
from gitbridge_console.store.trouble import STORE_AWAY, StoreTrouble

logger = logging.getLogger(__name__)

LOOK_AGAIN_S = 30.0
"""How often the settings and the last run of the fleet are looked at."""

START_AGAIN_S = 60.0
"""An engine that starts does not look where another one looked so lately: many may start at once."""

Audited = Callable[[], Awaitable[Callable[[str], Awaitable[None]]]]
"""Begins an entry of the audit; what it returns ends it with a result."""


async def tell(board: InboxBoard, report: ReconcileReport) -> None:
    """Say to the fleet what a run found."""
    given_up = report.count("given_up")
    await board.put(
        RECONCILE,
        applied=report.applied,
        missed=report.count() - given_up,
        asked=report.count("asked"),
        given_up=given_up,
        problem="; ".join(report.problems)[:300],
    )


class ReconcileKeeper:
    """Runs while the engine does. A run that was made by anybody in the fleet counts as one."""

    def __init__(
        self,
        reconciler: Reconciler,
        board: InboxBoard,
        trouble: StoreTrouble,
        settings: Callable[[], ReconcileSettings],
        audited: Audited,
        *,
        look_again_s: float = LOOK_AGAIN_S,
        start_again_s: float = START_AGAIN_S,
    ) -> None:
        self._reconciler = reconciler
        self._board = board
        self._trouble = trouble
        self._settings = settings
        self._audited = audited
        self._look_again_s = look_again_s
        self._start_again_s = start_again_s
        self._not_before = 0.0
        self._began = False

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set."""
        while not stop.is_set():
            try:
                if await self._is_due():
                    await self._look()
            except STORE_AWAY as error:
                self._trouble.report(error)
            except Exception:
                logger.exception("reconciling failed for a reason nobody foresaw; it is tried again")
            try:
                async with asyncio.timeout(self._look_again_s):
                    await stop.wait()
            except TimeoutError:
                continue

    async def _is_due(self) -> bool:
        settings = self._settings()
        if not settings.configured or not settings.every_s or time.monotonic() < self._not_before:
            return False
        age_s = await self._board.age_s(RECONCILE)
        # What was missed while nobody ran is the very reason to look at the start.
        enough_s = settings.every_s if self._began else min(settings.every_s, self._start_again_s)
        self._began = True
        return age_s is None or age_s >= enough_s

    async def _look(self) -> None:
        endings: list[Callable[[str], Awaitable[None]]] = []

        async def before_first() -> None:
            endings.append(await self._audited())

        report = await self._reconciler.run(apply=self._settings().apply, before_first=before_first)
        for end in endings:
            await end(report.problem or f"{report.count('asked')} deliveries asked for again")
        if report.problem == BUSY:
            return
        self._not_before = time.monotonic() + (report.retry_in_s or 0.0)
        await tell(self._board, report)
        for one in (one for hook in report.hooks for one in hook.missed if one.outcome == "given_up"):
            logger.warning("reconcile: delivery %s (%s of %s) is given up: %s", one.guid, one.event, one.first_at, one.why)
        level = logging.WARNING if report.problems or report.count("found", "left", "refused", "given_up") else logging.INFO
        counts = f"{report.count()} missed, {report.count('asked')} asked for again"
        logger.log(level, "reconcile: %s%s", counts, "".join(f"; {problem}" for problem in report.problems))
