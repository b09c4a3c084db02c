"""The spool: on disk before it is answered, read back in order, and whole whatever a crash left."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.ingress import spool_appender
from gitbridge_console.ingress.spool import Spool, SpoolFailed, SpoolFull
from gitbridge_console.ingress.spool_files import CURSOR, MAGIC, pack
from gitbridge_console.ingress.spool_folder import CannotSpool

ROOM = 10_000_000


def event(name: str, size: int = 10) -> IncomingEvent:
    return IncomingEvent(delivery=name, type="push", payload=b'{"a":"' + b"x" * size + b'"}', source="webhook")


@asynccontextmanager
async def opened(folder: Path, max_bytes: int = ROOM, segment_max_bytes: int = 300) -> AsyncIterator[Spool]:
    spool = Spool(folder, max_bytes, segment_max_bytes)
    spool.open()
    try:
        yield spool
    finally:
        await spool.aclose()


def files(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern))


async def names(spool: Spool) -> list[str]:
    """Deliveries of all that is spooled, taken out of it."""
    found = []
    while records := await spool.read(4, 1000):
        found += [record.event.delivery for record in records]
        await spool.forget(records)
    return found


@pytest.mark.anyio
async def test_what_went_in_comes_out_in_order_and_byte_for_byte(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        sent = [event(f"d{n}", n * 7) for n in range(40)]
        for one in sent:
            await spool.append(one)
        assert (spool.records, spool.in_use) == (40, True)
        found = []
        while records := await spool.read(7, 500):
            found += [record.event for record in records]
            await spool.forget(records)
        assert found == sent
        assert (spool.records, spool.bytes, spool.in_use, spool.arrived.is_set()) == (0, 0, False, False)
    assert not files(tmp_path, "*.spool"), "what is replayed takes no room"


@pytest.mark.anyio
async def test_the_next_process_goes_on_where_the_last_one_stopped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(tmp_path) as spool:
        for n in range(10):
            await spool.append(event(f"d{n}"))
        await spool.forget(await spool.read(3, 1000))
    async with opened(tmp_path) as spool:
        assert "7 deliveries of an earlier run wait" in caplog.text
        await spool.append(event("new"))
        assert await names(spool) == [*(f"d{n}" for n in range(3, 10)), "new"]


@pytest.mark.anyio
async def test_without_a_usable_cursor_everything_is_replayed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(tmp_path) as spool:
        for n in range(3):
            await spool.append(event(f"d{n}"))
        await spool.forget(await spool.read(1, 1000))
    (tmp_path / CURSOR).write_text("2 99 00000000" + " " * 34 + "\n")
    async with opened(tmp_path) as spool:
        assert await names(spool) == ["d0", "d1", "d2"]
    assert "the cursor cannot be read" in caplog.text


async def _cut_and_read(folder: Path, keep: int) -> tuple[list[str], int]:
    async with opened(folder, segment_max_bytes=ROOM) as spool:
        for n in range(4):
            await spool.append(event(f"d{n}"))
    (path,) = files(folder, "*.spool")
    size = path.stat().st_size
    os.truncate(path, min(keep, size))
    async with opened(folder) as spool:
        found = await names(spool)
    return found, size


RECORD = len(pack(event("d0"), 1_795_000_000_000))


@settings(max_examples=25, deadline=None)
@given(keep=st.integers(0, len(MAGIC) + 4 * RECORD))
def test_a_torn_tail_is_cut_wherever_the_crash_was(tmp_path_factory: pytest.TempPathFactory, keep: int) -> None:
    found, _ = asyncio.run(_cut_and_read(tmp_path_factory.mktemp("spool"), keep))
    whole = max(0, keep - len(MAGIC)) // RECORD
    assert found == [f"d{n}" for n in range(whole)]


@pytest.mark.anyio
async def test_a_cut_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    await _cut_and_read(tmp_path, len(MAGIC) + RECORD + 5)
    (line,) = [record.message for record in caplog.records if "cut" in record.message]
    assert line.startswith("spool 0000000002.spool: a record's head is cut off; its last 5 bytes are cut")
    assert not files(tmp_path, "*.damaged")


@pytest.mark.anyio
async def test_damage_is_cut_as_well_but_kept_beside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(tmp_path, segment_max_bytes=ROOM) as spool:
        for n in range(3):
            await spool.append(event(f"d{n}"))
    (path,) = files(tmp_path, "*.spool")
    raw = bytearray(path.read_bytes())
    raw[len(MAGIC) + RECORD + 40] ^= 1
    path.write_bytes(raw)
    async with opened(tmp_path) as spool:
        assert await names(spool) == ["d0"]
    assert "checksum does not hold" in caplog.text
    assert (tmp_path / "0000000002.spool.damaged").read_bytes() == raw[len(MAGIC) + RECORD :]


@pytest.mark.anyio
async def test_it_is_bounded_and_has_room_again(tmp_path: Path) -> None:
    async with opened(tmp_path, max_bytes=5 * RECORD) as spool:
        for n in range(4):
            await spool.append(event(f"d{n}"))
        with pytest.raises(SpoolFull, match=rf"the spool is full: \d+ of {5 * RECORD} bytes \(ingress.spool_max_bytes\)"):
            await spool.append(event("larger", RECORD))
        while records := await spool.read(9, 9000):
            await spool.forget(records)
        await spool.append(event("again"))
        assert await names(spool) == ["again"]


@pytest.mark.anyio
async def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path, segment_max_bytes=ROOM) as spool:
        await spool.append(event("before"))
        real = os.write
        with monkeypatch.context() as full:
            full.setattr(
                spool_appender.os, "write", lambda descriptor, data: real(descriptor, data[:20]) if len(data) > 20 else _no_space()
            )
            results = await asyncio.gather(*(spool.append(event(f"lost{n}", 0)) for n in range(3)), return_exceptions=True)
        assert all(isinstance(result, SpoolFailed) and "No space left" in str(result) for result in results)
        assert spool.status().failure == "No space left on device"
        await spool.append(event("after"))
        assert (spool.records, spool.status().failure) == (2, "")
        assert await names(spool) == ["before", "after"]


@pytest.mark.anyio
async def test_tries_on_a_full_disk_leave_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as spool:
        real = os.write
        monkeypatch.setattr(spool_appender.os, "write", lambda descriptor, data: real(descriptor, data) if len(data) < 20 else _no_space())
        for n in range(5):
            with pytest.raises(SpoolFailed):
                await spool.append(event(f"lost{n}"))
        assert not files(tmp_path, "*.spool")
        assert (spool.records, spool.bytes) == (0, 0)


@pytest.mark.anyio
async def test_the_cursor_is_moved_in_its_place(tmp_path: Path) -> None:
    """So that a full disk, which has no room for a second file, can be emptied."""
    async with opened(tmp_path, segment_max_bytes=ROOM) as spool:
        place = (tmp_path / CURSOR).stat()
        for n in range(3):
            await spool.append(event(f"d{n}"))
        await spool.forget(await spool.read(2, 9000))
        now = (tmp_path / CURSOR).stat()
        assert (now.st_ino, now.st_size) == (place.st_ino, place.st_size)


def _no_space() -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.anyio
async def test_a_sync_that_fails_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as spool:
        await spool.append(event("before"))
        with monkeypatch.context() as broken:
            broken.setattr(spool_appender.os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(errno.EIO, "Input/output error")))
            with pytest.raises(SpoolFailed, match="Input/output error"):
                await spool.append(event("lost"))
        await spool.append(event("after"))
    async with opened(tmp_path) as spool:
        assert await names(spool) == ["before", "after"]


@pytest.mark.anyio
async def test_appends_that_come_together_share_a_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs, real = [], os.fsync
    monkeypatch.setattr(spool_appender.os, "fsync", lambda descriptor: (syncs.append(descriptor), real(descriptor))[1])
    async with opened(tmp_path, segment_max_bytes=ROOM) as spool:
        await asyncio.gather(*(spool.append(event(f"d{n}")) for n in range(200)))
        assert len(syncs) < 20
        assert await names(spool) == [f"d{n}" for n in range(200)]


@pytest.mark.anyio
async def test_appending_while_it_is_replayed_loses_and_mixes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        found: list[str] = []

        async def replay() -> None:
            while len(found) < 120:
                await spool.arrived.wait()
                records = await spool.read(8, 1000)
                await spool.forget(records)
                found.extend(record.event.delivery for record in records)

        async def append() -> None:
            for n in range(120):
                await spool.append(event(f"d{n}"))

        async with asyncio.timeout(60):
            await asyncio.gather(replay(), append())
        assert found == [f"d{n}" for n in range(120)]
        assert spool.bytes == 0


@pytest.mark.anyio
async def test_one_process_per_folder(tmp_path: Path) -> None:
    async with opened(tmp_path):
        with pytest.raises(CannotSpool, match=f"is used by process {os.getpid()}: one receiver per folder; set ingress.spool_dir"):
            Spool(tmp_path, ROOM).open()
    async with opened(tmp_path):
        pass


def test_a_folder_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotSpool, match=r"spool folder .*/file/spool cannot be used: Not a directory; see ingress.spool_dir"):
        Spool(tmp_path / "file" / "spool", ROOM).open()
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(CannotSpool, match="is not a folder of this user"):
        Spool(tmp_path / "link", ROOM).open()


@pytest.mark.anyio
async def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "spool"
    async with opened(folder) as spool:
        await spool.append(event("d"))
        await spool.append(event("e"))
        await spool.forget(await spool.read(1, 10))
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


@pytest.mark.anyio
async def test_a_clock_that_jumps_makes_no_negative_age(tmp_path: Path) -> None:
    now = [1_000_000.0]
    spool = Spool(tmp_path, ROOM, clock=lambda: now[0])
    spool.open()
    await spool.append(event("d"))
    now[0] += 60
    assert spool.status().oldest_age_s == 60
    now[0] = 0.0
    assert spool.status().oldest_age_s == 0
    assert [record.event.delivery for record in await spool.read(9, 9)] == ["d"]
    await spool.aclose()


@pytest.mark.anyio
async def test_what_became_unreadable_is_given_up_but_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(tmp_path, segment_max_bytes=1) as spool:
        for n in range(3):
            await spool.append(event(f"d{n}"))
        first = files(tmp_path, "*.spool")[0]
        first.write_bytes(first.read_bytes()[:-3] + b"???")
        with pytest.raises(ValueError, match="checksum"):
            await spool.read(9, 9000)
        assert await spool.skip_damaged() == 1
        assert await names(spool) == ["d1", "d2"]
    assert first.with_name(first.name + ".damaged").exists()


@pytest.mark.anyio
async def test_what_nobody_can_store_is_set_aside(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.append(event("poison"))
        await spool.append(event("good"))
        (record, _) = await spool.read(2, 9000)
        path = await spool.set_aside(record)
        assert await names(spool) == ["good"]
    # It is a segment by its form: renamed, it is replayed by the next process.
    path.rename(tmp_path / "0000000099.spool")
    async with opened(tmp_path) as spool:
        assert await names(spool) == ["poison"]


Step = st.one_of(st.tuples(st.just("append"), st.integers(0, 120)), st.tuples(st.just("replay"), st.integers(1, 6)), st.just(("crash", 0)))


async def _walk(folder: Path, steps: list[tuple[str, int]]) -> None:
    sent: list[str] = []
    stored: dict[str, None] = {}
    spool = Spool(folder, ROOM, 200)
    spool.open()
    for what, number in steps:
        if what == "append":
            name = f"d{len(sent)}"
            await spool.append(event(name, number))
            sent.append(name)
        elif what == "replay" and (records := await spool.read(number, 400)):
            stored |= dict.fromkeys(record.event.delivery for record in records)
            if number % 3:
                await spool.forget(records)
        elif what == "crash":
            spool.close()
            spool = Spool(folder, ROOM, 200)
            spool.open()
    stored |= dict.fromkeys(await names(spool))
    await spool.aclose()
    assert list(stored) == sent


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(Step, max_size=40))
def test_whatever_happens_all_is_stored_in_order(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]) -> None:
    logging.disable(logging.WARNING)
    try:
        asyncio.run(_walk(tmp_path_factory.mktemp("spool"), steps))
    finally:
        logging.disable(logging.NOTSET)
