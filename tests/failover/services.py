"""A fleet of one engine between a real queue and two scripted services: one that is preferred, and its reserve."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from wire import CHAT, RESPONSES, Connection, Received, Script, ScriptedServer, Wire, answering, begin, scripted_server

from gitbridge_console.domain.event_views import EventDetail
from gitbridge_console.domain.events import EventState, IncomingEvent
from gitbridge_console.providers.registry import import_sdks
from gitbridge_console.router.engine import Engine
from gitbridge_console.settings.holder import SettingsHolder
from gitbridge_console.settings.model import LegacySettings, QueueSettings, RedisSettings, Settings
from gitbridge_console.settings.routing import BreakerSettings, KindSettings, ProviderSettings, RetrySettings
from gitbridge_console.store.store import Store, open_store

PATIENCE_S = 30.0
FIRST_TOKEN_S, STALL_S, TOTAL_S = 0.6, 0.5, 4.0
"""The limits of an attempt, scaled down from 15, 10 and 50 seconds."""

WORDS = [f"word{n:02}" for n in range(60)]
ENDED = frozenset({EventState.RESOLVED, EventState.FAILED})


def verdict(summary: str) -> str:
    """A complete answer."""
    return json.dumps({"summary": summary, "verdict": "noted", "abstain_reason": None})


def tokens(summary: str) -> tuple[str, ...]:
    """A complete answer in sixty pieces."""
    text = verdict(f"{summary} {' '.join(WORDS)}")
    size = -(-len(text) // 60)
    return tuple(text[start : start + size] for start in range(0, len(text), size))


class Service:
    """Answers each request by the next of its scripts, the last one for ever; keeps when requests came."""

    def __init__(self, server: ScriptedServer, wire: Wire, name: str) -> None:
        self.server, self.wire, self.name = server, wire, name
        self.arrivals: list[float] = []
        self.scripts: list[Script] = [self.well]
        server.script = self._serve

    @property
    def well(self) -> Script:
        """A good answer that says who gave it."""
        return answering(self.wire, pieces=tokens(self.name))

    @property
    def requests(self) -> int:
        """How many questions came."""
        return len(self.arrivals)

    def does(self, *scripts: Script) -> None:
        """From now on."""
        self.scripts = list(scripts)

    async def _serve(self, connection: Connection, request: Received) -> None:
        if request.method == "GET":
            await connection.json(200, {"data": [], "object": "list", "has_more": False, "first_id": None, "last_id": None})
            return
        self.arrivals.append(time.monotonic())
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        await script(connection, request)

    def settings(self, **more: Any) -> ProviderSettings:
        """Its table."""
        values: dict[str, Any] = {
            "api": self.wire.api,
            "model": "claude-sonnet-5-5" if self.wire.api == "anthropic" else "gpt-6.1-sol",
            "base_url": self.server.origin + ("" if self.wire.api == "anthropic" else "/v1"),
            "api_key_env": "FAILOVER_KEY",
            "timeout_connect_s": 2,
            "timeout_first_token_s": FIRST_TOKEN_S,
            "timeout_stall_s": STALL_S,
            "timeout_total_s": TOTAL_S,
            "price_input_usd_per_mtok": 1.0,
            "price_output_usd_per_mtok": 10.0,
        }
        return ProviderSettings(**(values | more))


class Fleet:
    """What a test does and sees."""

    def __init__(self, store: Store, engine: Engine, preferred: Service, reserve: Service) -> None:
        self.store, self.engine, self.preferred, self.reserve = store, engine, preferred, reserve
        self._count = 0

    async def submit(self) -> str:
        """An event whose question no other event asks."""
        self._count += 1
        payload = {"action": "published", "release": {"name": f"v{self._count}"}, "repository": {"id": 1, "full_name": "acme/shop"}}
        incoming = IncomingEvent(f"d{self._count}", "release", json.dumps(payload).encode(), "test")
        return (await self.store.queue.enqueue(incoming)).id

    async def shown(self, event_id: str) -> EventDetail:
        found = await self.store.reader.event_detail(event_id)
        assert found is not None
        return found

    async def ended(self, event_id: str) -> EventDetail:
        """The event, when it is decided or has failed."""
        async with asyncio.timeout(PATIENCE_S):
            while (found := await self.shown(event_id)).state not in ENDED:
                await asyncio.sleep(0.01)
        return found

    async def one(self) -> EventDetail:
        """What becomes of one event."""
        return await self.ended(await self.submit())

    @property
    def requests(self) -> tuple[int, int]:
        """Requests that reached the preferred service, and its reserve."""
        return self.preferred.requests, self.reserve.requests


Opener = Callable[..., AbstractAsyncContextManager[Fleet]]


def attempts_of(event: EventDetail) -> list[tuple[str, str, str]]:
    """Provider, outcome and verdict of each attempt of the one seat, in order."""
    (task,) = event.tasks
    return [(attempt.provider, attempt.outcome, attempt.verdict) for attempt in task.attempts]


def answered_by(event: EventDetail) -> str:
    """Who gave the answer, by its own words; the answer must be whole."""
    (task,) = event.tasks
    assert task.answer is not None
    name, *words = str(task.answer.payload["summary"]).split(" ")
    assert words == WORDS
    assert task.answer.provider == name
    return name


@asynccontextmanager
async def fleet(url: str, namespace: str, folder: Path, wire: Wire, *, reserve: bool = True, **more: Any) -> AsyncIterator[Fleet]:
    """One engine; the reserve speaks another wire, as it would in a real fleet."""
    async with AsyncExitStack() as stack:
        preferred = Service(await stack.enter_async_context(scripted_server()), wire, "preferred")
        spare = Service(await stack.enter_async_context(scripted_server()), CHAT if wire is not CHAT else RESPONSES, "reserve")
        tables = {"preferred": preferred.settings(vendor="one")} | ({"reserve": spare.settings(vendor="two")} if reserve else {})
        values: dict[str, Any] = {
            "namespace": namespace,
            "redis": RedisSettings(url=url),
            "legacy": LegacySettings(enabled=False),
            "queue": QueueSettings(drain_s=5, park_check_s=0.5),
            "retry": RetrySettings(backoff_base_s=0.05, backoff_cap_s=0.2),
            "breaker": BreakerSettings(open_base_s=0.5, open_cap_s=1.0, ramp_s=0),
            "providers": tables,
            "kinds": {
                "general": KindSettings(
                    seats=1, quorum=1, prefer=("preferred",), reserve=("reserve",) if reserve else (), deadline_s=20, grace_s=0
                )
            },
        }
        settings = Settings(**(values | more))
        store = await stack.enter_async_context(open_store(settings, folder))
        import_sdks()
        engine = Engine(store, SettingsHolder(settings), state_dir=folder)
        running = asyncio.create_task(engine.run())
        try:
            await asyncio.wait_for(engine.ready.wait(), PATIENCE_S)
            yield Fleet(store, engine, preferred, spare)
        finally:
            engine.stop()
            await asyncio.wait_for(running, PATIENCE_S)


def cut_after(wire: Wire, count: int, pieces: Sequence[str]) -> Script:
    """A stream that breaks off after so many pieces."""

    async def script(connection: Connection, request: Received) -> None:
        await begin(connection, wire, wire.opening, *(wire.delta(piece) for piece in pieces[:count]))
        connection.reset()

    return script
