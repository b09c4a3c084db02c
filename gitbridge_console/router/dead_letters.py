"""Keeps dead letters within their bounds: the oldest go to a file, and from the store only once that file is proven."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from gitbridge_console.domain.dead_letters import DeadLetter, beyond_retention
from gitbridge_console.domain.event_records import EventRecord
from gitbridge_console.domain.tasks import TaskState
from gitbridge_console.router.dead_letter_file import FOLDER, DeadLetterFile
from gitbridge_console.router.export_file import ExportFailed, file_name, in_thread, prepare_folder
from gitbridge_console.settings.model import RetentionSettings
from gitbridge_console.store.event_records import UnreadableEvent
from gitbridge_console.store.spell import REPORT_EVERY_S
from gitbridge_console.store.store import Store
from gitbridge_console.store.trouble import STORE_AWAY

logger = logging.getLogger(__name__)

LETTERS_MAX = 200
BYTES_MAX = 32 * 1024 * 1024
"""Bounds of one file, the bytes before compression; the last letter may reach over."""
LOCK_S = 120.0
LOOK_EVERY_S = 30.0
MORE_AFTER_S = 1.0


class DeadLetterKeeper:
    """One engine's part in it; the fleet does it one engine at a time."""

    def __init__(
        self,
        store: Store,
        state_dir: Path,
        retention: Callable[[], RetentionSettings],
        *,
        engine: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._letters = store.dead_letters
        self._state_dir = state_dir
        self._retention = retention
        self._engine = engine
        self._clock = clock
        self._token = secrets.token_hex(6)
        self._files = 0
        self._held_at = 0.0
        self._reported_at: float | None = None

    async def run(self) -> None:
        """Look now and then until cancelled. A disk that hangs holds up this loop and nothing else."""
        while True:
            gone = 0
            try:
                gone = await self.tick()
            except STORE_AWAY as error:
                self._store.trouble.report(error)
            except Exception:
                logger.exception("dead letters could not be exported for a reason nobody foresaw; none was removed")
            await asyncio.sleep(MORE_AFTER_S if gone else LOOK_EVERY_S)

    async def tick(self) -> int:
        """Export what is beyond the bounds, one file at most; returns how many events went from the store.

        Raises:
            redis.exceptions.RedisError: the store is away; nothing was removed, or what was lies in the file.
        """
        if not await self._beyond() or not await self._hold():
            return 0
        try:
            # Looked at again: whoever had the lock before may have just exported these.
            return await self._export(await self._beyond())
        except ExportFailed as error:
            await self._complain(str(error))
            return 0
        finally:
            try:
                await self._letters.leave(self._token)
            except STORE_AWAY as error:
                self._store.trouble.report(error)

    async def _beyond(self) -> Sequence[DeadLetter]:
        bounds = self._retention()
        return beyond_retention(await self._letters.look(LETTERS_MAX), most=bounds.dead_max, longest_s=bounds.dead_s)

    async def _hold(self) -> bool:
        self._held_at = self._clock()
        return await self._letters.hold(self._token, LOCK_S)

    async def _export(self, letters: Sequence[DeadLetter]) -> int:
        if not letters:
            return 0
        at_ms = round(time.time() * 1000)
        self._files += 1
        name = file_name(at_ms, self._engine, f"{self._token}.{self._files}")
        folder = await in_thread(partial(prepare_folder, self._state_dir, FOLDER))
        file = await in_thread(partial(DeadLetterFile, folder, name))
        unreadable: list[str] = []
        try:
            for letter in letters:
                record = await self._read(letter, unreadable)
                if record is not None:
                    await in_thread(partial(file.add, record, at_ms=at_ms, by=self._engine))
                if file.size_bytes >= BYTES_MAX or (self._clock() - self._held_at > LOCK_S / 4 and not await self._hold()):
                    break
            if file.receipts:
                await in_thread(file.finish)
                if not await self._hold():
                    logger.warning("another engine has taken the export of dead letters over; this one begins anew later")
                    return 0
                await in_thread(file.publish)
        finally:
            await in_thread(file.discard)
        gone = await self._forget(file) if file.receipts else 0
        if unreadable:
            await self._complain(f"{len(unreadable)} cannot be read and stay in the store: {unreadable[0]}")
        return gone

    async def _read(self, letter: DeadLetter, unreadable: list[str]) -> EventRecord | None:
        """The letter whole; ``None`` for one that is gone, damaged, or whose answer somebody is still waiting for."""
        try:
            record = await self._store.records.read(letter.event_id)
        except UnreadableEvent as error:
            unreadable.append(str(error))
            return None
        if record is None or await self._letters.at_work([task.id for task in record.detail.tasks if task.state == TaskState.IN_PROGRESS]):
            return None
        return record

    async def _forget(self, file: DeadLetterFile) -> int:
        exported = [(own.event_id, own.run) for own in file.receipts]
        went = await self._letters.forget(exported, file=file.path.name, engine=self._engine)
        logger.warning("%d dead letters exported to %s, %d of them removed from the store", len(exported), file.path, sum(went))
        return sum(went)

    async def _complain(self, text: str) -> None:
        now = self._clock()
        if self._reported_at is None or now - self._reported_at >= REPORT_EVERY_S:
            self._reported_at = now
            logger.error("dead letters could not be exported, none of these was removed: %s", text)
        await self._letters.complain(text, engine=self._engine)
