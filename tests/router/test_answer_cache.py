"""Equal questions are asked once, by whichever engine; a replay asks anew; nothing but a usable answer is kept."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from gitbridge_console.domain.event_views import TaskDetail
from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.domain.failures import Failure, FailureClass
from gitbridge_console.providers.base import ProviderError, ProviderReply, ProviderRequest, Usage
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.answer_cache import AnswerCache, question_key
from gitbridge_console.router.prompts import BuiltPrompt
from gitbridge_console.router.task_processor import TaskProcessor
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.routing import CacheSettings
from gitbridge_console.store.answer_cache import AnswerCacheStore
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.reader import EventReader
from gitbridge_console.store.records import ClaimedJob
from gitbridge_console.store.trouble import StoreTrouble
from tests.router.conftest import Weather
from tests.router.test_task_processor import NOTED, PLAN, PUBLISHED

pytestmark = pytest.mark.anyio


class Costly:
    """A provider that waits for leave, is paid for each answer, and says what it is told to."""

    def __init__(self) -> None:
        self.name = self.model = "grok"
        self.calls = 0
        self.answer = NOTED
        self.failure: Failure | None = None
        self.asked, self.go = asyncio.Event(), asyncio.Event()
        self.go.set()

    async def ask(self, request: ProviderRequest, *, timeout_s: float) -> ProviderReply:
        self.calls += 1
        self.asked.set()
        await self.go.wait()
        if self.failure is not None:
            raise ProviderError(self.failure)
        return ProviderReply(self.answer, self.model, "stop", Usage(1_000, 200, None, 0.0042), "req-1", 200, 1.0, 1.0)

    async def list_models(self, *, timeout_s: float = 10.0) -> list[str]:
        return [self.model]

    async def aclose(self) -> None:
        return None


class Fleet:
    """Two engines that share a queue, a cache and one provider."""

    def __init__(self, queue: RedisEventQueue, client: Redis, cache_client: Redis, metrics: Metrics, settings: Settings) -> None:
        self.queue, self.metrics, self.provider = queue, metrics, Costly()
        self.reader = EventReader(client, queue.keys)
        self.cache = CacheSettings()
        store = AnswerCacheStore(cache_client, queue.keys.cache)
        self.engines = [
            TaskProcessor(
                queue,
                AIRouter(settings, {"grok": self.provider}, seed=n),
                metrics,
                StoreTrouble(),
                lambda: settings,
                cache=AnswerCache(store, metrics, StoreTrouble(), lambda: self.cache),
                seed=n,
            )
            for n in (1, 2)
        ]
        self._count = 0

    async def seat(self, payload: bytes = PUBLISHED) -> ClaimedJob:
        """A claimed seat of a new event; equal payloads make equal questions."""
        self._count += 1
        await self.queue.enqueue(IncomingEvent(f"d{self._count}", "release", payload, "test"))
        (job,) = (await self.queue.claim("route", 1)).jobs
        await self.queue.route(job, PLAN)
        return await self.next()

    async def next(self) -> ClaimedJob:
        async with asyncio.timeout(20):
            while not (jobs := (await self.queue.claim("grok", 1)).jobs):
                await asyncio.sleep(0)
        return jobs[0]

    async def task(self, job: ClaimedJob) -> TaskDetail:
        event = await self.reader.event_detail(job.event_id)
        assert event is not None
        return event.tasks[0]

    async def counts(self) -> dict[str, int]:
        await self.metrics.flush()
        return {name: n for name, n in (await self.metrics.read()).counts.items() if name.startswith("cache")}


@pytest.fixture
def fleet(queue: RedisEventQueue, client: Redis, metrics: Metrics, settings: Settings) -> Fleet:
    return Fleet(queue, client, client, metrics, settings)


async def test_a_question_that_was_answered_is_not_asked_again_by_anybody_and_costs_nothing(fleet: Fleet) -> None:
    for engine in fleet.engines:
        job = await fleet.seat()
        await engine.work(job)
        task = await fleet.task(job)
        assert task.state == "succeeded"
        assert task.answer is not None
        assert task.answer.verdict == "noted"
    (attempt,) = task.attempts
    assert (attempt.cached, attempt.outcome, attempt.cost_usd, attempt.tokens_in, attempt.latency_ms) == (True, "ok", 0.0, 0, 0.0)
    assert fleet.provider.calls == 1
    assert await fleet.counts() == {"cache_misses": 1, "cache_hits": 1, "cache_saved_usd_millionths": 4_200}


async def test_a_question_in_flight_elsewhere_is_waited_for_in_the_lane_and_counts_no_delivery(fleet: Fleet) -> None:
    fleet.provider.go.clear()
    first = await fleet.seat()
    asking = asyncio.create_task(fleet.engines[0].work(first))
    await fleet.provider.asked.wait()
    second = await fleet.seat()
    await fleet.engines[1].work(second)
    assert (await fleet.task(second)).state == "waiting"
    fleet.provider.go.set()
    await asking
    again = await fleet.next()
    assert again.number("dv") == second.number("dv")
    await fleet.engines[1].work(again)
    assert (await fleet.task(again)).state == "succeeded"
    assert fleet.provider.calls == 1


@pytest.mark.parametrize("end", ["failed", "cancelled"])
async def test_a_question_whose_asker_failed_or_was_cancelled_is_asked_by_the_next(fleet: Fleet, end: str) -> None:
    fleet.provider.go.clear()
    asking = asyncio.create_task(fleet.engines[0].work(await fleet.seat()))
    await fleet.provider.asked.wait()
    if end == "cancelled":
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    else:
        fleet.provider.failure = Failure(FailureClass.CALLER_FAULT, "no")
        fleet.provider.go.set()
        await asking
    fleet.provider.failure = None
    fleet.provider.go.set()
    job = await fleet.seat()
    await fleet.engines[1].work(job)
    assert (await fleet.task(job)).state == "succeeded"
    assert fleet.provider.calls == 2


async def test_a_question_that_was_taken_too_late_to_be_heard_of_is_free_after_the_call(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = AnswerCacheStore.look

    async def look_and_say_nothing(*args: Any) -> float:
        await look(*args)
        raise TimeoutError

    monkeypatch.setattr(AnswerCacheStore, "look", look_and_say_nothing)
    await fleet.engines[0].work(await fleet.seat())
    monkeypatch.undo()
    second = await fleet.seat()
    await fleet.engines[1].work(second)
    assert (await fleet.task(second)).state == "succeeded"
    assert fleet.provider.calls == 1, "and its answer is kept"


async def test_a_question_whose_asker_is_cancelled_while_it_looks_is_asked_by_the_next(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, looked = AnswerCacheStore.look, asyncio.Event()

    async def look_and_hang(*args: Any) -> float:
        await look(*args)
        looked.set()
        await asyncio.Event().wait()
        return 0.0

    monkeypatch.setattr("gitbridge_console.router.answer_cache.STORE_S", 20)
    monkeypatch.setattr(AnswerCacheStore, "look", look_and_hang)
    asking = asyncio.create_task(fleet.engines[0].work(await fleet.seat()))
    await looked.wait()
    asking.cancel()
    await asyncio.wait([asking], timeout=20)
    monkeypatch.undo()
    second = await fleet.seat()
    await fleet.engines[1].work(second)
    assert (await fleet.task(second)).state == "succeeded"


async def test_a_replay_asks_anew_and_its_answer_takes_the_place_of_the_old_one(fleet: Fleet) -> None:
    job = await fleet.seat()
    await fleet.engines[0].work(job)
    fleet.provider.answer = json.dumps({"summary": "second thoughts", "verdict": "noted", "abstain_reason": None})
    replayed = await fleet.seat()
    await fleet.engines[0].work(replace(replayed, event={**replayed.event, "run": "2"}))
    assert fleet.provider.calls == 2
    later = await fleet.seat()
    await fleet.engines[1].work(later)
    answer = (await fleet.task(later)).answer
    assert answer is not None
    assert answer.payload["summary"] == "second thoughts"
    assert fleet.provider.calls == 2


async def test_an_abstention_and_an_answer_that_is_too_large_are_not_kept(fleet: Fleet) -> None:
    fleet.provider.answer = json.dumps({"summary": "s", "verdict": "abstain", "abstain_reason": "too little to go by"})
    await fleet.engines[0].work(await fleet.seat())
    fleet.provider.answer = NOTED
    fleet.cache = CacheSettings(max_answer_bytes=1024).model_copy(update={"max_answer_bytes": 10})
    for _ in range(2):
        await fleet.engines[0].work(await fleet.seat())
    assert fleet.provider.calls == 3


async def test_switched_off_every_question_is_asked(fleet: Fleet) -> None:
    fleet.cache = CacheSettings(enabled=False)
    for _ in range(2):
        await fleet.engines[0].work(await fleet.seat())
    assert fleet.provider.calls == 2
    assert await fleet.counts() == {}


async def test_a_cache_that_is_away_is_no_reason_not_to_ask(
    queue: RedisEventQueue, client: Redis, exposed: Redis, weather: Weather, metrics: Metrics, settings: Settings
) -> None:
    fleet = Fleet(queue, client, exposed, metrics, settings)
    weather.breaks(RedisConnectionError)
    for _ in range(2):
        job = await fleet.seat()
        await fleet.engines[0].work(job)
        assert (await fleet.task(job)).state == "succeeded"
    assert fleet.provider.calls == 2


async def test_what_is_stored_and_cannot_be_read_is_asked_for_again(fleet: Fleet, client: Redis, namespace: str) -> None:
    await fleet.engines[0].work(await fleet.seat())
    (name,) = await client.keys(f"{Keys(namespace).cache}:a:*")
    for damaged in (b"\x78\x9cnot zlib", b"={}", b"=[]", b'={"text": 1, "attempt": null}'):
        await client.set(name, damaged)
        job = await fleet.seat()
        await fleet.engines[1].work(job)
        assert (await fleet.task(job)).state == "succeeded"
    assert fleet.provider.calls == 5


def test_another_model_address_version_or_word_is_another_question(settings: Settings) -> None:
    own = settings.providers["grok"]
    prompt = BuiltPrompt(ProviderRequest("system", "prompt", {"type": "object"}, "name", 100), "general@1.1", "seed", False)
    others: list[Any] = [
        question_key("claude", own, prompt),
        question_key("grok", own.model_copy(update={"model": "other"}), prompt),
        question_key("grok", own.model_copy(update={"base_url": "http://proxy"}), prompt),
        question_key("grok", own, replace(prompt, prompt_id="general@1.2")),
        question_key("grok", own, replace(prompt, request=replace(prompt.request, system="systemp", prompt="rompt"))),
        question_key("grok", own, replace(prompt, request=replace(prompt.request, max_output_tokens=101))),
        question_key("grok", own, replace(prompt, request=replace(prompt.request, schema={"type": "array"}))),
    ]
    assert len({question_key("grok", own, prompt), *others}) == len(others) + 1
    assert question_key("grok", own, replace(prompt, order_seed="x")) == question_key("grok", own, prompt)
