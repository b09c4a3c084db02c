"""Engines that share a limit: the server's log never shows more than it and hardly less, and work waits unclaimed in its lane."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from wire import CHAT, Connection, Received, ScriptedServer, answering, scripted_server

import gitbridge_console
from gitbridge_console.domain.events import EventState, IncomingEvent
from gitbridge_console.providers.registry import import_sdks
from gitbridge_console.router import engine as engine_module
from gitbridge_console.router.engine import Engine
from gitbridge_console.settings.holder import SettingsHolder
from gitbridge_console.settings.model import LegacySettings, QueueSettings, RedisSettings, Settings
from gitbridge_console.settings.routing import CacheSettings, KindSettings, ProviderSettings
from gitbridge_console.store.connection import connect
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.store import Store

pytestmark = pytest.mark.anyio

PUBLISHED = json.dumps({"action": "published", "repository": {"id": 1, "full_name": "acme/shop"}}).encode()
NOTED = json.dumps({"summary": "s", "verdict": "noted", "abstain_reason": None})
PER_MINUTE = 900
BURST = 45
"""What a bucket of that limit holds: 5 %."""

LATE_S = 0.5
"""Between the moment a call is reserved and the server's log lie two programs on a busy machine."""

COLD_LATE_S = 1.5
"""The first call of a process builds its client and loads what it needs."""

EVENTS = 100
PATIENCE_S = 40.0


class Service:
    """A service on the loopback that answers every question and logs when it came."""

    def __init__(self, server: ScriptedServer) -> None:
        self.server = server
        self.arrivals: list[float] = []
        self._answer = answering(CHAT, pieces=(NOTED,))
        server.script = self._script

    async def _script(self, connection: Connection, request: Received) -> None:
        if request.method == "GET":
            await connection.json(404, {"error": {"message": "there is no list of models"}})
            return
        self.arrivals.append(time.monotonic())
        await self._answer(connection, request)

    def within(self, per_minute: float, burst: float, *, late_s: float = LATE_S) -> None:
        """No interval has more than the burst and its share; a call may take ``late_s`` longer to arrive than another."""
        for i, start in enumerate(self.arrivals):
            for n, end in enumerate(self.arrivals[i:], 1):
                assert n <= burst + per_minute / 60 * (end - start + late_s), f"{n} in {end - start:.3f} s"

    def used(self, per_minute: float, burst: float) -> float:
        """Share of the limit that was used once the burst was over; how fast that goes is a matter of the machine."""
        first, *rest = self.arrivals[int(burst) + 10 :]
        return len(rest) / (per_minute / 60 * (rest[-1] - first))


@pytest.fixture
async def service(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
    monkeypatch.setattr(engine_module, "BEAT_S", 0.1)
    import_sdks(("chat",))
    async with scripted_server() as server:
        yield Service(server)


def settings_for(url: str, namespace: str, *providers: tuple[str, Service, int]) -> Settings:
    tables = {
        name: ProviderSettings(
            api="chat", model="m", base_url=service.server.origin + "/v1", requests_per_minute=limit, timeout_first_token_s=PATIENCE_S
        )
        for name, service, limit in providers
    }
    return Settings(
        namespace=namespace,
        redis=RedisSettings(url=url),
        legacy=LegacySettings(enabled=False),
        cache=CacheSettings(enabled=False),
        queue=QueueSettings(drain_s=5, lease_s=2),
        providers=tables,
        kinds={"general": KindSettings(seats=1, quorum=1, prefer=(next(iter(tables)),), reserve=tuple(tables)[1:])},
    )


@asynccontextmanager
async def engines(count: int, settings: Settings, state_dir: Path) -> AsyncIterator[list[Engine]]:
    """As many engines, each with a store connection of its own, as soon as all know of one another."""
    async with AsyncExitStack() as stack:
        found = []
        for n in range(count):
            store = Store(await stack.enter_async_context(connect(settings.redis, state_dir)), settings)
            stack.push_async_callback(store.aclose)
            engine = Engine(store, SettingsHolder(settings), state_dir=state_dir)
            engine.id = f"engine-{n}"
            found.append(engine)
        running = [asyncio.create_task(engine.run()) for engine in found]
        try:
            async with asyncio.timeout(PATIENCE_S):
                for engine in found:
                    await engine.ready.wait()
                    while engine.limits.engines < count:
                        await asyncio.sleep(0.01)
            yield found
        finally:
            for engine in found:
                engine.stop()
            await asyncio.wait_for(asyncio.gather(*running), PATIENCE_S)


async def submit(queue: RedisEventQueue, count: int) -> None:
    for n in range(count):
        await queue.enqueue(IncomingEvent(f"d{n}", "release", PUBLISHED, "test"))


async def resolved(queue: RedisEventQueue, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (await queue.stats()).states.get(EventState.RESOLVED, 0) < count:
            await asyncio.sleep(0.02)


async def test_two_engines_never_exceed_a_limit_they_share_and_use_it(
    valkey_url: str, queue: RedisEventQueue, namespace: str, service: Service, tmp_path: Path
) -> None:
    async with engines(2, settings_for(valkey_url, namespace, ("told", service, PER_MINUTE)), tmp_path):
        await submit(queue, EVENTS)
        await resolved(queue, EVENTS)
    assert len(service.arrivals) == EVENTS
    service.within(PER_MINUTE, BURST)
    assert service.used(PER_MINUTE, BURST) >= 0.85


async def test_with_the_store_frozen_for_a_while_they_stay_within_it_and_go_on_after(
    start_server: Callable[..., str], connect_to: Callable[[str], Redis], namespace: str, service: Service, tmp_path: Path
) -> None:
    url = start_server()
    own = connect_to(url)
    queue, pid = RedisEventQueue(own, Keys(namespace)), int((await own.info())["process_id"])
    settings = settings_for(url, namespace, ("told", service, PER_MINUTE))
    settings = settings.model_copy(update={"redis": RedisSettings(url=url, socket_timeout_s=0.5)})
    async with engines(2, settings, tmp_path):
        await submit(queue, EVENTS)
        async with asyncio.timeout(PATIENCE_S):
            while len(service.arrivals) < BURST + 5:
                await asyncio.sleep(0.005)
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(2.0)
        finally:
            os.kill(pid, signal.SIGCONT)
        await resolved(queue, EVENTS)
    service.within(PER_MINUTE, BURST + 2)


async def test_what_may_not_be_asked_waits_unclaimed_in_its_lane(
    valkey_url: str, queue: RedisEventQueue, namespace: str, service: Service, tmp_path: Path, eventually: Any
) -> None:
    """A limit of one a minute: one call, nothing claimed beside it, nothing sent round, nobody asleep with a job in hand."""
    async with engines(2, settings_for(valkey_url, namespace, ("told", service, 1)), tmp_path):
        await submit(queue, 10)

        async def routed() -> bool:
            stats = await queue.stats()
            return len(service.arrivals) == 1 and stats.states.get(EventState.RESOLVED, 0) == 1 and stats.lanes["told"].leased == 0

        await eventually(routed)

        async def all_there() -> bool:
            lane = (await queue.stats()).lanes["told"]
            return lane.ready + lane.waiting == 9 and lane.leased == 0

        await eventually(all_there)
        claims = int((await queue.client.hget(queue.keys.meta, "fence")) or 0)
        for _ in range(20):
            assert (await queue.stats()).lanes["told"].leased == 0
            await asyncio.sleep(0.02)
        assert int((await queue.client.hget(queue.keys.meta, "fence")) or 0) == claims, "nothing is claimed for nothing"
    assert len(service.arrivals) == 1


async def test_what_another_provider_could_take_at_once_does_not_wait(
    valkey_url: str, queue: RedisEventQueue, namespace: str, service: Service, tmp_path: Path
) -> None:
    async with scripted_server() as server:
        reserve = Service(server)
        settings = settings_for(valkey_url, namespace, ("told", service, 1), ("reserve", reserve, 0))
        async with engines(1, settings, tmp_path):
            await submit(queue, 4)
            await resolved(queue, 4)
    assert (len(service.arrivals), len(reserve.arrivals)) == (1, 3)


async def test_the_order_of_the_lane_is_kept(
    valkey_url: str, queue: RedisEventQueue, namespace: str, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    original = RedisEventQueue.begin

    async def begin(self: RedisEventQueue, job: Any) -> int | None:
        begun.append(job.id)
        return await original(self, job)

    monkeypatch.setattr(RedisEventQueue, "begin", begin)
    async with engines(1, settings_for(valkey_url, namespace, ("told", service, 300)), tmp_path) as (engine,):
        await queue.pause("told", by="ana", reason="until all are there")
        await submit(queue, 25)

        async with asyncio.timeout(PATIENCE_S):
            while (await queue.stats()).lanes["told"].ready < 25:
                await asyncio.sleep(0.01)
        engine.router.states["told"].concurrency.bound(1)
        await queue.resume("told", by="ana")
        await resolved(queue, 25)
    assert begun == sorted(begun)


CONFIG = """
namespace = "{namespace}"
[redis]
url = "{url}"
[cache]
enabled = false
[legacy]
enabled = false
[providers.claude]
enabled = false
[providers.chatgpt]
enabled = false
[providers.grok]
api = "chat"
model = "m"
base_url = "{origin}/v1"
api_key_env = "TOLD_KEY"
requests_per_minute = {limit}
timeout_first_token_s = 30
"""


async def test_two_worker_processes_share_a_limit(
    valkey_url: str, queue: RedisEventQueue, namespace: str, service: Service, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(namespace=namespace, url=valkey_url, origin=service.server.origin, limit=PER_MINUTE))
    root = str(Path(gitbridge_console.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": root, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "TOLD_KEY": "told-0123456789"}
    words = [sys.executable, "-m", "gitbridge_console.cli", "worker", "--config", str(config)]
    with (tmp_path / "output").open("wb") as output:
        more: dict[str, Any] = {"env": environment, "stdout": output, "stderr": output, "start_new_session": True}
        workers = [await asyncio.create_subprocess_exec(*words, **more) for _ in range(2)]
        try:
            async with asyncio.timeout(PATIENCE_S):
                while await queue.client.hlen(queue.keys.engines) < 2:
                    assert all(worker.returncode is None for worker in workers), (tmp_path / "output").read_text()
                    await asyncio.sleep(0.05)
            await submit(queue, EVENTS)
            await resolved(queue, EVENTS)
        finally:
            for worker in workers:
                worker.send_signal(signal.SIGTERM)
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.gather(*(worker.wait() for worker in workers))
    assert len(service.arrivals) == EVENTS
    service.within(PER_MINUTE, BURST, late_s=COLD_LATE_S)
    assert service.used(PER_MINUTE, BURST) >= 0.85
