"""At the server's memory limit: new work is refused, and whoever looks still sees what is going on."""

from __future__ import annotations

import itertools
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError

from gitbridge_console.domain.audit import Intent, Outcome
from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.operations.actor import Actor
from gitbridge_console.operations.errors import BackPressure
from gitbridge_console.operations.operations import Operations
from gitbridge_console.router.engine import Engine
from gitbridge_console.router.upkeep import HEAL_AFTER_S
from gitbridge_console.settings.holder import SettingsHolder
from gitbridge_console.settings.model import LegacySettings, RedisSettings, Settings
from gitbridge_console.store.bounded_writes import BoundedWrites
from gitbridge_console.store.fleet import FORGET_AFTER_S, Beat, FleetRegistry
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.spell import REPORT_EVERY_S
from gitbridge_console.store.store import Store, open_store
from gitbridge_console.store.trouble import REFUSED_NOTHING_S, StoreTrouble

LIMIT_BYTES = 7 * 2**20
FULL = OutOfMemoryError("command not allowed when used memory > 'maxmemory'.")


def beat(engine_id: str = "e1") -> Beat:
    return Beat(id=engine_id, host="h", role="engine", version="1", settings="abc")


async def fill(client: Redis) -> None:
    """Write until the server refuses, then lower its limit a little: buffers that come and go make no room any more."""
    for n in itertools.count():
        try:
            await client.set(f"filler:{n}", b"x" * 64 * 1024)
        except OutOfMemoryError:
            break
    await client.config_set("maxmemory", LIMIT_BYTES)


@pytest.fixture
async def full(start_server: Callable[..., str], tmp_path: Path) -> AsyncIterator[tuple[Store, Settings]]:
    """An open store whose server is full; one event was accepted before."""
    url = start_server("--maxmemory", "8mb", "--maxmemory-policy", "noeviction")
    settings = Settings(redis=RedisSettings(url=url), legacy=LegacySettings(enabled=False))
    async with open_store(settings, tmp_path) as store:
        await store.queue.enqueue(IncomingEvent("before", "push", b"{}", "test"))
        await fill(store.client)
        yield store, settings


@pytest.mark.anyio
async def test_heartbeats_metrics_and_audit_go_through(full: tuple[Store, Settings]) -> None:
    store, _ = full
    with pytest.raises(OutOfMemoryError):
        await store.client.set("more", b"x")
    await store.fleet.beat(beat())
    assert [known.id for known in await store.fleet.alive()] == ["e1"]
    store.metrics.record_attempt("claude", "ok", 900.0)
    store.metrics.count("in")
    assert await store.metrics.flush() == 2
    window = await store.metrics.read()
    assert window.providers["claude"].calls_15m == 1
    entry = await store.journal.begin(Intent(Actor("ana", "h"), "pause", "claude", "full"))
    await store.journal.end(entry, Outcome("done"))
    assert [line.result for line in await store.journal.newest()] == ["done"]


@pytest.mark.anyio
async def test_an_operator_can_look_and_steer_and_a_newcomer_is_refused(full: tuple[Store, Settings], tmp_path: Path) -> None:
    """Through a store opened afresh: a console must open exactly then."""
    _, settings = full
    async with open_store(settings, tmp_path) as store:
        door = Operations(store, lambda: settings, actor=Actor("ana", "h"))
        with pytest.raises(BackPressure, match="memory limit"):
            await door.submit(IncomingEvent("after", "push", b"{}", "test", diff="diff --git a/x b/x\n"))
        await door.pause(["claude"], "make room")
        status = await door.status()
        assert status.lanes["claude"].paused is not None
        assert status.lanes["route"].depth == 1
        assert status.store.memory_max_bytes == LIMIT_BYTES
        assert status.store.memory_bytes is not None
        assert status.store.memory_bytes > 0.95 * status.store.memory_max_bytes
        (alert,) = [alert for alert in status.alerts if alert.code == "store_memory"]
        assert alert.level == "critical"
        assert "of 7 MiB" in alert.text
        assert [line.what for line in await door.list_audit()] == ["pause"]


@pytest.mark.anyio
async def test_a_server_too_old_for_it_refuses_and_metrics_are_taken_back(full: tuple[Store, Settings]) -> None:
    store, settings = full
    old = BoundedWrites(store.client, 6)
    metrics = Metrics(store.client, settings.namespace, writes=old)
    metrics.record_attempt("claude", "ok", 900.0)
    with pytest.raises(OutOfMemoryError):
        await metrics.flush()
    await store.client.config_set("maxmemory", 0)
    assert await metrics.flush() == 1
    window = await metrics.read()
    assert window.providers["claude"].calls_15m == 1, "counted once, not lost and not twice"


@pytest.mark.anyio
@pytest.mark.parametrize("major", [6, 7])
async def test_a_beat_forgets_engines_that_fell_silent_and_what_cannot_be_read(client: Redis, namespace: str, major: int) -> None:
    keys = Keys(namespace)
    fleet = FleetRegistry(client, keys, writes=BoundedWrites(client, major))
    await fleet.beat(beat("old"))
    stored = (await client.hget(keys.engines, "old")).decode()
    at = (await fleet.alive())[0].at_ms
    silent = stored.replace(str(at), str(at - round(FORGET_AFTER_S * 1000) - 1000))
    await client.hset(keys.engines, mapping={"old": silent, "quiet": stored, "broken": "{", "list": "[]", "number": "7"})
    await fleet.beat(beat("new"))
    assert {name.decode() for name in await client.hkeys(keys.engines)} == {"new", "quiet"}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_full_store_is_not_away_and_is_said_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    trouble = StoreTrouble(clock)
    with caplog.at_level(logging.WARNING):
        for _ in range(50):
            trouble.report(FULL)
            trouble.answered()
            clock.now += 1
        assert trouble.away_for_s is None, "nothing to heal"
        assert trouble.full_for_s == 50
        assert len(caplog.records) == 1
        assert "the store is full" in caplog.text
        assert "does not answer" not in caplog.text
        clock.now += REPORT_EVERY_S
        trouble.report(FULL)
        assert len(caplog.records) == 2
        clock.now += REFUSED_NOTHING_S
        trouble.answered()
        assert "has refused none for 10 s" in caplog.records[-1].getMessage()
        assert trouble.full_for_s is None


def test_a_store_that_is_away_is_told_from_one_that_answers_that_it_is_full(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    trouble = StoreTrouble(clock)
    with caplog.at_level(logging.WARNING):
        trouble.report(RedisConnectionError("refused"))
        clock.now += 3
        assert trouble.away_for_s == 3
        trouble.report(FULL)
        assert trouble.away_for_s is None
    assert [record.getMessage().partition(" (")[0] for record in caplog.records] == [
        "the store does not answer",
        "the store answers again after 3.0 s",
        "the store is full",
    ]


@pytest.mark.anyio
async def test_the_engine_starts_a_server_again_that_is_away_but_not_one_that_is_full(
    valkey_url: str, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(namespace=namespace, redis=RedisSettings(url=valkey_url), legacy=LegacySettings(enabled=False))
    clock, healed = Clock(), []

    async def heal() -> None:
        healed.append(clock.now)

    async with open_store(settings, tmp_path) as store:
        store.trouble = StoreTrouble(clock)
        monkeypatch.setattr(store, "heal", heal)
        engine = Engine(store, SettingsHolder(settings), state_dir=tmp_path)
        for error, times in ((FULL, 0), (RedisConnectionError("refused"), 1)):
            store.trouble.report(error)
            clock.now += HEAL_AFTER_S + 1
            await engine._upkeep.heal()
            assert len(healed) == times
