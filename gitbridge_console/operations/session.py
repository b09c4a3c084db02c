"""An open store with its operations and, where wanted, a running engine: what every command and the console live in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from gitbridge_console.domain.snapshots import FleetSnapshot
from gitbridge_console.operations.alert_keeper import AlertKeeper
from gitbridge_console.operations.errors import EndedEarly, OperationError, StoreAway
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
async def open_session(
    settings: Settings | SettingsHolder, *, role: str, engine: bool, read_only: bool = False, stop: asyncio.Event | None = None
) -> AsyncIterator[Session]:
    """Open the store and start the engine; both are closed, in the right order, when the block ends.

    Raises:
        EndedEarly: ``stop`` was set before the store was open, which may take minutes; nothing is open.
        StoreAway: the store cannot be used; one line that says why and what to do.
    """
    holder = settings if isinstance(settings, SettingsHolder) else SettingsHolder(settings)
    opened = open_store(holder.current, state_dir(holder.current))
    try:
        with _given_up_at(stop):
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


@contextmanager
def _given_up_at(stop: asyncio.Event | None) -> Iterator[None]:
    """What the block awaits is cancelled once ``stop`` is set.

    Raises:
        EndedEarly: it was.
    """
    host = asyncio.current_task()
    if stop is None or host is None:
        yield
        return
    inside = True
    waiting = asyncio.create_task(stop.wait())

    def give_up(_: object) -> None:
        if inside:  # it may be called when the block has just ended
            host.cancel()

    waiting.add_done_callback(give_up)
    try:
        yield
    except asyncio.CancelledError:
        if not stop.is_set() or host.uncancel():
            raise
        raise EndedEarly("asked to end before the store was open") from None
    finally:
        inside = False
        waiting.cancel()


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
