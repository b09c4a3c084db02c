"""A whole session against the test server, without an engine: what operators do is seen in the store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gitbridge_console.operations.actor import Actor
from gitbridge_console.operations.operations import Operations
from gitbridge_console.settings.model import LegacySettings, RedisSettings, Settings
from gitbridge_console.store.store import Store, open_store


@pytest.fixture
def settings(valkey_url: str, namespace: str) -> Settings:
    return Settings(namespace=namespace, redis=RedisSettings(url=valkey_url), legacy=LegacySettings(enabled=False))


@pytest.fixture
async def store(settings: Settings, tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(settings, tmp_path) as opened:
        yield opened


@pytest.fixture
def door(store: Store, settings: Settings) -> Operations:
    return Operations(store, lambda: settings, actor=Actor("ana", "ops-3"))
