"""Minds the batches of every provider: closes piles, hands them in, looks how far they are, feeds their results back.

One engine of the fleet does so for a provider at a time. Every step is written down before or right after it is taken, so
that another engine can go on from there: at worst a step is looked for, never done twice unseen.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

from gitbridge_console.domain.failures import FailureClass
from gitbridge_console.providers.base import BatchProvider, ProviderError, ProviderReply, ProviderRequest
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.batches import KEEP_MARGIN_S, read_request, written_result
from gitbridge_console.router.provider_state import ProviderState
from gitbridge_console.settings.routing import BatchSettings
from gitbridge_console.store.batches import BatchStore, OpenBatch, age_s
from gitbridge_console.store.budgets import BudgetStore
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.trouble import STORE_AWAY, StoreTrouble

logger = logging.getLogger(__name__)

TURN_MAX_S = 5.0
"""How often piles are looked at, or as often as batches are polled, if that is more often."""

FRESH_S = 1.0
"""A batch that was closed a moment ago was closed by this engine, and nobody has handed it in."""

HELD_S = 300.0
"""How long an engine minds a provider's batches without a sign of life: longer than handing one in may take."""

HOPELESS = frozenset(
    {FailureClass.CALLER_FAULT, FailureClass.TOO_LARGE, FailureClass.MODEL_GONE, FailureClass.CREDENTIAL, FailureClass.QUOTA}
)
"""A service that refuses a batch so will refuse it again: its questions are asked live, where each finds its own way."""


class BatchKeeper:
    """One background job of the engine."""

    def __init__(
        self,
        store: BatchStore,
        queue: RedisEventQueue,
        router: AIRouter,
        metrics: Metrics,
        budgets: BudgetStore,
        trouble: StoreTrouble,
        settings: Callable[[], BatchSettings],
        *,
        engine: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._queue = queue
        self._router = router
        self._metrics = metrics
        self._budgets = budgets
        self._trouble = trouble
        self._settings = settings
        self._engine = engine
        self._clock = clock
        self._looked: dict[str, float] = {}

    async def run(self) -> None:
        """Mind them until cancelled."""
        while True:
            try:
                await self.turn()
            except STORE_AWAY as error:
                self._trouble.report(error)
            await asyncio.sleep(min(TURN_MAX_S, self._settings().poll_s))

    async def turn(self) -> None:
        """Mind every provider that takes batches, or still has some from when it did.

        Raises:
            redis.exceptions.RedisError: the store is away.
        """
        states = dict(self._router.states)
        found = await self._store.read(states)
        await asyncio.gather(*(self._mind_safely(name, state) for name, state in states.items() if state.settings.batches or name in found))

    async def _mind_safely(self, name: str, state: ProviderState) -> None:
        try:
            await self.mind(name, state)
        except STORE_AWAY as error:
            self._trouble.report(error)
        except Exception:
            logger.exception("the batches of %s could not be minded for a reason nobody foresaw; it goes on", name)

    async def mind(self, name: str, state: ProviderState) -> None:
        """One turn for one provider.

        Raises:
            redis.exceptions.RedisError: the store is away; the next turn goes on from where this one came to.
        """
        batches = getattr(state.provider, "batches", None)
        if batches is None or not await self._store.hold(name, self._engine, HELD_S):
            return
        service: BatchProvider = batches()
        own, keep_s = self._settings(), self._settings().deadline_s + KEEP_MARGIN_S
        if self._router.gate(name).open and name not in self._router.paused and name not in self._router.no_new_seats:
            mark = uuid4().hex
            await self._store.close(
                name,
                mark,
                tasks=own.max_requests,
                size=own.max_bytes * 9 // 10,
                after_s=own.max_wait_s,
                open_max=own.open_max,
                keep_s=keep_s,
            )
        found = (await self._store.read([name])).get(name)
        known = {batch.id for batch in found.open} if found else set()
        for batch in found.open if found else ():
            if not batch.id:
                await self._hand_in(name, service, batch, known)
            elif self._is_due(batch, own):
                await self._look(name, service, batch)

    def _is_due(self, batch: OpenBatch, own: BatchSettings) -> bool:
        now = self._clock()
        if now - self._looked.get(batch.mark, -own.poll_s) < own.poll_s:
            return False
        self._looked[batch.mark] = now
        return True

    async def _hand_in(self, name: str, service: BatchProvider, batch: OpenBatch, known: set[str]) -> None:
        questions = await self._store.questions(name, batch.mark)
        wanted = await self._queue.waiting_for_a_batch(list(questions))
        requests: dict[str, ProviderRequest] = {}
        for task, raw in questions.items():
            if task not in wanted:
                continue
            try:
                requests[custom_id(batch.mark, task)] = read_request(raw)
            except (ValueError, TypeError):
                logger.warning("the question of %s in a batch cannot be read; it is asked live", task)
        if not requests:
            await self._end(name, batch, {})
            return
        try:
            batch_id = None
            if batch.problem or age_s(batch) > FRESH_S:
                # Somebody may have handed it in and died before it was written down.
                batch_id = await service.find(batch.mark, len(requests), batch.at_ms / 1000, known)
            batch_id = batch_id or await service.submit(batch.mark, requests)
        except ProviderError as error:
            await self._not_handed_in(name, batch, error)
            return
        await self._store.put(name, replace(batch, id=batch_id, problem=""))
        logger.info("%s: a batch of %d questions was handed in as %s", name, len(requests), batch_id)

    async def _not_handed_in(self, name: str, batch: OpenBatch, error: ProviderError) -> None:
        failure = error.failure
        logger.warning("%s: a batch of %d questions was not handed in: %s", name, batch.count, failure.message)
        if failure.cls in HOPELESS or age_s(batch) > self._settings().deadline_s:
            await self._end(name, batch, {})
        else:
            await self._store.put(name, replace(batch, problem=f"{failure.cls}: {failure.message}"[:200]))

    async def _look(self, name: str, service: BatchProvider, batch: OpenBatch) -> None:
        try:
            state = await service.state(batch.id)
            if not state.ended and age_s(batch) <= self._settings().deadline_s:
                if state.done != batch.done or batch.problem:
                    await self._store.put(name, replace(batch, done=state.done, problem=""))
                return
            results = await service.results(batch.id) if state.ended else {}
            if not state.ended:
                await service.cancel(batch.id)
        except ProviderError as error:
            logger.warning("%s: batch %s cannot be looked at: %s", name, batch.id, error.failure.message)
            gone = error.failure.http_status == 404 or age_s(batch) > self._settings().deadline_s + KEEP_MARGIN_S / 2
            if gone:
                await self._end(name, batch, {})
            else:
                await self._store.put(name, replace(batch, problem=f"{error.failure.cls}: {error.failure.message}"[:200]))
            return
        await self._end(name, batch, results)

    async def _end(self, name: str, batch: OpenBatch, results: dict[str, ProviderReply | ProviderError]) -> None:
        """Leave each task its answer, book what it cost, and call it back; what was not answered is asked live."""
        waited_ms = age_s(batch) * 1000
        tasks = list(await self._store.questions(name, batch.mark))
        left: dict[str, bytes] = {}
        for task in tasks:
            result = results.get(custom_id(batch.mark, task))
            left[task] = written_result(result, waited_ms) if isinstance(result, ProviderReply) else b""
        keep_s = self._settings().deadline_s + KEEP_MARGIN_S
        await self._store.feed_back(name, batch.mark, left, keep_s=keep_s)
        await self._book(name, [results[key] for task in tasks if (key := custom_id(batch.mark, task)) in results])
        self._looked.pop(batch.mark, None)
        await self._queue.hasten(tasks)
        answered = sum(map(bool, left.values()))
        logger.info("%s: of %d questions of a batch %d were answered; the others are asked live", name, len(tasks), answered)

    async def _book(self, name: str, results: list[ProviderReply | ProviderError]) -> None:
        """Paid is paid, also for an answer nobody wants any more."""
        for result in results:
            usage = result.usage
            outcome = "ok" if isinstance(result, ProviderReply) else result.failure.cls.value
            self._metrics.record_batched(name, outcome, usage.input_tokens, usage.output_tokens, usage.cost_usd)
        usages = [result.usage for result in results]
        await self._budgets.settle(
            name,
            None,
            usd=sum(usage.cost_usd or 0.0 for usage in usages),
            tokens=sum((usage.input_tokens or 0) + (usage.output_tokens or 0) for usage in usages),
            calls=len(usages),
            unknown_calls=sum(usage.cost_usd is None for usage in usages),
        )


def custom_id(mark: str, task: str) -> str:
    """Name of a task's question within its batch: what services allow, and telling whose it is."""
    return f"{mark[:16]}_{task.replace('.', '-')}"
