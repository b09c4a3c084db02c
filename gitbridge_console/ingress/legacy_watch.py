"""Tells the fleet how full the legacy list is, for its producers know no limit and nobody else looks."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from gitbridge_console.store.inbox_board import LEGACY, InboxBoard
from gitbridge_console.store.trouble import STORE_AWAY, StoreTrouble

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0


class Depths(Protocol):
    """What is asked of the list, see :class:`gitbridge_console.store.legacy.LegacyStore`."""

    async def depths(self) -> tuple[int, int]: ...


async def watch(source: Depths, board: InboxBoard, trouble: StoreTrouble, stop: asyncio.Event, *, every_s: float = LOOK_EVERY_S) -> None:
    """Look every few seconds until ``stop`` is set. A list that cannot be read is said like a full one: it too is not emptied."""
    while not stop.is_set():
        waiting, processing, problem = 0, 0, ""
        try:
            waiting, processing = await source.depths()
        except Exception as error:
            # Away, or a key that is no list: the log says it where entries are taken, here it becomes an alert.
            problem = " ".join(str(error).split())[:200] or type(error).__name__
        try:
            await board.put(LEGACY, waiting=waiting, processing=processing, problem=problem)
        except STORE_AWAY as error:
            trouble.report(error)
        except Exception:
            logger.exception("how full the legacy list is could not be told for a reason nobody foresaw")
        try:
            async with asyncio.timeout(every_s):
                await stop.wait()
        except TimeoutError:
            continue
