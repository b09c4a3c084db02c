"""``Operations``: what an operator can see and do. Every write is refused when read-only, and audited before it runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence

from gitbridge_console.domain.event_records import encode
from gitbridge_console.domain.event_views import (
    ChangeReport,
    EventDetail,
    EventSummary,
)
from gitbridge_console.domain.events import FINISHED_STATES, STAGE_LANES, EventState, IncomingEvent, Priority
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.domain.provider_health import HealthFinding
from gitbridge_console.domain.snapshots import Alert, BreakerWord, FleetSnapshot
from gitbridge_console.operations.alerting import AlertOperations, with_words
from gitbridge_console.operations.audit import AuditOperations
from gitbridge_console.operations.backup import BackupOperations
from gitbridge_console.operations.bulk import BulkOperations
from gitbridge_console.operations.decision_chains import ChainOperations
from gitbridge_console.operations.decisions import DecisionOperations
from gitbridge_console.operations.edits import EditOperations
from gitbridge_console.operations.errors import NotFound, OperationError, Refused, Usage
from gitbridge_console.operations.health import ask_now, check_providers
from gitbridge_console.operations.history import HistoryOperations
from gitbridge_console.operations.listings import Listings
from gitbridge_console.operations.preview import Previews
from gitbridge_console.operations.provider_status import read_books
from gitbridge_console.operations.quarantine import QuarantineOperations
from gitbridge_console.operations.reconcile import ReconcileOperations
from gitbridge_console.operations.reports import change_report, full_ids, held, states
from gitbridge_console.operations.searching import SearchOperations
from gitbridge_console.operations.status import build_snapshot
from gitbridge_console.router.intake import SubmitResult
from gitbridge_console.settings.model import Settings
from gitbridge_console.store.event_records import UnreadableEvent
from gitbridge_console.store.keys import expand_id
from gitbridge_console.store.shared_reads import shared_reads

REPLAY_MAX = 200
"""Most events one call takes; more is a bulk operation."""

FAILOVER_MAX = 500
"""Most tasks a failover without a plan moves."""

WAIT_POLL_S = 0.1


class Operations(
    DecisionOperations,
    ChainOperations,
    AuditOperations,
    BulkOperations,
    EditOperations,
    BackupOperations,
    SearchOperations,
    AlertOperations,
    QuarantineOperations,
    ReconcileOperations,
    Previews,
    Listings,
    HistoryOperations,
):
    """The door. All methods raise only :class:`~gitbridge_console.operations.errors.OperationError`."""

    async def status(self) -> FleetSnapshot:
        """Everything the Pulse needs, in a handful of round trips."""
        async with self._asking():
            with shared_reads():
                picture, said = await asyncio.gather(self._look_round(), self._store.alerts.said())
            return with_words(picture(self._settings()), *said)

    async def conditions(self) -> tuple[tuple[Alert, ...], tuple[Alert, ...]]:
        """What is wrong now, by the thresholds of the settings, and by those under which it would be over."""
        async with self._asking():
            picture, settings = await self._look_round(), self._settings()
            relaxed = settings.model_copy(update={"alerts": settings.alerts.relaxed})
            return picture(settings).alerts, picture(relaxed).alerts

    async def _look_round(self) -> Callable[[Settings], FleetSnapshot]:
        """Count everything once; what it looks like by which settings is said after that."""
        settings, store = self._settings(), self._store
        with shared_reads():
            (stats, window, beats, log, server, dead), (quarantined, cached, books, receivers, inbox, publishing) = await asyncio.gather(
                asyncio.gather(
                    store.queue.stats(self.lanes),
                    store.metrics.read(),
                    store.fleet.alive(),
                    store.reader.log(),
                    store.server.look(),
                    store.dead_letters.notices(),
                ),
                asyncio.gather(
                    store.client.xlen(store.keys.quarantine),
                    store.answers.size(),
                    read_books(store, settings),
                    store.receivers.known(),
                    store.inbox.read(),
                    store.github.look(),
                ),
            )

        def picture(settings: Settings) -> FleetSnapshot:
            return build_snapshot(
                settings,
                stats,
                window,
                beats,
                log,
                store_url=store.shown_url,
                server=server,
                quarantined=quarantined,
                dead=dead,
                cached=cached,
                books=books,
                inbox=inbox,
                receivers=receivers,
                publishing=publishing,
            )

        return picture

    async def list_events(self, wanted: EventFilter | None = None, limit: int = 100) -> list[EventSummary]:
        """Events that match, newest first."""
        async with self._asking():
            return await self._store.reader.list_events(wanted or EventFilter(), limit)

    async def show_event(self, event_id: str, *, payload: bool = False) -> EventDetail:
        """All of one event; ``event_id`` may lack leading zeros or be the id of one of its tasks."""
        async with self._asking():
            found = await self._store.reader.event_detail(expand_id(event_id).partition(".")[0], with_payload=payload)
        if found is None:
            raise NotFound(f"no event {event_id}")
        if found.state == EventState.AWAITING_APPROVAL and found.decision is not None:
            try:
                draft = await self._draft(found.id, found.decision)
            except OperationError:
                return found  # it moved on meanwhile, or cannot be read whole: then there is nothing to approve
            return found.model_copy(update={"action": draft | {"draft": True}})
        return found

    async def export_events(self, wanted: EventFilter, on_unreadable: Callable[[str], None]) -> AsyncIterator[bytes]:
        """Every event that matches, newest first, as one line of JSON each, newline included.

        One that cannot be read whole is left out and told to ``on_unreadable``.
        """
        async with self._asking():
            async for event_id in self._store.records.matching(wanted):
                try:
                    record = await self._store.records.read(event_id)
                except UnreadableEvent as error:
                    on_unreadable(str(error))
                    continue
                if record is not None:
                    yield encode(record, at_ms=round(time.time() * 1000), by=self._actor.who)

    async def submit(self, event: IncomingEvent) -> SubmitResult:
        """Store an event a person hands in. It is not audited, for the event itself says where it came from."""
        self._allow("submit", event.delivery[:60])
        return await self.take_in(event)

    async def take_in(self, event: IncomingEvent) -> SubmitResult:
        """Store an event that a program received for us, whoever's account that runs under; refused when read-only."""
        if self.read_only:
            raise Refused("read-only: nothing was submitted")
        async with self._asking():
            return await self._intake.submit(event)

    async def wait_finished(self, event_id: str, timeout_s: float) -> EventDetail:
        """Wait until an event is finished or awaits an operator.

        Raises:
            OperationError: not within ``timeout_s``.
        """
        deadline = asyncio.get_running_loop().time() + timeout_s
        done = {state.value for state in FINISHED_STATES} | {EventState.AWAITING_APPROVAL.value}
        while True:
            event = await self.show_event(event_id)
            if event.state in done:
                return event
            if asyncio.get_running_loop().time() >= deadline:
                alerts = (await self.status()).alerts
                why = "".join(f"; {alert.text}" for alert in alerts if alert.code == "no_engine")
                raise OperationError(f"event {event_id} is still {event.state} after {timeout_s:.0f} s{why}")
            await asyncio.sleep(WAIT_POLL_S)

    async def pause(self, lanes: Sequence[str], reason: str, for_s: float | None = None) -> ChangeReport:
        """Hold lanes: they take in work and give none out."""
        names = self._known_lanes(lanes)
        if not reason.strip():
            raise Usage("say why: a pause needs a reason")
        async with self._writing("pause", ", ".join(names), reason, planned=len(names)) as record:
            for lane in names:
                record.before[lane] = held(await self._store.queue.pause(lane, by=self._actor.who, reason=reason, for_s=for_s))
                record.after[lane] = "paused" if for_s is None else f"paused for {for_s:g} s"
            record.affected = len(names)
        held_for_good = for_s is None and not self._settings().queue.pause_hold_s and any(name not in STAGE_LANES for name in names)
        notes = ("its new seats wait too, drain gives it none",) if held_for_good else ()
        return ChangeReport(changed=len(names), ids=tuple(names), notes=notes)

    async def drain(self, provider: str, reason: str) -> ChangeReport:
        """Give a provider no new seats; what waits for it is finished. :meth:`resume` ends it."""
        (name,) = self._known_lanes([provider])
        if name in STAGE_LANES:
            raise Usage(f"{name} is a stage: only providers are drained, stages are paused")
        if not reason.strip():
            raise Usage("say why: a drain needs a reason")
        async with self._writing("drain", name, reason, planned=1) as record:
            record.before[name] = held(await self._store.queue.drain(name, by=self._actor.who, reason=reason))
            record.after[name], record.affected = "draining", 1
        return ChangeReport(changed=1, ids=(name,))

    async def resume(self, lanes: Sequence[str]) -> ChangeReport:
        """Let lanes go on, paused or draining; in ``act`` also what waits because the code host refused a credential."""
        names = self._known_lanes(lanes)
        async with self._writing("resume", ", ".join(names), planned=len(names)) as record:
            before = [await self._store.queue.resume(lane, by=self._actor.who) for lane in names]
            changed = tuple(lane for lane, pause in zip(names, before, strict=True) if pause)
            said: tuple[str, ...] = ()
            if "act" in names and (faults := await self._store.github.forget_faults()):
                woken = await self._store.outbox.wake()
                said = (f"act: {faults} faults of credentials are forgotten, {woken} actions are tried now",)
                changed = tuple(lane for lane in names if lane in changed or lane == "act")
            record.before = {lane: held(pause) for lane, pause in zip(names, before, strict=True)}
            record.after, record.affected = dict.fromkeys(changed, "open"), len(changed)
            record.result = f"resumed {', '.join(changed) or 'nothing'}"
        notes = (*said, *(f"{lane} was neither paused nor draining" for lane in names if lane not in changed))
        return ChangeReport(changed=len(changed), unchanged=len(names) - len(changed), ids=changed, notes=notes)

    async def prioritize(self, ids: Sequence[str], to: Priority, *, front: bool = False) -> ChangeReport:
        """Give events or single tasks another priority; their age is kept."""
        names = full_ids(ids)
        async with self._writing(
            "prioritize", ", ".join(names), f"to {to.label}{', front' if front else ''}", planned=len(names)
        ) as record:
            counts = await self._store.queue.reprioritize(names, to, front=front, by=self._actor.who)
            changed = tuple(name for name, count in zip(names, counts, strict=True) if count)
            record.result, record.affected = f"{len(changed)} of {len(names)} changed", len(changed)
            record.after = dict.fromkeys(changed, to.label)
        notes = tuple(f"{name}: finished, unknown, or {to.label} already" for name in names if name not in changed)
        return ChangeReport(changed=len(changed), unchanged=len(notes), ids=changed, notes=notes)

    async def replay(self, ids: Sequence[str], reason: str) -> ChangeReport:
        """Run finished events again under their ids."""
        names = full_ids(ids)
        if len(names) > REPLAY_MAX:
            raise Usage(f"{len(names)} events at once, at most {REPLAY_MAX}")
        async with self._writing("replay", ", ".join(names), reason, planned=len(names)) as record:
            before = await self._store.queue.replay(names, by=self._actor.who, why=reason)
            report = change_report(names, before, "only failed, shed, cancelled and resolved events can be replayed")
            record.result, record.affected = f"{report.changed} of {len(names)} replayed", report.changed
            record.before, record.after = states(names, before), dict.fromkeys(report.ids, "received")
        return report

    async def cancel(self, ids: Sequence[str], reason: str) -> ChangeReport:
        """Cancel unfinished events and their seats, those in flight included."""
        names = full_ids(ids)
        async with self._writing("cancel", ", ".join(names), reason, planned=len(names)) as record:
            before = await self._store.queue.cancel(names, by=self._actor.who, why=reason)
            report = change_report(names, before, "it is finished already")
            record.result, record.affected = f"{report.changed} of {len(names)} cancelled", report.changed
            record.before, record.after = states(names, before), dict.fromkeys(report.ids, "cancelled")
        return report

    async def failover(self, provider: str, to: str, reason: str) -> ChangeReport:
        """Move a provider's unclaimed tasks to another one, keeping priority and age."""
        source, target = self._known_lanes([provider, to])
        if source == target or source in STAGE_LANES or target in STAGE_LANES:
            raise Usage("name two different providers")
        if not reason.strip():
            raise Usage("say why: a failover needs a reason")
        async with self._writing("failover", f"{source} to {target}", reason) as record:
            moved, kept = await self._store.queue.move(source, target, by=self._actor.who, limit=FAILOVER_MAX)
            record.result, record.affected = f"{moved} moved, {kept} stay", moved
        notes = (f"{kept} stay: {target} has a seat on the same panel",) if kept else ()
        if moved >= FAILOVER_MAX:
            notes = (*notes, f"{moved} at once are all: the others move with a rate, as a bulk operation")
        return ChangeReport(changed=moved, unchanged=kept, notes=notes)

    async def health(self, providers: Sequence[str] = ()) -> dict[str, HealthFinding]:
        """Ask providers now, all that are switched on unless some are named; costs no tokens and changes nothing."""
        return await ask_now(self._settings(), providers)

    async def breaker(self, provider: str, word: BreakerWord, reason: str) -> ChangeReport:
        """Hold a provider's circuit breaker open, close it, or reset all that is held against the provider, in the whole fleet."""
        check_providers(self._settings(), [provider])
        if not reason.strip():
            raise Usage(f"say why: breaker {word} needs a reason")
        async with self._writing(f"breaker {word}", provider, reason) as record:
            if word == "reset":
                # First: an engine that has heard the word asks for the limits at once.
                await self._store.rate_limits.reopen(provider, self._settings().providers[provider].model)
            before = await self._store.providers.say(provider, word, by=self._actor.who, why=reason)
            record.result, record.affected = f"it was {before}", 1
            record.before, record.after = {provider: before}, {provider: word}
        return ChangeReport(changed=1, ids=(provider,), notes=(f"it was {before}",))
