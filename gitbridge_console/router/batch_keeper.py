"""Minds the batches of every provider: closes piles, hands them in, looks how far they are, feeds their results back.

One engine of the fleet does so for a provider at a time. Every step is written down before or right after it is taken, so
that another engine can go on from there: at worst a step is looked for, never done twice unseen.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from gitbridge_console.domain.failures import FailureClass
from gitbridge_console.providers.base import BatchProvider, ProviderError, ProviderReply, ProviderRequest
from gitbridge_console.providers.batched import PRICE
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.batches import KEEP_MARGIN_S, read_request, written_result
from gitbridge_console.router.budgets import BudgetGuard
from gitbridge_console.router.guards import Refusal
from gitbridge_console.router.prompts import tokens_of
from gitbridge_console.router.provider_state import ProviderState
from gitbridge_console.settings.routing import BatchSettings
from gitbridge_console.store.batches import BatchStore, OpenBatch, age_s
from gitbridge_console.store.budgets import KEEP_S, Reserved
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

BACK_OFF_MAX = 15.0
"""Times ``poll_s``, at most, between attempts that fail."""

CANCELLED_S = 3_600.0
"""How long after its deadline a batch may take to end, with what it answered until it was cancelled."""

RESERVED_MAX_S = KEEP_S - 3_600.0
"""What a batch may cost is set aside for so long at most: the books are kept for that long."""

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
        budgets: BudgetGuard,
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
        self._turns: dict[str, tuple[float, int]] = {}
        """By mark: when a batch is looked at next, and how often that failed in a row."""
        self._held: frozenset[str] = frozenset()
        self._handing_in = ""

    async def run(self) -> None:
        """Mind them until cancelled; then another engine may at once, unless a batch was just being handed in."""
        try:
            while True:
                await self._turn()
                await asyncio.sleep(min(TURN_MAX_S, self._settings().poll_s))
        finally:
            await self._let_go()

    async def _let_go(self) -> None:
        try:
            for name in self._held - {self._handing_in}:
                await self._store.let_go(name, self._engine)
        except STORE_AWAY as error:
            self._trouble.report(error)

    async def _turn(self) -> None:
        """Whoever takes batches, and whoever did and has something left of them."""
        states = dict(self._router.states)
        try:
            left = await self._store.read(name for name, state in states.items() if not state.settings.batches)
        except STORE_AWAY as error:
            self._trouble.report(error)
            return
        for name, state in states.items():
            if state.settings.batches or name in left:
                await self._mind_safely(name, state)

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
        if self._handing_in == name:
            self._handing_in = ""
        if batches is None or not await self._hold(name):
            return
        service: BatchProvider = batches()
        off = not state.settings.batches
        if off or self._may_ask(name):
            await self._close(name, at_once=off)
        found = (await self._store.read([name])).get(name)
        known = [batch.id for batch in found.open] if found else []
        for batch in found.open if found else ():
            if not self._is_due(batch):
                continue
            if not await self._hold(name):
                return
            poll_s = self._settings().poll_s
            self._turns[batch.mark] = (self._clock() + poll_s, self._failures(batch))
            try:
                if batch.id:
                    await self._look(name, service, batch)
                else:
                    await self._hand_in(name, service, batch, known, off=off)
            except ProviderError as error:
                await self._after_error(name, batch, error)
            else:
                if batch.mark in self._turns:
                    self._turns[batch.mark] = (self._clock() + poll_s, 0)

    async def _hold(self, name: str) -> bool:
        held = await self._store.hold(name, self._engine, HELD_S)
        self._held = self._held | {name} if held else self._held - {name}
        return held

    def _may_ask(self, name: str) -> bool:
        return self._router.gate(name).open and name not in self._router.paused and name not in self._router.no_new_seats

    async def _close(self, name: str, *, at_once: bool) -> None:
        own = self._settings()
        await self._store.close(
            name,
            tasks=own.max_requests,
            size=own.max_bytes * 9 // 10,
            after_s=0.0 if at_once else own.max_wait_s,
            open_max=own.open_max,
            keep_s=own.deadline_s + KEEP_MARGIN_S,
        )

    def _failures(self, batch: OpenBatch) -> int:
        return self._turns.get(batch.mark, (0.0, 0))[1]

    def _is_due(self, batch: OpenBatch) -> bool:
        return self._clock() >= self._turns.get(batch.mark, (-math.inf, 0))[0]

    async def _hand_in(self, name: str, service: BatchProvider, batch: OpenBatch, known: list[str], *, off: bool) -> None:
        """Hand a batch in; where that was tried before it may have come to pass, though nobody lived to write it down.

        With batches ``off`` for the provider by now, it is only looked for.
        """
        if not batch.tried and not off and age_s(batch) <= self._settings().deadline_s:
            if not self._may_ask(name):
                return
            tasks = await self._store.tasks(name, batch.mark)
            unwanted = set(tasks) - await self._queue.unasked(name, tasks)
            batch = replace(batch, count=await self._store.drop(name, batch.mark, unwanted))
        requests = await self._requests(name, batch)
        batch_id = await service.find(batch.mark, requests, batch.at_ms / 1000, known) if batch.tried and requests else None
        guessed = not service.keeps_marks
        if batch_id is None:
            if off or not requests or age_s(batch) > self._settings().deadline_s:
                await self._end(name, batch, {})
                return
            if not self._may_ask(name):
                return
            if (held := await self._set_aside(name, batch, requests)) is None:
                return
            batch = held
            # Looking for it may have taken long: whoever holds the provider by now hands it in.
            if not await self._store.put(name, batch) or not await self._hold(name):
                return
            self._handing_in = name
            batch_id, guessed = await service.submit(batch.mark, requests), False
        known.append(batch_id)
        await self._store.put(name, replace(batch, id=batch_id, guessed=guessed, problem=""))
        self._handing_in = ""
        logger.info("%s: a batch of %d questions was handed in as %s", name, len(requests), batch_id)

    async def _set_aside(self, name: str, batch: OpenBatch, requests: Mapping[str, ProviderRequest]) -> OpenBatch | None:
        """The batch as it may be handed in, with what it may cost set aside; ``None`` while its budget has no room for it."""
        if batch.reserved:
            return replace(batch, tried=True)
        found = await self._budgets.set_aside(
            name,
            sum(tokens_of(request) for request in requests.values()),
            sum(request.max_output_tokens for request in requests.values()),
            price=PRICE,
            expires_s=min(RESERVED_MAX_S, self._settings().deadline_s + CANCELLED_S),
        )
        if not isinstance(found, Refusal):
            return replace(batch, tried=True, reserved=found.member if found else "")
        if batch.problem != found.reason:
            logger.warning("%s: a batch of %d questions waits: %s", name, len(requests), found.reason)
            await self._store.put(name, replace(batch, problem=found.reason))
        return None

    async def _requests(self, name: str, batch: OpenBatch) -> dict[str, ProviderRequest]:
        requests: dict[str, ProviderRequest] = {}
        for task, raw in (await self._store.questions(name, batch.mark)).items():
            try:
                requests[custom_id(batch.mark, task)] = read_request(raw)
            except (ValueError, TypeError):
                logger.warning("the question of %s in a batch cannot be read; it is asked live", task)
        return requests

    async def _look(self, name: str, service: BatchProvider, batch: OpenBatch) -> None:
        state = await service.state(batch.id)
        if state.ended:
            await self._end(name, batch, await service.results(batch.id))
            return
        now = replace(batch, done=state.done, problem="")
        if not (batch.cancelled or batch.guessed) and not await self._is_wanted(name, batch):
            logger.info("%s: batch %s is cancelled: nobody waits for it any more", name, batch.id)
            await service.cancel(batch.id)
            now = replace(now, cancelled=True)
        if age_s(batch) > self._settings().deadline_s + CANCELLED_S:
            await self._end(name, batch, {})
        elif now != batch:
            await self._store.put(name, now)

    async def _is_wanted(self, name: str, batch: OpenBatch) -> bool:
        """Whether anybody waits for it; after the deadline its tasks are asked live."""
        if age_s(batch) > self._settings().deadline_s:
            return False
        return bool(await self._queue.unasked(name, await self._store.tasks(name, batch.mark)))

    async def _after_error(self, name: str, batch: OpenBatch, error: ProviderError) -> None:
        """Asked again later and later; or its questions are asked live."""
        self._handing_in = ""
        failure = error.failure
        logger.warning("%s: a batch of %d questions (%s): %s", name, batch.count, batch.id or "not handed in", failure.message)
        refused = failure.http_status == 404 if batch.id else failure.cls in HOPELESS
        if refused or age_s(batch) > self._settings().deadline_s + CANCELLED_S:
            await self._end(name, batch, {})
            return
        failures = self._failures(batch) + 1
        poll_s = self._settings().poll_s
        self._turns[batch.mark] = (self._clock() + poll_s * min(BACK_OFF_MAX, 2.0 ** (failures - 1)), failures)
        tried = batch.tried or not batch.id
        await self._store.put(name, replace(batch, tried=tried, problem=f"{failure.cls}: {failure.message}"[:200]))

    async def _end(self, name: str, batch: OpenBatch, results: Mapping[str, ProviderReply | ProviderError]) -> None:
        """Leave each task its answer, call it back, and book what it cost; what was not answered is asked live.

        The batch is over after the tasks were called back: an engine that dies before that leaves it to the next one.
        """
        waited_ms = age_s(batch) * 1000
        tasks = await self._store.tasks(name, batch.mark)
        left: dict[str, bytes] = {}
        for task in tasks:
            result = results.get(custom_id(batch.mark, task))
            left[task] = written_result(result, waited_ms) if isinstance(result, ProviderReply) else b""
        await self._store.feed_back(name, left, keep_s=self._settings().deadline_s + KEEP_MARGIN_S)
        await self._queue.hasten(tasks)
        await self._book(name, batch, [results[key] for task in tasks if (key := custom_id(batch.mark, task)) in results])
        await self._store.finish(name, batch.mark)
        self._turns.pop(batch.mark, None)
        answered = sum(map(bool, left.values()))
        logger.info("%s: of %d questions of a batch %d were answered; the others are asked live", name, len(tasks), answered)

    async def _book(self, name: str, batch: OpenBatch, results: list[ProviderReply | ProviderError]) -> None:
        """Paid is paid, also for an answer nobody wants any more; booked once, by whichever engine comes so far."""
        reserved = Reserved(batch.reserved) if batch.reserved else None
        if not await self._budgets.book_once(name, batch.mark, reserved, [result.usage for result in results]):
            return
        for result in results:
            usage = result.usage
            outcome = "ok" if isinstance(result, ProviderReply) else result.failure.cls.value
            self._metrics.record_batched(name, outcome, usage.input_tokens, usage.output_tokens, usage.cost_usd)


def custom_id(mark: str, task: str) -> str:
    """Name of a task's question within its batch: what services allow, and telling whose it is."""
    return f"{mark[:16]}_{task.replace('.', '-')}"
