"""A running engine: lanes that fall are started again, edited settings take hold, and stopping loses no work and no place in line."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from gitbridge_console.domain.event_views import EventDetail
from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.providers.base import Provider, ProviderReply, ProviderRequest, Usage
from gitbridge_console.router import engine as engine_module
from gitbridge_console.router import lane as lane_module
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.engine import Engine
from gitbridge_console.router.lane import Lane
from gitbridge_console.router.leases import LeaseKeeper
from gitbridge_console.settings.holder import SettingsHolder
from gitbridge_console.settings.model import LegacySettings, QueueSettings, RedisSettings, RetentionSettings, Settings
from gitbridge_console.settings.reload import fingerprint
from gitbridge_console.settings.routing import KindSettings, ProviderSettings, SelectionSettings
from gitbridge_console.store.connection import connect, make_client
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.store import Store

pytestmark = pytest.mark.anyio

PATIENCE_S = 20.0
PUBLISHED = json.dumps({"action": "published", "repository": {"id": 1, "full_name": "acme/shop"}}).encode()
NOTED = json.dumps({"summary": "s", "verdict": "noted", "abstain_reason": None})


class Told:
    """A provider that answers as soon as it may."""

    def __init__(self, name: str) -> None:
        self.name = self.model = name
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.closed = False

    async def ask(self, request: ProviderRequest, *, timeout_s: float) -> ProviderReply:
        self.asked.set()
        await self.may_answer.wait()
        return ProviderReply(NOTED, self.model, "stop", Usage(), None, 200, 1.0, 1.0)

    async def list_models(self, *, timeout_s: float = 10.0) -> list[str]:
        return [self.model]

    async def aclose(self) -> None:
        self.closed = True


def settings_for(namespace: str, url: str, *names: str, concurrency: int = 16, **queue: Any) -> Settings:
    """Settings with these providers; events of no special kind are answered by one of them, best the first."""
    own = ProviderSettings(api="chat", model="told", base_url="http://127.0.0.1:9", max_concurrency=concurrency)
    return Settings(
        namespace=namespace,
        redis=RedisSettings(url=url),
        legacy=LegacySettings(enabled=False),
        queue=QueueSettings(**({"drain_s": PATIENCE_S} | queue)),
        providers=dict.fromkeys(names, own),
        kinds={"general": KindSettings(seats=1, quorum=1, prefer=names)},
        selection=SelectionSettings(explore=0),
    )


class House:
    """A store, the engine on it, its providers, and the lanes that run."""

    def __init__(self, store: Store, holder: SettingsHolder, state_dir: Path) -> None:
        self.store = store
        self.state_dir = state_dir
        self.holder = holder
        self.providers: dict[str, Told] = {}
        self.refuses_to_build: set[str] = set()
        self.running: set[str] = set()
        self.starts: list[str] = []
        self.falls: set[str] = set()
        self.engine: Engine
        self.task: asyncio.Task[None]

    def build(self, name: str, settings: ProviderSettings) -> Provider | str:
        """In place of real clients."""
        if name in self.refuses_to_build:
            raise RuntimeError("nobody foresaw this")
        return self.providers.setdefault(name, Told(name))

    async def start(self) -> None:
        self.engine = Engine(self.store, self.holder, state_dir=self.state_dir)
        self.task = asyncio.create_task(self.engine.run())
        await asyncio.wait_for(self.engine.ready.wait(), PATIENCE_S)

    async def stop(self) -> None:
        """Ask it to stop, and wait until it has."""
        self.engine.stop()
        await asyncio.wait_for(self.task, PATIENCE_S)

    async def submit(self, delivery: str = "d1") -> str:
        return (await self.store.queue.enqueue(IncomingEvent(delivery, "release", PUBLISHED, "test"))).id

    async def shown(self, event_id: str) -> EventDetail:
        event = await self.store.reader.event_detail(event_id)
        assert event is not None
        return event

    async def resolved(self, event_id: str) -> EventDetail:
        """The event as soon as it is resolved."""
        async with asyncio.timeout(PATIENCE_S):
            while (event := await self.shown(event_id)).state != "resolved":
                await asyncio.sleep(0.005)
        return event

    async def lanes(self, *names: str) -> None:
        """Until exactly these provider lanes run beside those of the stages."""
        async with asyncio.timeout(PATIENCE_S):
            while self.running != {"fetch", "route", "decide", "act", *names}:
                await asyncio.sleep(0.005)


Built = Callable[..., Any]


@pytest.fixture
def house(valkey_url: str, namespace: str, exposed: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """``async with house("claude", …) as opened``: an engine, not started yet, that beats every few milliseconds."""
    monkeypatch.setattr(engine_module, "BEAT_S", 0.01, raising=False)
    monkeypatch.setattr(lane_module, "LOOK_EVERY_S", 0.05, raising=False)
    monkeypatch.setattr(lane_module, "FAULT_DELAY_S", 0.05, raising=False)
    monkeypatch.setattr(engine_module, "import_sdks", lambda apis: None)

    @contextlib.asynccontextmanager
    async def opened(*names: str, **more: Any) -> AsyncIterator[House]:
        settings = settings_for(namespace, valkey_url, *names, **more)
        async with connect(settings.redis, tmp_path) as connection:
            made = House(Store(replace(connection, client=exposed), settings), SettingsHolder(settings), tmp_path)
            monkeypatch.setattr(engine_module, "client_or_problem", made.build)

            class Watched(Lane):
                async def run(self) -> None:
                    made.starts.append(self.name)
                    if self.name in made.falls:
                        made.falls.remove(self.name)
                        raise RuntimeError("the lane falls")
                    made.running.add(self.name)
                    try:
                        await super().run()
                    finally:
                        made.running.discard(self.name)

            monkeypatch.setattr(engine_module, "Lane", Watched)
            try:
                yield made
            finally:
                if hasattr(made, "task") and not made.task.done():
                    for provider in made.providers.values():
                        provider.may_answer.set()
                    await made.stop()
                await made.store.aclose()

    return opened


async def test_a_lane_that_ended_by_a_fault_is_said_and_started_again(house: Built, caplog: pytest.LogCaptureFixture) -> None:
    async with house("claude") as opened:
        opened.falls.add("decide")
        await opened.start()
        await opened.lanes("claude")
        await opened.resolved(await opened.submit())
        assert opened.starts.count("decide") == 2
    critical = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert len(critical) == 1
    assert "decide" in critical[0].getMessage()
    assert critical[0].exc_info is not None


async def test_what_waits_for_a_provider_that_cannot_be_asked_moves_with_the_next_beat_unclaimed(house: Built) -> None:
    async with house("claude", "grok") as opened:
        await opened.store.queue.pause("claude", by="ana", reason="until the test is ready")
        await opened.start()
        event_id = await opened.submit()
        async with asyncio.timeout(PATIENCE_S):
            while [task.provider for task in (await opened.shown(event_id)).tasks] != ["claude"]:
                await asyncio.sleep(0.005)
        opened.engine.router.states["claude"].disabled = "credential: revoked"
        await opened.store.queue.resume("claude", by="ana")
        (task,) = (await opened.resolved(event_id)).tasks
        assert (task.provider, task.seat, task.deliveries, task.calls) == ("grok", "claude", 1, 1)


async def test_an_engine_gives_a_draining_provider_nothing_new_until_it_is_resumed(house: Built) -> None:
    async with house("claude", "grok") as opened:
        await opened.start()
        await opened.store.queue.drain("claude", by="ana", reason="contract ends")
        async with asyncio.timeout(PATIENCE_S):
            while "claude" not in opened.engine.router.no_new_seats:
                await asyncio.sleep(0.005)
        assert [task.provider for task in (await opened.resolved(await opened.submit("d1"))).tasks] == ["grok"]
        await opened.store.queue.resume("claude", by="ana")
        async with asyncio.timeout(PATIENCE_S):
            while opened.engine.router.no_new_seats:
                await asyncio.sleep(0.005)
        opened.engine.router.states["grok"].disabled = "no credit"
        assert [task.provider for task in (await opened.resolved(await opened.submit("d2"))).tasks] == ["claude"]


async def test_a_call_for_an_event_that_was_cancelled_is_stopped_long_before_its_lease_ends(house: Built) -> None:
    async with house("claude", lease_s=600) as opened:
        provider = opened.providers.setdefault("claude", Told("claude"))
        provider.may_answer.clear()
        await opened.start()
        event_id = await opened.submit()
        await asyncio.wait_for(provider.asked.wait(), PATIENCE_S)
        await opened.store.queue.cancel([event_id], by="ana")
        async with asyncio.timeout(PATIENCE_S):
            while opened.engine.router.states["claude"].in_flight:
                await asyncio.sleep(0.005)


async def test_a_lane_that_falls_with_jobs_in_hand_loses_none(house: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    async with house("claude", lease_s=0.3) as opened:
        ids = [await opened.submit(f"d{n}") for n in range(3)]
        real, failed = LeaseKeeper.hold, asyncio.Event()

        def hold(*args: Any) -> None:
            if not failed.is_set():
                failed.set()
                raise RuntimeError("holding fails")
            real(*args)

        monkeypatch.setattr(LeaseKeeper, "hold", hold)
        await opened.start()
        for event_id in ids:
            await opened.resolved(event_id)
        assert failed.is_set()


@pytest.mark.parametrize("fault", [ResponseError, RedisConnectionError])
async def test_an_engine_goes_on_after_whatever_the_store_answered(house: Built, weather: Any, fault: type[Exception]) -> None:
    async with house("claude") as opened:
        await opened.start()
        await opened.lanes("claude")
        weather.breaks(fault)
        for _ in range(5):
            await weather.met()
        assert not opened.task.done()
        weather.clears()
        event = await opened.resolved(await opened.submit())
    assert [task.provider for task in event.tasks] == ["claude"]


async def test_an_added_provider_gets_a_lane_and_is_asked(house: Built, namespace: str, valkey_url: str) -> None:
    async with house("claude") as opened:
        await opened.start()
        await opened.lanes("claude")
        opened.holder.current = settings_for(namespace, valkey_url, "claude", "local")
        await opened.lanes("claude", "local")
        opened.engine.router.states["claude"].disabled = "so that the choice falls on the new one"
        event = await opened.resolved(await opened.submit())
        assert [task.provider for task in event.tasks] == ["local"]
        assert opened.providers["local"].asked.is_set()
        assert not opened.providers["claude"].closed, "its table did not change, so its client is kept"


async def test_a_removed_provider_loses_its_lane_and_its_client(house: Built, namespace: str, valkey_url: str) -> None:
    async with house("claude", "grok") as opened:
        await opened.start()
        await opened.lanes("claude", "grok")
        opened.holder.current = settings_for(namespace, valkey_url, "grok")
        await opened.lanes("grok")
        assert opened.providers["claude"].closed
        event = await opened.resolved(await opened.submit())
        assert [task.provider for task in event.tasks] == ["grok"]
        async with asyncio.timeout(PATIENCE_S):
            while [set(beat.providers) for beat in await opened.store.fleet.alive()] != [{"grok"}]:
                await asyncio.sleep(0.005)


async def test_a_removed_provider_finishes_what_it_was_asked(house: Built, namespace: str, valkey_url: str) -> None:
    async with house("claude") as opened:
        claude = opened.providers["claude"] = Told("claude")
        claude.may_answer.clear()
        await opened.start()
        event_id = await opened.submit()
        await asyncio.wait_for(claude.asked.wait(), PATIENCE_S)
        opened.holder.current = settings_for(namespace, valkey_url, "grok")
        await opened.lanes("claude", "grok")
        claude.may_answer.set()
        event = await opened.resolved(event_id)
        assert [(task.provider, task.state) for task in event.tasks] == [("claude", "succeeded")]
        await opened.lanes("grok")


async def test_what_waits_for_a_removed_provider_is_answered_by_the_reserve(house: Built, namespace: str, valkey_url: str) -> None:
    async with house("claude", concurrency=1) as opened:
        claude = opened.providers["claude"] = Told("claude")
        claude.may_answer.clear()
        await opened.start()
        asked = await opened.submit("d1")
        await asyncio.wait_for(claude.asked.wait(), PATIENCE_S)
        waiting = await opened.submit("d2")
        async with asyncio.timeout(PATIENCE_S):
            while not (await opened.shown(waiting)).tasks:
                await asyncio.sleep(0.005)
        opened.holder.current = settings_for(namespace, valkey_url, "grok")
        assert [task.provider for task in (await opened.resolved(waiting)).tasks] == ["grok"]
        assert not claude.closed
        claude.may_answer.set()
        assert [task.provider for task in (await opened.resolved(asked)).tasks] == ["claude"]
        async with asyncio.timeout(PATIENCE_S):
            while not claude.closed:
                await asyncio.sleep(0.005)


async def test_a_provider_that_comes_back_gets_its_lane_again(house: Built, namespace: str, valkey_url: str) -> None:
    async with house("claude", "grok") as opened:
        await opened.start()
        opened.holder.current = settings_for(namespace, valkey_url, "grok")
        await opened.lanes("grok")
        opened.holder.current = settings_for(namespace, valkey_url, "claude", "grok")
        await opened.lanes("claude", "grok")
        assert opened.starts.count("claude") == 2


async def test_settings_that_fail_to_apply_leave_the_engine_running(
    house: Built, namespace: str, valkey_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with house("claude") as opened:
        await opened.start()
        await opened.lanes("claude")
        opened.refuses_to_build.add("local")
        opened.holder.current = settings_for(namespace, valkey_url, "claude", "local")
        async with asyncio.timeout(PATIENCE_S):
            while not any(record.levelno >= logging.ERROR for record in caplog.records):
                await asyncio.sleep(0.005)
        event = await opened.resolved(await opened.submit("d1"))
        assert [task.provider for task in event.tasks] == ["claude"]
        opened.refuses_to_build.clear()
        opened.holder.current = settings_for(namespace, valkey_url, "local", "claude")
        await opened.lanes("claude", "local")
        await opened.resolved(await opened.submit("d2"))


async def test_the_length_of_the_log_holds_from_the_start_and_when_it_is_edited(house: Built) -> None:
    async def said(lines: int) -> None:
        partitions = opened.store.queue.partitions
        share = str(-(-lines // len(partitions))).encode()
        async with asyncio.timeout(PATIENCE_S):
            while {await opened.store.client.hget(partition.keys.meta, "log_max") for partition in partitions} != {share}:
                await asyncio.sleep(0.005)

    async with house("claude") as opened:
        await opened.start()
        await said(opened.holder.current.retention.event_log_max)
        opened.holder.current = opened.holder.current.model_copy(update={"retention": RetentionSettings(event_log_max=700)})
        await said(700)


async def test_a_client_that_could_not_be_built_is_tried_again_and_only_then_said_to_hold(
    house: Built, namespace: str, valkey_url: str
) -> None:
    async def shown() -> list[str]:
        return [beat.settings for beat in await opened.store.fleet.alive()]

    async with house("claude") as opened:
        await opened.start()
        await opened.lanes("claude")
        opened.refuses_to_build.add("claude")
        old, new = opened.holder.current, settings_for(namespace, valkey_url, "claude", "local", concurrency=2)
        opened.holder.current = new
        await opened.lanes("claude", "local")
        half = new.model_copy(update={"providers": {**new.providers, "claude": old.providers["claude"]}})
        async with asyncio.timeout(PATIENCE_S):
            while await shown() != [fingerprint(half)]:
                await asyncio.sleep(0.005)
        opened.refuses_to_build.clear()
        async with asyncio.timeout(PATIENCE_S):
            while await shown() != [fingerprint(new)]:
                await asyncio.sleep(0.005)


async def test_a_provider_that_cannot_be_built_keeps_no_other_from_being_taken_over(namespace: str, valkey_url: str) -> None:
    old, new = settings_for(namespace, valkey_url, "claude"), settings_for(namespace, valkey_url, "claude", "broken", "local")
    router = AIRouter(old, {"claude": Told("claude")})

    def build(name: str, settings: ProviderSettings) -> Provider | str:
        if name == "broken":
            raise RuntimeError("nobody foresaw this")
        return Told(name)

    with contextlib.suppress(RuntimeError):
        await router.apply(new, old, build)
    assert router.gate("local").open
    assert router.gate("claude").open


async def test_a_provider_whose_old_client_cannot_be_closed_gets_its_new_one(namespace: str, valkey_url: str) -> None:
    class Stubborn(Told):
        async def aclose(self) -> None:
            raise OSError("the connection is gone")

    old, new = settings_for(namespace, valkey_url, "claude"), settings_for(namespace, valkey_url, "claude", concurrency=2)
    router = AIRouter(old, {"claude": Stubborn("claude")})
    with contextlib.suppress(OSError):
        await router.apply(new, old, lambda name, settings: Told(name))
    assert router.gate("claude").open


async def test_stopping_lets_jobs_in_hand_finish(house: Built) -> None:
    async with house("claude") as opened:
        claude = opened.providers["claude"] = Told("claude")
        claude.may_answer.clear()
        await opened.start()
        event_id = await opened.submit()
        await asyncio.wait_for(claude.asked.wait(), PATIENCE_S)
        opened.engine.stop()
        claude.may_answer.set()
        await asyncio.wait_for(opened.task, PATIENCE_S)
        (seat,) = (await opened.shown(event_id)).tasks
        assert (seat.state, seat.calls, seat.deliveries) == ("succeeded", 1, 1)
        assert opened.running == set()
        assert claude.closed
        assert await opened.store.fleet.alive() == []


async def test_what_does_not_finish_in_time_goes_back_at_once_with_its_place_in_line(house: Built) -> None:
    async with house("claude", drain_s=0.05, concurrency=1) as opened:
        claude = opened.providers["claude"] = Told("claude")
        claude.may_answer.clear()
        await opened.start()
        first = await opened.submit("d1")
        await asyncio.wait_for(claude.asked.wait(), PATIENCE_S)
        second = await opened.submit("d2")
        async with asyncio.timeout(PATIENCE_S):
            while not (await opened.shown(second)).tasks:
                await asyncio.sleep(0.005)
        await opened.stop()
        jobs = (await opened.store.queue.claim("claude", 9)).jobs
        assert [job.event_id for job in jobs] == [first, second]
        assert [job.number("dv") for job in jobs] == [1, 1]
        assert (await opened.shown(first)).tasks[0].calls == 0


@pytest.mark.parametrize("fault", [RedisConnectionError, ResponseError])
async def test_an_engine_stops_in_time_while_the_store_is_away(house: Built, weather: Any, fault: type[Exception]) -> None:
    async with house("claude", drain_s=0.05) as opened:
        claude = opened.providers["claude"] = Told("claude")
        claude.may_answer.clear()
        await opened.start()
        await opened.submit()
        await asyncio.wait_for(claude.asked.wait(), PATIENCE_S)
        weather.breaks(fault)
        await opened.stop()
        weather.clears()
        assert opened.running == set()
        assert claude.closed


async def test_work_that_is_cancelled_while_it_asks_the_store_stays_cancelled(valkey_url: str, namespace: str) -> None:
    client = make_client(RedisSettings(url=valkey_url))
    queue = RedisEventQueue(client, Keys(namespace))
    asked = 0

    async def maintain() -> None:
        nonlocal asked
        while True:
            await queue.recover()
            asked += 1

    try:
        for _ in range(100):
            task, goal = asyncio.create_task(maintain()), asked + 3
            while asked < goal:
                await asyncio.sleep(0)
            task.cancel()
            goal = asked + 3
            while asked < goal and not task.done():
                await asyncio.sleep(0)
            lost = not task.done()
            while not task.done():
                task.cancel()
                await asyncio.sleep(0)
            assert not lost, "it was cancelled and went on"
    finally:
        await client.aclose()
