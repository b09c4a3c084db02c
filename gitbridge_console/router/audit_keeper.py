"""Keeps the audit within its bounds: the oldest entries go to a file, and from the store only once that file is proven."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from gitbridge_console.domain.audit import FORMAT
from gitbridge_console.domain.chain_lines import head_line, link_line, verify_lines
from gitbridge_console.domain.hash_chain import End, Link
from gitbridge_console.router.export_file import ExportFailed, ExportFile, file_name, in_thread, prepare_folder
from gitbridge_console.settings.model import RetentionSettings
from gitbridge_console.store.journal import made_ms
from gitbridge_console.store.replies import server_now_ms
from gitbridge_console.store.store import Store
from gitbridge_console.store.trouble import STORE_AWAY

logger = logging.getLogger(__name__)

FOLDER = "audit"
LINKS_MAX = 5_000
"""Entries of one file, a few MB before compression."""

ROOM = 0.1
"""Share of the bound that is made free at once, so that a full audit does not make a file for every write."""

OVERDUE_MS = 24 * 3_600_000
"""By how much the oldest entry may be over its time, so that there is one file a day at most."""

LOOK_EVERY_S = 60.0


class AuditKeeper:
    """One engine's part in it; the fleet does it one engine at a time."""

    def __init__(self, store: Store, state_dir: Path, retention: Callable[[], RetentionSettings], *, engine: str) -> None:
        self._store = store
        self._journal = store.journal
        self._state_dir = state_dir
        self._retention = retention
        self._engine = engine

    async def run(self) -> None:
        """Look now and then until cancelled."""
        while True:
            try:
                await self.tick()
            except STORE_AWAY as error:
                self._store.trouble.report(error)
            except ExportFailed as error:
                logger.error("the audit could not be exported, nothing was removed: %s", error)
            except Exception:
                logger.exception("the audit could not be exported for a reason nobody foresaw; nothing was removed")
            await asyncio.sleep(LOOK_EVERY_S)

    async def tick(self) -> int:
        """Export what is beyond the bounds, one file at most; returns how many entries went from the store.

        Raises:
            ExportFailed: the disk refused; nothing was removed.
            redis.exceptions.RedisError: the store is away; nothing was removed, or what was lies in the file.
        """
        if not await self._beyond() or not await self._journal.lock.hold():
            return 0
        try:
            # Looked at again: whoever had the lock before may have just exported these.
            return await self._export(await self._beyond())
        finally:
            try:
                await self._journal.lock.leave()
            except STORE_AWAY as error:
                self._store.trouble.report(error)

    async def _beyond(self) -> Sequence[Link]:
        """The oldest links that have to go."""
        bounds = self._retention()
        count, oldest_ms = await self._journal.size()
        over = count - round(bounds.audit_max * (1 - ROOM)) if count > bounds.audit_max else 0
        too_old_ms = await server_now_ms(self._store.client) - bounds.audit_s * 1000 if bounds.audit_s else 0
        overdue = 0 < oldest_ms < too_old_ms - OVERDUE_MS
        found: list[Link] = []
        if not over and not overdue:
            return found
        async for link in self._journal.chain.links():
            if len(found) >= min(max(over, LINKS_MAX if overdue else 0), LINKS_MAX) or (len(found) >= over and made_ms(link) >= too_old_ms):
                break
            found.append(link)
        return found

    async def _export(self, links: Sequence[Link]) -> int:
        if not links:
            return 0
        chain = self._journal.chain
        anchor, _ = await chain.ends()
        name = file_name(round(time.time() * 1000), self._engine, f"{links[0].seq}-{links[-1].seq}")
        folder = await in_thread(partial(prepare_folder, self._state_dir, FOLDER))
        file = await in_thread(partial(ExportFile, folder, name))
        try:
            await in_thread(partial(_write, file, chain.name, anchor, links))
            if not await self._journal.lock.hold():
                logger.warning("another engine has taken the export of the audit over; this one begins anew later")
                return 0
            await in_thread(file.publish)
        finally:
            await in_thread(file.discard)
        went = await self._journal.trim(links[-1].seq, name)
        logger.warning("%d entries of the audit exported to %s and removed from the store", went, file.path)
        return went


def _write(file: ExportFile, name: str, anchor: End, links: Sequence[Link]) -> None:
    head = End(links[-1].seq, links[-1].hash)
    file.write(head_line(name, anchor, head, FORMAT))
    for link in links:
        file.write(link_line(name, link))

    def check(lines: Iterator[bytes]) -> None:
        try:
            (report,) = verify_lines(lines)
        except ValueError as error:
            raise ExportFailed(f"{file.path.name} does not hold what was written: {error}") from error
        if report.entries != len(links) or report.head != head:
            raise ExportFailed(f"{file.path.name} does not hold what was written: {report.problem or report.entries}")
        if report.problem:
            # It was so in the store: kept as it is, for whoever looks into it.
            logger.error("the audit was tampered with, or damaged, before it was exported to %s: %s", file.path.name, report.problem)

    file.close_and_check(check)
