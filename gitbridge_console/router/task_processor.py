"""``TaskProcessor``: one claim, one attempt. Ask the provider whose lane the task is in, check the answer, say what is next."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence

from gitbridge_console.domain.decisions import AnswerStatus
from gitbridge_console.domain.events import EventState, Kind
from gitbridge_console.domain.failures import Failure, FailureClass, Verdict
from gitbridge_console.domain.policy import RetryLimits, Step, next_step
from gitbridge_console.domain.tasks import TaskState
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.answer_cache import AnswerCache, Asking, Wait
from gitbridge_console.router.attempt import Outcome, make_attempt, no_answer, usable_answer
from gitbridge_console.router.batches import BatchDesk
from gitbridge_console.router.guards import Guard, Question, Refusal, Reserved, reserve_all
from gitbridge_console.router.hedger import Hedger
from gitbridge_console.router.lane_failover import first_back, too_long
from gitbridge_console.router.lane_room import WORTH_MOVING_S, takes_at_once
from gitbridge_console.router.last_words import write_last_words
from gitbridge_console.router.prompts import BuiltPrompt
from gitbridge_console.router.questions import asks, make_question
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.routing import KindSettings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.records import ClaimedJob
from gitbridge_console.store.trouble import StoreTrouble, insist

logger = logging.getLogger(__name__)

SHORTEST_ATTEMPT_S = 0.5
"""With less time than this to the deadline no call is started."""

GATE_LOOK_S = (0.5, 30.0)
"""Bounds on how long a task rests in its lane while its provider cannot be called."""


class TaskProcessor:
    """Works on tasks of every provider lane; which provider is asked is decided by the lane alone."""

    def __init__(
        self,
        queue: RedisEventQueue,
        router: AIRouter,
        metrics: Metrics,
        trouble: StoreTrouble,
        settings: Callable[[], Settings],
        *,
        guards: Sequence[Guard] = (),
        hedger: Hedger | None = None,
        cache: AnswerCache | None = None,
        batches: BatchDesk | None = None,
        seed: int | None = None,
    ) -> None:
        self._queue = queue
        self._router = router
        self._metrics = metrics
        self._trouble = trouble
        self._settings = settings
        self._guards = guards
        self._hedger = hedger or Hedger(queue, router, metrics, trouble, lambda: settings().hedging)
        self._cache = cache
        self._batches = batches
        self._random = random.Random(seed)

    async def work(self, job: ClaimedJob) -> None:
        """Make one attempt for a claimed task and hand it on."""
        if job.lane not in self._router.states:
            # Gone from the settings since it was claimed; what is left in its lane moves on from there.
            await self._queue.release(job)
            return
        settings = self._settings()
        policy = settings.kinds[Kind(job.header["kind"]).value]
        provider_settings = self._router.states[job.lane].settings
        remaining_s = self._remaining_s(job, policy)
        if remaining_s < SHORTEST_ATTEMPT_S:
            gate = self._router.gate(job.lane)
            if not gate.open and job.number("ca") == 0:
                # Never asked, and nobody could be: the event parks at its deadline, and this seat gets a new one after.
                await self._queue.release(job, delay_s=min(GATE_LOOK_S[1], max(1.0, remaining_s + 1.0)))
                return
            failure = Failure(FailureClass.SILENT, "the event's deadline passed before this seat could be asked")
            await self._end_unasked(job, failure)
            return
        if not self._router.gate(job.lane).open:
            await self._pass_by(job, policy, remaining_s)
            return
        prompt = await self._prompt(job, provider_settings.max_output_tokens)
        if small := self._router.too_small(job.lane, prompt.tokens):
            await self._does_not_fit(job, policy, prompt, small)
            return
        timeout_s = min(provider_settings.timeout_total_s, remaining_s)
        found = await self._cache.look(job, provider_settings, prompt, timeout_s) if self._cache and not asks(job) else Asking(None)
        if isinstance(found, Wait):
            await self._queue.release(job, delay_s=found.look_again_in_s)
            return
        if isinstance(found, Outcome):
            await self._take_known(job, found)
            return
        if self._batches and not asks(job) and await self._goes_by_batch(self._batches, job, policy, prompt, found):
            return
        outcome = await self._ask_guarded(job, policy, prompt, timeout_s, remaining_s, found)
        if outcome is None:
            return
        if outcome.failure is None:
            if asks(job) is None:  # questions about answers take another time than the kind's own
                self._hedger.answered(job.lane, job.header["kind"], outcome.attempt.latency_ms / 1000)
            await self._succeed(job, outcome)
        else:
            await self._after_failure(job, policy, settings, outcome, outcome.failure, remaining_s)

    async def _goes_by_batch(self, batches: BatchDesk, job: ClaimedJob, policy: KindSettings, prompt: BuiltPrompt, asking: Asking) -> bool:
        """Whether a batch answered the question, or it waits for one; else it is asked live."""
        try:
            batched = await batches.hand_in(job, policy, prompt)
        except BaseException:
            await write_last_words(asking.done(None), self._trouble)
            raise
        if batched is None:
            return False
        await asking.done(batched if isinstance(batched, Outcome) else None)
        if isinstance(batched, Outcome):
            await self._take_known(job, batched)
            await batches.settled(job)
        else:
            await self._queue.release(job, delay_s=batched.look_in_s, batched=True)
            if await batches.came(job):
                # Between the pile and the lane: whoever brought the answer found nobody waiting.
                await self._queue.hasten([job.id])
        return True

    async def _take_known(self, job: ClaimedJob, outcome: Outcome) -> None:
        """The answer is there without a call."""
        if await self._queue.begin(job) is None:
            await self._queue.release(job)
            return
        await self._succeed(job, outcome)

    async def _ask_guarded(
        self, job: ClaimedJob, policy: KindSettings, prompt: BuiltPrompt, timeout_s: float, remaining_s: float, asking: Asking
    ) -> Outcome | None:
        """Make the attempt, unless limits or budgets hold it back; ``None`` when the task is out of our hands.

        Whenever it is cancelled, what the attempt took is booked and the question is free again.
        """
        reserved, made = Reserved(()), list[Outcome]()
        try:
            limit = prompt.request.max_output_tokens
            found = await reserve_all(self._guards, Question(job.id, job.lane, prompt.tokens, limit, job.priority))
            if isinstance(found, Refusal):
                await self._pass_by(job, policy, remaining_s, found)
            else:
                reserved = found
                async with self._hedger.watching(job, policy, prompt.tokens, remaining_s):
                    await self._ask(job, policy, prompt, timeout_s, made.append)
        except BaseException:
            await write_last_words(self._give_up(job, self._end(job, reserved, asking, made), made), self._trouble)
            raise
        ending = asyncio.create_task(self._end(job, reserved, asking, made), name=f"end of an attempt of {job.id}")
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            await write_last_words(self._give_up(job, ending, made), self._trouble)
            raise
        return made[0] if made else None

    async def _end(self, job: ClaimedJob, reserved: Reserved, asking: Asking, made: Sequence[Outcome]) -> None:
        """Book what an attempt took in the metrics and for the guards, and let others have its answer, or ask."""
        outcome = made[0] if made else None
        if outcome is not None:
            self._metrics.note_attempt(job.id, outcome.attempt)
        await reserved.settle(outcome)
        await asking.done(outcome)

    async def _give_up(self, job: ClaimedJob, ending: Awaitable[None], made: Sequence[Outcome]) -> None:
        """End an attempt nobody hands on any more: on the task's record too, an answer that came all the same included."""
        await ending
        for outcome in made:
            attempt = outcome.attempt.model_copy(update={"verdict": Verdict.CANCELLED})
            await self._queue.book_attempt(job, attempt.model_dump_json())

    async def _ask(
        self, job: ClaimedJob, policy: KindSettings, prompt: BuiltPrompt, timeout_s: float, made: Callable[[Outcome], None]
    ) -> None:
        """Make the attempt and tell ``made`` what it came to; without an attempt the task is out of our hands."""
        call = self._router.begin(job.lane, timeout_s)
        if call is None:
            await self._pass_by(job, policy, timeout_s)
            return
        try:
            wanted = await self._queue.begin(job) is not None
        except BaseException:
            self._router.cancelled(call)
            raise
        if not wanted:
            self._router.cancelled(call)
            await self._queue.release(job)
            return
        form = asks(job) or Kind(job.header["kind"])
        made(await make_attempt(self._router, job.lane, form, call, prompt, timeout_s, made))

    def _remaining_s(self, job: ClaimedJob, policy: KindSettings) -> float:
        """Seconds to the event's deadline; it begins with the first seat that is asked, and anew after the event was parked."""
        deadline = job.event.get("deadline")
        if deadline is None or job.event["state"] != EventState.CONSENSUS_PENDING:
            return float(job.event.get("limit", policy.deadline_s * 1000)) / 1000
        return (float(deadline) - job.claimed_ms) / 1000

    async def _pass_by(self, job: ClaimedJob, policy: KindSettings, remaining_s: float, refusal: Refusal | None = None) -> None:
        """The provider cannot be called now, though the seat is in hand: it waits in its lane, uncounted, or moves if that is too long."""
        gate = self._router.gate(job.lane)
        why, retry_in_s = (refusal.reason, refusal.retry_in_s) if refusal else (gate.reason, gate.retry_in_s)
        shut = refusal is not None or not gate.open
        if not shut:
            why, retry_in_s = "its place was taken a moment ago", 0.0
        reason = f"{job.lane}: {why}"
        soon = refusal is not None and retry_in_s is not None and retry_in_s < WORTH_MOVING_S
        if not soon and (refusal is not None or too_long(retry_in_s, 0.0, min(self._settings().retry.lane_hold_s, remaining_s))):
            others = self._router.candidates(policy, exclude=self._used_up(job), tokens=job.number("tk"), kind=job.header["kind"])
            if refusal is not None:
                # The provider is well: only one that asks at once is any quicker.
                others = [name for name in others if takes_at_once(self._router, name)]
            if await self._seat_goes_to(others, job, reason):
                return
        if soon:
            # Precisely as long, so that it is the first in line again when there is room; and too short to call the event parked.
            await self._queue.release(job, delay_s=retry_in_s or 0.0)
            return
        low, high = GATE_LOOK_S
        delay_s = high if retry_in_s is None else min(high, max(low, retry_in_s))
        await self._queue.release(job, delay_s=delay_s, parked=shut, reason=reason, chance_s=retry_in_s)

    async def _does_not_fit(self, job: ClaimedJob, policy: KindSettings, prompt: BuiltPrompt, reason: str) -> None:
        """The provider's model cannot read so much: nobody pays to hear that; one that can takes the seat, or it ends."""
        others = self._router.candidates(policy, exclude=self._used_up(job), tokens=prompt.tokens, kind=job.header["kind"])
        text = f"{job.lane}: {reason}"
        if not await self._seat_goes_to(others, job, text):
            await self._end_unasked(job, Failure(FailureClass.TOO_LARGE, text))

    def _used_up(self, job: ClaimedJob) -> list[str]:
        """Who is not asked by failing over: its own provider, and those that were asked as often as one may be.

        A question of the second round was made for one provider, and goes to nobody else.
        """
        if asks(job) is not None:
            return list(self._router.states)
        most = self._settings().retry.attempts_per_provider_max
        return [name for name in self._router.states if name == job.lane or job.number(f"ca:{name}") >= most]

    async def _seat_goes_to(self, others: Sequence[str], job: ClaimedJob, why: str) -> bool:
        """Give a seat that was not asked to the first of ``others`` that has none on its panel; true when it is out of our hands."""
        return bool(others) and await self._queue.retry_task(job, verdict=Verdict.FAIL_OVER, text=why, candidates=others) != ""

    async def _end_unasked(self, job: ClaimedJob, failure: Failure) -> None:
        answer = no_answer(job.id, job.lane, failure)
        await self._queue.settle_task(job, TaskState.FAILED, answer=answer.model_dump_json(), error_class=failure.cls, text=failure.message)

    async def _prompt(self, job: ClaimedJob, limit: int) -> BuiltPrompt:
        return await make_question(job, self._queue, self._settings(), limit)

    async def _succeed(self, job: ClaimedJob, outcome: Outcome) -> None:
        answer = usable_answer(job.id, outcome)
        await insist(
            lambda: self._queue.settle_task(
                job,
                TaskState.SUCCEEDED,
                attempt=outcome.attempt.model_dump_json(),
                answer=answer.model_dump_json(),
                vote=answer.status is AnswerStatus.OK and asks(job) is None,
            ),
            self._trouble,
            for_s=self._queue.settings.lease_s,
        )

    async def _after_failure(
        self, job: ClaimedJob, policy: KindSettings, settings: Settings, outcome: Outcome, failure: Failure, remaining_s: float
    ) -> None:
        calls_here = job.number(f"ca:{job.lane}") + 1
        # Calls of its other half count too: the limit is one of the seat.
        tokens, calls = outcome.prompt.tokens, job.number("ca") + job.number("cx") + 1
        others = self._router.candidates(policy, exclude=self._used_up(job), tokens=tokens, kind=job.header["kind"])
        # Else two that fail alike would have the seat by turns until its attempts are used up, and a third would never be asked.
        others.sort(key=lambda name: job.number(f"ca:{name}"))
        left_s = remaining_s - outcome.attempt.latency_ms / 1000
        limits = settings.retry
        step = next_step(
            failure,
            RetryLimits(limits.attempts_max, limits.attempts_per_provider_max, limits.backoff_base_s, limits.backoff_cap_s),
            calls=calls,
            calls_here=calls_here,
            candidates=bool(others),
            remaining_s=left_s,
            jitter=self._random.random(),
            may_repeat=self._router.may_repeat(job.lane),
        )
        goes_to = others if step.verdict in (Verdict.FAIL_OVER, Verdict.DISABLE) else []
        if step.verdict is Verdict.GIVE_UP and failure.rule.other_provider and calls < limits.attempts_max:
            # Nobody can be asked now: the seat waits in the lane of whoever is back first.
            goes_to = first_back(self._router, policy, self._used_up(job), tokens=tokens, within_s=left_s)
            step = Step(Verdict.PARK) if goes_to else step
        if step.verdict is Verdict.RETRY or (step.verdict is Verdict.FAIL_OVER and job.number("ca") > job.number(f"ca:{job.lane}")):
            self._router.repeated()
        logger.info("%s %s: %s %s, %s: %s", job.id, job.lane, failure.code, failure.cls, step.verdict, failure.message)
        attempt = outcome.attempt.model_copy(update={"verdict": step.verdict})
        stored = attempt.model_dump_json()
        text = f"{job.lane}: {failure.cls.value}: {failure.message}"
        if goes_to:
            lane = await insist(
                lambda: self._queue.retry_task(job, attempt=stored, verdict=step.verdict, text=text, candidates=goes_to),
                self._trouble,
                for_s=self._queue.settings.lease_s,
            )
            if lane != "":
                return
            # Every other provider sits on this panel already; the attempt is on record.
            stored, step = "", Step(Verdict.GIVE_UP)
        if step.verdict in (Verdict.RETRY, Verdict.PARK):
            await insist(
                lambda: self._queue.retry_task(job, attempt=stored, delay_s=step.delay_s, verdict=step.verdict, text=text),
                self._trouble,
                for_s=self._queue.settings.lease_s,
            )
            return
        answer = no_answer(job.id, job.lane, failure, attempt)
        await insist(
            lambda: self._queue.settle_task(
                job, TaskState.FAILED, attempt=stored, answer=answer.model_dump_json(), error_class=failure.cls, text=text
            ),
            self._trouble,
            for_s=self._queue.settings.lease_s,
        )
