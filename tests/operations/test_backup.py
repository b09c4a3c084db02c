"""Backup and restore: the same events, decisions, audit and switches in another place, or nothing at all."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.domain.backup_file import MAGIC, BlockWriter, Record, document
from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.operations import backup
from gitbridge_console.operations.actor import Actor
from gitbridge_console.operations.errors import Refused
from gitbridge_console.operations.operations import Operations
from gitbridge_console.settings.model import LegacySettings, QueueSettings, RedisSettings, Settings
from gitbridge_console.store import restoration
from gitbridge_console.store.records import RoutePlan
from gitbridge_console.store.replies import text_of
from gitbridge_console.store.store import open_store
from tests.operations.backup_stores import contents, crowd, digests, filled, store_of, written
from tests.store.queue_model import AT_REST, AUDIT, QueueModel

pytestmark = pytest.mark.anyio

_numbers = itertools.count(1)
Place = Callable[..., Any]


@pytest.fixture
async def place(valkey_url: str, tmp_path: Path) -> AsyncIterator[Place]:
    """Gives doors to empty namespaces."""
    async with AsyncExitStack() as stores:

        async def open_one(*, url: str = valkey_url, partitions: int = 2, read_only: bool = False, namespace: str = "") -> Operations:
            settings = Settings(
                namespace=namespace or f"b{os.getpid()}-{next(_numbers)}",
                redis=RedisSettings(url=url),
                legacy=LegacySettings(enabled=False),
                queue=QueueSettings(partitions=partitions, max_waiting=1_000_000),
            )
            store = await stores.enter_async_context(open_store(settings, tmp_path))
            return Operations(store, lambda: settings, actor=Actor("ana", "ops-3"), read_only=read_only)

        yield open_one


async def test_a_restored_namespace_is_the_same_and_what_was_in_hand_waits_again(place: Place, tmp_path: Path) -> None:
    old, new = await place(), await place()
    ids = await filled(old, 300)
    before, stats = await contents(old), await store_of(old).queue.stats()
    facts = await new.restore(await written(old, tmp_path / "night.gbb"))
    assert facts.events == len(ids)
    after = await contents(new)
    leased = {f"{job.lane}" for job in await old.list_jobs(limit=1000) if job.place == "leased"}
    assert {"route", "claude"} <= leased
    assert set(after) == set(before)
    assert {name for name in before if before[name] != after[name]} == set()
    again = await store_of(new).queue.stats()
    assert again.states == stats.states
    assert again.bytes_by_state == stats.bytes_by_state
    assert again.counters == stats.counters
    for name, lane in stats.lanes.items():
        other = again.lanes[name]
        assert (other.leased, other.ready + other.waiting) == (0, lane.ready + lane.waiting + lane.leased + lane.held)
    assert set(again.pauses) == {"grok"}
    assert (await new.status()).providers["chatgpt"].breaker.forced_by.startswith("ana")
    assert [entry.what for entry in await new.list_audit(3)] == ["restore", "backup", "breaker open"]
    assert len(await new.list_quarantine()) == 1
    assert all(not report.problem for report in await new.verify_decisions())
    for id in ids[:3]:
        assert (await new.show_event(id)).delivery == (await old.show_event(id)).delivery
    (done,) = await old.list_events(EventFilter(state="resolved"), 1)
    again_sent = b'{"repository": {"id": %d}}' % (int(done.delivery[1:]) % 7)
    assert (await new.submit(IncomingEvent(done.delivery, "push", again_sent, "test"))).status == "duplicate"
    assert (await new.submit(IncomingEvent("later", "push", b"{}", "test"))).id not in ids


@pytest.mark.parametrize("seed", range(3))
async def test_what_random_operators_and_workers_left_is_restored_in_order(place: Place, tmp_path: Path, seed: int) -> None:
    old, new = await place(partitions=1), await place(partitions=1)
    model = QueueModel(store_of(old).client, store_of(old).keys.namespace, seed)
    for _ in range(300):
        await model.step()
    await new.restore(await written(old, tmp_path / "random.gbb"))
    client: Any = store_of(new).client
    total, wrong = await client.eval(AUDIT, 1, store_of(new).keys.tag, *AT_REST)
    assert not wrong, [text_of(line) for line in wrong]
    assert total + model.forgotten == len(model.events)


async def test_a_file_that_is_not_whole_changes_nothing(place: Place, tmp_path: Path) -> None:
    old, new = await place(), await place()
    await filled(old, 40)
    whole = (await written(old, tmp_path / "whole.gbb")).read_bytes()
    middle = len(whole) // 2
    altered = bytes([*whole[:middle], whole[middle] ^ 1, *whole[middle + 1 :]])
    cases = {
        "cut short": whole[: len(whole) - 10],
        "trailer is missing": whole[:19],
        "is not what was written": altered,
        "stands behind the trailer": whole + whole[19:],
        "is no backup": b"PK\x03\x04" + whole,
        "cut short ": whole[: middle + 3],
    }
    for what, raw in cases.items():
        path = tmp_path / "bad.gbb"
        path.write_bytes(raw)
        with pytest.raises(Refused, match=what.strip()):
            await new.restore(path)
    assert await contents(new) == {}
    assert await new.list_audit() == []
    assert (await new.restore(tmp_path / "whole.gbb")).events == 40


HEAD = {"program": "1", "store_version": 2, "namespace": "old", "partitions": 2, "at_ms": 1, "server": "valkey", "server_version": "1.0"}


@pytest.mark.parametrize(
    "record",
    [
        Record(b"E", (b"07}", b"0000000100", b"failed", b"1")),
        Record(b"E", (b"x", b"0000000100", b"failed", b"1")),
        Record(b"E", (b"00}", b"0000000100", b"failed", b"soon")),
        Record(b"E", (b"00}", b"0000000100", b"failed", b"1", b"j:0000000100")),
        Record(b"K", (b"00}:q", b"never", b"")),
        Record(b"K", (b"00}:q",)),
        Record(b"G", (b"00}:m",)),
        Record(b"H", (b"[]",)),
        Record(b"H", (b'{"partitions": "two", "at_ms": 1}',)),
        Record(b"H", ()),
        Record(b"Z", (b"",)),
    ],
    ids=repr,
)
async def test_a_file_whose_digests_hold_but_not_its_records_changes_nothing(place: Place, tmp_path: Path, record: Record) -> None:
    writer, path = BlockWriter(), tmp_path / "made.gbb"
    path.write_bytes(MAGIC + writer.add(document(b"H", HEAD)) + writer.add(record) + writer.end({}))
    new = await place()
    with pytest.raises(Refused, match=r"nothing was restored$"):
        await new.restore(path)
    assert await new.list_audit() == []


async def test_it_goes_into_an_empty_namespace_only(place: Place, tmp_path: Path) -> None:
    old, used = await place(), await place()
    await filled(old, 10)
    path = await written(old, tmp_path / "night.gbb")
    await used.submit(IncomingEvent("own", "push", b"{}", "test"))
    with pytest.raises(Refused, match="is in use"):
        await used.restore(path)
    with pytest.raises(Refused, match="partitions"):
        await (await place(partitions=1)).restore(path)
    viewer = await place(read_only=True)
    with pytest.raises(Refused, match="read-only"):
        await viewer.restore(path)
    with pytest.raises(Refused, match="is in use"):
        await old.restore(path)


async def test_a_restoration_that_broke_off_is_gone_on_with(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = await place(), await place()
    ids = await filled(old, 120)
    path = await written(old, tmp_path / "night.gbb")
    monkeypatch.setattr(backup, "BATCH", 20)
    write, calls = restoration.RestoreStore.write_events, itertools.count()

    async def breaks(self: Any, records: Any) -> int:
        if next(calls) == 3:
            raise ConnectionError("the network fell over")
        return await write(self, records)

    monkeypatch.setattr(restoration.RestoreStore, "write_events", breaks)
    with pytest.raises(Exception, match="network"):
        await new.restore(path)
    part = len(await contents(new))
    assert part > 0
    monkeypatch.setattr(restoration.RestoreStore, "write_events", write)
    other = await written(old, tmp_path / "other.gbb")
    with pytest.raises(Refused, match="only half restored"):
        await new.restore(other)
    (job,) = (await store_of(new).queue.claim("route", 1)).jobs
    await store_of(new).queue.hand_on(job, "", EventState.RESOLVED)
    assert (await new.restore(path)).events == len(ids)
    assert (await new.show_event(job.id)).state == "resolved", "what was worked on meanwhile is left as it is"
    assert sum((await store_of(new).queue.stats()).states.values()) == len(ids)
    with pytest.raises(Refused, match="is in use"):
        await new.restore(path)


async def test_a_backup_of_a_store_at_work_holds_whole_events(place: Place, tmp_path: Path) -> None:
    old, new = await place(partitions=1), await place(partitions=1)
    model = QueueModel(store_of(old).client, store_of(old).keys.namespace, 7)
    for _ in range(200):
        await model.step()
    stop = asyncio.Event()

    async def work() -> None:
        while not stop.is_set():
            await model.step()

    worker = asyncio.create_task(work())
    path = await written(old, tmp_path / "live.gbb")
    stop.set()
    await worker
    await new.restore(path)
    client: Any = store_of(new).client
    _, wrong = await client.eval(AUDIT, 1, store_of(new).keys.tag, *AT_REST)
    assert not wrong, [text_of(line) for line in wrong]


async def test_a_restoration_that_broke_off_before_its_switches_were_there_writes_them(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = await place(partitions=4), await place(partitions=4)
    ids = await filled(old, 60)
    path = await written(old, tmp_path / "night.gbb")
    at, calls = restoration.RestoreStore._at, itertools.count()

    async def breaks(self: Any, digest: str, step: str) -> None:
        if next(calls) == 1:
            # As if the process had been killed after the first partition's switches and before the others'.
            for partition in store_of(new).queue.partitions[1:]:
                await self._client.delete(partition.keys.meta)
            raise ConnectionError("killed")
        await at(self, digest, step)

    monkeypatch.setattr(restoration.RestoreStore, "_at", breaks)
    with pytest.raises(Exception, match="killed"):
        await new.restore(path)
    monkeypatch.setattr(restoration.RestoreStore, "_at", at)
    await new.restore(path)
    for before, after in zip(store_of(old).queue.partitions, store_of(new).queue.partitions, strict=True):
        seq = await store_of(old).client.hget(before.keys.meta, "seq")
        assert await store_of(new).client.hget(after.keys.meta, "seq") == seq, "an id would be given twice"
    made = [await new.submit(IncomingEvent(f"later{n}", "push", b'{"repository": {"id": %d}}' % n, "test")) for n in range(12)]
    assert not {event.id for event in made} & {*ids}


async def test_two_that_restore_at_once_do_not_write_over_each_other(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = await place(), await place()
    ids = await filled(old, 60)
    path = await written(old, tmp_path / "night.gbb")
    monkeypatch.setattr(backup, "BATCH", 20)
    write, said = restoration.RestoreStore.write_events, list[Any]()

    async def another_comes(self: Any, records: Any) -> int:
        if not said:
            other = await place(namespace=store_of(new).keys.namespace)
            with pytest.raises(Refused, match="somebody restores a backup here now"):
                await other.restore(path)
            said.append("refused")
        return await write(self, records)

    monkeypatch.setattr(restoration.RestoreStore, "write_events", another_comes)
    assert (await new.restore(path, lambda events, of: said.append((events, of)))).events == len(ids)
    assert said == ["refused", (20, 60), (40, 60), (60, 60)]
    assert not (await new.verify_audit()).problem


async def test_what_came_in_between_two_tries_is_not_forgotten_by_the_second(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = await place(), await place()
    await filled(old, 60)
    path = await written(old, tmp_path / "night.gbb")
    write = restoration.RestoreStore.write_events

    async def breaks(self: Any, records: Any) -> int:
        raise ConnectionError("the network fell over")

    monkeypatch.setattr(restoration.RestoreStore, "write_events", breaks)
    with pytest.raises(Exception, match="network"):
        await new.restore(path)
    with pytest.raises(Refused, match="only half restored here"):
        await written(new, tmp_path / "half.gbb")
    monkeypatch.setattr(restoration.RestoreStore, "write_events", write)
    event = IncomingEvent("in between", "push", b'{"repository": {"id": 1}}', "test")
    first = await new.submit(event)
    await store_of(new).queue.quarantine(b"[", source="test", error="no JSON either")
    await new.restore(path)
    again = await new.submit(event)
    assert (again.status, again.id) == ("duplicate", first.id)
    assert len(await new.list_quarantine()) == 2


@given(st.lists(st.tuples(st.sampled_from([b"gb:00}", b"gb:01}"]), st.integers(0, 900), st.integers(0, 900_000)), max_size=60))
def test_a_call_restores_as_much_as_the_server_does_in_a_moment_or_one_event(events: list[tuple[bytes, int, int]]) -> None:
    records = [
        Record(b"E", (tag, b"%d" % n, b"failed", b"1", *[b"j:1", b""] * keys, b"p:1", bytes(size)))
        for n, (tag, keys, size) in enumerate(events)
    ]
    sent = []
    for tag, args in restoration.loads_of(records):
        at, names, size = 0, [], 0
        while at < len(args):
            names.append((tag.encode(), args[at]))
            size += sum(map(len, args[at + 4 : at + 4 + args[at + 3]]))
            at += 4 + args[at + 3]
        assert at == len(args)
        assert len(names) == 1 or (size <= restoration.WRITTEN_BYTES and len(args) <= 2 * restoration.WRITTEN_KEYS + 4 * len(names))
        sent += names
    assert sorted(sent) == sorted(record.parts[:2] for record in records)


async def test_a_large_event_has_a_call_of_its_own_and_one_with_many_seats_is_restored(
    start_server: Callable[..., str], place: Place, tmp_path: Path
) -> None:
    url = start_server("--enable-debug-command", "yes")
    old, new = await place(url=url), await place(url=url)
    store = store_of(old)
    await store.queue.enqueue(IncomingEvent("large", "push", os.urandom(3_000_000), "test"))
    many = await store.queue.enqueue(IncomingEvent("many", "push", b"{}", "test"))
    for _ in range(120):
        jobs = (await store.queue.claim("route", 2)).jobs
        job = next(job for job in jobs if job.id == many.id)
        for other in jobs:
            if other is not job:
                await store.queue.release(other)
        seats = tuple(f"p{n}" for n in range(8))
        await store.queue.route(job, RoutePlan("push_review", Priority.NORMAL, seats, 2, 1.0, 600.0, 600.0))
        await old.cancel([many.id], "again")
        await old.replay([many.id], "again")
    await new.restore(await written(old, tmp_path / "night.gbb"))
    assert await digests(old) == await digests(new)
    assert (await new.show_event(many.id)).run == 121


@pytest.mark.parametrize("count", [pytest.param(2_000, id="short"), pytest.param(100_000, id="long", marks=pytest.mark.soak)])
async def test_of_many_events_counts_and_hashes_are_the_same(
    start_server: Callable[..., str], place: Place, tmp_path: Path, count: int
) -> None:
    url = start_server("--enable-debug-command", "yes")
    old, new = await place(url=url), await place(url=url)
    ids = [*await filled(old, 200), *await crowd(old, count - 200)]
    started = time.monotonic()
    path = await written(old, tmp_path / "many.gbb")
    wrote_s = time.monotonic() - started
    assert (await new.restore(path)).events == len(ids) == count
    restored_s = time.monotonic() - started - wrote_s
    before, after = await digests(old), await digests(new)
    compared_s = time.monotonic() - started - wrote_s - restored_s
    size = path.stat().st_size
    print(f"{count:,} events, {size:,} bytes: written in {wrote_s:.1f} s, restored in {restored_s:.1f} s, compared in {compared_s:.1f} s")
    assert before == after
    assert before["j"][0] > count
    assert (await store_of(new).queue.stats()).states == (await store_of(old).queue.stats()).states
