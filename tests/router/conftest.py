"""The parts of a router over the test server, with providers that exist and are never called."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis

from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.settings.model import Settings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.reader import EventReader


class Clock:
    """A clock that stands until told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Silent:
    """A provider nobody asks."""

    name = model = "silent"

    async def aclose(self) -> None:
        return None


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings() -> Settings:
    return Settings()


@pytest.fixture
def router(settings: Settings, clock: Clock) -> AIRouter:
    providers: dict[str, Any] = {name: Silent() for name in settings.providers}
    return AIRouter(settings, providers, clock=clock, seed=1)


@pytest.fixture
def reader(client: Redis, queue: RedisEventQueue) -> EventReader:
    return EventReader(client, queue.keys)


@pytest.fixture
def metrics(client: Redis, namespace: str) -> Metrics:
    return Metrics(client, namespace)
