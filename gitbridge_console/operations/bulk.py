"""Bulk operations at the operator's door: planned, applied by token, watched, paused, resumed, cancelled."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

from gitbridge_console.domain.bulk import OF_LANES, BulkKind, BulkState, Deed, Selection, waits_for
from gitbridge_console.domain.bulk_views import BulkPlan, BulkStatus
from gitbridge_console.domain.event_views import ChangeReport
from gitbridge_console.domain.events import STAGE_LANES, Priority
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.operations.bulk_cost import expected_calls, expected_cost
from gitbridge_console.operations.bulk_selection import SAMPLE, Finder, Progress
from gitbridge_console.operations.door import Door
from gitbridge_console.operations.errors import NotFound, Refused, Usage
from gitbridge_console.operations.roles import least_role
from gitbridge_console.router.bulk_steps import do_now
from gitbridge_console.store.bulk_records import BulkRecord
from gitbridge_console.store.event_records import moves_a_head
from gitbridge_console.store.trouble import STORE_AWAY

LISTED_MAX = 200


class BulkOperations(Door):
    """One deed for many events, done by the fleet whoever looks on."""

    async def plan_bulk(
        self,
        deed: Deed,
        chosen: Selection,
        *,
        rate_per_s: float | None = None,
        most: int | None = None,
        progress: Progress = lambda looked, total: None,
    ) -> BulkPlan:
        """Count what would be done, changing nothing; what is found is kept for a while under the plan's token.

        Who may not apply it gets it without a token, and nothing is kept. Of more than ``most`` the oldest are taken.
        """
        self._check(deed, chosen)
        settings = self._settings()
        rate = self._rate(rate_per_s)
        wanted = _filter(chosen.filter)
        async with self._asking():
            lanes = self.lanes if chosen.lane == "*" else [chosen.lane]
            finder = Finder(self._store, deed, wanted, settings.bulk.events_max, progress)
            found = await finder.find(chosen, lanes)
            names = sorted(found.entries)[: min(most or settings.bulk.events_max, settings.bulk.events_max)]
            briefs = [found.briefs[name] for name in names if name in found.briefs]
            moving = [
                (name, found.briefs[name].type) for name in names if deed.kind is BulkKind.REPLAY and moves_a_head(found.briefs[name].type)
            ]
            newer, newer_of = await self._store.records.newer_heads(moving)
            pointless = round(newer * len(moving) / newer_of) if newer_of else 0
            kinds = Counter(brief.kind or "not routed" for brief in briefs)
            calls = expected_calls(settings, deed, kinds, len(names), pointless)
            token = ""
            if names and self._may(f"bulk {deed.kind}"):
                entries = [found.entries[name] for name in names]
                token = await self._store.bulk.plan(
                    deed, chosen.words, entries, by=self._actor.who, host=self._actor.host, keep_s=settings.bulk.plan_keep_s
                )
            return BulkPlan(
                token=token,
                kind=deed.kind,
                deed=deed.words,
                filter=chosen.words,
                count=len(names),
                looked=found.looked,
                exact=found.whole and len(names) == len(found.entries),
                estimate=len(found.entries) if found.whole else round(len(found.entries) * found.total / max(1, found.looked)),
                ineligible=dict(found.left_out.most_common()),
                by_state=dict(Counter(brief.state for brief in briefs).most_common()),
                by_kind=dict(kinds.most_common()),
                sample=await finder.sample(names[:SAMPLE]),
                pointless=pointless,
                pointless_exact=newer_of == len(moving),
                calls=calls,
                cost_usd=expected_cost(deed, calls, (await self._store.metrics.read()).providers) if calls else 0.0,
                rate_per_s=rate,
                takes_s=round(len(names) / rate, 1),
            )

    def _may(self, what: str) -> bool:
        return not self.read_only and self.role >= least_role(what)

    def _check(self, deed: Deed, chosen: Selection) -> None:
        if deed.kind is BulkKind.PRIORITIZE:
            try:
                Priority.parse(deed.to)
            except ValueError as error:
                raise Usage(str(error)) from None
        if deed.kind in OF_LANES:
            self._known_lanes([deed.lane])
        if chosen.lane and chosen.lane != "*":
            self._known_lanes([chosen.lane])
        if deed.kind is BulkKind.FAILBACK and deed.lane in STAGE_LANES:
            raise Usage("name a provider: nothing is moved out of other lanes")
        if deed.kind is BulkKind.FAILOVER:
            self._known_lanes([deed.to])
            if deed.lane == deed.to or deed.lane in STAGE_LANES or deed.to in STAGE_LANES:
                raise Usage("name two different providers")

    def _rate(self, rate_per_s: float | None) -> float:
        bounds = self._settings().bulk
        rate = min(bounds.rate_per_s, bounds.rate_max_per_s) if rate_per_s is None else rate_per_s
        if not 0 < rate <= bounds.rate_max_per_s:
            raise Usage(f"{rate:g}/s is not above zero and at most bulk.rate_max_per_s = {bounds.rate_max_per_s:g}")
        return rate

    async def apply_bulk(self, token: str, reason: str, *, rate_per_s: float | None = None, most: int | None = None) -> BulkStatus:
        """Set a plan to work. From then on the fleet does it, whoever looks on.

        Raises:
            NotFound: the plan was not kept, or is too old.
            Refused: it was applied already.
        """
        if not reason.strip():
            raise Usage("say why: a bulk operation needs a reason")
        if most is not None and most < 1:
            raise Usage("the maximum is one event at least")
        rate = self._rate(rate_per_s)
        planned = await self._bulk(token)
        what, about = f"bulk {planned.deed.kind}", f"{planned.id}: {planned.deed.words}"
        async with self._writing(what, about, reason, filter=planned.filter, planned=planned.planned) as record:
            before = await self._store.bulk.apply(
                planned.id, by=self._actor.who, host=self._actor.host, reason=reason, rate_per_s=rate, most=most
            )
            if not before:
                raise NotFound(f"plan {planned.id} is too old by now: plan again")
            if before != BulkState.PLANNED:
                raise Refused(f"{planned.id} was applied already: it is {before}")
            record.result = f"{planned.planned} planned, at {rate:g}/s" + ("" if most is None else f", {most} at most")
        return await self.show_bulk(planned.id)

    async def do_bulk_now(self, op_id: str) -> BulkStatus:
        """Do a small one here and now; nothing of it where an engine has it already.

        Should this process die meanwhile, an engine does the rest.
        """
        record = await self._bulk(op_id)
        self._allow(f"bulk {record.deed.kind}", record.id)
        owner = f"{self._actor.host} ({self._actor.who})/{secrets.token_hex(4)}"
        async with self._asking():
            try:
                await do_now(self._store.bulk, self._store.journal, record, owner)
            finally:
                with suppress(*STORE_AWAY):
                    await self._store.bulk.leave(record.id, owner)
        return await self.show_bulk(op_id)

    async def list_bulk(self, limit: int = LISTED_MAX) -> list[BulkStatus]:
        """Operations that are kept, newest first: planned, under way and ended ones."""
        async with self._asking():
            records = await self._store.bulk.records()
            return [_with_line(await self._store.bulk.status(record), records) for record in list(reversed(records))[:limit]]

    async def show_bulk(self, op_id: str) -> BulkStatus:
        """One operation, with what it skipped first."""
        record = await self._bulk(op_id)
        async with self._asking():
            return _with_line(await self._store.bulk.status(record, with_skipped=True), await self._store.bulk.records())

    async def _bulk(self, op_id: str) -> BulkRecord:
        async with self._asking():
            found = await self._store.bulk.record(op_id.strip().lower()[:40])
        if found is None:
            raise NotFound(f"no bulk operation {op_id[:40]}: `bulk list` shows those there are; plans are kept for a while only")
        return found

    async def pause_bulk(self, op_id: str) -> ChangeReport:
        """Have it stand still; what is under way of the chunk in hand is done first."""
        return await self._turn(op_id, "pause", BulkState.PAUSED, BulkState.RUNNING)

    async def resume_bulk(self, op_id: str) -> ChangeReport:
        """Let it go on where it stood. That takes the role its deed takes: it may have been halted to be stopped."""
        record = await self._bulk(op_id)
        self._allow(f"bulk {record.deed.kind}", record.id)
        return await self._turn(op_id, "resume", BulkState.RUNNING, BulkState.PAUSED)

    async def cancel_bulk(self, op_id: str, reason: str = "") -> ChangeReport:
        """End it where it stands: what was done stays done, what is left is not done any more."""
        return await self._turn(op_id, "cancel", BulkState.CANCELLED, BulkState.PLANNED, BulkState.RUNNING, BulkState.PAUSED, reason=reason)

    async def _turn(self, op_id: str, word: str, to: BulkState, *of: BulkState, reason: str = "") -> ChangeReport:
        record = await self._bulk(op_id)
        about = f"{record.id}: {record.deed.words}"
        async with self._writing(f"bulk {word}", about, reason, filter=record.filter, planned=record.planned) as entry:
            note = f"by {self._actor.who}" + (f": {reason}" if reason else "")
            before = await self._store.bulk.turn(record.id, to, *of, note=note if to is not BulkState.RUNNING else "")
            if before not in of:
                again = "; what still matches can be planned anew" if before == BulkState.CANCELLED and word == "resume" else ""
                raise Refused(f"{record.id} is {before or 'gone'}: nothing to {word}{again}")
            sums, _ = await self._store.bulk.sums(record.id)
            entry.affected, entry.before, entry.after = sums.done, {record.id: before}, {record.id: to.value}
            entry.result = f"{to}: {sums.done} done, {sums.skipped} skipped, {sums.failed} failed, {sums.left + sums.dropped} not done"
        return ChangeReport(changed=1, ids=(record.id,), notes=(entry.result,))


def _filter(text: str) -> EventFilter:
    try:
        return EventFilter.parse(text)
    except ValueError as error:
        raise Usage(str(error)) from None


def _with_line(status: BulkStatus, records: Sequence[BulkRecord]) -> BulkStatus:
    """With what it waits for, where another of its scope goes first."""
    states = {record.id: record.state for record in records}
    first = waits_for([(record.id, record.deed.scope) for record in records], states).get(status.id)
    return status if first is None else status.model_copy(update={"note": f"waits for {first}", "eta_s": None})
