"""The quarantine from the operator's side: looked at, handed in again, dropped; what an entry becomes and when it may leave."""

from __future__ import annotations

from gitbridge_console.domain.event_views import ChangeReport, QuarantineEntry
from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.operations.door import Door
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


class QuarantineOperations(Door):
    """Part of the door."""

    async def list_quarantine(self, limit: int = 100) -> list[QuarantineEntry]:
        """What came in and could not be read."""
        async with self._asking():
            return await self._store.quarantine.newest(limit)

    async def show_quarantined(self, entry_id: str) -> QuarantineEntry:
        """One entry of the quarantine, with the beginning of what came in."""
        async with self._asking():
            return (await look_up(self._store.quarantine, entry_id)).entry

    async def retry_quarantined(self, entry_id: str, *, event_type: str | None = None, delivery: str | None = None) -> SubmitResult:
        """Hand the bytes of an entry in again; it leaves the quarantine only when they were accepted as an event."""
        async with self._writing("quarantine retry", entry_id[:60], f"as {event_type}" if event_type else "") as record:
            found = await look_up(self._store.quarantine, entry_id)
            result = await hand_in(self._intake, self._store.quarantine, found, as_event(found, event_type, delivery))
            record.result = f"{result.status}: event {result.id}"
        return result

    async def drop_quarantined(self, entry_id: str, reason: str) -> ChangeReport:
        """Remove an entry of the quarantine for good."""
        if not reason.strip():
            raise Usage("say why: to drop an entry needs a reason")
        async with self._writing("quarantine drop", entry_id[:60], reason) as record:
            if not await self._store.quarantine.drop(entry_id):
                raise NotFound(f"nothing in quarantine has the id {entry_id[:60]}")
            record.result, record.affected = "dropped", 1
        return ChangeReport(changed=1, ids=(entry_id,))
