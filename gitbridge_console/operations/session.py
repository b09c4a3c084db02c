"""An open store with its operations and, where wanted, a running engine: what every command and the console live in."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import FrameType

from gitbridge_console.actions.outbox import check_actions
from gitbridge_console.domain.snapshots import FleetSnapshot
from gitbridge_console.operations.alert_keeper import AlertKeeper
from gitbridge_console.operations.errors import OperationError, StoreAway, Usage
from gitbridge_console.operations.operations import Operations
from gitbridge_console.operations.places import state_dir
from gitbridge_console.router.engine import Engine
from gitbridge_console.settings.holder import SettingsHolder
from gitbridge_console.settings.model import Settings
from gitbridge_console.store.store import Store, open_store
from gitbridge_console.store.trouble import STORE_AWAY

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Session:
    """The parts of one process. ``engine`` is ``None`` for processes that only look or ask."""

    holder: SettingsHolder
    store: Store
    operations: Operations
    engine: Engine | None
    at_start: FleetSnapshot | None = None
    """The fleet before the engine claimed anything, for those who say in the end what was done."""


@asynccontextmanager
async def open_session(settings: Settings | SettingsHolder, *, role: str, engine: bool, read_only: bool = False) -> AsyncIterator[Session]:
    """Open the store and start the engine; both are closed, in the right order, when the block ends.

    Raises:
        StoreAway: the store cannot be used; one line that says why and what to do.
        Usage: the settings ask for what this version cannot do.
    """
    holder = settings if isinstance(settings, SettingsHolder) else SettingsHolder(settings)
    if engine and (problem := check_actions(holder.current.actions)) is not None:
        raise Usage(problem)
    opened = open_store(holder.current, state_dir(holder.current))
    try:
        store = await opened.__aenter__()
    except STORE_AWAY as error:
        raise StoreAway(str(error)) from error
    try:
        operations = Operations(store, holder, read_only=read_only)
        if not engine:
            flusher = asyncio.create_task(_flush_metrics(store), name="metrics")
            try:
                yield Session(holder, store, operations, None)
            finally:
                flusher.cancel()
                await _flush_once(store)
            return
        machine = Engine(store, holder, state_dir=state_dir(holder.current), role=role)
        at_start = await operations.status()
        teller = asyncio.create_task(AlertKeeper(store, holder, operations.conditions).run(), name="alerts")
        try:
            async with _running(machine):
                yield Session(holder, store, operations, machine, at_start)
        finally:
            teller.cancel()
            await asyncio.wait({teller})
    finally:
        await opened.__aexit__(None, None, None)


@asynccontextmanager
async def _running(machine: Engine) -> AsyncIterator[None]:
    """Run the engine while the block lasts. Should it end by a fault of its own, the block is cancelled.

    Raises:
        OperationError: the engine ended by itself; the log says why.
    """
    host = asyncio.current_task()
    running = asyncio.create_task(machine.run(), name="engine")

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.critical("the engine ended by a fault of its own", exc_info=error)
            if host is not None:
                host.cancel()

    running.add_done_callback(ended)
    try:
        yield
    except asyncio.CancelledError:
        if running.done() and not running.cancelled() and running.exception() is not None:
            raise OperationError("the engine ended by a fault of its own: the log says why") from running.exception()
        raise
    finally:
        machine.stop()
        await asyncio.wait({running})


async def _flush_metrics(store: Store) -> None:
    while True:
        await asyncio.sleep(1.0)
        await _flush_once(store)


async def _flush_once(store: Store) -> None:
    try:
        await store.metrics.flush()
    except STORE_AWAY as error:
        store.trouble.report(error)


class Signals:
    """SIGTERM, SIGHUP and SIGINT as one awaitable, for processes without a screen. A second signal ends at once."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._event = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def install(self) -> None:
        """Take the signals over. Main thread only."""
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise SystemExit(128 + number)
        self.received = signal.Signals(number)
        self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self) -> None:
        """Until one arrives."""
        await self._event.wait()


async def run_until_signal(work: Callable[[asyncio.Event], Awaitable[int]]) -> int:
    """Run ``work(stop)`` until it ends by itself or a signal sets ``stop``; returns its exit code."""
    signals, stop = Signals(), asyncio.Event()
    signals.install()
    job = asyncio.ensure_future(work(stop))
    waiter = asyncio.create_task(signals.wait())
    await asyncio.wait({job, waiter}, return_when=asyncio.FIRST_COMPLETED)
    if not job.done():
        logger.info("%s: finishing what is in hand", signals.received.name if signals.received else "signal")
        stop.set()
    waiter.cancel()
    return await job
