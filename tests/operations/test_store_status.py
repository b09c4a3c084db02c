"""What status says of the store: its memory, its limit, and what its server lacks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError

from gitbridge_console.domain.audit import Outcome
from gitbridge_console.domain.bulk import BulkKind, Deed, Selection
from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.domain.snapshots import FleetSnapshot
from gitbridge_console.operations.errors import BackPressure as Refusal
from gitbridge_console.operations.errors import NotConfirmed
from gitbridge_console.operations.operations import Operations
from gitbridge_console.operations.status import build_snapshot
from gitbridge_console.settings.model import QueueSettings, Settings
from gitbridge_console.store.durability import NotDurable
from gitbridge_console.store.metrics_window import MetricsWindow
from gitbridge_console.store.records import BackPressure, QueueStats
from gitbridge_console.store.server_watch import ServerState, ServerWatch
from gitbridge_console.store.store import Store


def snapshot(server: ServerState) -> FleetSnapshot:
    stats = QueueStats(now_ms=0, lanes={}, states={}, counters={}, pauses={}, bytes_by_state={})
    return build_snapshot(Settings(), stats, MetricsWindow(minutes=15), (), (), store_url="unix", server=server, quarantined=0)


@pytest.mark.parametrize(
    ("used", "limit", "level"),
    [
        (849, 1000, None),
        (850, 1000, "warning"),
        (949, 1000, "warning"),
        (950, 1000, "critical"),
        (2000, 1000, "critical"),
        (2000, None, None),
    ],
)
def test_memory_is_an_alert_from_85_percent_and_a_grave_one_from_95(used: int, limit: int | None, level: str | None) -> None:
    mib = 2**20
    shown = snapshot(ServerState(used * mib, limit and limit * mib))
    assert (shown.store.memory_bytes, shown.store.memory_max_bytes) == (used * mib, limit and limit * mib)
    assert [alert.level for alert in shown.alerts if alert.code == "store_memory"] == ([level] if level else [])


def test_every_line_about_the_server_is_an_alert() -> None:
    shown = snapshot(ServerState(1, None, ("the append-only file is off: …", "maxmemory-policy is allkeys-lru: …")))
    texts = [alert.text for alert in shown.alerts if alert.code == "store_warning"]
    assert texts == ["store: the append-only file is off: …", "store: maxmemory-policy is allkeys-lru: …"]


def test_a_queue_that_is_full_and_sheds_is_one_alert() -> None:
    def codes(undecided: int) -> list[str]:
        stats = QueueStats(now_ms=0, lanes={}, states={"received": undecided}, counters={}, pauses={}, bytes_by_state={})
        settings = Settings(queue=QueueSettings(max_waiting=1000))
        shown = build_snapshot(
            settings, stats, MetricsWindow(minutes=15), (), (), store_url="unix", server=ServerState(1, None), quarantined=0
        )
        return [alert.code for alert in shown.alerts if alert.code in ("overload", "queue_full") and "% full" in alert.text]

    assert codes(1000) == codes(850) == ["overload"]
    assert codes(100) == []


class Counted:
    """A client that counts how often the server is asked for its facts."""

    def __init__(self, client: Redis) -> None:
        self.client = client
        self.asked = 0

    async def info(self) -> Any:
        self.asked += 1
        return await self.client.info()

    async def config_get(self, name: str) -> Any:
        return await self.client.config_get(name)


@pytest.mark.anyio
async def test_the_server_is_asked_once_a_second_however_many_look_and_what_was_mended_is_gone(
    start_server: Callable[..., str], connect_to: Callable[[str], Redis]
) -> None:
    now = 0.0
    client = connect_to(start_server("--appendonly", "yes"))
    counted = Counted(client)
    watch = ServerWatch(counted, "always", clock=lambda: now)  # type: ignore[arg-type]
    seen = await asyncio.gather(*(watch.look() for _ in range(20)))
    assert counted.asked == 1
    assert seen[0].memory_bytes > 100_000
    assert seen[0].memory_max_bytes is None
    assert ["appendfsync always" in line for line in seen[0].warnings] == [True]
    await client.config_set("appendfsync", "always")
    await client.config_set("maxmemory", "64mb")
    now = 0.9
    assert await watch.look() == seen[0]
    now = 1.0
    later = await watch.look()
    assert (counted.asked, later.warnings, later.memory_max_bytes) == (2, (), 64 * 2**20)


@pytest.mark.anyio
async def test_a_write_that_is_not_confirmed_on_disk_is_done_and_said(
    door: Operations, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def end(entry: str, outcome: Outcome) -> None:
        raise NotDurable("stored, but not confirmed on disk within 3 s; look first")

    monkeypatch.setattr(store.journal, "end", end)
    with pytest.raises(NotConfirmed, match="not confirmed on disk within 3 s"):
        await door.pause(["claude"], "test")
    assert (await door.status()).lanes["claude"].paused is not None


@pytest.mark.anyio
async def test_a_refused_write_is_audited_as_failed_and_its_reason_is_not_hidden(
    door: Operations, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*args: Any, **more: Any) -> list[str]:
        raise BackPressure("the store is at its memory limit")

    monkeypatch.setattr(store.queue, "pause", refused)
    with pytest.raises(Refusal, match="memory limit"):
        await door.pause(["claude"], "test")
    assert [line.result for line in await door.list_audit()] == ["failed: the store is at its memory limit"]


@pytest.mark.anyio
async def test_what_a_full_store_refuses_is_backpressure(door: Operations, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*args: Any, **more: Any) -> None:
        raise OutOfMemoryError("command not allowed when used memory > 'maxmemory'.")

    await store.queue.enqueue(IncomingEvent("before", "push", b"{}", "test"))
    monkeypatch.setattr(store.bulk, "plan", refused)
    with pytest.raises(Refusal, match="BACKPRESSURE: the store is at its memory limit; try again when there is room"):
        await door.plan_bulk(Deed(BulkKind.CANCEL), Selection("state=received"))
