"""The ``decide`` stage: ask the ``ConsensusManager`` and see to what follows."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence

from gitbridge_console.consensus.cascade import could_change
from gitbridge_console.consensus.manager import ConsensusInput, ConsensusManager, is_vote
from gitbridge_console.consensus.strategies import Panel
from gitbridge_console.domain.decision_records import decision_record
from gitbridge_console.domain.decisions import Answer, AnswerStatus, Decision, DecisionState, conflict_letters
from gitbridge_console.domain.event_views import TaskDetail
from gitbridge_console.domain.events import EventState, Kind
from gitbridge_console.domain.failures import ERROR_CODES, FailureClass
from gitbridge_console.domain.timestamps import iso_from_ms, ms_from_iso
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.decision_basis import WITH_FINDINGS, read_basis, with_vendors
from gitbridge_console.router.hedging import one_per_seat
from gitbridge_console.router.risk import policy_for
from gitbridge_console.router.second_round import cost_of, questions, read_answers, with_open_claims
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.routing import KindSettings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.outcomes import OutcomeStore
from gitbridge_console.store.reader import EventReader
from gitbridge_console.store.records import ClaimedJob, Seat

logger = logging.getLogger(__name__)

STILL_OUT = frozenset({"queued", "in_progress", "waiting"})

STEP_IN_S = 3.0
"""With less time than this to the deadline the reserve is not asked to step in any more."""


def answers_of(panel: Sequence[TaskDetail]) -> tuple[Answer, ...]:
    """What each seat has to say; a seat without an answer is pending, cancelled, or an error when it was given up."""
    return tuple(task.answer or _no_answer(task) for task in panel)


def _no_answer(task: TaskDetail) -> Answer:
    if task.state in STILL_OUT:
        status, reason = AnswerStatus.PENDING, f"no answer by the deadline; the seat is {task.state.replace('_', ' ')}"
    elif task.state == "cancelled":
        status, reason = AnswerStatus.CANCELLED, "cancelled"
    else:
        status, reason = AnswerStatus.ERROR, "given up: it ended its worker too often"
    return Answer(task_id=task.id, provider=task.provider, status=status, reason=reason)


def failure_of(panel: Sequence[TaskDetail]) -> tuple[FailureClass, str]:
    """Why a panel gave nothing: the commonest class of its last attempts, with one of their messages."""
    last = [task.attempts[-1] for task in panel if task.attempts and task.attempts[-1].outcome != "ok"]
    if not last:
        reasons = [task.answer.reason for task in panel if task.answer is not None and task.answer.reason]
        return FailureClass.NO_QUORUM, reasons[0] if reasons else "no provider answered before the deadline"
    name = Counter(attempt.outcome for attempt in last).most_common(1)[0][0]
    attempt = next(a for a in last if a.outcome == name)
    return FailureClass.known(name), f"{attempt.provider}: {attempt.message}"


def digest_of(decision: Decision) -> dict[str, str]:
    """What lists show of a decision, kept in the event's header so that no list has to read whole decisions."""
    agreement = decision.agreement
    return {
        "verdict": decision.verdict[:60],
        "agree": f"{agreement.verdict_k}/{agreement.verdict_n}",
        "decided": decision.state.value,
        "decided_ms": str(ms_from_iso(decision.created_at)),
        "split": "1" if agreement.verdict_k < agreement.verdict_n else "0",
        "findings": f"{agreement.findings_confirmed} of {agreement.findings_total} confirmed" if agreement.findings_total else "",
        "conflicts": str(len(decision.conflicts)),
        "clash": conflict_letters(decision.conflicts),
        "band": agreement.band,
    }


def event_of(job: ClaimedJob) -> dict[str, str]:
    """What a record says of an event beside its id."""
    names = {"type": "ty", "delivery": "dl", "repository": "rp", "kind": "kind", "run": "run", "risk": "risk"}
    return {name: job.header[field] for name, field in names.items() if job.header.get(field)}


class DecisionStage:
    """Works on the ``decide`` lane."""

    def __init__(
        self,
        queue: RedisEventQueue,
        reader: EventReader,
        router: AIRouter,
        outcomes: OutcomeStore,
        metrics: Metrics,
        settings: Callable[[], Settings],
    ) -> None:
        self._queue = queue
        self._reader = reader
        self._router = router
        self._outcomes = outcomes
        self._metrics = metrics
        self._settings = settings
        self._manager = ConsensusManager()

    async def work(self, job: ClaimedJob) -> None:
        """Decide one event from the answers that are there, once."""
        kind = Kind(job.header["kind"])
        settings = self._settings()
        policy = policy_for(settings.kinds[kind.value], job.header.get("risk", ""))
        tasks = await self._reader.panel(job.id, job.header)
        asked = [task for task in tasks if task.asks]
        panel = one_per_seat([task for task in tasks if not task.asks])
        answers = with_vendors(answers_of(panel), settings)
        basis = await read_basis(job, kind, answers, self._queue, self._outcomes, settings)
        verifications, arbitration = read_answers(asked, await self._reader.asked(job.id, [task.id for task in asked]))
        decision = self._manager.decide(
            ConsensusInput(
                event_id=job.id,
                run=job.number("run", 1),
                kind=kind,
                policy=policy,
                answers=answers,
                created_at=iso_from_ms(job.claimed_ms),
                decision_id=f"{job.id}-{job.number('run', 1)}",
                basis=basis.model_copy(update={"verifications": verifications, "arbitration": arbitration, "asked_usd": cost_of(asked)}),
            )
        )
        if await self._widened(job, policy, tasks, panel, decision):
            return
        if decision.state is DecisionState.FAILED:
            await self._without_votes(job, policy, panel, decision)
            return
        decision = with_open_claims(decision, policy)
        header = digest_of(decision)
        self._metrics.record_value("processing", job.claimed_ms - job.number("rx", job.claimed_ms))
        if decision.needs_operator or policy.approval == "operator":
            lane, state, why = "", EventState.AWAITING_APPROVAL, f"{decision.state}: {decision.verdict}, an operator decides"
        elif policy.action == "none":
            lane, state, why = "", EventState.RESOLVED, decision.verdict
        else:
            lane, state, why = "act", EventState.CONSENSUS_PENDING, decision.verdict
        stored, record = decision.model_dump_json(), decision_record(decision, event_of(job))
        await self._queue.hand_on(
            job, lane, state, by="consensus", why=why, cancel_waiting_seats=True, decision=stored, header=header, record=record
        )
        if decision.agreement.share is not None and kind in WITH_FINDINGS:
            await self._outcomes.agreed(job.header.get("rp", ""), decision.agreement.share)
        if state is EventState.RESOLVED:
            self._metrics.count("out")

    async def _widened(
        self, job: ClaimedJob, policy: KindSettings, tasks: Sequence[TaskDetail], panel: Sequence[TaskDetail], decision: Decision
    ) -> bool:
        """Whether somebody else is asked before it is decided: a stand-in, one vote more, or questions about the answers."""
        in_time = job.number("deadline") - job.claimed_ms >= STEP_IN_S * 1000
        waits = any(task.state in STILL_OUT for task in tasks)
        # A panel that was made small on purpose stays small, see router/overload.py.
        if not in_time or waits or job.number("quorum", policy.quorum) < policy.quorum:
            return False
        if (stand_in := self._stand_in(job, policy, tasks, panel, decision)) is not None:
            note = f"{stand_in} steps in: {decision.answered} answers gave too few votes"
            return await self._ask(job, [Seat(stand_in)], note)
        quorate = decision.state in (DecisionState.COMPLETE, DecisionState.PARTIAL)
        if not quorate or any(task.asks for task in tasks):
            return False
        if (third := self._one_more(job, policy, tasks, panel, decision)) is not None:
            return await self._ask(job, [Seat(third)], f"votes differ, {third} is asked too")
        seats = questions(decision, policy, self._askable())
        note = f"questions about the answers, to {', '.join(seat.lane for seat in seats)}"
        # They never go by batch, whose deadline a bulk event has.
        return bool(seats) and await self._ask(job, seats, note, policy.deadline_s)

    async def _ask(self, job: ClaimedJob, seats: Sequence[Seat], note: str, most_s: float = 0.0) -> bool:
        await self._queue.widen(job, *seats, note=note, most_s=most_s)
        return True

    def _stand_in(
        self, job: ClaimedJob, policy: KindSettings, tasks: Sequence[TaskDetail], panel: Sequence[TaskDetail], decision: Decision
    ) -> str | None:
        """Who of the reserve may fill up a panel that lacks votes: once per run, and not after a refusal.

        What one provider refuses on grounds of policy is not passed round to others.
        """
        if decision.state is not DecisionState.DEGRADED or len(panel) > policy.seats:
            return None
        if any(answer.status is AnswerStatus.REFUSED for answer in decision.answers):
            return None
        return self._next_free(job, policy, tasks)

    def _one_more(
        self, job: ClaimedJob, policy: KindSettings, tasks: Sequence[TaskDetail], panel: Sequence[TaskDetail], decision: Decision
    ) -> str | None:
        """Who is asked because votes differ and its own could decide: once per run."""
        if not policy.cascade or len(panel) > policy.seats or (free := self._next_free(job, policy, tasks)) is None:
            return None
        kind = Kind(decision.kind)
        votes = tuple(answer for answer in decision.answers if is_vote(answer, kind))
        vendor = self._settings().providers[free].vendor
        return (
            free if could_change(policy.strategy, Panel(kind, votes, decision.clusters, decision.basis.reliability), free, vendor) else None
        )

    def _askable(self) -> list[str]:
        off = {*self._router.paused, *self._router.no_new_seats}
        return [name for name in self._router.states if name not in off and self._router.gate(name).open]

    def _next_free(self, job: ClaimedJob, policy: KindSettings, tasks: Sequence[TaskDetail]) -> str | None:
        asked = {name for task in tasks for name in (task.provider, task.seat)}
        return next(iter(self._router.candidates(policy, exclude=tuple(asked), tokens=job.number("tk"), kind=job.header["kind"])), None)

    async def _without_votes(self, job: ClaimedJob, policy: KindSettings, panel: Sequence[TaskDetail], decision: Decision) -> None:
        """Nobody voted: wait on while a seat is still out, resolve when all abstained, else fail, replayable."""
        expires_ms = self._settings().queue.expires_s * 1000
        expired = job.claimed_ms - job.number("ran", job.claimed_ms) > expires_ms
        if any(task.state in STILL_OUT for task in panel) and not expired:
            lanes = ", ".join(sorted({task.provider for task in panel if task.state in STILL_OUT}))
            why = f"no answer yet, seats wait in {lanes}"
            # When their chance comes is said by who looks after closed lanes.
            texts = {"chance": ""}
            await self._queue.hand_on(job, "decide", EventState.PARKED, by="consensus", why=why, delay_s=policy.deadline_s, texts=texts)
            return
        stored, record = decision.model_dump_json(), decision_record(decision, event_of(job))
        self._metrics.count("out")
        if all(task.answer is not None and task.answer.status in (AnswerStatus.ABSTAIN, AnswerStatus.REFUSED) for task in panel):
            why = "every reviewer abstained or refused; nothing is done"
            header, texts = digest_of(decision), {"reason": why}
            await self._queue.hand_on(
                job, "", EventState.RESOLVED, by="consensus", why=why, decision=stored, header=header, texts=texts, record=record
            )
            return
        failure, message = (FailureClass.EXPIRED, "no provider could be asked in time") if expired else failure_of(panel)
        header = digest_of(decision) | {"err": failure.value, "code": ERROR_CODES[failure]}
        await self._queue.hand_on(
            job,
            "",
            EventState.FAILED,
            by="consensus",
            why=failure,
            cancel_waiting_seats=True,
            decision=stored,
            header=header,
            texts={"error": message},
            record=record,
        )
