"""A desk in front of a simulated host. Calls may take some seconds, for a busy machine; tests that wait for their end are hasty."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from gitbridge_console.actions import outbox
from gitbridge_console.settings.model import Settings
from tests.actions.desk import SHA, Desk
from tests.actions.github_wire import TOKEN, WiredHost, wired_host


@pytest.fixture
async def github() -> AsyncIterator[WiredHost]:
    async with wired_host() as host:
        host.host.heads["acme/shop", 7] = SHA
        yield host


@pytest.fixture
def publishing(github: WiredHost) -> Settings:
    """Settings that publish to the simulated host, without the second between two writes."""
    tree = {
        "actions": {"dry_run": False, "spacing_s": 0.0, "retry_s": 0.01, "retry_cap_s": 0.05, "park_check_s": 0.05},
        "hosts": {"github": {"base_url": github.url, "timeout_s": 5.0, "timeout_connect_s": 5.0, "timeout_total_s": 5.0}},
        "queue": {"lease_s": 0.5},
        "kinds": {"code_review": {"action": "review"}},
    }
    return Settings.model_validate(tree)


@pytest.fixture
async def desk(client: Redis, namespace: str, publishing: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setattr(outbox, "MARGIN_S", 0.02)
    monkeypatch.setattr(outbox, "FRESH_S", 2.0)
    made = Desk(client, namespace, publishing, lambda: TOKEN)
    yield made
    await made.aclose()
