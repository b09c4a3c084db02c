"""History for charts: merged over engines, there after a restart, in few steps, read once."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from gitbridge_console.domain.tasks import Attempt
from gitbridge_console.domain.timestamps import iso_from_ms
from gitbridge_console.store.attempt_log import AT_ONCE, AttemptLog
from gitbridge_console.store.bounded_writes import BoundedWrites
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.metrics import FLEET, Metrics, minute_key, providers_key
from gitbridge_console.store.metrics_history import STEPS_MAX, MetricsHistory, step_minutes
from gitbridge_console.store.provider_board import ProviderBoard
from gitbridge_console.store.replies import server_now_ms

pytestmark = pytest.mark.anyio


def attempt(n: int = 0, outcome: str = "ok", **more: object) -> Attempt:
    fields = {"provider": "grok", "model": "m", "started_at": iso_from_ms(1_700_000_000_000 + n), "latency_ms": 100.0, "verdict": "ok"}
    return Attempt.model_validate(fields | {"outcome": outcome} | more)


async def minutes_ago(client: Redis, namespace: str, ago: int, scope: str, **fields: int) -> None:
    """Write a minute hash as an engine would have, with ``_`` for ``:`` in the names of its fields."""
    minute = await server_now_ms(client) // 60_000 - ago
    await client.hset(minute_key(namespace, scope, minute), mapping={name.replace("_", ":", 1): n for name, n in fields.items()})
    if scope != FLEET:
        await client.sadd(providers_key(namespace), scope)


async def test_two_engines_are_one_and_a_restart_changes_nothing(client: Redis, namespace: str) -> None:
    for engine in (Metrics(client, namespace), Metrics(client, namespace)):
        engine.count("in", 3)
        engine.record_value("processing", 250.0)
        engine.note_attempt("1.1", attempt(cost_usd=0.01, tokens_in=10, tokens_out=1))
        engine.note_attempt("1.2", attempt(outcome="timeout"))
        engine.record_depths({"grok": 4})
        await engine.flush()
    late = Metrics(client, namespace)
    late.record_depths({"grok": 2, "claude": 0})
    await late.flush()
    found = await MetricsHistory(client, namespace).read(900, ["claude"])
    assert (found.step_s, len(found.fleet.received)) == (60, 15)
    grok = found.providers["grok"]
    assert [values[-1] for values in (found.fleet.received, grok.calls, grok.failed, grok.errors["timeout"])] == [6, 4, 2, 2]
    assert grok.cost_usd[-1] == pytest.approx(0.02)
    assert grok.tokens[-1] == 22
    assert grok.p95_ms[-1] == pytest.approx(100, rel=0.2)
    assert sum(n for _, n in grok.histogram) == 2
    assert found.fleet.depth["grok"][-1] == 4, "the most that stood there, whoever looked last"
    assert found.fleet.depth["claude"][-1] == 0
    assert found.providers["claude"].calls == (None,) * 15


async def test_an_empty_store_has_a_history_of_nothing(client: Redis, namespace: str) -> None:
    found = await MetricsHistory(client, namespace).read(86_400)
    assert found.providers == {}
    assert found.fleet.received == (None,) * 96
    assert found.fleet.depth == {}


@pytest.mark.parametrize(("span_s", "minutes"), [(300, 1), (900, 1), (3_600, 1), (21_600, 5), (86_400, 15)])
def test_a_span_has_no_more_steps_than_a_chart_shows(span_s: int, minutes: int) -> None:
    assert step_minutes(span_s) == minutes
    assert span_s / 60 / minutes <= STEPS_MAX


async def test_longer_steps_add_up_counts_and_keep_the_greatest_depth(client: Redis, namespace: str) -> None:
    minute = await server_now_ms(client) // 60_000
    whole_step = minute % 15 + 15
    for ago, depth in ((whole_step, 5), (whole_step - 1, 9), (whole_step - 14, 1)):
        await minutes_ago(client, namespace, ago, FLEET, k_in=2, g_grok=depth)
        await minutes_ago(client, namespace, ago, "grok", ok=1, l_20=1)
    found = await MetricsHistory(client, namespace).read(86_400)
    assert found.fleet.received[-2] == 6
    assert found.fleet.depth["grok"][-2] == 9
    assert found.providers["grok"].calls[-2] == 3


async def test_minutes_that_are_over_are_read_once(client: Redis, namespace: str) -> None:
    await minutes_ago(client, namespace, 5, FLEET, k_in=7)
    history = MetricsHistory(client, namespace)
    assert (await history.read(3_600)).fleet.received[-6] == 7
    before = (await client.info("commandstats"))["cmdstat_hgetall"]["calls"]
    assert (await history.read(3_600)).fleet.received[-6] == 7
    assert (await client.info("commandstats"))["cmdstat_hgetall"]["calls"] - before <= 4
    assert len(history._finished) <= STEPS_MAX


async def test_the_newest_attempts_are_kept_and_no_more_than_so_many_of_one_flush(client: Redis, namespace: str) -> None:
    log = AttemptLog(client, Keys(namespace), BoundedWrites(client))
    metrics = Metrics(client, namespace, attempts=log)
    for n in range(AT_ONCE + 30):
        metrics.note_attempt(f"{n:x}.1", attempt(n, request_id="r" * 500, ttft_ms=12.0, http_status=200))
    await metrics.flush()
    found = await log.newest("grok")
    assert len(found) == AT_ONCE
    assert found[0].job == f"{AT_ONCE + 29:x}.1"
    assert (found[0].ttft_ms, found[0].http_status, found[0].cost_usd) == (12.0, 200, None)
    assert len(found[0].request_id) == 100
    assert await client.ttl(Keys(namespace).provider_attempts("grok")) > 0
    assert await log.newest("nobody") == ()


async def test_what_a_breaker_did_is_told_newest_first(client: Redis, namespace: str) -> None:
    board = ProviderBoard(client, Keys(namespace))
    epoch = await board.opened("grok", 0, 1, 15.0, ["timeout", "timeout"])
    await board.opened("grok", epoch - 1, 1, 15.0, ["timeout"])
    await board.closed("grok", epoch, 1)
    await board.say("grok", "open", by="ana", why="bill in dispute")
    await board.disabled("grok", "no credit")
    await board.disabled("grok", "no credit")
    await board.say("grok", "reset", by="ana", why="paid")
    told = [(turn.what, turn.why, turn.by) for turn in await board.turns("grok")]
    assert told == [
        ("reset", "paid", "ana"),
        ("disabled", "no credit", ""),
        ("held open", "bill in dispute", "ana"),
        ("closed", "", ""),
        ("opened", "timeout, timeout", ""),
    ]
