"""``EventRouter``: the ``fetch`` and ``route`` stages. Classify an event, choose its panel, create its tasks."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from gitbridge_console.domain.events import EventFacts, EventState, Kind
from gitbridge_console.domain.facts import read_facts, supersede_version
from gitbridge_console.domain.failures import ERROR_CODES, FailureClass
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.batches import goes_by_batch
from gitbridge_console.router.classifier import Classification, classify, ourselves
from gitbridge_console.router.overload import Overload, Step, may_be_shed
from gitbridge_console.router.prompts import build_request, template_for
from gitbridge_console.router.risk import all_named, policy_for, risk_of
from gitbridge_console.router.selection import Selection
from gitbridge_console.settings.model import Settings
from gitbridge_console.sources.changes import Change, ChangeSource
from gitbridge_console.sources.diffs import material_from
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.records import ClaimedJob, Ending, RoutePlan

logger = logging.getLogger(__name__)


class EventRouter:
    """Turns an event into a panel of tasks, or says why not."""

    def __init__(
        self,
        queue: RedisEventQueue,
        router: AIRouter,
        metrics: Metrics,
        settings: Callable[[], Settings],
        overload: Callable[[], Overload] = Overload,
        changes: ChangeSource | None = None,
        watch: Callable[[str, EventFacts, str], Awaitable[None]] | None = None,
    ) -> None:
        """``watch`` is told of every event that is not ignored, to show on its commit how far it is."""
        self._queue = queue
        self._router = router
        self._metrics = metrics
        self._settings = settings
        self._overload = overload
        self._changes = changes
        self._watch = watch

    async def fetch(self, job: ClaimedJob) -> None:
        """See to it that the reviewers get to see the change; after some attempts it goes on without, and says so."""
        own = self._settings().sources
        facts = read_facts(job.event["ty"], json.loads(job.payload), job.diff)
        change = await self._changes.find(facts) if self._changes is not None and not job.diff else Change()
        attempts = job.number("fa") + change.asked
        delay_s = max(change.retry_in_s or 0.0, own.backoff_s * 2 ** (attempts - 1) if change.asked else 0.0)
        in_time = (job.claimed_ms - job.received_ms) / 1000 + delay_s <= own.deadline_s
        if change.retry_in_s is not None and attempts < own.attempts_max and in_time:
            header = {"fa": str(attempts)}
            await self._queue.hand_on(job, "fetch", EventState.RECEIVED, by="fetch", why=change.note, delay_s=delay_s, header=header)
            return
        if change.diff and not await self._queue.attach(job, change.diff):
            return
        material = material_from(facts, change.diff or job.diff, own)
        note = "; ".join(part for part in (material.note, change.note) if part)
        await self._queue.hand_on(job, "route", EventState.RECEIVED, by="fetch", header={"fd": "1"}, texts={"material": note})

    async def route(self, job: ClaimedJob) -> Ending | None:
        """Classify and hand on to the chosen providers' lanes; ignored events end here, with the reason, which is returned."""
        started = time.monotonic()
        settings = self._settings()
        payload = json.loads(job.payload)
        facts = read_facts(job.event["ty"], payload, job.diff)
        verdict = classify(facts, settings.rules, ourselves(settings.hosts, facts.host))
        if verdict.ignored:
            texts = {"reason": verdict.reason, "rule": verdict.rule}
            self._metrics.count("out")
            return Ending(EventState.IGNORED, verdict.reason, texts=texts)
        if self._watch is not None:
            await self._watch(job.id, facts, verdict.kind.value)
        material = material_from(facts, job.diff, settings.sources)
        risk, why_risk = risk_of(material.files, settings.kinds[verdict.kind.value], whole=all_named(material, facts))
        policy = policy_for(settings.kinds[verdict.kind.value], risk)
        asked = await self._queue.asked_panel(job)
        if asked:
            policy = policy.model_copy(
                update={"prefer": asked, "reserve": (), "seats": len(asked), "quorum": min(policy.quorum, len(asked))}
            )
        overload = self._overload()
        priority = job.priority if job.header.get("pin") else verdict.priority
        sheddable = may_be_shed(priority, settings.shedding)
        seats = len(asked) or overload.seats(policy, may_be_shed=sheddable)
        own = template_for(verdict.kind, settings.kinds[verdict.kind.value], await self._queue.asked_prompt(job))
        tokens = build_request(verdict.kind, facts, material, "", 0, own=own).tokens
        selection = self._router.select(policy, seats, tokens=tokens, kind=verdict.kind.value, priority=priority)
        if selection.too_large:
            await self._fail(job, verdict, FailureClass.TOO_LARGE, "nobody can read so much: " + "; ".join(selection.reasons))
            return None
        if not selection.lanes:
            await self._park(job, verdict, selection, settings)
            return None
        if sheddable and overload.step is Step.SHEDDING and self._waits_too_long(selection, overload, settings):
            await self._queue.hand_on(job, "", EventState.SHED, by="overload", why=overload.reason, texts={"reason": overload.reason})
            return None
        if seats < policy.seats:
            selection = replace(selection, reasons=(*selection.reasons, f"{seats} of {policy.seats} seats: {overload.reason}"))
        if asked:
            selection = replace(selection, reasons=(*selection.reasons, f"asked for by an operator: {', '.join(asked)}"))
        elif policy.seats != settings.kinds[verdict.kind.value].seats:
            selection = replace(selection, reasons=(*selection.reasons, f"{policy.seats} seats: {risk}, {why_risk}"))
        batched = goes_by_batch(settings, policy, priority)
        subject = supersede_version(job.event["ty"], payload)
        # Where `fetch` looked for a diff, it has told what there is and why there is no more.
        told = {} if job.header.get("fd") else {"material": material.note}
        plan = RoutePlan(
            kind=verdict.kind,
            priority=verdict.priority,
            lanes=selection.lanes,
            quorum=min(policy.quorum, seats),
            grace_s=policy.grace_s,
            deadline_s=settings.batches.deadline_s if batched else policy.deadline_s,
            expires_s=settings.queue.expires_s + (settings.batches.deadline_s if batched else 0.0),
            subject=subject[0] if subject else "",
            version=subject[1] if subject else 0,
            tokens=tokens,
            risk=risk,
            texts=self._texts(verdict, selection) | told,
        )
        outcome, other = await self._queue.route(job, plan)
        self._metrics.record_value("routing_latency", (time.monotonic() - started) * 1000)
        if other:
            logger.info("%s: %s, the other is %s", job.id, outcome, other)
        return None

    def _waits_too_long(self, selection: Selection, overload: Overload, settings: Settings) -> bool:
        return max((overload.waits_s.get(lane, 0.0) for lane in selection.lanes), default=0.0) >= settings.shedding.max_wait_s

    def _texts(self, verdict: Classification, selection: Selection) -> dict[str, str]:
        return {
            "reason": verdict.reason,
            "rule": verdict.rule,
            "panel": ", ".join(selection.lanes),
            "routing": "\n".join(selection.reasons),
        }

    async def _park(self, job: ClaimedJob, verdict: Classification, selection: Selection, settings: Settings) -> None:
        """Nobody may be asked now: the event waits, visibly, and fails only when it is older than ``expires_s``."""
        why = "no provider can be asked: " + "; ".join(selection.reasons)
        if job.claimed_ms - job.received_ms > settings.queue.expires_s * 1000:
            await self._fail(job, verdict, FailureClass.NO_PROVIDER, why)
            return
        delay_s = min(settings.queue.park_check_s, selection.next_chance_s or settings.queue.park_check_s)
        chance_s = selection.next_chance_s
        chance = "" if chance_s is None else str(round(job.claimed_ms + chance_s * 1000))
        texts = {"reason": why, "routing": "\n".join(selection.reasons), "chance": chance}
        await self._queue.hand_on(job, "route", EventState.PARKED, why=why, delay_s=max(0.5, delay_s), header=_kind(verdict), texts=texts)

    async def _fail(self, job: ClaimedJob, verdict: Classification, failure: FailureClass, why: str) -> None:
        header = _kind(verdict) | {"err": failure.value, "code": ERROR_CODES[failure]}
        await self._queue.hand_on(job, "", EventState.FAILED, why=failure, header=header, texts={"error": why})
        self._metrics.count("out")


def _kind(verdict: Classification) -> dict[str, str]:
    return {"kind": Kind(verdict.kind).value}
