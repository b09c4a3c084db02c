"""Blocking work that nobody waits for at the end of the process."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def in_daemon_thread(work: Callable[[], T]) -> asyncio.Future[T]:
    """The result of ``work``, done in a thread of its own. Unlike those of ``asyncio.to_thread`` neither loop nor process waits for it."""
    done: concurrent.futures.Future[T] = concurrent.futures.Future()

    def run() -> None:
        done.set_running_or_notify_cancel()
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, name="daemon work", daemon=True).start()
    return asyncio.wrap_future(done)
