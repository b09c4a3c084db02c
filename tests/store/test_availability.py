"""How often a provider was there, over five minutes, an hour and a day."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from gitbridge_console.store import metrics as metrics_module
from gitbridge_console.store.metrics import Metrics

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
    await metrics.availability(["claude"])
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
