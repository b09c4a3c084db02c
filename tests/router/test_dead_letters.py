"""Dead letters beyond their bounds: to a file that is proven, and only then from the store; a fault anywhere loses nothing."""

from __future__ import annotations

import asyncio
import gzip
import logging
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gitbridge_console.domain.event_records import EventRecord, decode
from gitbridge_console.domain.events import EventState, IncomingEvent
from gitbridge_console.router.dead_letter_file import FOLDER
from gitbridge_console.router.dead_letters import DeadLetterKeeper
from gitbridge_console.router.export_file import file_name
from gitbridge_console.settings.model import RedisSettings, RetentionSettings, Settings
from gitbridge_console.store.store import Store, open_store
from tests.claims import claim_all

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(valkey_url: str, namespace: str, tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(Settings(namespace=namespace, redis=RedisSettings(url=valkey_url)), tmp_path) as opened:
        yield opened


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


def keeper(store: Store, state: Path, *, engine: str = "ops-3-1", **more: Any) -> DeadLetterKeeper:
    """Keeps ten: at eleven the two oldest go."""
    return DeadLetterKeeper(
        store, state, lambda: RetentionSettings().model_copy(update={"dead_max": 10, "dead_s": 0.0}), engine=engine, **more
    )


async def dead(store: Store, count: int, payload: bytes = b'{"n": 1}') -> list[str]:
    ids = [(await store.queue.enqueue(IncomingEvent(f"d{n}", "push", payload, "test"))).id for n in range(count)]
    for job in await claim_all(store.queue, "route", count):
        await store.queue.hand_on(job, "", EventState.FAILED, header={"err": "silent"})
    return ids


async def left(store: Store) -> list[str]:
    return [letter.event_id for letter in (await store.dead_letters.look(1000)).oldest]


def exported(state: Path) -> list[EventRecord]:
    """What lies in the files, the oldest file first."""
    lines = [line for path in sorted((state / FOLDER).glob("*.jsonl.gz")) for line in gzip.decompress(path.read_bytes()).splitlines()]
    return [decode(line) for line in lines]


def files(state: Path) -> list[str]:
    return os.listdir(state / FOLDER) if (state / FOLDER).is_dir() else []


async def test_the_oldest_go_to_a_file_whole_and_only_they(store: Store, state: Path) -> None:
    ids = await dead(store, 12, payload=b'{"n": "\xff"}')
    assert await keeper(store, state).tick() == 3
    assert [record.detail.id for record in exported(state)] == ids[:3]
    assert exported(state)[0].incoming() == IncomingEvent("d0", "push", b'{"n": "\xff"}', "test")
    assert await left(store) == ids[3:]


async def test_within_the_bounds_nothing_is_touched(store: Store, state: Path) -> None:
    await dead(store, 10)
    assert await keeper(store, state).tick() == 0
    assert FOLDER not in os.listdir(state)


async def test_too_old_is_too_old_however_few(store: Store, state: Path) -> None:
    old, young = await dead(store, 2)
    await store.client.zadd(store.keys.state("failed"), {old: 1_000})
    bounds = RetentionSettings(dead_s=3600)
    assert await DeadLetterKeeper(store, state, lambda: bounds, engine="e").tick() == 1
    assert await left(store) == [young]


async def test_only_their_owner_may_read_the_files(store: Store, state: Path) -> None:
    (state / FOLDER).mkdir(parents=True, mode=0o755)
    await dead(store, 11)
    await keeper(store, state).tick()
    (name,) = files(state)
    assert stat.S_IMODE((state / FOLDER).stat().st_mode) == 0o700
    assert stat.S_IMODE((state / FOLDER / name).stat().st_mode) == 0o600


def test_a_file_is_named_by_time_and_engine() -> None:
    assert file_name(1_795_381_200_999, "ops-3/../x-17", "ab.1") == "20261122T210000Z-ops-3_.._x-17-ab.1.jsonl.gz"


async def test_a_file_is_bounded_by_bytes_too(store: Store, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gitbridge_console.router.dead_letters.BYTES_MAX", 1)
    ids = await dead(store, 20)
    own = keeper(store, state)
    assert [await own.tick(), await own.tick()] == [1, 1]
    assert [record.detail.id for record in exported(state)] == ids[:2]
    assert len(files(state)) == 2


async def test_it_goes_on_until_all_are_within_the_bounds(store: Store, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gitbridge_console.router.dead_letters.LETTERS_MAX", 4)
    ids = await dead(store, 20)
    own = keeper(store, state)
    assert [await own.tick() for _ in range(4)] == [4, 4, 3, 0]
    assert [record.detail.id for record in exported(state)] == ids[:11]
    assert await left(store) == ids[11:]


FAULTS = {
    "the folder cannot be made": ("gitbridge_console.router.export_file.Path.mkdir", PermissionError(13, "Permission denied")),
    "the file cannot be made": ("gitbridge_console.router.export_file.os.open", PermissionError(13, "Permission denied")),
    "the disk is full": ("gitbridge_console.router.export_file.gzip.GzipFile.write", OSError(28, "No space left on device")),
    "the disk is full at the end": ("gitbridge_console.router.export_file.os.fsync", OSError(28, "No space left on device")),
    "it cannot be read back": ("gitbridge_console.router.export_file.gzip.open", EOFError("ended before the end")),
    "it cannot get its name": ("gitbridge_console.router.export_file.Path.rename", OSError(5, "Input/output error")),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_failed_export_removes_nothing_leaves_nothing_and_is_said(
    store: Store, state: Path, fault: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ids = await dead(store, 12)
    target, error = FAULTS[fault]

    def refuse(*_: object, **__: object) -> None:
        raise error

    own = keeper(store, state)
    with monkeypatch.context() as broken:
        broken.setattr(target, refuse)
        assert await own.tick() == 0
    assert await left(store) == ids
    assert files(state) == []
    _, trouble = await store.dead_letters.notices()
    assert trouble is not None
    assert error.args[-1] in trouble.text
    assert "could not be exported" in caplog.text
    assert await own.tick() == 3
    assert (await store.dead_letters.notices())[1] is None


async def test_a_folder_that_is_somebody_elses_file_is_not_written_to(store: Store, state: Path) -> None:
    ids = await dead(store, 11)
    (state / FOLDER).symlink_to(state)
    assert await keeper(store, state).tick() == 0
    assert await left(store) == ids
    assert os.listdir(state) == [FOLDER]


@pytest.mark.parametrize("fault", ["a letter short", "another letter", "cut off", "a flipped bit"])
async def test_a_file_that_reads_back_otherwise_is_not_believed(
    store: Store, state: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await dead(store, 12)
    sync = os.fsync

    def spoil(descriptor: int) -> None:
        sync(descriptor)
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        packed = path.read_bytes()
        lines = gzip.decompress(packed).splitlines(keepends=True)
        match fault:
            case "a letter short":
                packed = gzip.compress(b"".join(lines[:-1]))
            case "another letter":
                packed = gzip.compress(b"".join([*lines[:-1], lines[0]]))
            case "cut off":
                packed = packed[:-20]
            case "a flipped bit":
                packed = packed[:60] + bytes([packed[60] ^ 1]) + packed[61:]
        path.write_bytes(packed)

    with monkeypatch.context() as broken:
        broken.setattr("gitbridge_console.router.export_file.os.fsync", spoil)
        assert await keeper(store, state).tick() == 0
    assert await left(store) == ids
    assert files(state) == []
    assert (await store.dead_letters.notices())[1] is not None


async def test_trouble_is_logged_once_a_minute(store: Store, state: Path, clock: Any, caplog: pytest.LogCaptureFixture) -> None:
    await dead(store, 11)
    (state / FOLDER).symlink_to("nowhere")
    own = keeper(store, state, clock=clock)
    with caplog.at_level(logging.ERROR):
        for now in (0.0, 30.0, 59.0, 61.0):
            clock.now = now
            await own.tick()
    assert caplog.text.count("could not be exported") == 2


async def test_a_damaged_letter_stays_is_said_and_holds_up_no_other(store: Store, state: Path) -> None:
    ids = await dead(store, 12)
    await store.client.set(store.keys.payload(ids[1]), b"not what was stored")
    assert await keeper(store, state).tick() == 2
    assert await left(store) == [ids[1], *ids[3:]]
    _, trouble = await store.dead_letters.notices()
    assert trouble is not None
    assert ids[1] in trouble.text


async def test_one_that_is_replayed_while_it_is_exported_stays(store: Store, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = await dead(store, 12)
    forget = store.dead_letters.forget

    async def replayed_before(*words: Any, **more: Any) -> list[bool]:
        await store.queue.replay([ids[0]], by="ana")
        return await forget(*words, **more)

    monkeypatch.setattr(store.dead_letters, "forget", replayed_before)
    assert await keeper(store, state).tick() == 2
    assert (await store.reader.find_event(ids[0]) or {})["state"] == "received"


async def test_two_engines_do_not_export_the_same(store: Store, tmp_path: Path) -> None:
    ids = await dead(store, 14)
    one, two = (keeper(store, tmp_path / name, engine=name) for name in ("one", "two"))
    assert sum(await asyncio.gather(one.tick(), two.tick())) == 5
    found = [record.detail.id for name in ("one", "two") for record in (exported(tmp_path / name))]
    assert sorted(found) == ids[:5]


async def test_an_engine_that_lost_the_lock_while_it_wrote_removes_nothing(
    store: Store, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await dead(store, 12)
    read = store.records.read

    async def slow(event_id: str) -> EventRecord | None:
        await store.client.set(f"{store.keys.tag}:dl", "another engine")
        return await read(event_id)

    monkeypatch.setattr(store.records, "read", slow)
    assert await keeper(store, state).tick() == 0
    assert await left(store) == ids
    assert files(state) == []
    assert await store.client.get(f"{store.keys.tag}:dl") == b"another engine"


async def test_an_engine_stopped_between_file_and_store_leaves_the_letters_in_both(
    store: Store, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await dead(store, 11)
    reached = asyncio.Event()

    async def never(*_: object, **__: object) -> list[bool]:
        reached.set()
        await asyncio.Event().wait()
        return []

    with monkeypatch.context() as stuck:
        stuck.setattr(store.dead_letters, "forget", never)
        job = asyncio.create_task(keeper(store, state).tick())
        async with asyncio.timeout(10):
            await reached.wait()
        job.cancel()
        await asyncio.wait({job})
    assert await left(store) == ids
    assert [record.detail.id for record in exported(state)] == ids[:2]
    assert await keeper(store, state).tick() == 2


async def test_what_a_dead_process_left_half_written_goes_later(store: Store, state: Path) -> None:
    folder = state / FOLDER
    folder.mkdir(parents=True)
    (folder / ".old.jsonl.gz").write_bytes(b"half")
    os.utime(folder / ".old.jsonl.gz", (0, 0))
    (folder / ".young.jsonl.gz").write_bytes(b"half")
    await dead(store, 11)
    await keeper(store, state).tick()
    assert sorted(name for name in files(state) if name.startswith(".")) == [".young.jsonl.gz"]
