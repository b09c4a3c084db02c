"""A night's failures replayed by filter while the engines that do it are killed: each once, in order of urgency, to the last event.

The short form runs with the other tests. The long one is behind the marker: ``pytest -m soak tests/soak/test_bulk_replay.py``.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gitbridge_console.domain.bulk import BulkKind, Deed, Selection
from gitbridge_console.domain.bulk_views import BulkStatus
from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.operations.actor import Actor
from gitbridge_console.operations.operations import Operations
from gitbridge_console.settings.model import LegacySettings, QueueSettings, RedisSettings, Settings
from gitbridge_console.settings.shown import as_toml
from gitbridge_console.store.replies import text_of
from gitbridge_console.store.store import Store, open_store
from tests.chaos.processes import Engine, Engines

pytestmark = pytest.mark.anyio

PATIENCE_S = 180.0
RATE = 200.0
STALL_US = 5_000
CLASSES = (Priority.HIGH, Priority.NORMAL, Priority.LOW)
LARGE = [pytest.param(500, id="short"), pytest.param(10_000, id="long", marks=pytest.mark.soak)]


@pytest.fixture
def settings(start_server: Callable[..., str]) -> Settings:
    """A server that notes every command of over 5 ms, and a queue of two partitions."""
    url = start_server("--appendonly", "yes", "--appendfsync", "everysec", "--slowlog-log-slower-than", str(STALL_US))
    queue = QueueSettings(partitions=2, max_waiting=50_000)
    return Settings(namespace="night", redis=RedisSettings(url=url), queue=queue, legacy=LegacySettings(enabled=False))


@pytest.fixture
async def store(settings: Settings, tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(settings, tmp_path) as opened:
        yield opened


@pytest.fixture
def door(store: Store, settings: Settings) -> Operations:
    return Operations(store, lambda: settings, actor=Actor("ana", "ops-3"))


@pytest.fixture
async def engines(settings: Settings, tmp_path: Path) -> AsyncIterator[Engines]:
    """Two workers, each a process of its own; one that is killed is replaced."""
    config = tmp_path / "gitbridge.toml"
    document = settings.model_copy(update={"state_dir": str(tmp_path / "state")}).model_dump(mode="json", exclude_none=True)
    config.write_text(as_toml(document), "utf-8")
    fleet = Engines(tmp_path, settings.redis.url or "", config, wanted=2)
    yield fleet
    fleet.end()


async def failures(store: Store, door: Operations, count: int) -> dict[str, Priority]:
    """So many events of many repositories that failed, and the priority each was asked for with."""
    found: dict[str, Priority] = {}
    for start in range(0, count, 200):
        events = [
            IncomingEvent(f"n{n}", "push", f'{{"repository": {{"id": {n % 17 + 1}}}}}'.encode(), "test", CLASSES[n % 3], diff="diff\n")
            for n in range(start, min(count, start + 200))
        ]
        made = await asyncio.gather(*map(door.submit, events))
        found |= {one.id: event.priority or Priority.NORMAL for one, event in zip(made, events, strict=True)}
        while jobs := (await store.queue.claim("route", 64)).jobs:
            ends = (store.queue.hand_on(job, "", EventState.FAILED, why="silent", header={"err": "silent"}) for job in jobs)
            assert all(await asyncio.gather(*ends))
    return found


async def until(door: Operations, op_id: str, reached: Callable[[BulkStatus], bool]) -> BulkStatus:
    deadline = time.monotonic() + PATIENCE_S
    while not reached(status := await door.show_bulk(op_id)):
        assert time.monotonic() < deadline, f"not within {PATIENCE_S} s: {status}"
        await asyncio.sleep(0.05)
    return status


def holder(engines: Engines, status: BulkStatus) -> Engine | None:
    """The process that an operation says holds it."""
    return next((own for own in engines.running if status.engine.endswith(f"-{own.process.pid}")), None)


async def stalls(store: Store) -> list[int]:
    """Microseconds of every command that the server took over 5 ms for."""
    return [entry["duration"] for entry in await store.client.slowlog_get(1000) if b"EVAL" in entry["command"]]


@pytest.mark.parametrize("count", LARGE)
async def test_replayed_once_each_though_the_engine_at_it_is_killed_twice(
    count: int, store: Store, door: Operations, engines: Engines
) -> None:
    # The server's slow log tells wall time: where others want the processor, too, it tells of them.
    quiet_before = os.getloadavg()[0] <= (os.cpu_count() or 1) / 2
    dead = await failures(store, door, count)
    await door.pause(["route"], "so that what comes back can be counted")
    plan = await door.plan_bulk(Deed(BulkKind.REPLAY), Selection("error=silent"), rate_per_s=RATE)
    assert (plan.count, plan.exact) == (count, True)
    await store.client.slowlog_reset()
    engines.fill()
    await door.apply_bulk(plan.token, "the provider is back", rate_per_s=RATE)
    for share in (0.2, 0.6):
        status = await until(door, plan.token, lambda s: s.done >= share * count and holder(engines, s) is not None)  # noqa: B023
        at_work = holder(engines, status)
        assert at_work is not None
        engines.kill(at_work)
    urgent = await door.submit(IncomingEvent("urgent", "push", b'{"repository": {"id": 1}}', "test", Priority.CRITICAL, diff="diff\n"))
    ended = await until(door, plan.token, lambda s: s.state == "finished")
    assert (ended.done, ended.skipped, ended.failed, ended.left, ended.dropped) == (count, 0, 0, 0, 0)
    assert await store.client.zcard(store.keys.state("failed")) == 0
    jobs = await door.list_jobs("route", 1_000)
    assert jobs[0].id == urgent.id, "new urgent work goes before all that was replayed"
    assert [job.priority for job in jobs] == sorted((job.priority for job in jobs), key=lambda word: Priority.parse(word))
    for partition in store.queue.partitions:
        for raw in await store.client.zrange(partition.keys.ready("route"), 0, -1):
            header = await store.reader.find_event(text_of(raw)) or {}
            if text_of(raw) != urgent.id:
                assert (header["run"], int(header["pr"])) == ("2", dead.pop(text_of(raw)))
    assert not dead, "every one of them is back, once"
    assert engines.killed == 2
    slow = await stalls(store)
    if quiet_before and os.getloadavg()[0] <= (os.cpu_count() or 1):
        assert slow == [], "no command kept the server for over 5 ms"


@pytest.mark.parametrize("count", LARGE)
async def test_cancelled_in_the_middle_the_account_is_exact(count: int, store: Store, door: Operations, engines: Engines) -> None:
    dead = await failures(store, door, count)
    await door.pause(["route"], "so that what comes back can be counted")
    plan = await door.plan_bulk(Deed(BulkKind.REPLAY), Selection("state=failed"), rate_per_s=RATE)
    engines.fill()
    await door.apply_bulk(plan.token, "the provider is back", rate_per_s=RATE)
    await until(door, plan.token, lambda s: s.done >= count // 4)
    await door.cancel_bulk(plan.token, "it is not, after all")
    ended = await door.show_bulk(plan.token)
    assert (ended.state, ended.left, ended.skipped) == ("cancelled", 0, 0)
    assert 0 < ended.done < count
    assert ended.done + ended.dropped == count
    back = sum([int(await store.client.zcard(own.keys.ready("route"))) for own in store.queue.partitions])
    still = sum([int(await store.client.zcard(own.keys.state("failed"))) for own in store.queue.partitions])
    assert (back, still) == (ended.done, ended.dropped)
    assert len(dead) == count
