"""Operators and decisions: look, say what is real, join and split findings, choose a verdict, approve, try another strategy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace

from pydantic import ValidationError

from gitbridge_console.actions.caps import ReviewWord
from gitbridge_console.consensus.manager import ConsensusManager, input_of
from gitbridge_console.consensus.strategies import CAUTION, STRATEGIES
from gitbridge_console.domain.answers import SEVERITIES
from gitbridge_console.domain.decision_records import approval_record, edit_record
from gitbridge_console.domain.decisions import Cluster, Decision, Edit, EditWord
from gitbridge_console.domain.event_records import EventRecord
from gitbridge_console.domain.event_views import ChangeReport, DecisionSummary
from gitbridge_console.domain.events import EventState, Kind
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.domain.timestamps import iso_from_ms
from gitbridge_console.operations.drafts import Drafts
from gitbridge_console.operations.errors import NotFound, OperationError, Refused, Usage
from gitbridge_console.operations.judged import changes
from gitbridge_console.operations.recompute import Recomputed, may_have_come, recomputed, with_actions
from gitbridge_console.router.decision_stage import digest_of
from gitbridge_console.router.second_round import with_open_claims
from gitbridge_console.settings.routing import KindSettings
from gitbridge_console.store.event_records import UnreadableEvent
from gitbridge_console.store.keys import expand_id
from gitbridge_console.store.replies import server_now_ms

EDITS_MAX = 200
"""Edits one decision bears."""

TRIES = 5
"""How often an edit is made anew because another came in between."""

RECOMPUTED_MAX = 1_000
JUDGING: frozenset[EditWord] = frozenset({"accept", "dismiss", "restore"})
"""Words that are of use after the event was acted on as well: what is learned from them comes later."""

NOTE_MAX = 500


class DecisionOperations(Drafts):
    """Part of the door."""

    async def list_decisions(self, limit: int = 100, wanted: EventFilter | None = None) -> list[DecisionSummary]:
        """Newest first; of those that match, with ``wanted``."""
        async with self._asking():
            return await self._store.reader.list_decisions(limit, None if wanted == EventFilter() else wanted)

    async def show_decision(self, decision_id: str) -> Decision:
        """A decision by its own id (``<event>-<run>``) or by its event's."""
        event, _, run = decision_id.partition("-")
        async with self._asking():
            decision = await self._store.reader.decision(expand_id(event))
        if decision is None or (run and str(decision.run) != run):
            raise NotFound(f"no decision {decision_id}")
        return decision

    async def edit_decision(
        self, decision_id: str, word: EditWord, numbers: Sequence[int], value: str = "", note: str = "", *, seen: Decision | None = None
    ) -> Decision:
        """An operator's word on the findings with these numbers, or on the verdict; returns the decision as it is then.

        ``seen`` is the decision the numbers were read from: with another by now they may mean other findings, and nothing is done.
        What was acted on can only be judged (``accept``, ``dismiss``, ``restore``), for what is learned from that.
        """
        event = expand_id(decision_id.partition("-")[0])
        target = " ".join([event, *(f"#{number}" for number in numbers), value]).strip()
        async with self._writing(f"decision {word}", target, note, planned=max(1, len(numbers))) as record:
            for _ in range(TRIES):
                stored = await self._store.reader.decision_text(event)
                before = _read(stored, decision_id)
                # A second try is for the findings that the numbers meant at the first.
                seen = seen or before
                if not _mean_the_same(numbers, seen, before):
                    raise Refused(f"the findings of {before.id} were put together otherwise meanwhile: look again")
                edit = await self._edit(before, word, numbers, value, note)
                waits = await self._waits(event)
                after = _edited(before, edit, anew=waits)
                only_open = waits or word not in JUDGING
                reply = await self._store.queue.amend(event, stored or "", after, digest_of(after), only_open=only_open, by=edit.by)
                if reply in ("", "none"):
                    raise NotFound(f"event {event} has no decision: " + ("it runs anew" if reply else "it is gone"))
                moved_on = only_open and reply != EventState.AWAITING_APPROVAL
                if reply == "changed" or (moved_on and word in JUDGING):
                    continue
                if moved_on:
                    raise Refused(f"event {event} is {reply}: what was decided and acted on can only be judged, by accept or dismiss")
                await self._store.queue.log_record(event, edit_record(after, edit))
                await self._learn(before, after)
                record.result, record.affected = f"{word} {', '.join(edit.findings) or value}", max(1, len(numbers))
                record.before, record.after = {"verdict": before.verdict}, {"verdict": after.verdict}
                return after
        raise Refused(f"the decision on {event} is changed by others all the time: try again")

    async def amend(self, event_id: str, verdict: str, note: str = "") -> ChangeReport:
        """Choose the verdict of an event that awaits approval; approving it stays a step of its own."""
        after = await self.edit_decision(event_id, "verdict", (), value=verdict, note=note)
        return ChangeReport(changed=1, ids=(after.event_id,), notes=(f"{after.id} is {after.verdict}",))

    async def recompute(self, decisions: Sequence[str], strategy: str, *, with_late: bool = False) -> list[Recomputed]:
        """What another strategy would have decided from the same answers; asks nobody and changes nothing."""
        try:
            KindSettings(strategy=strategy)
        except ValidationError:
            raise Usage(f"unknown strategy {strategy!r}: use single:<provider> or one of {', '.join(STRATEGIES)}") from None
        if len(decisions) > RECOMPUTED_MAX:
            raise Usage(f"{len(decisions)} decisions at once, at most {RECOMPUTED_MAX}: narrow the filter")
        settings, found = self._settings(), []
        for decision_id in decisions:
            decided = await self.show_decision(decision_id)
            record = await self._whole(decided.event_id) if with_late and may_have_come(decided) else None
            # A thread, so that a console's engine goes on while hundreds are decided anew.
            each = await asyncio.to_thread(recomputed, decided, strategy, record, settings, with_late=with_late)
            if each.differs and (record := record or await self._whole(decided.event_id)) is not None:
                each = await asyncio.to_thread(with_actions, each, record, settings)
            found.append(each)
        return found

    async def _whole(self, event: str) -> EventRecord | None:
        """An event with its payload and diff; ``None`` where they cannot be read, or are gone."""
        async with self._asking():
            try:
                return await self._store.records.read(event)
            except UnreadableEvent:
                return None

    async def approve(
        self, event_id: str, note: str = "", *, seen: Decision | None = None, text: str | None = None, word: ReviewWord = ""
    ) -> ChangeReport:
        """Let an event that awaits approval act; with ``seen`` only on the decision that was looked at.

        What :meth:`draft` shows for the same ``text`` and ``word`` is stored with the approval and published exactly so.
        """
        return await self._settle_approval(event_id, note, approve=True, seen=seen, text=text, word=word)

    async def reject(self, event_id: str, note: str = "") -> ChangeReport:
        """Resolve an event that awaits approval without acting."""
        return await self._settle_approval(event_id, note, approve=False)

    async def _settle_approval(
        self,
        event_id: str,
        note: str,
        *,
        approve: bool,
        seen: Decision | None = None,
        text: str | None = None,
        word: ReviewWord = "",
    ) -> ChangeReport:
        name = expand_id(event_id.partition("-")[0])
        async with self._writing("approve" if approve else "reject", name, note, planned=1) as record:
            stored = await self._store.reader.decision_text(name) if approve else None
            decision = _read(stored, event_id) if stored is not None else None
            if seen is not None and decision != seen:
                raise Refused(f"the decision on {name} is another by now: look again")
            action = await self._approved(name, decision, text, word) if decision is not None else ""
            before = await self._store.queue.approve(name, approve=approve, by=self._actor.who, note=note, seen=stored, action=action)
            if before == "changed":
                raise Refused(f"the decision on {name} is another by now: look again")
            if not before:
                raise NotFound(f"no event {event_id}")
            if before != EventState.AWAITING_APPROVAL:
                raise Refused(f"event {name} is {before}, not awaiting approval")
            at = iso_from_ms(await server_now_ms(self._store.client))
            await self._store.queue.log_record(name, approval_record(name, at=at, by=self._actor.who, approved=approve, note=note))
            how = f"{f', posted as {word}' if word else ''}{', with another text' if text is not None else ''}"
            record.result = f"approved{how}" if approve else "rejected"
            record.affected = 1
            record.before, record.after = {name: before}, {name: record.result}
        return ChangeReport(changed=1, ids=(name,))

    async def _approved(self, event: str, decision: Decision, text: str | None, word: ReviewWord) -> str:
        """What is approved, as it is stored for whoever publishes it."""
        draft = await self._draft(event, decision, text=text, word=word)
        now_ms = await server_now_ms(self._store.client)
        return json.dumps({**draft, "since_ms": now_ms, "approved_by": self._actor.who})

    async def _waits(self, event: str) -> bool:
        """Whether an event awaits an operator's approval, and has none yet."""
        header = await self._store.reader.find_event(event) or {}
        return header.get("state") == EventState.AWAITING_APPROVAL and header.get("st") == "settled"

    async def _edit(self, decision: Decision, word: EditWord, numbers: Sequence[int], value: str, note: str) -> Edit:
        """The edit, checked against the decision it is about."""
        if len(decision.basis.edits) + len(decision.feedback) >= EDITS_MAX:
            raise Refused(f"{decision.id} was edited {EDITS_MAX} times, that is the most: replay the event")
        by_number = {cluster.id: cluster for cluster in decision.clusters}
        if missing := [number for number in numbers if number not in by_number]:
            raise NotFound(f"{decision.id} has no finding {missing[0]}" + (f", it has 1 to {len(by_number)}" if by_number else ""))
        chosen = [by_number[number] for number in dict.fromkeys(numbers)]
        _check(decision, word, chosen, value)
        refs = tuple(ref for cluster in chosen for ref in cluster.refs)
        at = iso_from_ms(await server_now_ms(self._store.client))
        return Edit(at=at, by=self._actor.who, word=word, findings=refs, value=value, note=note[:NOTE_MAX])

    async def _learn(self, before: Decision, after: Decision) -> None:
        """Take back what no longer stands, book what is new."""
        gone, new = changes(before, after)
        for what, real in gone:
            await self._store.outcomes.judge(what, real=real, taken_back=True)
        for what, real in new:
            await self._store.outcomes.judge(what, real=real)


def _read(stored: str | None, decision_id: str) -> Decision:
    """A decision that is there, of the run that is meant.

    Raises:
        NotFound: it is not.
        OperationError: it cannot be read.
    """
    run = decision_id.partition("-")[2]
    try:
        decision = None if stored is None else Decision.model_validate_json(stored)
    except ValidationError:
        raise OperationError(f"the decision {decision_id} cannot be read: it was stored by another version, or is damaged") from None
    if decision is None or (run and str(decision.run) != run):
        raise NotFound(f"no decision {decision_id}")
    return decision


def _mean_the_same(numbers: Sequence[int], seen: Decision, now: Decision) -> bool:
    then, here = ({cluster.id: cluster.refs for cluster in decision.clusters} for decision in (seen, now))
    return all(then.get(number) == here.get(number) for number in numbers)


def _check(decision: Decision, word: EditWord, chosen: Sequence[Cluster], value: str) -> None:
    """Whether an edit makes sense.

    Raises:
        Usage: it does not.
    """
    if word == "verdict":
        known = CAUTION[Kind(decision.kind)]
        if value not in known:
            raise Usage(f"{value or 'nothing'} is no verdict of a {decision.kind}: use one of {', '.join(known)}")
        return
    if not chosen:
        raise Usage(f"{word} what? Name findings by their numbers")
    if word == "join" and len(chosen) < 2:
        raise Usage("join needs two findings or more")
    if word == "split" and all(len({m["provider"] for m in cluster.members}) < 2 for cluster in chosen):
        raise Usage("only a finding that several reviewers made can be split")
    if word == "severity" and value not in SEVERITIES:
        raise Usage(f"{value or 'nothing'} is no severity: use one of {', '.join(SEVERITIES)}")


def _edited(decision: Decision, edit: Edit, *, anew: bool) -> Decision:
    """The decision with one more edit: decided anew while nothing was done with it, else with the word put on its findings."""
    if anew:
        given = input_of(decision)
        basis = given.basis.model_copy(update={"edits": (*given.basis.edits, edit)})
        anew_decided = ConsensusManager().decide(replace(given, basis=basis)).model_copy(update={"feedback": decision.feedback})
        return with_open_claims(anew_decided, given.policy)
    words = {"accept": "accepted", "dismiss": "dismissed"}
    clusters = tuple(
        cluster.model_copy(update={"word": words.get(edit.word, "")}) if set(cluster.refs) & set(edit.findings) else cluster
        for cluster in decision.clusters
    )
    return decision.model_copy(update={"clusters": clusters, "feedback": (*decision.feedback, edit)})
