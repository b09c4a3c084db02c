"""What a panel that is still at work would decide from the answers that are there."""

from __future__ import annotations

from collections.abc import Mapping

from gitbridge_console.consensus.agreement import quartiles
from gitbridge_console.consensus.manager import ConsensusInput, ConsensusManager
from gitbridge_console.domain.decisions import AnswerStatus, Basis, Decision
from gitbridge_console.domain.event_views import EventDetail
from gitbridge_console.domain.events import EventState, Kind
from gitbridge_console.domain.timestamps import iso_from_ms, ms_from_iso
from gitbridge_console.operations.door import Door
from gitbridge_console.router.decision_basis import with_vendors
from gitbridge_console.router.decision_stage import STILL_OUT, answers_of
from gitbridge_console.router.hedging import one_per_seat
from gitbridge_console.router.risk import policy_for
from gitbridge_console.settings.model import Settings
from gitbridge_console.store.replies import server_now_ms

AT_WORK = frozenset({EventState.ROUTED, EventState.CONSENSUS_PENDING, EventState.PARKED})


def is_growing(event: EventDetail) -> bool:
    """Whether its panel is at work and this run of it not yet decided."""
    decided = event.decision is not None and event.decision.run == event.run
    return event.state in AT_WORK and bool(event.tasks) and not decided


def so_far(event: EventDetail, header: Mapping[str, str], now_ms: int, settings: Settings, basis: Basis) -> Decision | None:
    """The decision the answers of this run would give, ``None`` where nobody was asked yet; ``header`` is the event's in the store.

    Who is still out is ``pending``, with how long already in place of how long it took. The findings are not held against
    the diff: that is done once, when it is decided.
    """
    first = int(header.get("first", 1))
    tasks = [task for task in event.tasks if int(task.id.rpartition(".")[2]) >= first]
    panel = one_per_seat([task for task in tasks if not task.asks])
    if not panel:
        return None
    kind = Kind(event.kind)
    asked = next((entry.at for entry in reversed(event.timeline) if entry.what.startswith(EventState.ROUTED.value)), event.received_at)
    out_ms = max(0.0, float(now_ms - ms_from_iso(asked)))
    answers = tuple(
        answer.model_copy(update={"latency_ms": out_ms}) if answer.status is AnswerStatus.PENDING else answer
        for answer in answers_of(panel)
    )
    decision = ConsensusManager().decide(
        ConsensusInput(
            event_id=event.id,
            run=event.run,
            kind=kind,
            policy=policy_for(settings.kinds[kind.value], header.get("risk", "")),
            answers=with_vendors(answers, settings),
            created_at=iso_from_ms(now_ms),
            decision_id=f"{event.id}-{event.run}",
            basis=basis,
        )
    )
    out = sorted({f"{task.asks} asked of {task.provider}" for task in tasks if task.asks and task.state in STILL_OUT})
    return decision.model_copy(update={"flags": (*decision.flags, f"{', '.join(out)}: not back yet")}) if out else decision


class Previews(Door):
    """The operations that look ahead."""

    async def preview(self, event: EventDetail) -> Decision | None:
        """What an event's panel would decide so far; ``None`` when it is decided, or nobody was asked."""
        if not is_growing(event):
            return None
        async with self._asking():
            header = await self._store.reader.find_event(event.id) or {}
            known = await self._store.outcomes.read(header.get("rp", ""), event.kind)
            now_ms = await server_now_ms(self._store.client)
        basis = Basis(outcomes=known.chances, usual=quartiles(known.history), reliability=known.reliability)
        return so_far(event, header, now_ms, self._settings(), basis)
