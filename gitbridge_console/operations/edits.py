"""Handing a finished event in again with something changed: payload, panel, priority, prompt. The old one stays; each names the other."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from gitbridge_console.domain.event_records import EventRecord
from gitbridge_console.domain.event_views import ChangeReport, EventDetail
from gitbridge_console.domain.events import FINISHED_STATES, Priority
from gitbridge_console.domain.prompt_choice import PromptChoice
from gitbridge_console.operations.door import Door
from gitbridge_console.operations.errors import NotFound, OperationError, Refused, Usage
from gitbridge_console.operations.reports import full_ids
from gitbridge_console.router.intake import NotAnEvent
from gitbridge_console.store.event_records import UnreadableEvent

PANEL_MAX = 8


class EditOperations(Door):
    """Edit and replay, and both sides beside each other."""

    async def replay_edited(
        self,
        event_id: str,
        payload: bytes | None,
        reason: str,
        *,
        panel: Sequence[str] = (),
        priority: Priority | None = None,
        prompt: str = "",
    ) -> ChangeReport:
        """Hand a finished event in again with another payload, panel, priority or prompt, as a new event that names the old one.

        ``panel``: just these providers are asked, each gets a seat. ``prompt``: a version of its kind's question. The same edit is taken
        once, however often it is handed in.
        """
        (name,) = full_ids([event_id])
        if not reason.strip():
            raise Usage("say why: a replay with something changed needs a reason")
        seats = self._panel(panel)
        changes = {"payload": "edited" if payload is not None else "", "panel": ", ".join(seats)}
        changes["priority"] = priority.label if priority is not None else ""
        changes["prompt"] = prompt
        said = {what: value for what, value in changes.items() if value}
        if not said:
            raise Usage("nothing is changed: name a payload, a panel, a priority or a prompt; a plain replay needs none of them")
        about = " and ".join(f"{what} {value}" for what, value in said.items())
        async with self._writing("replay", f"{name} with {about}", reason) as record:
            old = await self._record_of(name)
            if old.detail.state not in FINISHED_STATES:
                raise Refused(f"event {name} is {old.detail.state}: cancel it first, or wait until it is finished")
            body = old.payload if payload is None else payload
            chosen = self._prompt(old.detail.kind, prompt) if prompt else None
            delivery = _delivery(name, body, seats, priority, chosen)
            event = replace(old.incoming(), delivery=delivery, payload=body, source=f"edit by {self._actor.who}")
            if priority is not None:
                event = replace(event, priority=priority)
            try:
                made = await self._intake.accept(event, edited_from=name, panel=seats, prompt=chosen)
            except NotAnEvent as error:
                raise Usage(f"the edited payload cannot be handed in: {error}") from None
            record.result, record.affected = f"{made.id}, {made.status}", int(made.status != "duplicate")
            record.before, record.after = {name: old.detail.state}, {made.id: {"status": made.status, **said}}
        return ChangeReport(changed=int(made.status != "duplicate"), ids=(made.id,), notes=(f"{made.id} ({made.status}) made from {name}",))

    def _panel(self, panel: Sequence[str]) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(name.strip() for name in panel if name.strip()))
        known = self._settings().providers
        unknown = [name for name in names if name not in known]
        if unknown:
            raise Usage(f"no provider {', '.join(unknown)[:100]}; there are {', '.join(known)}")
        if len(names) > PANEL_MAX:
            raise Usage(f"{len(names)} providers on a panel, at most {PANEL_MAX}")
        return names

    async def prompt_versions(self, kind: str) -> tuple[str, ...]:
        """Versions of a kind's question, the one that is asked now first; none of a kind that is not known."""
        policy = self._settings().kinds.get(kind)  # type: ignore[call-overload]  # what was never routed has none
        return () if policy is None else tuple(dict.fromkeys((policy.prompt, *policy.prompt_versions)))

    def _prompt(self, kind: str, version: str) -> PromptChoice:
        policy = self._settings().kinds.get(kind)  # type: ignore[call-overload]  # as above
        if policy is None:
            raise Usage("its kind is not known, since it was never routed: a prompt is of a kind")
        if version not in policy.prompt_versions:
            raise Usage(f"no prompt {version[:40]!r} of {kind}; there are {', '.join(policy.prompt_versions)}")
        return PromptChoice(kind, version, policy.prompts.get(version, ""))

    async def compare_events(self, event_id: str, other: str = "") -> tuple[EventDetail, EventDetail]:
        """An event and the one it was made from, or ``other``, with their payloads: the older side first."""
        async with self._asking():
            newer = await self._detail(event_id)
            before = other or newer.lineage.get("edited_from") or ""
            if not before:
                raise Usage(f"event {newer.id} was not made from another one: name two events")
            return await self._detail(before), newer

    async def _detail(self, event_id: str) -> EventDetail:
        (name,) = full_ids([event_id.partition(".")[0]])
        found = await self._store.reader.event_detail(name, with_payload=True)
        if found is None:
            raise NotFound(f"no event {event_id[:60]}")
        return found

    async def _record_of(self, event_id: str) -> EventRecord:
        try:
            found = await self._store.records.read(event_id)
        except UnreadableEvent as error:
            raise OperationError(str(error)) from error
        if found is None:
            raise NotFound(f"no event {event_id}")
        return found


def _delivery(event_id: str, payload: bytes, panel: Sequence[str], priority: Priority | None, prompt: PromptChoice | None) -> str:
    """The same for the same edit of the same event."""
    parts = [payload]
    if panel or priority is not None or prompt is not None:
        parts += [",".join(panel).encode(), str(priority).encode()]
    if prompt is not None:
        parts.append(prompt.line.encode("utf-8", "replace"))
    changed = b"\0".join(parts)
    return f"edit-{event_id}-{hashlib.sha256(changed).hexdigest()[:16]}"
