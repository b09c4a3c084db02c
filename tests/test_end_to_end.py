"""The main job with real SDKs over loopback: an event goes in, several AIs answer, a decision comes out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gitbridge_console.domain.event_views import EventDetail
from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.operations.session import Session, open_session
from gitbridge_console.settings.model import LegacySettings, QueueSettings, RedisSettings, Settings
from gitbridge_console.settings.routing import RetrySettings
from gitbridge_console.simulator.profiles import FaultRates, Latency, Profiles, named_profiles
from gitbridge_console.simulator.server import demo_settings, serve_services
from tests.payloads import pull_request
from tests.store.servers import cluster_of_three

pytestmark = pytest.mark.anyio

DIFF = """diff --git a/tax/sale.py b/tax/sale.py
--- a/tax/sale.py
+++ b/tax/sale.py
@@ -1,3 +1,5 @@
 def total(lines):
-    return sum(lines)
+    subtotal = sum(round(line, 2) for line in lines)
+    api_token = "abc"
+    return round(subtotal * 1.2, 2)
"""


def quick(**faults: FaultRates) -> Profiles:
    """Services that answer at once; each named one with faults."""
    base = named_profiles()["none"]
    calm = {name: replace(profile, latency=Latency(median_s=0.0, sigma=0.0), storms=()) for name, profile in base.items()}
    return {name: replace(profile, faults=faults.get(name, profile.faults)) for name, profile in calm.items()}


Opened = Callable[..., Any]


@pytest.fixture
def fleet(valkey_url: str, namespace: str, tmp_path: Path) -> Opened:
    """``async with fleet(profiles) as session``: an engine whose providers are simulated services."""

    @asynccontextmanager
    async def opened(profiles: Profiles, **changes: Any) -> AsyncIterator[Session]:
        async with serve_services(7, profiles) as urls:
            settings = demo_settings(Settings(namespace=namespace), urls, tmp_path)
            update = {"redis": RedisSettings(url=valkey_url), "retry": RetrySettings(backoff_base_s=0.01, backoff_cap_s=0.02), **changes}
            async with open_session(settings.model_copy(update=update), role="engine", engine=True) as session:
                yield session

    return opened


async def submit(session: Session, body: dict[str, Any], delivery: str = "d1", type_: str = "pull_request", diff: str | None = DIFF) -> str:
    result = await session.operations.submit(IncomingEvent(delivery, type_, json.dumps(body).encode(), "test", diff=diff))
    return result.id


async def finished(session: Session, event_id: str) -> EventDetail:
    return await session.operations.wait_finished(event_id, 20.0)


async def until(session: Session, event_id: str, holds: Callable[[EventDetail], bool]) -> EventDetail:
    """The event as soon as something holds of it."""
    async with asyncio.timeout(20.0):
        while not holds(event := await session.operations.show_event(event_id)):
            await asyncio.sleep(0.01)
    return event


async def test_a_pull_request_is_reviewed_by_two_and_resolved_in_a_dry_run(fleet: Opened) -> None:
    async with fleet(quick()) as session:
        event = await finished(session, await submit(session, pull_request()))
    assert (event.kind, event.run) == ("code_review", 1)
    assert [(task.seat, task.state, task.calls) for task in event.tasks] == [("claude", "succeeded", 1), ("grok", "succeeded", 1)]
    for task in event.tasks:
        (attempt,) = task.attempts
        assert (attempt.outcome, attempt.verdict, attempt.http_status) == ("ok", "ok", 200)
        assert attempt.tokens_in
        assert attempt.request_id
        assert task.answer is not None
    assert event.decision is not None
    assert event.decision.state == "complete"
    assert event.decision.agreement.verdict_n >= 1
    if event.state == "resolved":
        assert event.action is not None
        assert event.action["dry_run"] is True


async def test_a_provider_that_always_fails_is_replaced_by_the_reserve(fleet: Opened) -> None:
    async with fleet(quick(grok=FaultRates(server_error=1.0))) as session:
        event = await finished(session, await submit(session, pull_request()))
    moved = next(task for task in event.tasks if task.seat == "grok")
    assert (moved.provider, moved.state) == ("chatgpt", "succeeded")
    assert [(a.provider, a.outcome, a.verdict) for a in moved.attempts] == [
        ("grok", "transient", "retry"),
        ("grok", "transient", "fail_over"),
        ("chatgpt", "ok", "ok"),
    ]
    assert event.decision is not None
    assert event.decision.state == "complete"


async def test_with_everyone_down_the_event_fails_with_class_and_code_and_replay_resolves_it(
    fleet: Opened, valkey_url: str, namespace: str
) -> None:
    down = FaultRates(server_error=1.0)
    async with fleet(quick(claude=down, grok=down, chatgpt=down)) as session:
        event_id = await submit(session, pull_request())
        event = await finished(session, event_id)
        assert event.state == "failed"
        assert event.error is not None
        assert (event.error.cls, event.error.code) == ("transient", "ERR_ROUTING_002")
        assert all(len(task.attempts) <= 4 for task in event.tasks)
    async with fleet(quick()) as session:
        await session.operations.replay([event_id], "providers are back")
        event = await finished(session, event_id)
    assert event.state in ("resolved", "awaiting_approval")
    assert event.run == 2
    assert len(event.tasks) == 4


async def test_an_event_nobody_cares_for_is_ignored_with_a_reason(fleet: Opened) -> None:
    async with fleet(quick()) as session:
        event = await finished(session, await submit(session, {"action": "started"}, type_="watch", diff=None))
    assert event.state == "ignored"
    assert event.reason


async def test_without_any_key_the_event_is_parked_and_says_why(valkey_url: str, namespace: str) -> None:
    settings = Settings(namespace=namespace, redis=RedisSettings(url=valkey_url))
    async with open_session(settings, role="engine", engine=True) as session:
        event_id = await submit(session, pull_request())
        event = await until(session, event_id, lambda event: event.state == "parked")
        assert "ANTHROPIC_API_KEY" in event.reason
        # The fleet knows of a provider what an engine last said, which the first event may be ahead of.
        async with asyncio.timeout(20.0):
            while (await session.operations.status()).providers["claude"].state != "no_key":
                await asyncio.sleep(0.01)


async def test_an_answer_that_is_stored_is_not_asked_for_again_after_a_crash(fleet: Opened) -> None:
    """The first engine is cut off with one seat answered and the other under way; the second one only asks for the other."""
    async with fleet(quick(grok=FaultRates(silence=1.0)), queue=QueueSettings(drain_s=0.1)) as session:
        event_id = await submit(session, pull_request())
        await until(session, event_id, lambda event: [task.state for task in event.tasks] == ["succeeded", "in_progress"])
        # What a kill leaves behind: a lease nobody extends. Its end is not waited for but set.
        await session.store.client.zadd(session.store.keys.leased("grok"), {f"{event_id}.2": 1})
        session.engine.leases._held.clear()
    async with fleet(quick()) as session:
        event = await finished(session, event_id)
    assert event.decision is not None
    outcomes = [[attempt.outcome for attempt in task.attempts] for task in event.tasks]
    assert outcomes == [["ok"], ["neutral", "ok"]], "the call that was cut off stays on record"


async def test_new_settings_hold_without_a_restart(fleet: Opened) -> None:
    async with fleet(quick()) as session:
        await finished(session, await submit(session, pull_request(1), "d1"))
        current = session.holder.current
        one_seat = current.kinds["code_review"].model_copy(update={"seats": 1, "quorum": 1, "prefer": ("chatgpt",), "action": "none"})
        session.holder.current = current.model_copy(update={"kinds": {**current.kinds, "code_review": one_seat}})
        event = await finished(session, await submit(session, pull_request(2), "d2"))
    assert [task.seat for task in event.tasks] == ["chatgpt"]


async def test_an_answer_nobody_can_read_is_asked_once_more_and_then_of_another(fleet: Opened) -> None:
    async with fleet(quick(grok=FaultRates(invalid_json=1.0))) as session:
        event = await finished(session, await submit(session, pull_request()))
    moved = next(task for task in event.tasks if task.seat == "grok")
    assert [(a.provider, a.outcome) for a in moved.attempts] == [("grok", "invalid_output"), ("grok", "invalid_output"), ("chatgpt", "ok")]


@pytest.fixture(scope="module")
def cluster_url(server_binary: str) -> Iterator[str]:
    with cluster_of_three(server_binary) as nodes:
        yield f"redis+cluster://127.0.0.1:{nodes[0].port}"


async def test_a_fleet_on_a_cluster_decides_and_is_steered_as_on_one_server(fleet: Opened, cluster_url: str) -> None:
    parts = {"redis": RedisSettings(url=cluster_url), "queue": QueueSettings(partitions=4), "legacy": LegacySettings(enabled=False)}
    async with fleet(quick(), **parts) as session:
        ids = [await submit(session, pull_request(n, repository={"id": n, "full_name": f"acme/shop{n}"}), f"d{n}") for n in range(1, 7)]
        events = [await finished(session, event_id) for event_id in ids]
        await session.operations.pause(["grok"], "looked at")
        held = await submit(session, pull_request(9), "d9")
        await until(session, held, lambda event: any(task.provider == "grok" and task.state == "queued" for task in event.tasks))
        status = await session.operations.status()
        listed = await session.operations.list_events(EventFilter(), 100)
        await session.operations.resume(["grok"])
        await finished(session, held)
        await session.operations.replay([ids[0]], "again")
        again = await until(session, ids[0], lambda event: event.run == 2 and event.state == "resolved")
        history = await session.operations.history(900)
        assert [event.state for event in events] == ["resolved"] * 6
    assert again.decision is not None
    assert status.store.ok
    assert status.lanes["grok"].paused is not None
    assert {event.id for event in listed} >= set(ids)
    assert history.span_s == 900
