"""One process's way in for webhooks: door, spool and replay as one, over a store that may not be there yet."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from starlette.applications import Starlette

from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.domain.snapshots import FleetSnapshot, SpoolStatus
from gitbridge_console.ingress.counters import Counters
from gitbridge_console.ingress.exposition import exposition
from gitbridge_console.ingress.keeper import Keeper
from gitbridge_console.ingress.spool import Spool
from gitbridge_console.ingress.spool_folder import CannotSpool, left_in
from gitbridge_console.ingress.webhook import build_ingress_app
from gitbridge_console.operations.errors import EndedEarly, OperationError, StoreAway
from gitbridge_console.operations.places import spool_dir
from gitbridge_console.operations.session import Session, open_session
from gitbridge_console.router.intake import SubmitResult
from gitbridge_console.settings.holder import SettingsHolder
from gitbridge_console.settings.ingress import IngressSettings
from gitbridge_console.settings.model import Settings
from gitbridge_console.store.trouble import STORE_AWAY

logger = logging.getLogger(__name__)

BEAT_S = 2.0
STORE_LOOK_S = 2.0
"""Longest a probe waits for the store."""
REPLAY_STOP_S = 5.0
OPEN_PAUSE_FIRST_S, OPEN_PAUSE_MAX_S = 0.5, 5.0


async def open_spool(settings: Settings) -> Spool | None:
    """The spool, ``None`` where the settings want none.

    Raises:
        OperationError: it cannot be used; one line that says why and what to do.
    """
    if not settings.ingress.spool_max_bytes:
        if await asyncio.to_thread(left_in, spool_dir(settings)):
            logger.error("deliveries wait in %s, but ingress.spool_max_bytes is 0: nobody stores them", spool_dir(settings))
        return None
    spool = Spool(spool_dir(settings), settings.ingress.spool_max_bytes)
    try:
        await asyncio.to_thread(spool.open)
    except CannotSpool as error:
        raise OperationError(str(error)) from None
    return spool


class LateSession:
    """A session that is opened as soon as the store can be used, for whoever has something to do before that."""

    def __init__(self, holder: SettingsHolder, role: str) -> None:
        self.current: Session | None = None
        self._holder = holder
        self._role = role

    async def run(self, stop: asyncio.Event, opened: asyncio.Event, say: Callable[[str], None]) -> None:
        """Open it, and hold it open until ``stop``. ``opened`` is set when the first try is over, whatever it came to."""
        pause_s, told = OPEN_PAUSE_FIRST_S, False
        while not stop.is_set():
            try:
                async with open_session(self._holder, role=self._role, engine=False, stop=stop) as self.current:
                    opened.set()
                    if told:
                        say("the store is open")
                    try:
                        await stop.wait()
                    finally:
                        self.current = None
            except EndedEarly:
                return
            except StoreAway as error:
                opened.set()
                if not told:
                    say(f"{error}; deliveries are spooled until it can be used")
                told = True
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await stop.wait()
                pause_s = min(OPEN_PAUSE_MAX_S, pause_s * 2)


class Receiver:
    """Takes deliveries for a session, also while there is none yet. ``session`` gives it as soon as the store is open."""

    def __init__(self, holder: SettingsHolder, session: Callable[[], Session | None], spool: Spool | None) -> None:
        # By its spool, which the next process takes over, and not by the process.
        self.id = f"{socket.gethostname()[:40]}:{spool.folder.absolute() if spool is not None else os.getpid()}"[:200]
        self._holder = holder
        self._session = session
        self._spool = spool
        self._counters = Counters()
        self._counters.watch(self._spool_status)
        self._keeper = Keeper(
            self._submit, self._settings, self._counters, spool=spool, come_again=(OperationError,), closed=self._closed, heal=self._heal
        )
        self._stop = asyncio.Event()

    def app(self) -> Starlette:
        """The ASGI application."""
        return build_ingress_app(lambda: self._holder.current, self._keeper, self._counters, self._ready, self._metrics)

    async def run(self) -> None:
        """Replay the spool and tell the fleet of it until :meth:`close`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keeper.replay(self._stop), name="spool replay")
            group.create_task(self._beats(), name="receiver beats")

    async def close(self, running: asyncio.Task[None]) -> None:
        """End :meth:`run` and let go of the spool; what is in it is for the next receiver of this folder.

        Raises:
            OperationError: it ended before, by a fault of its own.
        """
        self._stop.set()
        await asyncio.wait({running}, timeout=REPLAY_STOP_S)
        running.cancel()
        await asyncio.wait({running})
        if self._spool is not None:
            await self._spool.aclose()
        if not running.cancelled() and (error := running.exception()) is not None:
            logger.critical("the receiver ended by a fault of its own", exc_info=error)
            raise OperationError("the receiver ended by a fault of its own: the log says why") from error

    def _settings(self) -> IngressSettings:
        return self._holder.current.ingress

    def _spool_status(self) -> SpoolStatus | None:
        return None if self._spool is None else self._spool.status()

    def _open_session(self) -> Session:
        session = self._session()
        if session is None:
            raise StoreAway("the store is not open yet")
        return session

    def _closed(self) -> str:
        return "this receiver is read-only" if self._holder.current.read_only else ""

    async def _submit(self, event: IncomingEvent) -> SubmitResult:
        return await self._open_session().operations.take_in(event)

    async def _heal(self) -> None:
        """Start the embedded server again if it died: where only a receiver runs, nobody else would."""
        session = self._session()
        if session is not None and session.store.connection.embedded is not None:
            await session.store.heal()

    async def _look(self) -> FleetSnapshot:
        async with asyncio.timeout(STORE_LOOK_S):
            return await self._open_session().operations.status()

    async def _ready(self) -> dict[str, Any]:
        """Whether a delivery sent now would be answered with a 202: the store takes it, or the spool has room for the largest."""
        parts: dict[str, Any] = {}
        try:
            snapshot = await self._look()
            parts |= {"store": "ok", "engines": len(snapshot.engines)}
        except (OperationError, TimeoutError) as error:
            parts |= {"store": "away", "reason": " ".join(str(error).split())[:200] or f"no answer within {STORE_LOOK_S:g} s"}
        spool = self._spool_status()
        room = spool is not None and not spool.failure and spool.bytes + self._settings().max_body_bytes <= spool.max_bytes
        behind = spool is not None and spool.records > 0
        parts["spool"] = None if spool is None else spool.model_dump() | {"full": not room and not spool.failure}
        return {"ready": not self._closed() and (room or (parts["store"] == "ok" and not behind))} | parts

    async def _metrics(self) -> bytes:
        return exposition(await self._look())

    async def _beats(self) -> None:
        while not self._stop.is_set():
            await self._beat()
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_S):
                    await self._stop.wait()
        await self._leave()

    async def _beat(self) -> None:
        session = self._session()
        if session is None or session.operations.read_only:
            return
        try:
            await session.store.receivers.beat(self.id, socket.gethostname()[:60], self._spool_status())
        except STORE_AWAY as error:
            session.store.trouble.report(error)
        except Exception:
            logger.exception("the store did not take the receiver's beat for a reason nobody foresaw")
        else:
            session.store.trouble.answered()

    async def _leave(self) -> None:
        session, spool = self._session(), self._spool_status()
        if session is None or session.operations.read_only or (spool is not None and spool.records):
            return
        try:
            await session.store.receivers.leave(self.id)
        except STORE_AWAY as error:
            logger.debug("the store did not take the receiver's goodbye: %s", error)
