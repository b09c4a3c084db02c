"""The parts of a router over the test server, with providers that exist and are never called, and a store that can be made to fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import UnixDomainSocketConnection, parse_url

from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.settings.model import Settings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.reader import EventReader
from tests.router.panel import Panel


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


class Weather:
    """What a client meets on its way to the store: nothing, or the fault set here, whatever it asks for."""

    def __init__(self) -> None:
        self._fault: type[Exception] | None = None
        self._met = asyncio.Event()

    def strike(self) -> None:
        """Raise the fault, if there is one."""
        if self._fault is not None:
            self._met.set()
            raise self._fault("made up by a test")

    def breaks(self, fault: type[Exception]) -> None:
        """From now on every command fails so."""
        self._fault = fault
        self._met.clear()

    async def met(self) -> None:
        """Until a command has failed since it broke, or since this was asked last."""
        async with asyncio.timeout(PATIENCE_S):
            await self._met.wait()
        self._met.clear()

    def clears(self) -> None:
        """The store is there again."""
        self._fault = None


PATIENCE_S = 20.0
"""How long a test waits for what must happen."""


@pytest.fixture
def weather() -> Weather:
    return Weather()


@pytest.fixture
async def exposed(valkey_url: str, weather: Weather) -> AsyncIterator[Redis]:
    """A client of the test server that the weather gets at: real commands, and real exceptions where redis-py raises its own."""

    class Exposed(UnixDomainSocketConnection):
        greeting = False

        async def connect_check_health(self, *args: Any, **more: Any) -> None:
            self.greeting = True
            try:
                await super().connect_check_health(*args, **more)
            finally:
                self.greeting = False

        async def send_packed_command(self, *args: Any, **more: Any) -> None:
            if not self.greeting:
                weather.strike()
            await super().send_packed_command(*args, **more)

    # Without a time limit on writing: on Python 3.11 it loses cancellations (see test_engine), and that is a test of its own.
    options = dict(parse_url(valkey_url)) | {"connection_class": Exposed, "socket_timeout": None}
    connection = Redis.from_pool(ConnectionPool(**options))
    yield connection
    weather.clears()
    await connection.aclose()


@pytest.fixture
def exposed_queue(exposed: Redis, namespace: str) -> RedisEventQueue:
    """The same queue as ``queue``, through the weather."""
    return RedisEventQueue(exposed, Keys(namespace))


@pytest.fixture
def eventually() -> Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]:
    """``await eventually(condition)``: until something in the store holds that nobody announces."""

    async def wait(condition: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not await condition():
                await asyncio.sleep(0.005)

    return wait


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


@pytest.fixture
def panel(queue: RedisEventQueue, reader: EventReader, router: AIRouter, metrics: Metrics, settings: Settings) -> Panel:
    return Panel(queue, reader, router, metrics, settings)
