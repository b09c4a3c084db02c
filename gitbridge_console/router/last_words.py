"""What must still be written when a task is cancelled, without keeping the cancellation waiting for long."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from gitbridge_console.store.trouble import STORE_AWAY, StoreTrouble

logger = logging.getLogger(__name__)

LAST_WORDS_S = 1.0
"""Longest a cancelled task is kept by what it still writes."""


async def write_last_words(work: Coroutine[Any, Any, None], trouble: StoreTrouble, within_s: float | None = None) -> None:
    """Do ``work`` although the caller is being cancelled, for at most ``within_s`` seconds (:data:`LAST_WORDS_S`); raises nothing.

    Cancelling the caller once more does not interrupt it: the caller raises its cancellation when this returns.
    """
    loop, most_s = asyncio.get_running_loop(), LAST_WORDS_S if within_s is None else within_s
    task = asyncio.create_task(work, name="last words")
    until = loop.time() + most_s
    while not task.done() and (left_s := until - loop.time()) > 0:
        with suppress(asyncio.CancelledError):
            await asyncio.wait([task], timeout=left_s)
    if not task.done():
        logger.warning("what a cancelled task had to write was not written within %g s", most_s)
        task.cancel()
    elif not task.cancelled() and (error := task.exception()) is not None:
        if isinstance(error, STORE_AWAY):
            trouble.report(error)
        else:
            logger.error("what a cancelled task had to write failed for a reason nobody foresaw", exc_info=error)
