"""The audit beyond its bounds: to a file that is proven, and only then from the store; a fault anywhere loses nothing."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gitbridge_console.domain.audit import Actor, Intent, Outcome
from gitbridge_console.domain.chain_lines import verify_lines
from gitbridge_console.router import audit_keeper
from gitbridge_console.router.audit_keeper import FOLDER, AuditKeeper
from gitbridge_console.router.export_file import ExportFailed
from gitbridge_console.settings.model import RedisSettings, RetentionSettings, Settings
from gitbridge_console.store.store import Store, open_store

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(valkey_url: str, namespace: str, tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(Settings(namespace=namespace, redis=RedisSettings(url=valkey_url)), tmp_path) as opened:
        yield opened


def keeper(store: Store, state: Path, *, most: int = 10, longest_s: float = 0.0, engine: str = "ops-3-1") -> AuditKeeper:
    bounds = RetentionSettings().model_copy(update={"audit_max": most, "audit_s": longest_s})
    return AuditKeeper(store, state, lambda: bounds, engine=engine)


async def write(store: Store, count: int) -> None:
    for n in range(count):
        entry = await store.journal.begin(Intent(Actor("ana", "ops-3"), "pause", f"lane{n}", "test"))
        await store.journal.end(entry, Outcome("done", 1))


def files(state: Path) -> list[Path]:
    return sorted((state / FOLDER).glob("*")) if (state / FOLDER).is_dir() else []


async def test_the_oldest_go_to_a_file_that_can_be_checked_anywhere(store: Store, tmp_path: Path) -> None:
    await write(store, 6)
    assert await keeper(store, tmp_path).tick() == 3, "twelve are there, nine stay: room for a tenth of the bound"
    (file,) = files(tmp_path)
    assert file.stat().st_mode & 0o077 == 0
    with gzip.open(file) as lines:
        (of_file,) = verify_lines(lines)
    of_store = await store.journal.verify()
    assert (of_file.entries, of_file.problem, of_store.entries, of_store.problem) == (3, "", 9, "")
    assert of_file.head == of_store.anchor, "the file ends where the store begins"
    books = await store.journal.books()
    assert (books.exported, books.file, books.lost) == (3, file.name, 0)


async def test_within_the_bounds_nothing_is_touched(store: Store, tmp_path: Path) -> None:
    await write(store, 5)
    assert await keeper(store, tmp_path, longest_s=3600).tick() == 0
    assert files(tmp_path) == []


async def test_what_is_older_than_its_time_goes_once_a_day(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await write(store, 3)
    assert await keeper(store, tmp_path, most=1000, longest_s=1).tick() == 0, "not over it by a day"

    async def in_two_days(client: object) -> int:
        return 2 * 86_400_000 + await now(client)

    now = audit_keeper.server_now_ms
    monkeypatch.setattr(audit_keeper, "server_now_ms", in_two_days)
    assert await keeper(store, tmp_path, most=1000, longest_s=1).tick() == 6
    assert (await store.journal.verify()).problem == ""
    await write(store, 1)
    assert (await store.journal.verify()).head.seq == 8, "the chain goes on behind what was exported"


async def test_one_engine_exports_at_a_time(store: Store, tmp_path: Path) -> None:
    await write(store, 6)
    async with open_store(Settings(namespace=store.keys.namespace, redis=RedisSettings(url=store.connection.url)), tmp_path) as other:
        assert await other.journal.lock.hold()
        assert await keeper(store, tmp_path).tick() == 0
        await other.journal.lock.leave()
    assert await keeper(store, tmp_path).tick() == 3


async def test_a_disk_that_refuses_keeps_everything_in_the_store(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await write(store, 6)

    def refused(self: object, line: bytes) -> None:
        raise ExportFailed("No space left on device")

    monkeypatch.setattr(audit_keeper.ExportFile, "write", refused)
    with pytest.raises(ExportFailed, match="No space"):
        await keeper(store, tmp_path).tick()
    assert ((await store.journal.verify()).entries, files(tmp_path)) == (12, [])
    monkeypatch.undo()
    assert await keeper(store, tmp_path).tick() == 3, "and the lock was given back"


async def test_a_crash_between_the_file_and_the_store_leaves_both_and_the_next_export_removes_them(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(store, 6)

    async def crash(until: int, file: str) -> int:
        raise OSError("the engine died")

    monkeypatch.setattr(store.journal, "trim", crash)
    with pytest.raises(OSError, match="died"):
        await keeper(store, tmp_path).tick()
    monkeypatch.undo()
    assert await keeper(store, tmp_path, engine="ops-4-1").tick() == 3
    assert len(files(tmp_path)) == 2, "exported twice, lost never"
    assert (await store.journal.verify()).problem == ""


async def test_what_was_tampered_with_is_exported_as_it_is_and_said(store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    await write(store, 6)
    stream = store.journal.chain.stream
    ((_, first), *_) = await store.client.xrange(stream, count=1)
    await store.client.xdel(stream, "2-1")
    assert await keeper(store, tmp_path).tick() > 0
    assert "entry 2 is missing" in caplog.text
    with gzip.open(files(tmp_path)[0]) as lines:
        assert verify_lines(lines)[0].problem == "entry 2 is missing"
    assert first[b"p"] == b""
