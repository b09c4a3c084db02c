"""Keeping a delivery: in the store when it takes it soon, else in the spool, which is replayed in order when it does again."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.ingress.body import Rejected
from gitbridge_console.ingress.counters import Counters
from gitbridge_console.ingress.spool import Spool, SpoolFailed, SpoolFull
from gitbridge_console.ingress.spool_files import Damaged, Record
from gitbridge_console.settings.ingress import IngressSettings
from gitbridge_console.store.records import BackPressure, PayloadTooLarge
from gitbridge_console.store.unavailable import STORE_AWAY_ERRORS

logger = logging.getLogger(__name__)

COME_AGAIN: tuple[type[Exception], ...] = (BackPressure, *STORE_AWAY_ERRORS)
STORE_TIMEOUT_S = 8.0
"""Without a spool. Code hosts cut the connection after 10 s; what was stored all the same is a duplicate when it comes again."""
PACE_BYTES_PER_S = 10 * 1024 * 1024
"""Reading and packing a large payload takes time by itself: so much more patience with it."""
RETRY_AFTER_S = 10
DISK_TIMEOUT_S = 6.0
"""Longest wait for the spool's disk; what it takes later is stored all the same, and a redelivery of it is a duplicate."""
REPLAY_TIMEOUT_S = 15.0
BATCH_MAX = 32
BATCH_BYTES = 512 * 1024
"""A batch travels to the store in one call, which keeps its order."""
READ_MAX, READ_BYTES = 8 * BATCH_MAX, 4 * BATCH_BYTES
"""What is read, and noted as done, at a time: a sync of the disk for each batch would hold up those who append."""
PAUSE_FIRST_S, PAUSE_MAX_S = 0.1, 2.0
REPORT_EVERY_S = 60.0
FAULTS_MAX = 5
"""Tries of one spooled delivery that end in an error nobody foresaw, before it is set aside."""


class Submitted(Protocol):
    """What became of a submitted event."""

    @property
    def id(self) -> str: ...

    @property
    def status(self) -> str: ...


Submit = Callable[[IncomingEvent], Awaitable[Submitted]]


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a delivery: as the store says, or ``spooled`` with no id yet."""

    id: str
    status: str


class Keeper:
    """Decides, for each delivery, between store and spool.

    ``come_again``: errors of ``submit`` that mean "not now". ``closed`` says why nothing may be taken, empty when it may.
    ``heal`` is called while the store takes nothing.
    """

    def __init__(
        self,
        submit: Submit,
        settings: Callable[[], IngressSettings],
        counters: Counters,
        *,
        spool: Spool | None = None,
        come_again: tuple[type[Exception], ...] = (),
        closed: Callable[[], str] = str,
        heal: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.spool = spool
        self._submit = submit
        self._settings = settings
        self._counters = counters
        self._not_now = (*COME_AGAIN, *come_again)
        self._closed = closed
        self._heal = heal
        self._since: float | None = None
        self._replayed = 0
        self._said_at = -REPORT_EVERY_S
        self._faults = 0

    async def keep(self, event: IncomingEvent) -> Kept:
        """Keep an event; when this returns it is in the store, or on disk behind all that came before it.

        Raises:
            Rejected: it is neither: 413, 500, or 503 with the time to come again.
        """
        if why_closed := self._closed():
            raise Rejected(503, why_closed, "closed", retry_after_s=RETRY_AFTER_S)
        if self.spool is None:
            return await self._store(event, STORE_TIMEOUT_S)
        if self.spool.in_use:
            return await self._put_aside(self.spool, event, "behind")
        try:
            return await self._store(event, self._settings().store_patience_s + len(event.payload) / PACE_BYTES_PER_S)
        except _NotNow as why:
            return await self._put_aside(self.spool, event, why.word, why.detail)

    async def _store(self, event: IncomingEvent, patience_s: float) -> Kept:
        try:
            async with asyncio.timeout(patience_s):
                result = await self._submit(event)
        except PayloadTooLarge:
            raise Rejected(413, "the payload is over queue.payload_max_bytes", "too_large") from None
        except TimeoutError:
            raise _NotNow("slow", f"no answer within {patience_s:g} s") from None
        except self._not_now as error:
            raise _NotNow("refused", _line(error)) from None
        except Exception as error:
            # Whatever it is, the sender gets an answer without internals, and the log gets the rest.
            logger.exception("delivery %s could not be stored", event.delivery)
            if self.spool is not None:
                raise _NotNow("fault", _line(error)) from None
            raise Rejected(500, "not stored: internal error", "internal") from None
        return Kept(result.id, result.status)

    async def _put_aside(self, spool: Spool, event: IncomingEvent, word: str, why: str = "") -> Kept:
        try:
            async with asyncio.timeout(DISK_TIMEOUT_S):
                await spool.append(event)
        except (SpoolFull, SpoolFailed, TimeoutError) as error:
            self._counters.spool_refused.labels("full" if isinstance(error, SpoolFull) else "failed").inc()
            detail = f"delivery {event.delivery}: {str(error) or f'the disk did not take it within {DISK_TIMEOUT_S:g} s'}"
            raise Rejected(
                503, "neither stored nor spooled: try again later", "spool", retry_after_s=RETRY_AFTER_S, detail=detail
            ) from None
        self._counters.spooled.labels(word).inc()
        if self._since is None:
            self._since, self._replayed = time.monotonic(), 0
            logger.warning("the store takes no deliveries (%s); they are spooled to %s", why or "others wait", spool.folder)
        return Kept("", "spooled")

    async def replay(self, stop: asyncio.Event) -> None:
        """Hand spooled deliveries to the store, oldest first, until ``stop`` is set; what is left then is for the next run."""
        if self.spool is None:
            return
        spool, pause_s, count = self.spool, PAUSE_FIRST_S, READ_MAX
        while not stop.is_set():
            if not spool.arrived.is_set():
                await _either(spool.arrived.wait(), stop)
                continue
            if self._since is None:
                self._since, self._replayed = time.monotonic(), 0
            try:
                stuck = await self._replay_some(spool, count)
            except Exception:
                # A disk that cannot be read, a fault of ours: said once a minute, tried for ever; nothing is dropped.
                self._report("the spool cannot be replayed", exc_info=True)
                stuck = True
            if stuck:
                count = 1
                await _either(asyncio.sleep(pause_s), stop)
                pause_s = min(PAUSE_MAX_S, pause_s * 2)
            else:
                pause_s, count = PAUSE_FIRST_S, READ_MAX
                self._say_if_empty(spool)

    async def _replay_some(self, spool: Spool, count: int) -> bool:
        """Replay some, in batches; ``True`` when the store did not take all of them."""
        try:
            records = await spool.read(count, READ_BYTES)
        except Damaged as error:
            lost = await spool.skip_damaged()
            logger.critical("spool: %s; %d deliveries are not replayed, their file is kept with .damaged at its name", error, lost)
            return False
        done = 0
        failure: BaseException | None = None
        for batch in _batches(records):
            # Begun in their order within one turn of the loop, so that the store sees them in it.
            results = await asyncio.gather(*(self._submit_spooled(record) for record in batch), return_exceptions=True)
            for result in results:
                if isinstance(result, BaseException):
                    failure = result
                    break
                done += 1
                self._counters.replayed.labels(result.status).inc()
            if failure is not None:
                break
        if done:
            self._faults = 0
            self._replayed += done
            try:
                await spool.forget(records[:done])
            except OSError as error:
                self._report(f"how far replay has come cannot be noted ({_line(error)}): a crash now would repeat some of it")
        if failure is not None:
            await self._stuck(spool, records[done], failure)
        return failure is not None

    async def _submit_spooled(self, record: Record) -> Submitted:
        async with asyncio.timeout(REPLAY_TIMEOUT_S):
            return await self._submit(record.event)

    async def _stuck(self, spool: Spool, record: Record, error: object) -> None:
        # A call that was cancelled under us is none that failed: the store is being closed or opened anew.
        if isinstance(error, (TimeoutError, asyncio.CancelledError, *self._not_now)):
            self._faults = 0
            self._report(f"the store takes no deliveries ({_line(error)})")
            await self._try_to_heal()
            return
        self._faults += 1
        fault = error if isinstance(error, Exception) else None
        self._report(f"delivery {record.event.delivery} cannot be stored ({_line(error)})", exc_info=fault)
        if self._faults >= FAULTS_MAX:
            # One that nobody foresaw must not keep all others: its file stays for an operator.
            path = await spool.set_aside(record)
            self._faults = 0
            self._counters.replayed.labels("set_aside").inc()
            logger.critical("delivery %s could not be stored %d times and is set aside in %s", record.event.delivery, FAULTS_MAX, path)

    async def _try_to_heal(self) -> None:
        if self._heal is not None:
            try:
                await self._heal()
            except self._not_now as problem:
                logger.debug("the store cannot be started: %s", problem)

    def _report(self, text: str, *, exc_info: BaseException | bool | None = None) -> None:
        now = time.monotonic()
        if self.spool is not None and now - self._said_at >= REPORT_EVERY_S:
            self._said_at = now
            logger.warning("%s; %d are spooled, %d bytes", text, self.spool.records, self.spool.bytes, exc_info=exc_info)

    def _say_if_empty(self, spool: Spool) -> None:
        if self._since is not None and not spool.in_use:
            logger.warning(
                "the spool is empty again: %d deliveries were stored from it within %.1f s", self._replayed, time.monotonic() - self._since
            )
            self._since, self._said_at = None, -REPORT_EVERY_S


def _batches(records: list[Record]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    size = 0
    for record in records:
        size += len(record.event.payload)
        if batch and (len(batch) >= BATCH_MAX or size > BATCH_BYTES):
            yield batch
            batch, size = [], len(record.event.payload)
        batch.append(record)
    if batch:
        yield batch


class _NotNow(Rejected):
    """The store does not take it now. ``word`` is a label of metrics."""

    def __init__(self, word: str, message: str) -> None:
        super().__init__(503, "not stored: try again later", "store", retry_after_s=RETRY_AFTER_S, detail=message)
        self.word = word


def _line(error: object) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


async def _either(wait: Awaitable[object], stop: asyncio.Event) -> None:
    """Until the one is over or the other set."""
    tasks = {asyncio.ensure_future(wait), asyncio.ensure_future(stop.wait())}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
