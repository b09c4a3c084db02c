"""How full the list of older producers is: seen by an engine, told by status, an alert from four fifths on."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from gitbridge_console.ingress.legacy_watch import watch
from gitbridge_console.operations.inbox_status import legacy_alerts, legacy_status
from gitbridge_console.operations.operations import Operations
from gitbridge_console.settings.model import LegacySettings
from gitbridge_console.store.inbox_board import InboxBoard
from gitbridge_console.store.legacy import LegacyStore
from gitbridge_console.store.store import Store

AT = "2026-11-29T10:00:00Z"


@pytest.mark.parametrize(("waiting", "level"), [(0, None), (7_999, None), (8_000, "warning"), (9_999, "warning"), (10_000, "critical")])
def test_the_alert_speaks_at_its_share_and_is_grave_when_full(waiting: int, level: str | None) -> None:
    inbox = {"legacy": {"waiting": waiting, "processing": 1, "problem": "", "at_ms": 1_000}}
    status = legacy_status(LegacySettings(), inbox, 2_000)
    assert status is not None
    assert (status.waiting, status.max_waiting) == (waiting, 10_000)
    assert [alert.level for alert in legacy_alerts(status, 0.8, AT)] == ([level] if level else [])


def test_a_list_that_cannot_be_read_is_an_alert_and_an_old_look_is_none() -> None:
    inbox = {"legacy": {"waiting": 0, "processing": 0, "problem": "Connection refused", "at_ms": 0}}
    status = legacy_status(LegacySettings(), inbox, 60_000)
    assert [alert.code for alert in legacy_alerts(status, 0.8, AT)] == ["legacy_away"]
    assert legacy_status(LegacySettings(), inbox, 60_001) is None
    assert legacy_status(LegacySettings(), {}, 0) is None
    assert not list(legacy_alerts(None, 0.8, AT))


@pytest.mark.anyio
async def test_an_engine_looks_and_everybody_knows(store: Store, door: Operations, client: Redis, namespace: str) -> None:
    names = LegacySettings(events_key=f"{namespace}:events", processing_key=f"{namespace}:processing")
    await client.lpush(names.events_key, b"1", b"2")
    stop = asyncio.Event()
    task = asyncio.create_task(watch(LegacyStore(client, names), InboxBoard(client, store.keys), store.trouble, stop, every_s=0.01))

    async def seen(waiting: int, problem: str) -> None:
        async with asyncio.timeout(20):
            while (legacy := (await door.status()).legacy) is None or legacy.waiting != waiting or problem not in legacy.problem:
                await asyncio.sleep(0.01)

    await seen(2, "")
    await client.set(names.events_key, "no list")
    await seen(0, "WRONGTYPE")
    stop.set()
    await task
