"""The bare SDK, our attempt, and our attempt with the whole queue round it: ``python -m ...peer_ours bare|attempt|queue|paced ORIGIN``."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from gitbridge_console.domain.events import EventState, IncomingEvent, Kind
from gitbridge_console.domain.facts import read_facts
from gitbridge_console.operations.session import Session, open_session
from gitbridge_console.providers.registry import build_provider, import_sdks
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.attempt import make_attempt
from gitbridge_console.router.event_router import EventRouter
from gitbridge_console.router.prompts import BuiltPrompt, build_request
from gitbridge_console.router.task_processor import TaskProcessor
from gitbridge_console.settings.model import LegacySettings, Settings
from gitbridge_console.settings.routing import KindSettings, ProviderSettings
from gitbridge_console.sources.diffs import material_from
from gitbridge_console.store.event_queue import RedisEventQueue
from tests.benchmarks.overhead.rounds import obey

BODY = {"action": "created", "repository": {"id": 1, "full_name": "acme/shop"}, "sender": {"login": "kim", "type": "User"}}
TYPE = "discussion"
QUEUE_CALLS = ("enqueue", "claim", "begin", "route", "hand_on", "settle_task")
NO_LIMIT = 256
PATIENCE_S = 30.0


def provider_settings(origin: str, wait_ms: int) -> ProviderSettings:
    """The mock as a provider."""
    return ProviderSettings(api="chat", model="bench-1", base_url=f"{origin}/{wait_ms}/v1", max_concurrency=NO_LIMIT)


def settings_for(origin: str, wait_ms: int) -> Settings:
    """One kind with one seat at the mock, and a comment that is written down and not sent."""
    return Settings(
        providers={"bench": provider_settings(origin, wait_ms)},
        kinds={"general": KindSettings(seats=1, quorum=1, prefer=("bench",), action="comment")},
        legacy=LegacySettings(enabled=False),
    )


def question() -> BuiltPrompt:
    """What the product asks about the event of the benchmark."""
    facts = read_facts(TYPE, BODY, None)
    return build_request(Kind.GENERAL, facts, material_from(facts, None, Settings().sources), "bench", 8_192)


def as_parameters(prompt: BuiltPrompt) -> dict[str, Any]:
    """The same question for an SDK."""
    request = prompt.request
    form = {"type": "json_schema", "json_schema": {"name": request.schema_name, "schema": request.schema, "strict": True}}
    messages = [{"role": "system", "content": request.system}, {"role": "user", "content": request.prompt}]
    return {"messages": messages, "response_format": form, "max_tokens": request.max_output_tokens}


async def bare(origin: str) -> None:
    """The SDK's own stream, its events joined and read as JSON."""
    import openai

    parameters = as_parameters(question())

    @functools.cache
    def client(wait_ms: int) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(api_key="k", base_url=f"{origin}/{wait_ms}/v1", max_retries=0)

    async def ask(wait_ms: int) -> None:
        stream = await client(wait_ms).chat.completions.create(
            model="bench-1", stream=True, stream_options={"include_usage": True}, **parameters
        )
        parts = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
        assert json.loads("".join(parts))["verdict"] == "noted"

    await obey(ask)


async def attempt(origin: str) -> None:
    """``make_attempt`` with provider, breaker, reading and checking of the answer."""
    prompt = question()

    @functools.cache
    def router(wait_ms: int) -> AIRouter:
        settings = settings_for(origin, wait_ms)
        return AIRouter(settings, {"bench": build_provider("bench", settings.providers["bench"], "k")})

    async def ask(wait_ms: int) -> None:
        call = router(wait_ms).begin("bench", 50.0)
        assert call is not None
        outcome = await make_attempt(router(wait_ms), "bench", Kind.GENERAL, call, prompt, 50.0)
        assert outcome.failure is None, outcome.failure

    import_sdks(("chat",))
    await obey(ask)


class Watch:
    """Times of the whole path, taken where the queue is called; and who waits for which event."""

    def __init__(self) -> None:
        self.ended: dict[str, asyncio.Future[float]] = {}
        self.ai_ms: dict[str, float] = {}
        self.queue_ms: list[float] = []
        self.routing_ms: list[float] = []

    def end_of(self, event_id: str) -> asyncio.Future[float]:
        """When the event is resolved, whoever asks first."""
        if event_id not in self.ended:
            self.ended[event_id] = asyncio.get_running_loop().create_future()
        return self.ended[event_id]

    def install(self) -> None:
        """Wrap the product's methods; for this process only."""
        for name in QUEUE_CALLS:
            setattr(RedisEventQueue, name, self._timed(getattr(RedisEventQueue, name), self.queue_ms))
        EventRouter.route = self._timed(EventRouter.route, self.routing_ms)  # type: ignore[method-assign]
        hand_on, succeed = RedisEventQueue.hand_on, TaskProcessor._succeed

        async def noted_hand_on(queue: Any, job: Any, lane: str, state: EventState, **more: Any) -> Any:
            result = await hand_on(queue, job, lane, state, **more)
            if state is EventState.RESOLVED:
                self.end_of(job.id).set_result(time.perf_counter())
            return result

        async def noted_succeed(tasks: Any, job: Any, outcome: Any) -> None:
            self.ai_ms[job.event_id] = outcome.attempt.latency_ms
            await succeed(tasks, job, outcome)

        RedisEventQueue.hand_on = noted_hand_on  # type: ignore[method-assign, assignment]
        TaskProcessor._succeed = noted_succeed  # type: ignore[method-assign, assignment]

    def _timed(self, method: Callable[..., Awaitable[Any]], into: list[float]) -> Callable[..., Awaitable[Any]]:
        async def timed(*args: Any, **more: Any) -> Any:
            started = time.perf_counter()
            try:
                return await method(*args, **more)
            finally:
                into.append((time.perf_counter() - started) * 1000)

        return timed


@asynccontextmanager
async def _engine(origin: str, wait_ms: int, watch: Watch) -> AsyncIterator[Callable[[], Awaitable[float]]]:
    """An engine over an embedded server of its own; what is yielded submits one event and returns its time without the AI's, in ms."""
    watch.install()
    numbers = itertools.count()
    with tempfile.TemporaryDirectory(prefix="gb-bench-") as folder:
        settings = settings_for(origin, wait_ms).model_copy(update={"state_dir": folder})
        async with open_session(settings, role="engine", engine=True) as session:
            assert session.engine is not None
            await session.engine.ready.wait()

            async def one() -> float:
                return await _one(session, watch, f"bench-{next(numbers)}")

            yield one


async def _one(session: Session, watch: Watch, event_id: str) -> float:
    body = BODY | {"discussion": {"number": 1, "title": event_id, "body": "How are totals rounded?"}}
    event, started = IncomingEvent(event_id, TYPE, json.dumps(body).encode(), "bench"), time.perf_counter()
    submitted = await session.operations.submit(event)
    async with asyncio.timeout(PATIENCE_S):
        ended = await watch.end_of(submitted.id)
    del watch.ended[submitted.id]
    return (ended - started) * 1000 - watch.ai_ms.pop(submitted.id)


async def queue(origin: str) -> None:
    """Submit, route, seat, decide, act."""
    async with _engine(origin, 0, Watch()) as one:

        async def ask(wait_ms: int) -> None:
            await one()

        await obey(ask)


async def paced(origin: str, rate: float, seconds: float) -> None:
    """At a steady beat: one line with the latencies of queue operations, of routing and of the whole path, in ms."""
    watch = Watch()
    async with _engine(origin, 5, watch) as one:
        for _ in range(20):
            await one()
        watch.queue_ms.clear()
        watch.routing_ms.clear()
        start, tasks = time.perf_counter(), list[asyncio.Task[float]]()
        for n in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, start + n / rate - time.perf_counter()))
            tasks.append(asyncio.ensure_future(one()))
        whole = await asyncio.gather(*tasks)
    print(json.dumps({"queue_ms": watch.queue_ms, "routing_ms": watch.routing_ms, "whole_ms": whole}), flush=True)


def main() -> None:
    """Do as the command line says."""
    what, origin, *more = sys.argv[1:]
    if what == "question":
        print(json.dumps(as_parameters(question())))
    elif what == "paced":
        asyncio.run(paced(origin, *map(float, more)))
    else:
        asyncio.run({"bare": bare, "attempt": attempt, "queue": queue}[what](origin))


if __name__ == "__main__":
    main()
