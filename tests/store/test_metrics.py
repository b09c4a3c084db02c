"""Metrics: histograms that merge, minutes that add up, costs that stay unknown where they are."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from gitbridge_console.settings.model import RedisSettings
from gitbridge_console.store.connection import make_client
from gitbridge_console.store.metrics import BOUNDS_MS, LatencyHistogram, Metrics, minute_key, providers_key
from gitbridge_console.store.metrics_window import pace_of

durations = st.lists(st.floats(min_value=0, max_value=1e7), min_size=1, max_size=60)


def filled(values: list[float]) -> LatencyHistogram:
    histogram = LatencyHistogram()
    for value in values:
        histogram.add(value)
    return histogram


class Clock:
    """A clock that stands still until moved; its server is asked for the time only by a real one."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


async def standing(client: Redis, namespace: str, second: float = 30.0) -> tuple[Metrics, Clock]:
    """Metrics whose clock shows ``second`` of the server's next minute and does not move by itself."""
    seconds, _ = await client.time()
    clock = Clock((seconds // 60 + 1) * 60 + second)
    metrics = Metrics(client, namespace, clock=clock)
    metrics._clock_checked_at = clock.now_s
    return metrics, clock


def move(metrics: Metrics, clock: Clock, by_s: float) -> None:
    clock.now_s += by_s
    metrics._clock_checked_at = clock.now_s


@given(durations, durations)
def test_merging_is_the_same_as_adding_everything_to_one(left: list[float], right: list[float]) -> None:
    merged = filled(left)
    merged.merge(filled(right))
    assert merged.counts == filled(left + right).counts
    assert merged.total == len(left) + len(right)


@given(durations)
def test_fields_hold_the_whole_histogram(values: list[float]) -> None:
    histogram = filled(values)
    fields = histogram.to_fields("l:") | {"l:x": 1, "l:9999": 1, "t:1": 5}
    assert LatencyHistogram.from_fields(fields, "l:").counts == histogram.counts


@given(st.lists(st.floats(min_value=1.3, max_value=500_000), min_size=1, max_size=60), st.floats(min_value=0, max_value=1))
def test_a_percentile_is_within_one_bucket_of_the_truth(values: list[float], fraction: float) -> None:
    ordered = sorted(values)
    truth = ordered[max(0, -int(-fraction * len(values) // 1) - 1)]
    found = filled(values).percentile(fraction)
    assert found is not None
    assert truth / 1.2001 <= found <= truth * 1.2001


@given(durations)
def test_percentiles_never_cross(values: list[float]) -> None:
    histogram = filled(values)
    found = [histogram.percentile(fraction) or 0.0 for fraction in (0, 0.5, 0.95, 0.99, 1)]
    assert found == sorted(found)


def test_the_buckets_reach_from_a_millisecond_to_ten_minutes() -> None:
    assert BOUNDS_MS[0] == 1
    assert 600_000 <= BOUNDS_MS[-1] < 600_000 * 1.2
    assert LatencyHistogram().percentile(0.5) is None
    assert filled([1e9]).percentile(0.5) == BOUNDS_MS[-1]
    assert LatencyHistogram.bucket(float("nan")) == LatencyHistogram.bucket(-5) == 0


@pytest.mark.anyio
async def test_two_engines_add_up(client: Redis, namespace: str) -> None:
    first, _ = await standing(client, namespace)
    second, _ = await standing(client, namespace)
    for metrics in (first, second):
        for _ in range(9):
            metrics.record_attempt("claude", "ok", 900, 200, 100, 20, 0.0001)
        metrics.record_attempt("claude", "transient", 5000)
        await metrics.flush()
    window = await second.read()
    claude = window.providers["claude"]
    assert (claude.calls_1m, claude.calls_15m) == (20, 20)
    assert claude.error_rate == 0.1
    assert claude.availability == 0.9
    assert claude.errors_by_class == {"transient": 2}
    assert (claude.tokens_in, claude.tokens_out) == (1800, 360)
    assert claude.cost_usd == pytest.approx(0.0018)
    assert claude.latency_ms.p50 == pytest.approx(900, rel=0.2)
    assert claude.ttft_ms.p99 == pytest.approx(200, rel=0.2)


@pytest.mark.anyio
async def test_a_cost_that_is_not_known_is_not_zero(client: Redis, namespace: str) -> None:
    metrics, _ = await standing(client, namespace)
    metrics.record_attempt("local", "ok", 10)
    metrics.record_attempt("grok", "ok", 10, cost_usd=0.0)
    metrics.record_attempt("grok", "ok", 10)
    await metrics.flush()
    window = await metrics.read()
    assert window.providers["local"].cost_usd is None
    assert window.providers["grok"].cost_usd == 0.0


@pytest.mark.anyio
async def test_what_is_not_the_services_fault_does_not_lower_its_availability(client: Redis, namespace: str) -> None:
    metrics, _ = await standing(client, namespace)
    for outcome in ("ok", "invalid_output", "rate_limit", "neutral", "cancelled"):
        metrics.record_attempt("grok", outcome, 10)
    await metrics.flush()
    grok = (await metrics.read()).providers["grok"]
    assert grok.availability == 1.0
    assert grok.error_rate == pytest.approx(2 / 3, abs=1e-4)
    assert grok.errors_by_class == {"invalid_output": 1, "rate_limit": 1}
    assert grok.calls_15m == 5


@pytest.mark.anyio
async def test_the_last_minute_is_weighed_from_two(client: Redis, namespace: str) -> None:
    metrics, clock = await standing(client, namespace, second=50)
    for _ in range(100):
        metrics.record_attempt("claude", "ok", 10)
    metrics.count("in", 60)
    await metrics.flush()
    move(metrics, clock, 25)
    metrics.count("in", 3)
    await metrics.flush()
    window = await metrics.read()
    assert window.providers["claude"].calls_1m == 75
    assert window.providers["claude"].calls_15m == 100
    assert window.per_second("in") == pytest.approx((3 + 60 * 0.75) / 60, abs=1e-3)
    assert window.counts == {"in": 63}
    assert window.per_second("never") == 0.0


@pytest.mark.anyio
async def test_the_trend_has_one_place_per_minute(client: Redis, namespace: str) -> None:
    metrics, clock = await standing(client, namespace)
    for ms in (100, 1000):
        metrics.record_attempt("claude", "ok", ms)
        await metrics.flush()
        move(metrics, clock, 120)
    trend = (await metrics.read(minutes=5)).providers["claude"].latency_trend_ms
    assert [None if value is None else round(value, -2) for value in trend] == [100, None, 1000, None, None]


@pytest.mark.anyio
async def test_durations_of_the_fleet(client: Redis, namespace: str) -> None:
    metrics, _ = await standing(client, namespace)
    for ms in range(1, 101):
        metrics.record_value("queue_latency", ms)
    await metrics.flush()
    window = await metrics.read()
    assert window.percentiles("queue_latency").p50 == pytest.approx(50, rel=0.2)
    assert window.percentiles("processing").p50 is None


@pytest.mark.anyio
async def test_a_frequent_reader_asks_for_two_minutes_only(client: Redis, namespace: str) -> None:
    metrics, clock = await standing(client, namespace)
    metrics.record_attempt("claude", "ok", 10)
    await metrics.flush()
    move(metrics, clock, 300)
    await metrics.read()
    before = (await client.info("commandstats"))["cmdstat_hgetall"]["calls"]
    window = await metrics.read()
    after = (await client.info("commandstats"))["cmdstat_hgetall"]["calls"]
    assert after - before == 4, "two minutes of one provider and of the fleet"
    assert window.providers["claude"].calls_15m == 1


@pytest.mark.anyio
async def test_a_frequent_reader_sees_what_one_sees_that_comes_for_the_first_time(client: Redis, namespace: str) -> None:
    """Through minutes that run, that end, that an engine adds to late, and that fall out of the window."""
    reader, clock = await standing(client, namespace, second=50)
    engine, engines_clock = await standing(client, namespace, second=50)
    for n, (seconds, late_s) in enumerate([(1, 0), (15, 0), (1, 20), (40, 0), (0, 0), (61, 61), (200, 0), (700, 0), (300, 0)]):
        move(reader, clock, seconds)
        move(engine, engines_clock, clock.now_s - late_s - engines_clock.now_s)
        for name in ("claude", "grok")[: n % 3]:
            engine.record_attempt(name, "ok" if n % 2 else "timeout", 100.0 * n, 10.0 * n)
        engine.count("in", n)
        engine.record_value("processing", 7.0 * n)
        await engine.flush()
        new = Metrics(client, namespace, clock=lambda: clock.now_s)
        new._offset_s, new._clock_checked_at = reader._offset_s, clock.now_s
        told, anew = await reader.read(providers=["local"]), await new.read(providers=["local"])
        assert (told.providers, told.counts, told.counts_1m) == (anew.providers, anew.counts, anew.counts_1m), n
        assert told.percentiles("processing") == anew.percentiles("processing")


@pytest.mark.anyio
async def test_what_was_worked_out_is_kept_as_long_as_nothing_is_counted(client: Redis, namespace: str) -> None:
    metrics, _ = await standing(client, namespace)
    metrics.record_attempt("claude", "ok", 10)
    await metrics.flush()
    one, same = (await metrics.read()).providers["claude"], (await metrics.read()).providers["claude"]
    assert same.latency_ms is one.latency_ms
    metrics.record_attempt("claude", "ok", 500)
    await metrics.flush()
    other = (await metrics.read()).providers["claude"]
    assert (one.calls_15m, other.calls_15m) == (1, 2)
    assert other.latency_ms.p95 != one.latency_ms.p95


@pytest.mark.anyio
async def test_everything_expires(client: Redis, namespace: str) -> None:
    metrics, clock = await standing(client, namespace)
    metrics.record_attempt("claude", "ok", 10)
    assert await metrics.flush() == 1
    assert await metrics.flush() == 0
    assert 0 < await client.ttl(minute_key(namespace, "claude", int(clock.now_s // 60))) <= 26 * 3600
    assert 0 < await client.ttl(providers_key(namespace)) <= 26 * 3600


@pytest.mark.anyio
async def test_nothing_is_lost_while_the_store_is_away(client: Redis, namespace: str) -> None:
    metrics, clock = await standing(client, namespace)
    metrics._client = make_client(RedisSettings(url="unix:///nowhere/at-all"))
    metrics.count("in", 2)
    for _ in range(2):
        with pytest.raises(RedisConnectionError):
            await metrics.flush()
    metrics._client = client
    metrics.count("in", 1)
    await metrics.flush()
    assert (await metrics.read()).counts == {"in": 3}
    metrics._client = make_client(RedisSettings(url="unix:///nowhere/at-all"))
    metrics.count("in", 5)
    move(metrics, clock, 3600)
    with pytest.raises(RedisConnectionError):
        await metrics.flush()
    assert not metrics._pending, "an hour old: dropped, so that memory stays bounded"


@pytest.mark.anyio
async def test_the_servers_clock_decides_the_minute(client: Redis, namespace: str) -> None:
    metrics = Metrics(client, namespace, clock=lambda: 0.0)
    await metrics.read()
    metrics.count("in")
    await metrics.flush()
    assert (await Metrics(client, namespace).read(minutes=2, providers=["claude"])).counts == {"in": 1}


@pytest.mark.anyio
async def test_two_readers_at_once_do_not_take_each_others_minutes_away(client: Redis, namespace: str) -> None:
    now_s = 1_000_000 * 60.0
    metrics = Metrics(client, namespace, clock=lambda: now_s)
    metrics._clock_checked_at = now_s
    long, short = metrics.read(minutes=15), metrics.read(minutes=2)
    await asyncio.gather(long, short)
    again = await asyncio.gather(metrics.read(minutes=15), metrics.read(minutes=2), metrics.read(minutes=20))
    assert [window.minutes for window in again] == [15, 2, 20]


@pytest.mark.parametrize(
    ("calls", "rest", "pace"),
    [
        ([0, 0, 0, 0, 0, 3], 0.9, None),
        ([0, 0, 0, 0, 1, 3], 0.9, None),
        ([0, 0, 0, 1, 60, 10], 0.75, 1.0),
        ([60, 60, 60, 60, 60, 1], 0.98, 1.0),
        ([60, 60, 60, 5, 0, 1], 0.5, 1.0),
        ([120, 60, 0, 0, 0, 1], 0.5, 1.0),
        ([0, 0, 60, 60, 60, 60], 0.5, 1.5),
        ([60], 0.5, None),
    ],
    ids=["just begun", "in the second minute", "for two minutes", "steady", "just resumed", "before a pause", "ever faster", "too short"],
)
def test_a_pace_is_that_of_the_best_minute_and_none_is_known_at_the_beginning(calls: list[int], rest: float, pace: float | None) -> None:
    assert pace_of(calls, rest) == pace
