"""What would be published of an event that awaits approval: the exact requests, and what an operator made of their text."""

from __future__ import annotations

import json
from typing import Any

from gitbridge_console.actions.caps import ReviewWord
from gitbridge_console.actions.record import not_sent, planned, request_at
from gitbridge_console.actions.requests import ActionPlan, NoAction, plan_action, text_of_request, with_text
from gitbridge_console.domain.decisions import Decision
from gitbridge_console.domain.event_records import EventRecord
from gitbridge_console.domain.events import EventState, Kind
from gitbridge_console.domain.facts import read_facts
from gitbridge_console.operations.door import Door
from gitbridge_console.operations.errors import NotFound, OperationError, Refused, Usage
from gitbridge_console.settings.model import Settings
from gitbridge_console.sources.diffs import material_from
from gitbridge_console.store.event_records import UnreadableEvent
from gitbridge_console.store.keys import expand_id


def draft_of(
    record: EventRecord, decision: Decision, settings: Settings, *, text: str | None = None, word: ReviewWord = ""
) -> dict[str, Any]:
    """The action of a decision as it would be published: with ``text`` in place of its own, and the review as ``word`` says.

    Raises:
        Usage: the text or the word does not fit the action.
    """
    diff = None if record.diff is None else record.diff.decode("utf-8", "replace")
    try:
        facts = read_facts(record.detail.type, json.loads(record.payload), diff)
    except ValueError:
        raise Usage(f"the payload of {record.detail.id} is no JSON: nothing can be published of it") from None
    policy = settings.kinds[Kind(decision.kind).value]
    files = material_from(facts, diff, settings.sources).files
    plan = plan_action(policy, facts, decision, files, settings.actions, word)
    if isinstance(plan, NoAction):
        if text is not None or word:
            raise Usage(f"there is nothing to edit or to choose: {plan.reason}")
        return not_sent(policy.action, plan.reason, dry_run=settings.actions.dry_run)
    if word and plan.type != "review":
        raise Usage(f"--as is for reviews, the action of a {decision.kind} is {plan.type}")
    if text is not None:
        try:
            plan = ActionPlan(plan.type, tuple(with_text(request, text) for request in plan.requests), plan.marker)
        except ValueError as error:
            raise Usage(str(error)) from None
    return planned(plan, run=decision.run, at_ms=0)


def text_in(draft: dict[str, Any]) -> str:
    """The text of a draft, as an operator edits it."""
    return text_of_request(request_at(draft, 0)) if draft.get("requests") else ""


class Drafts(Door):
    """The operations that look at what would be published."""

    async def draft(self, event_id: str, *, text: str | None = None, word: ReviewWord = "") -> dict[str, Any]:
        """What approving an event would publish, exactly."""
        event = expand_id(event_id.partition("-")[0])
        async with self._asking():
            decision = await self._store.reader.decision(event)
        if decision is None:
            raise NotFound(f"no decision {event_id}")
        return await self._draft(event, decision, text=text, word=word)

    async def _draft(self, event: str, decision: Decision, *, text: str | None = None, word: ReviewWord = "") -> dict[str, Any]:
        async with self._asking():
            try:
                record = await self._store.records.read(event)
            except UnreadableEvent as error:
                raise OperationError(str(error)) from error
        if record is None:
            raise NotFound(f"no event {event}")
        if record.detail.state != EventState.AWAITING_APPROVAL:
            raise Refused(f"event {event} is {record.detail.state}, not awaiting approval")
        return draft_of(record, decision, self._settings(), text=text, word=word)
