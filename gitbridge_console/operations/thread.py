"""The engine's own thread and loop, so that a stalled terminal freezes the painter and not the router."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from gitbridge_console.operations.ending import CLOSE_S, Ending, leave_store_later, limit_s
from gitbridge_console.operations.errors import EndedEarly, OperationError, StoreAway
from gitbridge_console.operations.roles import Role, role_of
from gitbridge_console.settings.errors import SettingsError
from gitbridge_console.settings.holder import SettingsHolder

if TYPE_CHECKING:
    from gitbridge_console.domain.audit import Actor
    from gitbridge_console.domain.snapshots import FleetSnapshot
    from gitbridge_console.operations.operations import Operations
    from gitbridge_console.operations.session import Session
    from gitbridge_console.settings.model import Settings

logger = logging.getLogger(__name__)

T = TypeVar("T")

START_TIMEOUT_S = 330.0
"""Longest wait for the store: a large append-only file is read first."""

STOP_MARGIN_S = 5.0
"""How much longer than the watchdog of an ending whoever stops the thread waits for it: the watchdog is the one to judge."""

FIRST_FRAME_S = 1.5
"""Longest the engine waits for the first frame."""


class EngineThread:
    """Runs a session in a thread. Commands go in by :meth:`call`, frozen snapshots come out by :attr:`snapshot`."""

    def __init__(
        self,
        settings: Settings | SettingsHolder,
        *,
        role: str,
        engine: bool = True,
        read_only: bool = False,
        refresh_s: float | None = None,
    ) -> None:
        self.holder = settings if isinstance(settings, SettingsHolder) else SettingsHolder(settings)
        self.snapshot: FleetSnapshot | None = None
        self.snapshot_at: float | None = None
        """Monotonic time of the newest snapshot, in seconds."""
        self._refresh_s = refresh_s
        self._role = role
        self._with_engine = engine
        self._read_only = read_only
        self._loop: asyncio.AbstractEventLoop | None = None
        self._session: Session | None = None
        self._stop: asyncio.Event | None = None
        self._opened = threading.Event()
        self._stopping = False
        self._shown = threading.Event()
        self._error: BaseException | None = None
        self._beside: tuple[Callable[[Operations], Awaitable[object]], ...] = ()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def begin(self, *beside: Callable[[Operations], Awaitable[object]]) -> None:
        """Start the thread and return at once; :attr:`failed` tells when the store cannot be used. ``beside`` runs while it is open.

        It leaves the processor to whoever draws the first frame, until :meth:`shown` or for :data:`FIRST_FRAME_S`.
        """
        self._beside = beside
        self._thread.start()

    def shown(self) -> None:
        """The first frame is on the screen."""
        self._shown.set()

    @property
    def settings(self) -> Settings | None:
        """The settings in force; ``None`` until the thread has read them, where it is to do that."""
        return self.holder.known

    @property
    def refresh_s(self) -> float:
        """Seconds between two snapshots."""
        return self._refresh_s or self.holder.current.console.refresh_s

    @property
    def failed(self) -> BaseException | None:
        """Why the thread ended by itself, ``None`` while nothing is wrong."""
        return self._error

    def start(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Start the thread and wait until the store is open.

        Raises:
            OperationError: the store cannot be used.
        """
        self.shown()
        self.begin()
        self.wait_open(timeout_s)

    def wait_open(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait until the store is open.

        Raises:
            OperationError: the store cannot be used.
        """
        if not self._opened.wait(timeout_s):
            raise StoreAway(f"the store did not open within {timeout_s:.0f} s")
        if self._error is not None:
            self._thread.join()
            raise self._error

    @property
    def role(self) -> Role | None:
        """The role of whoever runs this process, by the settings as they are now; ``None`` while nobody has read them."""
        known = self.holder.known
        return role_of(self._actor, known.roles) if known is not None else None

    @functools.cached_property
    def _actor(self) -> Actor:
        from gitbridge_console.operations.actor import current_actor

        return current_actor()

    @property
    def session(self) -> Session:
        """The open session; use its parts only inside :meth:`call`."""
        assert self._session is not None, "start() first"
        return self._session

    def call(self, operation: Callable[[Operations], Awaitable[T]]) -> concurrent.futures.Future[T]:
        """Run an operation on the engine's loop; the future carries its result or its :class:`OperationError`."""
        session, loop = self._session, self._loop
        if session is None or loop is None or loop.is_closed():
            refused: concurrent.futures.Future[T] = concurrent.futures.Future()
            refused.set_exception(OperationError("the engine is stopped"))
            return refused

        async def run() -> T:
            return await operation(session.operations)

        return asyncio.run_coroutine_threadsafe(run(), loop)

    def end_with(self, ending: Ending) -> None:
        """Stop as soon as the process is to end, and say when the rest of it need not be waited for."""
        ending.tell(self.request_stop)
        ending.closed_when(lambda: self.closed)
        ending.at_last(self._leave_store_later)

    def _leave_store_later(self) -> None:
        known = self.holder.known
        if known is not None and not self.closed:
            leave_store_later(known)

    def request_stop(self) -> None:
        """Begin to stop, without waiting, before :meth:`begin` or at any time after it; from any thread, not from a signal handler."""
        self._stopping = True
        self._shown.set()
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._stop.set)

    @property
    def closed(self) -> bool:
        """Whether nothing of it is open: not begun, or ended."""
        return not self._thread.is_alive()

    def stop(self, timeout_s: float | None = None) -> bool:
        """Drain and stop; returns whether the thread ended within ``timeout_s`` (default: what an ending may take, and a little)."""
        self.request_stop()
        if self._thread.is_alive():
            known = self.holder.known
            longest_s = limit_s(known) if known is not None else CLOSE_S
            self._thread.join(timeout_s if timeout_s is not None else longest_s + STOP_MARGIN_S)
        return self.closed

    def _run(self) -> None:
        self._shown.wait(FIRST_FRAME_S)
        try:
            if not self._stopping:
                self.holder.read()
                asyncio.run(self._main())
        except EndedEarly:
            logger.info("stopped before the store was open")
        except (OperationError, SettingsError) as error:
            self._error = error
            self._mark_stale(str(error))
        except Exception as error:
            logger.exception("the engine's thread ended for a reason nobody foresaw")
            self._error = error
            self._mark_stale("the engine ended: the log says why")
        finally:
            self._session = None
            self._opened.set()

    async def _main(self) -> None:
        # The store and the router are imported here, while the first frame is drawn.
        from gitbridge_console.operations.session import open_session

        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        if self._stopping:  # it was asked to meanwhile, when there was no loop to tell
            self._stop.set()
        read_only = self._read_only or self.holder.current.read_only
        async with open_session(self.holder, role=self._role, engine=self._with_engine, read_only=read_only, stop=self._stop) as session:
            self._session = session
            self._opened.set()
            others = [asyncio.ensure_future(run(session.operations)) for run in self._beside]
            while not self._stop.is_set():
                await self._look(session.operations)
                try:
                    async with asyncio.timeout(self.refresh_s):
                        await self._stop.wait()
                except TimeoutError:
                    continue
            for other in others:
                other.cancel()
        self._session = None

    async def _look(self, operations: Operations) -> None:
        """Take a new snapshot; while the store is away the last one stays, marked as what it is."""
        try:
            self.snapshot = await operations.status()
            self.snapshot_at = time.monotonic()
        except OperationError as error:
            self._mark_stale(str(error))
        except Exception:
            logger.exception("the snapshot failed for a reason nobody foresaw")
            self._mark_stale("the snapshot failed, see the log")

    def _mark_stale(self, why: str) -> None:
        last = self.snapshot
        if last is None:
            return
        age_s = round(time.monotonic() - (self.snapshot_at or 0.0), 1)
        store = last.store.model_copy(update={"ok": False, "age_s": age_s, "error": why})
        self.snapshot = last.model_copy(update={"store": store})
