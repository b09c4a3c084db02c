"""The spool: deliveries the store does not take now, on disk before they are answered for, and read back in their order.

One process owns a spool folder, by a lock that dies with it. Appends that come together share one sync. Only what is not
replayed yet counts; a segment is removed when all of it is.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.domain.snapshots import SpoolStatus
from gitbridge_console.ingress.spool_appender import Appender, write_alone
from gitbridge_console.ingress.spool_files import (
    MAGIC,
    Damaged,
    Position,
    Record,
    Segment,
    pack,
    read_cursor,
    records_from,
    remove_segment,
    scan,
    segments_of,
    write_cursor,
)
from gitbridge_console.ingress.spool_folder import CannotSpool, cannot_text, take_folder

logger = logging.getLogger(__name__)

SEGMENT_MAX_BYTES = 16 * 1024 * 1024
SEGMENTS_MIN = 8
"""A small spool has smaller segments: room comes back when a whole one is replayed."""
TOGETHER_MAX_BYTES = 4 * 1024 * 1024
"""Most bytes one sync is shared by, but always one delivery at least."""
SET_ASIDE, SET_ASIDE_MAX = ".rejected", 100


class SpoolFull(Exception):
    """There is no room for one delivery more within ``ingress.spool_max_bytes``."""


class SpoolFailed(Exception):
    """The disk did not take a delivery; nothing was spooled. One line that says why."""


class Spool:
    """An open spool. Everything but :meth:`open` and :meth:`close` belongs into the loop that replays."""

    def __init__(self, folder: Path, max_bytes: int, segment_max_bytes: int | None = None, clock: Callable[[], float] = time.time) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.bytes = 0
        """Of all segments on disk and of what is being written."""
        self.failure = ""
        """Why the disk did not take the last delivery; empty once it takes one."""
        self.arrived = asyncio.Event()
        """Set while there is something to replay."""
        self._clock = clock
        self._segment_max = min(SEGMENT_MAX_BYTES, max_bytes // SEGMENTS_MIN) if segment_max_bytes is None else segment_max_bytes
        self._segments: deque[Segment] = deque()
        self._start = Position(1, len(MAGIC))
        self._lock_file: int | None = None
        self._appender = Appender(folder, 1, self._segment_max)
        self._gathered: deque[tuple[bytes, int, asyncio.Future[None]]] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._disk = asyncio.Lock()

    def open(self) -> None:
        """Take the folder and look at what an earlier process left in it. Blocks.

        Raises:
            CannotSpool: no permission, no room, or another process uses it.
        """
        self._lock_file = take_folder(self.folder)
        try:
            self._look_back()
        except OSError as error:
            self.close()
            raise CannotSpool(cannot_text(self.folder, error)) from error

    def _look_back(self) -> None:
        cursor = read_cursor(self.folder) or self._start
        numbers = segments_of(self.folder)
        for number in numbers:
            start = cursor.offset if number == cursor.segment else len(MAGIC)
            segment = scan(self.folder, number, start) if number >= cursor.segment else Segment(number)
            if segment.records:
                self._segments.append(segment)
                self.bytes += segment.end
            else:
                remove_segment(self.folder, number)
        # Beyond the cursor too: it must never point into a segment that is written anew.
        self._appender = Appender(self.folder, max([cursor.segment, *numbers]) + 1, self._segment_max)
        self._set_start(cursor)
        with suppress(OSError):
            write_cursor(self.folder, self._start)  # so that it has its place when the disk is full
        if self.records:
            logger.warning("spool: %d deliveries of an earlier run wait to be stored", self.records)

    def _set_start(self, cursor: Position) -> None:
        if self._segments and self._segments[0].number != cursor.segment:
            cursor = Position(self._segments[0].number, len(MAGIC))
        self._start = cursor
        if self._segments:
            self.arrived.set()
        else:
            self.arrived.clear()

    @property
    def records(self) -> int:
        """Deliveries on disk that are not replayed yet."""
        return sum(segment.records for segment in self._segments)

    @property
    def in_use(self) -> bool:
        """Whether a new delivery has to go behind others here."""
        return bool(self._segments or self._gathered or self._writer)

    def status(self) -> SpoolStatus:
        """What it holds now."""
        oldest = self._segments[0].first_ms if self._segments else None
        age_s = None if oldest is None else max(0.0, round(self._clock() - oldest / 1000, 1))
        return SpoolStatus(records=self.records, bytes=self.bytes, max_bytes=self.max_bytes, oldest_age_s=age_s, failure=self.failure)

    async def append(self, event: IncomingEvent) -> None:
        """Put a delivery behind all others; it is on disk when this returns.

        Raises:
            SpoolFull: no room; counted by whoever asked.
            SpoolFailed: the disk did not take it.
        """
        at_ms = round(self._clock() * 1000)
        packed = pack(event, at_ms)
        if self.bytes + len(packed) > self.max_bytes:
            raise SpoolFull(f"the spool is full: {self.bytes:,} of {self.max_bytes:,} bytes (ingress.spool_max_bytes)")
        self.bytes += len(packed)
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._gathered.append((packed, at_ms, written))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_out(), name="spool")
        await written

    async def _write_out(self) -> None:
        try:
            while self._gathered:
                together = [self._gathered.popleft()]
                size = len(together[0][0])
                while self._gathered and (size := size + len(self._gathered[0][0])) <= TOGETHER_MAX_BYTES:
                    together.append(self._gathered.popleft())
                await self._write_together(together)
        finally:
            self._writer = None

    async def _write_together(self, together: list[tuple[bytes, int, asyncio.Future[None]]]) -> None:
        packed = [record for record, _, _ in together]
        async with self._disk:
            try:
                start = await asyncio.to_thread(self._appender.write, packed)
            except Exception as error:
                # Whatever it was, those who wait for an answer must get one.
                self.bytes -= sum(map(len, packed))
                self.failure = getattr(error, "strerror", None) or str(error) or type(error).__name__
                for _, _, written in together:
                    if not written.done():
                        written.set_exception(SpoolFailed(f"the spool could not be written: {self.failure}"))
                return
            self._note(start, together)
        for _, _, written in together:
            if not written.done():
                written.set_result(None)

    def _note(self, start: Position, together: list[tuple[bytes, int, asyncio.Future[None]]]) -> None:
        self.failure = ""
        if not self._segments or self._segments[-1].number != start.segment:
            self._segments.append(Segment(start.segment, end=start.offset, first_ms=together[0][1]))
            self.bytes += len(MAGIC)
            if len(self._segments) == 1:
                self._start = start
        segment = self._segments[-1]
        segment.first_ms = segment.first_ms if segment.records else together[0][1]
        segment.records += len(together)
        segment.end = start.offset + sum(len(packed) for packed, _, _ in together)
        self.arrived.set()

    async def read(self, count_max: int, bytes_max: int) -> list[Record]:
        """The oldest deliveries, at least one if there are any; :meth:`forget` removes them.

        Raises:
            Damaged, OSError: they cannot be read; :meth:`skip_damaged` goes on behind them.
        """
        if not self._segments:
            return []
        return await asyncio.to_thread(self._read, self._start, self._segments[0].end, count_max, bytes_max)

    def _read(self, start: Position, end: int, count_max: int, bytes_max: int) -> list[Record]:
        found: list[Record] = []
        size = 0
        try:
            for record in records_from(self.folder, start, end):
                size += len(record.event.payload)
                if found and size > bytes_max:
                    break
                found.append(record)
                if len(found) >= count_max:
                    break
        except Damaged:
            if not found:
                raise
        return found

    async def forget(self, done: list[Record]) -> None:
        """Move on behind deliveries that :meth:`read` gave; a crash before this is over repeats some, and loses none.

        Raises:
            OSError: the cursor cannot be written. In this process they are done with all the same.
        """
        segment = self._segments[0]
        async with self._disk:
            segment.records -= len(done)
            await self._move_on(segment, done[-1].end)

    async def set_aside(self, record: Record) -> Path:
        """Move the oldest delivery into a file of its own, a segment by its form, that nothing replays.

        Raises:
            SpoolFailed: there are too many of them already.
            OSError: the disk does not take it.
        """
        if len(list(self.folder.glob(f"*{SET_ASIDE}"))) >= SET_ASIDE_MAX:
            raise SpoolFailed(f"{self.folder} has {SET_ASIDE_MAX} deliveries set aside: look at them and remove them")
        path = self.folder / f"{record.end.segment:010}-{record.end.offset}{SET_ASIDE}"
        await asyncio.to_thread(write_alone, path, pack(record.event, record.at_ms))
        await self.forget([record])
        return path

    async def skip_damaged(self) -> int:
        """Give up what is left of the oldest segment, which cannot be read; the file stays, renamed. Returns how many deliveries it had.

        Raises:
            OSError: the disk refuses even that.
        """
        segment = self._segments[0]
        async with self._disk:
            lost, segment.records = segment.records, 0
            path = self.folder / f"{segment.number:010}.spool"
            if path.exists():
                await asyncio.to_thread(path.rename, path.with_name(path.name + ".damaged"))
            self._appender.close()
            await self._move_on(segment, Position(segment.number, segment.end))
        return lost

    async def _move_on(self, segment: Segment, position: Position) -> None:
        if segment.records:
            self._start = position
            segment.first_ms = await asyncio.to_thread(self._first_ms, position, segment.end, segment.first_ms)
            await asyncio.to_thread(write_cursor, self.folder, position)
            return
        self._segments.popleft()
        self.bytes -= segment.end
        self._appender.close_if(segment.number)
        self._set_start(position)
        if not self._segments:
            self.failure = ""  # what was true of the disk before room was made says nothing
        # First: on a full disk there is no room for a cursor before the segment is gone, and without it none is needed.
        await asyncio.to_thread(remove_segment, self.folder, segment.number)
        await asyncio.to_thread(write_cursor, self.folder, self._start)

    def _first_ms(self, position: Position, end: int, otherwise: int) -> int:
        try:
            return next((record.at_ms for record in records_from(self.folder, position, end)), otherwise)
        except (Damaged, OSError):
            return otherwise  # whoever reads it next says so

    async def aclose(self) -> None:
        """Finish what is being written and let go of the folder."""
        if self._writer is not None:
            await asyncio.wait({self._writer})
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Let go of the folder. Blocks for a moment."""
        self._appender.close()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None
