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

from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.operations.actor import Actor
from gitbridge_console.operations.errors import Refused
from gitbridge_console.operations.operations import Operations
from gitbridge_console.settings.model import LegacySettings, QueueSettings, RedisSettings, Settings
from gitbridge_console.store import backup as backup_module
from gitbridge_console.store.records import RoutePlan
from gitbridge_console.store.replies import text_of
from gitbridge_console.store.store import Store, open_store
from tests.store.queue_model import AT_REST, AUDIT, QueueModel

pytestmark = pytest.mark.anyio

_numbers = itertools.count(1)
PARTS = "jxpfnohvat"
Place = Callable[..., Any]


@pytest.fixture
async def place(valkey_url: str, tmp_path: Path) -> AsyncIterator[Place]:
    """Gives doors to empty namespaces."""
    async with AsyncExitStack() as stores:

        async def open_one(namespace: str = "", partitions: int = 2, *, read_only: bool = False) -> Operations:
            settings = Settings(
                namespace=namespace or f"b{os.getpid()}-{next(_numbers)}",
                redis=RedisSettings(url=valkey_url),
                legacy=LegacySettings(enabled=False),
                queue=QueueSettings(partitions=partitions, max_waiting=1_000_000),
            )
            store = await stores.enter_async_context(open_store(settings, tmp_path))
            return Operations(store, lambda: settings, actor=Actor("ana", "ops-3"), read_only=read_only)

        yield open_one


def store_of(door: Operations) -> Store:
    return door._store


async def written(door: Operations, path: Path) -> Path:
    with path.open("wb") as file:
        async for piece in door.backup():
            file.write(piece)
    return path


async def contents(door: Operations) -> dict[str, bytes]:
    """What is kept of every event, by key without its namespace, as the server dumps it."""
    store = store_of(door)
    start = f"{{{store.keys.namespace}:"
    found = {}
    async for raw in store.client.scan_iter(f"{start}*", count=1000):
        name = text_of(raw)
        if name.partition("}:")[2].partition(":")[0] in PARTS and ":" in name.partition("}:")[2]:
            found[name.removeprefix(start)] = bytes(await store.client.dump(name) or b"")
    return found


async def filled(door: Operations, count: int) -> list[str]:
    """Events in many states, some of them being worked on, with seats, decisions, pauses and an audit."""
    store, ids = store_of(door), []
    for start in range(0, count, 200):
        events = [
            IncomingEvent(f"b{n}", "push", b'{"repository": {"id": %d}, "n": "%s"}' % (n % 7, b"x" * (n % 300)), "test", diff="diff\n")
            for n in range(start, min(count, start + 200))
        ]
        ids += [made.id for made in await asyncio.gather(*map(door.submit, events))]
        jobs = (await store.queue.claim("route", 64)).jobs
        for n, job in enumerate(jobs):
            if n % 4 == 0:
                await store.queue.hand_on(
                    job, "", EventState.FAILED, why="silent", header={"err": "silent"}, texts={"error": "nobody home"}
                )
            elif n % 4 == 1:
                await store.queue.route(job, RoutePlan("push_review", Priority.NORMAL, ("claude", "grok"), 2, 1.0, 600.0, 600.0))
            elif n % 4 == 2:
                record = {"what": "decided", "event": job.id}
                await store.queue.hand_on(job, "", EventState.RESOLVED, decision="{}", header={"decided": "complete"}, record=record)
    await store.queue.claim("claude", 5)
    await door.pause(["grok"], "a slow night")
    await door.breaker("chatgpt", "open", "it lies")
    await store.queue.quarantine(b"{", source="test", error="no JSON")
    return ids


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
    write, calls = backup_module.BackupStore.write, itertools.count()

    async def breaks(self: Any, records: Any) -> int:
        if next(calls) == 3:
            raise ConnectionError("the network fell over")
        return await write(self, records)

    monkeypatch.setattr(backup_module.BackupStore, "write", breaks)
    with pytest.raises(Exception, match="network"):
        await new.restore(path)
    part = len(await contents(new))
    assert part > 0
    monkeypatch.setattr(backup_module.BackupStore, "write", write)
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


@pytest.mark.parametrize("count", [pytest.param(2_000, id="short"), pytest.param(100_000, id="long", marks=pytest.mark.soak)])
async def test_of_many_events_counts_and_hashes_are_the_same(place: Place, tmp_path: Path, count: int) -> None:
    old, new = await place(), await place()
    ids = await filled(old, count)
    started = time.monotonic()
    path = await written(old, tmp_path / "many.gbb")
    wrote_s = time.monotonic() - started
    assert (await new.restore(path)).events == len(ids)
    restored_s = time.monotonic() - started - wrote_s
    print(f"{count:,} events, {path.stat().st_size:,} bytes: written in {wrote_s:.1f} s, restored in {restored_s:.1f} s")
    before, after = await contents(old), await contents(new)
    assert set(before) == set(after)
    assert [name for name in before if before[name] != after[name]] == []
    assert (await store_of(new).queue.stats()).states == (await store_of(old).queue.stats()).states
