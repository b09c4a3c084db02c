"""How often a provider was there, over five minutes, an hour and a day."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from gitbridge_console.store import metrics as metrics_module
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.metrics_keys import PENDING_MINUTES_MAX

pytestmark = pytest.mark.anyio


class Clock:
    """Seconds since the epoch, as a test has them."""

    now = 1_900_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def clock(client: Redis) -> Clock:
    seconds, _ = await client.time()
    found = Clock()
    found.now = float(seconds)
    return found


async def test_each_window_has_its_own_share_and_none_without_calls(
    client: Redis, namespace: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_module, "CLOCK_CHECK_S", float("inf"))
    metrics = Metrics(client, namespace, clock=clock)
    present = clock.now
    await metrics.read()
    for ago_s, outcomes in ((6 * 3600, ["transient"] * 4), (30 * 60, ["transient", "ok"]), (0, ["ok", "invalid_output", "rate_limit"])):
        clock.now = present - ago_s
        for outcome in outcomes:
            metrics.record_attempt("claude", outcome, 100)
        await metrics.flush()
    clock.now = present + metrics_module.AVAILABILITY_S + 1
    found = await metrics.availability(["claude", "grok"])
    assert found["claude"]["5m"] == 1.0, "an answer that is no use, and a limit, are answers"
    assert found["claude"]["1h"] == 0.8
    assert found["claude"]["24h"] == pytest.approx(1 - 5 / 9, abs=1e-4)
    assert found["grok"] == {"5m": None, "1h": None, "24h": None}


async def test_it_is_read_from_the_store_once_in_a_while(client: Redis, namespace: str, clock: Clock) -> None:
    metrics = Metrics(client, namespace, clock=clock)
    first = await metrics.availability(["claude"])
    metrics.record_attempt("claude", "ok", 100)
    await metrics.flush()
    assert await metrics.availability(["claude"]) == first
    clock.now += metrics_module.AVAILABILITY_S
    assert (await metrics.availability(["claude"]))["claude"]["5m"] == 1.0


async def test_what_is_over_is_read_once_and_what_an_engine_adds_late_is_seen(
    client: Redis, namespace: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_module, "CLOCK_CHECK_S", float("inf"))
    metrics, engine = Metrics(client, namespace, clock=clock), Metrics(client, namespace, clock=clock)
    present = clock.now
    for each in (metrics, engine):
        await each.read()
    await metrics.availability(["claude"])
    clock.now = present - PENDING_MINUTES_MAX * 60
    engine.record_attempt("claude", "transient", 100)
    await engine.flush()
    clock.now = present + metrics_module.AVAILABILITY_S
    before = await commands(client)
    assert (await metrics.availability(["claude"]))["claude"] == {"5m": None, "1h": 0.0, "24h": 0.0}
    assert await commands(client) - before <= PENDING_MINUTES_MAX + 2 + 2 + 1
    clock.now += 3600
    assert (await metrics.availability(["claude"]))["claude"] == {"5m": None, "1h": None, "24h": 0.0}


async def commands(client: Redis) -> int:
    """How often hashes were read."""
    stats = await client.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("hgetall", "hmget"))
