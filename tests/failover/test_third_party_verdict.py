"""The same faults from a mock that is not ours, which watches how its client takes them and says what it thinks of that."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from services import ENDED, FIRST_TOKEN_S, PATIENCE_S, STALL_S, TOTAL_S, verdict
from wire import KEY, WIRES, Wire

from gitbridge_console.domain.event_views import EventDetail
from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.providers.registry import import_sdks
from gitbridge_console.router.engine import Engine
from gitbridge_console.settings.holder import SettingsHolder
from gitbridge_console.settings.model import LegacySettings, QueueSettings, RedisSettings, Settings
from gitbridge_console.settings.routing import HealthSettings, KindSettings, ProviderSettings, RetrySettings
from gitbridge_console.store.store import open_store

pytestmark = pytest.mark.anyio

Ask = Callable[[], Any]

FAULTS: dict[str, Callable[[Any], Any]] = {
    "a rate limit": lambda mock: mock.rate_limit(times=1, retry_after=0.4),
    "a server error": lambda mock: mock.fail(500),
    "an overload": lambda mock: mock.fail(503),
    "a dropped stream": lambda mock: mock.disconnect(after_chunks=3),
    "a cut stream": lambda mock: mock.truncate(after_chunks=3),
    "a broken chunk": lambda mock: mock.corrupt(after_chunks=3),
    "no fault": lambda mock: mock,
}


@pytest.fixture(params=WIRES, ids=[wire.api for wire in WIRES])
def wire(request: pytest.FixtureRequest) -> Wire:
    found: Wire = request.param
    return found


@pytest.fixture
async def ask(
    valkey_url: str, namespace: str, tmp_path: Path, wire: Wire, llmock: Any, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Ask]:
    """Puts one event to an engine whose only provider is the mock; gives the event when it is decided or has failed."""
    monkeypatch.setenv("FAILOVER_KEY", KEY)
    mocked = ProviderSettings(
        api=wire.api,
        model="claude-sonnet-5-5" if wire.api == "anthropic" else "gpt-6.1-sol",
        base_url=llmock.base_url("anthropic" if wire.api == "anthropic" else "openai"),
        api_key_env="FAILOVER_KEY",
        timeout_first_token_s=FIRST_TOKEN_S * 4,
        timeout_stall_s=STALL_S * 4,
        timeout_total_s=TOTAL_S * 2,
    )
    settings = Settings(
        namespace=namespace,
        redis=RedisSettings(url=valkey_url),
        legacy=LegacySettings(enabled=False),
        health=HealthSettings(enabled=False),
        queue=QueueSettings(drain_s=5, park_check_s=0.5),
        retry=RetrySettings(backoff_base_s=0.2, backoff_cap_s=0.4),
        providers={"mocked": mocked},
        kinds={"general": KindSettings(seats=1, quorum=1, prefer=("mocked",), deadline_s=20, grace_s=0)},
    )
    import_sdks()
    llmock.reply(verdict("said by the mock"), times=None)
    async with open_store(settings, tmp_path) as store:
        engine = Engine(store, SettingsHolder(settings), state_dir=tmp_path)
        running = asyncio.create_task(engine.run())

        async def decided() -> EventDetail:
            payload = json.dumps({"action": "published", "repository": {"id": 1, "full_name": "acme/shop"}}).encode()
            event_id = (await store.queue.enqueue(IncomingEvent("d1", "release", payload, "test"))).id
            async with asyncio.timeout(PATIENCE_S):
                while (found := await store.reader.event_detail(event_id)) is None or found.state not in ENDED:
                    await asyncio.sleep(0.01)
            return found

        try:
            await asyncio.wait_for(engine.ready.wait(), PATIENCE_S)
            yield decided
        finally:
            engine.stop()
            await asyncio.wait_for(running, PATIENCE_S)


@pytest.mark.parametrize("fault", FAULTS)
async def test_the_mock_finds_no_fault_with_us_and_the_event_is_answered(ask: Ask, llmock: Any, fault: str) -> None:
    FAULTS[fault](llmock)
    event = await ask()
    assert event.state == "resolved"
    assert len(llmock.requests) == (1 if fault == "no fault" else 2)
    llmock.assert_resilient()


async def test_what_cannot_succeed_is_not_tried_again(ask: Ask, llmock: Any) -> None:
    llmock.context_overflow()
    event = await ask()
    assert event.state == "failed"
    assert len(llmock.requests) == 1
    llmock.assert_resilient()
