"""Bulk events whose questions wait for a batch: handed in once, answered together, at half price, whatever engine is there to see it."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError
from wire import ANTHROPIC, CHAT, KEY, RESPONSES, Connection, Received, ScriptedServer, Wire, answering, scripted_server

from gitbridge_console.domain.event_views import EventDetail
from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.operations.operations import Operations
from gitbridge_console.providers.registry import import_sdks
from gitbridge_console.router.batches import goes_by_batch
from gitbridge_console.router.engine import Engine
from gitbridge_console.settings.holder import SettingsHolder
from gitbridge_console.settings.model import LegacySettings, QueueSettings, RedisSettings, Rule, RuleMatch, Settings
from gitbridge_console.settings.routing import BatchSettings, BudgetSettings, CacheSettings, KindSettings, ProviderSettings
from gitbridge_console.store.batches import BatchStore
from gitbridge_console.store.budgets import BudgetStore
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.store import Store, open_store

PATIENCE_S = 30.0
ENDED = frozenset({EventState.RESOLVED, EventState.FAILED})
NOTED = json.dumps({"summary": "s", "verdict": "noted", "abstain_reason": None})
PILE: dict[str, Any] = {"tasks_max": 10, "bytes_max": 10_000, "open_max": 1, "live_after_s": 60, "keep_s": 60}
PRICE = 1_000 * 1e-6 + 100 * 1e-5
"""Of one answer: a thousand tokens in, a hundred out, at the prices below."""

LIVE_USD_MAX = Settings().providers["claude"].max_output_tokens * 1e-5
"""Of one answer as long as it may be."""

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5-5",
    "stop_reason": "end_turn",
    "content": [{"type": "text", "text": NOTED}],
    "usage": {"input_tokens": 1_000, "output_tokens": 100},
}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "model": "gpt-6.1-sol",
    "status": "completed",
    "output": [{"type": "message", "content": [{"type": "output_text", "text": NOTED}]}],
    "usage": {"input_tokens": 1_000, "output_tokens": 100},
}
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-6.1-sol",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": NOTED}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1_000, "completion_tokens": 100},
}


class Service:
    """A service with a batch API, on either wire. ``ends`` says whether batches are ready; ``spoilt`` custom ids are not answered."""

    def __init__(self, server: ScriptedServer, wire: Wire) -> None:
        self.server, self.wire = server, wire
        self.live = 0
        self.batches: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.ends = True
        self.spoilt: Callable[[str], str] = lambda custom_id: ""
        self.loses_replies: set[int] = set()
        self.refuses: list[int] = []
        self.garbles = 0
        self.silent = False
        self.cancelled: list[str] = []
        self.looked = 0
        server.script = self._serve

    @property
    def asked(self) -> list[str]:
        """Custom ids of all batches, in order."""
        return [name for batch in self.batches.values() for name in batch["names"]]

    async def _serve(self, connection: Connection, request: Received) -> None:
        path, _, _ = request.path.partition("?")
        base = "/v1/messages/batches" if self.wire is ANTHROPIC else "/v1/batches"
        if path == base and request.method == "POST" and self.refuses:
            await connection.json(self.refuses.pop(), {"error": {"message": "no batches now"}})
        elif path == base and request.method == "POST":
            batch = self._make(request)
            if self.silent:
                await asyncio.sleep(PATIENCE_S)
            elif len(self.batches) in self.loses_replies:
                connection.reset()
            else:
                await connection.json(200, batch)
        elif path == base:
            await connection.json(200, {"object": "list", "data": [self._shown(batch_id) for batch_id in self.batches], "has_more": False})
        elif path.startswith(base):
            await self._about(connection, path.removeprefix(base).strip("/"))
        elif path == "/v1/files":
            (lines,) = re.findall(rb"\r\n\r\n(\{.*?\})\r\n--", request.raw_body, re.S)
            name = f"file-{len(self.files)}"
            self.files[name] = lines
            await connection.json(
                200, {"id": name, "object": "file", "bytes": len(lines), "created_at": 1, "filename": "x", "purpose": "batch"}
            )
        elif path.startswith("/v1/files/"):
            content = self.files[path.split("/")[3]]
            await connection.whole(200, content, {"content-type": "application/octet-stream"})
        elif request.method == "GET":
            await connection.json(404, {"error": {"message": "no list"}})
        else:
            self.live += 1
            await answering(self.wire, pieces=(NOTED,))(connection, request)

    def _make(self, request: Received) -> dict[str, Any]:
        batch_id = f"batch_{len(self.batches)}"
        if self.wire is ANTHROPIC:
            names = [one["custom_id"] for one in request.body["requests"]]
            assert all(one["params"]["output_config"] for one in request.body["requests"])
        else:
            lines = [json.loads(line) for line in self.files[request.body["input_file_id"]].split(b"\n")]
            names = [line["custom_id"] for line in lines]
            assert {line["url"] for line in lines} == {request.body["endpoint"]} == {self.wire.path}
            assert not any("stream" in line["body"] for line in lines)
        assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in names)
        self.batches[batch_id] = {"names": names, "metadata": request.body.get("metadata"), "at": time.time()}
        return self._shown(batch_id)

    def _shown(self, batch_id: str) -> dict[str, Any]:
        batch = self.batches[batch_id]
        count, ended = len(batch["names"]), self.ends or batch_id in self.cancelled
        if self.wire is ANTHROPIC:
            counts = {"processing": 0 if ended else count, "succeeded": count if ended else 0, "errored": 0, "canceled": 0, "expired": 0}
            return {
                "id": batch_id,
                "type": "message_batch",
                "processing_status": "ended" if ended else "in_progress",
                "request_counts": counts,
                "created_at": datetime.fromtimestamp(batch["at"], UTC).isoformat(),
            }
        spoilt = [name for name in batch["names"] if self.spoilt(name)]
        self.files[f"{batch_id}-errors"] = self._lines(spoilt)
        self.files[f"{batch_id}-output"] = self._lines([name for name in batch["names"] if name not in spoilt])
        return {
            "id": batch_id,
            "object": "batch",
            "endpoint": self.wire.path,
            "input_file_id": "file-0",
            "completion_window": "24h",
            "created_at": int(batch["at"]),
            "status": "completed" if ended else "in_progress",
            "request_counts": {"total": count, "completed": count if ended else 0, "failed": 0},
            "metadata": batch["metadata"],
            "output_file_id": f"{batch_id}-output",
            "error_file_id": f"{batch_id}-errors" if spoilt else None,
        }

    async def _about(self, connection: Connection, rest: str) -> None:
        batch_id, _, what = rest.partition("/")
        self.looked += 1
        if what == "cancel":
            self.cancelled.append(batch_id)
        if self.garbles:
            self.garbles -= 1
            await connection.whole(200, b"<html>", {"content-type": "text/html"})
        elif what == "results":
            await connection.whole(200, self._lines(self.batches[batch_id]["names"]), {"content-type": "application/x-jsonl"})
        else:
            await connection.json(200, self._shown(batch_id))

    def _lines(self, names: list[str]) -> bytes:
        return b"\n".join(json.dumps(self._line(name)).encode() for name in names)

    def _line(self, name: str) -> dict[str, Any]:
        spoilt = self.spoilt(name)
        if self.wire is ANTHROPIC:
            error = {"type": "error", "error": {"type": "api_error", "message": "unwell"}}
            result = {"type": "errored", "error": error} if spoilt == "errored" else {"type": spoilt} if spoilt else None
            return {"custom_id": name, "result": result or {"type": "succeeded", "message": MESSAGE}}
        if spoilt == "expired":
            return {"custom_id": name, "response": None, "error": {"code": "batch_expired", "message": "too late"}}
        status, body = (
            (500, {"error": {"message": "unwell", "type": "server_error"}})
            if spoilt
            else (200, RESPONSE if self.wire is RESPONSES else COMPLETION)
        )
        return {"custom_id": name, "response": {"status_code": status, "request_id": "req_1", "body": body}, "error": None}


class Fleet:
    """A service, and engines that come and go over one store."""

    def __init__(self, service: Service, settings: Settings, store: Store, folder: Path) -> None:
        self.service, self.settings, self.store, self._folder = service, settings, store, folder

    @asynccontextmanager
    async def engine(self) -> AsyncIterator[Engine]:
        """An engine at work while the block lasts."""
        async with open_store(self.settings, self._folder) as own:
            engine = Engine(own, SettingsHolder(self.settings), state_dir=self._folder)
            running = asyncio.create_task(engine.run())
            try:
                await asyncio.wait_for(engine.ready.wait(), PATIENCE_S)
                yield engine
            finally:
                engine.stop()
                await asyncio.wait_for(running, PATIENCE_S)

    async def submit(self, count: int, type: str = "release", first: int = 0) -> list[str]:
        """So many events with different questions; releases are bulk here."""
        ids = []
        for n in range(first, first + count):
            payload = {"action": "published", "release": {"name": f"v{n}"}, "repository": {"id": 1, "full_name": "acme/shop"}}
            event = IncomingEvent(f"{type}-{n}", type, json.dumps(payload).encode(), "test")
            ids.append((await self.store.queue.enqueue(event)).id)
        return ids

    async def shown(self, event_id: str) -> EventDetail:
        found = await self.store.reader.event_detail(event_id)
        assert found is not None
        return found

    async def ended(self, ids: list[str]) -> list[EventDetail]:
        async with asyncio.timeout(PATIENCE_S):
            while {(await self.shown(event_id)).state for event_id in ids} - ENDED:
                await asyncio.sleep(0.05)
        return [await self.shown(event_id) for event_id in ids]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                await asyncio.sleep(0.02)

    async def submitted(self, count: int = 1) -> None:
        """So many batches are at the service, and that is written down."""
        async with asyncio.timeout(PATIENCE_S):
            while len([b for counts in (await self.store.batches.read(["services"])).values() for b in counts.open if b.id]) < count:
                if count == 1 and self.service.ends and await self.nothing_left():
                    return
                await asyncio.sleep(0.02)

    async def until_nothing_left(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not await self.nothing_left():
                await asyncio.sleep(0.02)

    async def until_problem(self, problem: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while problem not in {b.problem for counts in (await self.store.batches.read(["services"])).values() for b in counts.open}:
                await asyncio.sleep(0.02)

    async def nothing_left(self) -> bool:
        return not await self.store.batches.read(["services"])


Opener = Callable[..., AbstractAsyncContextManager[Fleet]]


@pytest.fixture(params=[ANTHROPIC, RESPONSES, CHAT], ids=lambda wire: wire.api)
def wire(request: pytest.FixtureRequest) -> Wire:
    found: Wire = request.param
    return found


@pytest.fixture
def open_fleet(valkey_url: str, namespace: str, tmp_path: Path, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> Opener:
    monkeypatch.setenv("BATCH_KEY", KEY)
    import_sdks()

    @asynccontextmanager
    async def opened(*, batches: bool = True, budgets: dict[str, BudgetSettings] | None = None, **more: Any) -> AsyncIterator[Fleet]:
        async with scripted_server() as server:
            service = Service(server, wire)
            own = ProviderSettings(
                api=wire.api,
                model="claude-sonnet-5-5" if wire is ANTHROPIC else "gpt-6.1-sol",
                base_url=server.origin + wire.prefix,
                api_key_env="BATCH_KEY",
                batches=batches,
                price_input_usd_per_mtok=1.0,
                price_output_usd_per_mtok=10.0,
            )
            settings = Settings(
                namespace=namespace,
                redis=RedisSettings(url=valkey_url),
                legacy=LegacySettings(enabled=False),
                queue=QueueSettings(drain_s=5),
                cache=CacheSettings(enabled=False),
                providers={"services": own},
                kinds={"general": KindSettings(seats=1, quorum=1, prefer=("services",), deadline_s=20, grace_s=0)},
                budgets=budgets or {},
                batches=BatchSettings(**({"max_wait_s": 0.5, "poll_s": 0.05} | more)),
                rules=(Rule(when=RuleMatch(type="release"), kind="general", priority="bulk"),),
            )
            async with open_store(settings, tmp_path) as store:
                yield Fleet(service, settings, store, tmp_path)

    return opened


@pytest.mark.anyio
async def test_bulk_events_are_answered_by_one_batch_at_half_price(open_fleet: Opener) -> None:
    async with open_fleet() as fleet:
        ids = await fleet.submit(20)
        async with fleet.engine():
            events = await fleet.ended(ids)
        assert {event.state for event in events} == {"resolved"}
        attempts = [task.attempts for event in events for task in event.tasks]
        assert all(len(made) == 1 and made[0].batch for made in attempts)
        assert {round(made[0].cost_usd or 0, 9) for made in attempts} == {round(PRICE / 2, 9)}
        assert len(fleet.service.batches) == 1
        assert len(set(fleet.service.asked)) == 20
        assert fleet.service.live == 0
        assert await fleet.nothing_left()
        window = (await fleet.store.metrics.read()).providers["services"]
        assert window.cost_usd == pytest.approx(20 * PRICE / 2)


@pytest.mark.anyio
async def test_a_full_batch_does_not_wait_and_the_rest_goes_with_the_next(open_fleet: Opener) -> None:
    async with open_fleet(max_requests=8) as fleet:
        ids = await fleet.submit(20)
        async with fleet.engine():
            await fleet.ended(ids)
        assert sorted(len(batch["names"]) for batch in fleet.service.batches.values()) == [4, 8, 8]
        assert len(set(fleet.service.asked)) == 20
        assert fleet.service.live == 0


@pytest.mark.anyio
@pytest.mark.parametrize("how", ["errored", "expired"])
async def test_what_a_batch_did_not_answer_is_asked_live_and_only_that(open_fleet: Opener, how: str) -> None:
    async with open_fleet() as fleet:
        ids = await fleet.submit(6)
        fleet.service.spoilt = lambda name: how if fleet.service.asked.index(name) % 3 == 0 else ""
        async with fleet.engine():
            events = await fleet.ended(ids)
        assert {event.state for event in events} == {"resolved"}
        made = [[attempt.batch for attempt in task.attempts] for event in events for task in event.tasks]
        assert sorted(made) == [[False]] * 2 + [[True]] * 4
        assert fleet.service.live == 2
        assert len(fleet.service.batches) == 1


@pytest.mark.anyio
async def test_anything_but_bulk_is_asked_at_once(open_fleet: Opener) -> None:
    async with open_fleet() as fleet:
        ids = await fleet.submit(3, type="watch_something")
        async with fleet.engine():
            await fleet.until(lambda: fleet.service.live == 3 or bool(fleet.service.batches))
            await fleet.ended(ids)
        assert fleet.service.batches == {}


@pytest.mark.anyio
async def test_unless_a_provider_is_told_to_there_are_no_batches(open_fleet: Opener) -> None:
    async with open_fleet(batches=False) as fleet:
        ids = await fleet.submit(3)
        async with fleet.engine():
            await fleet.ended(ids)
        assert (fleet.service.batches, fleet.service.live) == ({}, 3)


@pytest.mark.anyio
async def test_a_batch_whose_reply_was_lost_is_looked_for_and_not_handed_in_twice(open_fleet: Opener) -> None:
    async with open_fleet() as fleet:
        fleet.service.loses_replies = {1}
        ids = await fleet.submit(5)
        async with fleet.engine():
            events = await fleet.ended(ids)
        assert {event.state for event in events} == {"resolved"}
        assert len(fleet.service.batches) == 1
        assert fleet.service.live == 0


@pytest.mark.anyio
async def test_another_engine_feeds_back_what_one_that_is_gone_handed_in(open_fleet: Opener) -> None:
    async with open_fleet() as fleet:
        fleet.service.ends = False
        ids = await fleet.submit(5)
        async with fleet.engine():
            await fleet.until(lambda: bool(fleet.service.batches))
            await fleet.submitted()
        assert {(await fleet.shown(event_id)).state for event_id in ids} == {"routed"}
        status = await Operations(fleet.store, lambda: fleet.settings).status()
        assert (status.lanes["services"].batched, status.lanes["services"].waiting) == (5, 5)
        fleet.service.ends = True
        async with fleet.engine():
            events = await fleet.ended(ids)
        assert {event.state for event in events} == {"resolved"}
        assert len(fleet.service.batches) == 1


@pytest.mark.anyio
async def test_a_batch_that_takes_too_long_is_cancelled_and_its_questions_are_asked_live(open_fleet: Opener) -> None:
    async with open_fleet(deadline_s=3) as fleet:
        fleet.service.ends = False
        ids = await fleet.submit(3)
        async with fleet.engine():
            await fleet.until(lambda: fleet.service.live == 3)
            events = await fleet.ended(ids)
            await fleet.until(lambda: fleet.service.cancelled == ["batch_0"])
        assert {event.state for event in events} == {"resolved"}
        assert list(fleet.service.batches) == ["batch_0"]


@pytest.mark.anyio
@pytest.mark.parametrize("ends", [True, False], ids=["ended", "under way"])
async def test_a_batch_whose_engine_died_before_it_knew_its_id_is_handed_in_once(open_fleet: Opener, ends: bool) -> None:
    async with open_fleet() as fleet:
        fleet.service.silent, fleet.service.ends = True, ends
        ids = await fleet.submit(5)
        async with fleet.engine():
            await fleet.until(lambda: bool(fleet.service.batches))
        key = f"{Keys(fleet.settings.namespace).batches('services')}:keeper"
        assert await fleet.store.client.ttl(key) > 0, "who may have handed one in keeps his time to say so"
        await fleet.store.client.delete(key)
        fleet.service.silent = False
        async with fleet.engine():
            await fleet.submitted()
            fleet.service.ends = True
            events = await fleet.ended(ids)
        assert {event.state for event in events} == {"resolved"}
        assert (len(fleet.service.batches), fleet.service.live) == (1, 0)


@pytest.mark.anyio
async def test_a_batch_is_not_taken_for_another_of_the_same_size(open_fleet: Opener) -> None:
    async with open_fleet(max_requests=4) as fleet:
        fleet.service.ends = False
        fleet.service.loses_replies = {2}
        ids = await fleet.submit(8)
        async with fleet.engine():
            await fleet.submitted(2)
            fleet.service.ends = True
            await fleet.ended(ids)
        assert (len(fleet.service.batches), len(set(fleet.service.asked)), fleet.service.live) == (2, 8, 0)


@pytest.mark.anyio
async def test_tasks_are_called_back_also_when_the_store_went_away_in_between(open_fleet: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    hasten, away = RedisEventQueue.hasten, [True]

    async def once_away(queue: RedisEventQueue, ids: Sequence[str]) -> int:
        if away and away.pop():
            raise ConnectionError("away")
        return await hasten(queue, ids)

    monkeypatch.setattr(RedisEventQueue, "hasten", once_away)
    async with open_fleet() as fleet:
        ids = await fleet.submit(3)
        async with fleet.engine():
            events = await fleet.ended(ids)
        assert not away
        assert {event.state for event in events} == {"resolved"}
        assert (len(fleet.service.batches), fleet.service.live) == (1, 0)
        assert (await fleet.store.metrics.read()).providers["services"].cost_usd == pytest.approx(3 * PRICE / 2)


@pytest.mark.anyio
@pytest.mark.parametrize(("store", "step"), [(BudgetStore, "settle"), (BatchStore, "finish")], ids=["when booked", "when over"])
async def test_what_a_batch_cost_is_booked_once_though_the_store_goes_away_in_between(
    open_fleet: Opener, monkeypatch: pytest.MonkeyPatch, store: type, step: str
) -> None:
    taken, away = getattr(store, step), [True]

    async def once_away(*args: Any, **more: Any) -> Any:
        if away and away.pop():
            raise ConnectionError("away")
        return await taken(*args, **more)

    monkeypatch.setattr(store, step, once_away)
    async with open_fleet() as fleet:
        ids = await fleet.submit(3)
        async with fleet.engine():
            await fleet.ended(ids)
            await fleet.until_nothing_left()
        assert not away
        spent = (await fleet.store.budgets.read(["services"]))["services"]
        assert (spent.calls, spent.usd) == (3, pytest.approx(3 * PRICE / 2))
        assert (await fleet.store.metrics.read()).providers["services"].cost_usd == pytest.approx(3 * PRICE / 2)


@pytest.mark.anyio
async def test_a_batch_that_may_overspend_the_budget_is_not_handed_in_and_its_questions_find_their_own_way(open_fleet: Opener) -> None:
    async with open_fleet(
        deadline_s=2, max_wait_s=20, max_requests=6, budgets={"services": BudgetSettings(usd_per_day=LIVE_USD_MAX * 2)}
    ) as fleet:
        ids = await fleet.submit(6)
        async with fleet.engine():
            await fleet.until_problem("its budget of the day would be overspent")
            events = await fleet.ended(ids)
        assert {event.state for event in events} == {"resolved"}
        assert (fleet.service.batches, fleet.service.live) == ({}, 6)


@pytest.mark.anyio
async def test_what_a_batch_may_cost_is_set_aside_until_it_is_back(open_fleet: Opener) -> None:
    async with open_fleet(budgets={"services": BudgetSettings(usd_per_day=100.0)}) as fleet:
        fleet.service.ends = False
        ids = await fleet.submit(6)
        async with fleet.engine():
            await fleet.submitted()
            aside = (await fleet.store.budgets.read(["services"]))["services"].reserved_usd
            assert 3 * LIVE_USD_MAX < aside < 4 * LIVE_USD_MAX, "at half the price, and some for what is asked"
            fleet.service.ends = True
            await fleet.ended(ids)
            await fleet.until_nothing_left()
        spent = (await fleet.store.budgets.read(["services"]))["services"]
        assert (spent.reserved_usd, spent.calls, spent.usd) == (0.0, 6, pytest.approx(6 * PRICE / 2))


@pytest.mark.anyio
async def test_a_batch_that_may_be_a_strangers_is_never_cancelled(open_fleet: Opener, wire: Wire) -> None:
    async with open_fleet() as fleet:
        fleet.service.silent, fleet.service.ends = True, False
        ids = await fleet.submit(5)
        async with fleet.engine():
            await fleet.until(lambda: bool(fleet.service.batches))
        await fleet.store.client.delete(f"{Keys(fleet.settings.namespace).batches('services')}:keeper")
        fleet.service.silent = False
        async with fleet.engine():
            await fleet.submitted()
            await fleet.store.queue.cancel(ids, by="ana")
            looked = fleet.service.looked
            if wire is ANTHROPIC:
                await fleet.until(lambda: fleet.service.looked > looked + 3)
            else:
                await fleet.until_nothing_left()
        assert fleet.service.cancelled == ([] if wire is ANTHROPIC else ["batch_0"])


@pytest.mark.anyio
async def test_what_was_cancelled_before_is_not_handed_in_and_a_batch_nobody_wants_is_cancelled(open_fleet: Opener) -> None:
    async with open_fleet(max_wait_s=2) as fleet:
        fleet.service.ends = False
        ids = await fleet.submit(3)
        async with fleet.engine():
            async with asyncio.timeout(PATIENCE_S):
                while sum(counts.collecting for counts in (await fleet.store.batches.read(["services"])).values()) < 3:
                    await asyncio.sleep(0.02)
            await fleet.store.queue.cancel(ids[:1], by="ana")
            await fleet.submitted()
            assert len(fleet.service.asked) == 2
            await fleet.store.queue.cancel(ids[1:], by="ana")
            await fleet.until(lambda: fleet.service.cancelled == ["batch_0"])
            await fleet.until_nothing_left()
        assert fleet.service.live == 0


@pytest.mark.anyio
async def test_with_batches_switched_off_what_waits_is_asked_live_and_what_was_handed_in_is_fed_back(open_fleet: Opener) -> None:
    async with open_fleet(max_requests=3, max_wait_s=60) as fleet:
        fleet.service.ends = False
        ids = await fleet.submit(5)
        async with fleet.engine():
            await fleet.submitted()
            async with asyncio.timeout(PATIENCE_S):
                while (await fleet.store.batches.read(["services"]))["services"].collecting < 2:
                    await asyncio.sleep(0.02)
        off = fleet.settings.providers["services"].model_copy(update={"batches": False})
        fleet.settings = fleet.settings.model_copy(update={"providers": {"services": off}})
        async with fleet.engine():
            await fleet.until(lambda: fleet.service.live == 2)
            fleet.service.ends = True
            events = await fleet.ended(ids)
        made = [attempt.batch for event in events for task in event.tasks for attempt in task.attempts]
        assert sorted(made) == [False] * 2 + [True] * 3
        assert (fleet.service.live, len(fleet.service.batches)) == (2, 1)


@pytest.mark.anyio
async def test_a_service_that_is_unwell_is_asked_again_and_one_that_refuses_is_not(open_fleet: Opener) -> None:
    async with open_fleet() as fleet:
        fleet.service.refuses, fleet.service.garbles = [503, 503], 2
        ids = await fleet.submit(3)
        async with fleet.engine():
            await fleet.ended(ids)
            assert (len(fleet.service.batches), fleet.service.live) == (1, 0)
            fleet.service.refuses = [400]
            await fleet.ended(await fleet.submit(2, first=3))
        assert (len(fleet.service.batches), fleet.service.live) == (1, 2)


@pytest.mark.anyio
async def test_nothing_is_handed_in_while_the_provider_is_paused_but_what_is_there_is_looked_at(open_fleet: Opener) -> None:
    async with open_fleet() as fleet:
        fleet.service.ends = False
        ids = await fleet.submit(4)
        async with fleet.engine() as engine:
            await fleet.until(lambda: bool(fleet.service.batches))
            await fleet.store.queue.pause("services", by="ana", reason="maintenance")
            await fleet.until(lambda: "services" in engine.router.paused)
            await fleet.store.batches.collect("services", "0000000f00.1", b"{}", **PILE)
            fleet.service.ends = True
            async with asyncio.timeout(PATIENCE_S):
                while (await fleet.store.batches.read(["services"]))["services"].open:
                    await asyncio.sleep(0.02)
            assert len(fleet.service.batches) == 1
            await fleet.store.queue.resume("services", by="ana")
            await fleet.ended(ids)


@pytest.mark.anyio
async def test_a_question_that_is_put_on_the_pile_twice_is_there_once(client: Redis, namespace: str) -> None:
    store = BatchStore(client, Keys(namespace))
    bounds = PILE | {"tasks_max": 2, "open_max": 0}
    for _ in range(2):
        assert await store.collect("grok", "0000000100.1", b"question", **bounds)
    assert await store.collect("grok", "0000000100.2", b"question", **bounds)
    assert not await store.collect("grok", "0000000100.3", b"no room", **bounds)
    assert (await store.read(["grok"]))["grok"].collecting == 2
    for name in await client.keys(f"*{namespace}*batch*"):
        assert 0 < await client.ttl(name) <= 60


@pytest.mark.anyio
async def test_a_question_that_waited_too_long_leaves_room_on_the_pile(client: Redis, namespace: str) -> None:
    store = BatchStore(client, Keys(namespace))
    bounds = PILE | {"bytes_max": 24}
    assert await store.collect("grok", "0000000100.1", b"a long question", **bounds)
    assert not await store.collect("grok", "0000000100.1", b"a long question", **bounds | {"live_after_s": 0})
    assert await store.collect("grok", "0000000100.2", b"another long one", **bounds)
    counts = (await store.read(["grok"]))["grok"]
    assert (counts.collecting, counts.open) == (1, ())


@pytest.mark.anyio
async def test_what_is_written_of_a_batch_that_is_over_does_not_open_it_again(client: Redis, namespace: str) -> None:
    store = BatchStore(client, Keys(namespace))
    assert await store.collect("grok", "0000000100.1", b"question", **PILE)
    assert await store.close("grok", tasks=1, size=1, after_s=0, open_max=1, keep_s=60) == 1
    (batch,) = (await store.read(["grok"]))["grok"].open
    assert await store.put("grok", batch)
    assert await store.finish("grok", batch.mark)
    assert not await store.finish("grok", batch.mark)
    assert not await store.put("grok", batch)
    assert await store.read(["grok"]) == {}


def test_an_event_goes_by_batch_only_where_nobody_of_its_kind_would_answer_at_once() -> None:
    base = Settings()
    policy = base.kinds["general"]
    willing = {name: own.model_copy(update={"batches": True}) for name, own in base.providers.items()}
    everybody = base.model_copy(update={"providers": willing})
    assert goes_by_batch(everybody, policy, Priority.BULK)
    assert not goes_by_batch(everybody, policy, Priority.LOW)
    assert not goes_by_batch(base, policy, Priority.BULK)
    all_but_one = everybody.model_copy(update={"providers": willing | {"grok": base.providers["grok"]}})
    assert not goes_by_batch(all_but_one, policy, Priority.BULK)
    off = base.providers["grok"].model_copy(update={"enabled": False})
    assert goes_by_batch(everybody.model_copy(update={"providers": willing | {"grok": off}}), policy, Priority.BULK)
