"""The ``act`` stage: publish what was decided, or in a dry run store the exact requests that would."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Any

from gitbridge_console.actions.outbox import Done, Outbox, Stuck, Wait
from gitbridge_console.actions.record import is_of_run, is_out, not_sent, planned, told
from gitbridge_console.actions.requests import NoAction, plan_action
from gitbridge_console.consensus.conflicts import conflict
from gitbridge_console.domain.decision_records import action_record
from gitbridge_console.domain.decisions import Decision
from gitbridge_console.domain.events import EventFacts, EventState, Kind
from gitbridge_console.domain.facts import read_facts, supersede_version
from gitbridge_console.domain.timestamps import iso_from_ms
from gitbridge_console.settings.model import Settings
from gitbridge_console.sources.diffs import material_from
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.outbox import FenceVoid, OutboxStore
from gitbridge_console.store.reader import EventReader
from gitbridge_console.store.records import ClaimedJob

logger = logging.getLogger(__name__)

AT_ONCE = 4
"""Actions one engine works on at a time: writes go out one after the other anyway."""
SHUT_MAX_S = 5.0
"""Up to this the lane stays shut until the next write may go out; for longer, jobs wait by themselves, in nobody's way."""
DRY = "dry run: nothing was sent"


class ActRoom:
    """How many more actions may be claimed: none until the next write can go out, so that a backlog is not claimed over and over."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._opens_at = 0.0

    def shut(self, for_s: float) -> None:
        """Nothing can be written for so long."""
        if 0 < for_s <= SHUT_MAX_S:
            self._opens_at = max(self._opens_at, self._clock() + for_s)

    def __call__(self, active: int) -> tuple[int, float]:
        """Room beside ``active`` jobs, and the seconds until there may be some."""
        shut_s = self._opens_at - self._clock()
        return (0, shut_s) if shut_s > 0 else (AT_ONCE - active, 1.0)


class ActionStage:
    """Works on the ``act`` lane."""

    def __init__(
        self,
        queue: RedisEventQueue,
        reader: EventReader,
        metrics: Metrics,
        settings: Callable[[], Settings],
        store: OutboxStore,
        outbox: Outbox,
    ) -> None:
        self._queue = queue
        self._reader = reader
        self._metrics = metrics
        self._settings = settings
        self._store = store
        self._outbox = outbox
        self.room = ActRoom()

    async def work(self, job: ClaimedJob) -> None:
        """Do what was decided, as far as it goes now."""
        settings = self._settings()
        decision = await self._reader.decision(job.id)
        assert decision is not None, "an event reaches `act` only with a decision"
        payload = json.loads(job.payload)
        facts = read_facts(job.event["ty"], payload, job.diff)
        stored = await self._store.read(job.id)
        begun = stored if is_of_run(stored, job.number("run", 1)) else None
        # What may have been published already is looked up, whatever the head is by now.
        if not (begun and is_out(begun)) and (newer := await self._newer_head(job, payload)):
            record = stale_record(settings.kinds[Kind(decision.kind).value].action, facts.head_sha, newer)
            await self._end(job, decision, record | {"dry_run": settings.actions.dry_run})
            return
        action = begun or self._planned(job, settings, facts, decision)
        if settings.actions.dry_run or "writes" not in action:
            await self._end(job, decision, _unsent(action) if settings.actions.dry_run else action)
            return
        try:
            await self._publish(job, decision, action, facts)
        except FenceVoid as error:
            logger.info("%s; nothing more is done here", error)

    def _planned(self, job: ClaimedJob, settings: Settings, facts: EventFacts, decision: Decision) -> dict[str, Any]:
        policy = settings.kinds[Kind(decision.kind).value]
        files = material_from(facts, job.diff, settings.sources).files
        plan = plan_action(policy, facts, decision, files, settings.actions)
        if isinstance(plan, NoAction):
            return not_sent(policy.action, plan.reason, dry_run=settings.actions.dry_run)
        return planned(plan, run=job.number("run", 1), at_ms=job.claimed_ms)

    async def _publish(self, job: ClaimedJob, decision: Decision, action: dict[str, Any], facts: EventFacts) -> None:
        step = await self._outbox.advance(job, action, facts)
        if isinstance(step, Wait):
            self.room.shut(step.pace_s)
            texts = {"reason": step.why}
            await self._queue.hand_on(job, "act", EventState.CONSENSUS_PENDING, by="act", why=step.why, delay_s=step.delay_s, texts=texts)
        elif isinstance(step, Stuck):
            why = f"could not be published: {step.why}"
            logger.warning("%s %s; an operator decides", job.id, why)
            await self._queue.hand_on(
                job, "", EventState.AWAITING_APPROVAL, by="act", why=why, action=json.dumps(step.record), texts={"reason": why}
            )
        elif isinstance(step, Done):
            if step.record["type"] != "webhook":
                self.room.shut(self._settings().actions.spacing_s)
            left = [write["note"] for write in step.record["writes"] if write["state"] == "refused"]
            await self._end(job, decision, {**step.record, "reason": "; ".join(left)}, why=told(step.record))

    async def _end(self, job: ClaimedJob, decision: Decision, record: dict[str, Any], why: str = "") -> None:
        why = why or record["reason"] or DRY
        done = action_record(decision, record, at=iso_from_ms(job.claimed_ms))
        texts = {"reason": record["reason"]} if record["reason"] or not record["dry_run"] else None
        await self._queue.hand_on(job, "", EventState.RESOLVED, by="act", why=why, action=json.dumps(record), texts=texts, record=done)
        self._metrics.count("out")

    async def _newer_head(self, job: ClaimedJob, payload: Any) -> str:
        """The event that brought a newer head of what this one is about, where an older one was replayed; empty where there is none."""
        subject = supersede_version(job.event["ty"], payload)
        newest = await self._reader.newest_head(job.id, subject[0]) if subject else None
        return newest[0] if newest and subject and newest[0] != job.id and newest[1] > subject[1] else ""


def _unsent(action: dict[str, Any]) -> dict[str, Any]:
    """An action in a dry run, even one that was approved: what would be sent. What was sent before the dry run began stays told."""
    if is_out(action):
        return {**action, "reason": f"{told(action) or 'it may have been published'}; then the dry run began"}
    kept = {name: action[name] for name in ("type", "requests", "marker", "reason", "approved_by") if name in action}
    return kept | {"dry_run": True}


def stale_record(action: str, head_sha: str, newer: str) -> dict[str, Any]:
    """What is kept instead of an action on a head that is not the newest any more."""
    stale = conflict(
        "stale", "head", {"decided for": head_sha[:12] or "an older head"}, "nothing was sent", f"event {newer} has a newer head"
    )
    reason = f"stale: event {newer} has a newer head; replay that one"
    return {"type": action, "dry_run": True, "requests": [], "marker": "", "reason": reason, "conflict": stale.model_dump(mode="json")}
