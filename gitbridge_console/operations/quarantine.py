"""Handing a quarantined entry in again: what it becomes, and when it may leave the quarantine."""

from __future__ import annotations

from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.operations.errors import NotFound, OperationError, Refused, Usage
from gitbridge_console.router.intake import Intake, NotAnEvent, SubmitResult
from gitbridge_console.store.quarantine import Quarantined, QuarantineStore


async def look_up(quarantine: QuarantineStore, entry_id: str) -> Quarantined:
    """One entry.

    Raises:
        NotFound: there is none.
    """
    found = await quarantine.find(entry_id)
    if found is None:
        raise NotFound(f"nothing in quarantine has the id {entry_id[:60]}")
    return found


def as_event(found: Quarantined, event_type: str | None, delivery: str | None) -> IncomingEvent:
    """The entry as an event. Without a delivery id of its own it gets one made of the entry's, so that it comes in once.

    Raises:
        Usage: nobody knows its type.
        Refused: only its beginning was kept.
    """
    if not (event_type or found.type):
        raise Usage(f"what type of event {found.entry.id} is was not recorded: name it with --type")
    if not found.whole:
        raise Refused(f"only the first {len(found.raw):,} of {found.entry.size:,} bytes of {found.entry.id} were kept")
    return IncomingEvent(
        delivery=delivery or found.delivery or own_delivery(found),
        type=event_type or found.type,
        payload=found.raw,
        source=found.entry.source or "quarantine",
    )


def own_delivery(found: Quarantined) -> str:
    """The delivery id of an entry that came without one."""
    return f"quarantine-{found.entry.id}"


async def hand_in(intake: Intake, quarantine: QuarantineStore, found: Quarantined, event: IncomingEvent) -> SubmitResult:
    """Store the event and only then remove the entry.

    Raises:
        OperationError: it is still no event, or another event has its delivery id; the entry stays.
    """
    try:
        result = await intake.accept(event)
    except NotAnEvent as error:
        raise OperationError(f"{found.entry.id} stays in quarantine: {error}") from None
    if result.status == "duplicate" and event.delivery != own_delivery(found):
        taken = f"event {result.id} has the delivery id {event.delivery[:80]} already"
        raise OperationError(f"{found.entry.id} stays in quarantine: {taken}; drop the entry, or name another --delivery")
    await quarantine.drop(found.entry.id)
    return result
