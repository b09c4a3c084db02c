"""Operators and decisions: look, say what is real, join and split findings, choose a verdict, approve, try another strategy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gitbridge_console.consensus.manager import ConsensusManager, input_of
from gitbridge_console.consensus.strategies import CAUTION, STRATEGIES
from gitbridge_console.domain.answers import SEVERITIES
from gitbridge_console.domain.decision_records import approval_record, edit_record
from gitbridge_console.domain.decisions import Answer, AnswerStatus, Cluster, Decision, Edit, EditWord
from gitbridge_console.domain.event_views import ChangeReport, DecisionSummary, TaskDetail
from gitbridge_console.domain.events import EventState, Kind
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.domain.timestamps import iso_from_ms
from gitbridge_console.operations.door import Door
from gitbridge_console.operations.errors import NotFound, Refused, Usage
from gitbridge_console.router.decision_stage import digest_of
from gitbridge_console.router.hedging import one_per_seat
from gitbridge_console.store.keys import expand_id
from gitbridge_console.store.outcomes import Judgement
from gitbridge_console.store.replies import server_now_ms

EDITS_MAX = 200
"""Edits one decision bears."""

TRIES = 5
"""How often an edit is made anew because another came in between."""

RECOMPUTED_MAX = 1_000
JUDGING: frozenset[EditWord] = frozenset({"accept", "dismiss", "restore"})
"""Words that are of use after the event was acted on as well: what is learned from them comes later."""

NOTE_MAX = 500


@dataclass(frozen=True, slots=True)
class Recomputed:
    """What a strategy would have made of a decision. ``differs`` says in words how, empty where it would have been the same."""

    decided: Decision
    would_be: Decision
    differs: tuple[str, ...]


class DecisionOperations(Door):
    """Part of the door."""

    async def list_decisions(self, limit: int = 100, wanted: EventFilter | None = None) -> list[DecisionSummary]:
        """Newest first; of those that match, with ``wanted``."""
        async with self._asking():
            if wanted is None or wanted == EventFilter():
                return await self._store.reader.list_decisions(limit)
            matching = {event.id for event in await self._store.reader.list_events(wanted, RECOMPUTED_MAX)}
            found = await self._store.reader.list_decisions(RECOMPUTED_MAX)
        return [row for row in found if row.event_id in matching][:limit]

    async def show_decision(self, decision_id: str) -> Decision:
        """A decision by its own id (``<event>-<run>``) or by its event's."""
        event, _, run = decision_id.partition("-")
        async with self._asking():
            decision = await self._store.reader.decision(expand_id(event))
        if decision is None or (run and str(decision.run) != run):
            raise NotFound(f"no decision {decision_id}")
        return decision

    async def edit_decision(
        self, decision_id: str, word: EditWord, numbers: Sequence[int], *, value: str = "", note: str = "", seen: Decision | None = None
    ) -> Decision:
        """An operator's word on the findings with these numbers, or on the verdict; returns the decision as it is then.

        ``seen`` is the decision the numbers were read from: with another by now they may mean other findings, and nothing is done.
        What was acted on can only be judged (``accept``, ``dismiss``, ``restore``), for what is learned from that.
        """
        event = expand_id(decision_id.partition("-")[0])
        target = " ".join([event, *(f"#{number}" for number in numbers), value]).strip()
        async with self._writing(f"decision {word}", target, note) as record:
            for _ in range(TRIES):
                stored = await self._store.reader.decision_text(event)
                if stored is None:
                    raise NotFound(f"no decision {decision_id}")
                before = Decision.model_validate_json(stored)
                if seen is not None and _shape(seen) != _shape(before):
                    raise Refused(f"the findings of {before.id} were put together otherwise meanwhile: look again")
                edit = await self._edit(before, word, numbers, value, note)
                waits = await self._state(event) == EventState.AWAITING_APPROVAL
                after = _edited(before, edit, anew=waits)
                only_open = waits or word not in JUDGING
                reply = await self._store.queue.amend(event, stored, after, digest_of(after), only_open=only_open, by=edit.by)
                moved_on = only_open and reply != EventState.AWAITING_APPROVAL
                if reply == "changed" or (moved_on and word in JUDGING):
                    continue
                if moved_on:
                    raise Refused(f"event {event} is {reply}: what was decided and acted on can only be judged, by accept or dismiss")
                await self._store.queue.log_record(event, edit_record(after, edit))
                if word in JUDGING:
                    await self._learn(before, after, edit)
                record.result = f"{word} {', '.join(edit.findings) or value}"
                return after
        raise Refused(f"the decision on {event} is changed by others all the time: try again")

    async def amend(self, event_id: str, verdict: str, note: str = "") -> ChangeReport:
        """Choose the verdict of an event that awaits approval; approving it stays a step of its own."""
        after = await self.edit_decision(event_id, "verdict", (), value=verdict, note=note)
        return ChangeReport(changed=1, ids=(after.event_id,), notes=(f"{after.id} is {after.verdict}",))

    async def recompute(self, decisions: Sequence[str], strategy: str, *, with_late: bool = False) -> list[Recomputed]:
        """What another strategy would have decided from the same answers; asks nobody and changes nothing."""
        if strategy not in STRATEGIES and not strategy.startswith("single:"):
            raise Usage(f"unknown strategy {strategy!r}: use single:<provider> or one of {', '.join(STRATEGIES)}")
        if len(decisions) > RECOMPUTED_MAX:
            raise Usage(f"{len(decisions)} decisions at once, at most {RECOMPUTED_MAX}: narrow the filter")
        manager, found = ConsensusManager(), []
        for decision_id in decisions:
            decided = await self.show_decision(decision_id)
            given = decided
            if with_late:
                async with self._asking():
                    event = await self._store.reader.event_detail(decided.event_id)
                given = decided.model_copy(update={"answers": with_late_answers(decided, event.tasks if event else ())})
            would_be = manager.recompute(given, strategy, with_late=with_late)
            found.append(Recomputed(decided, would_be, tuple(differences(decided, would_be))))
        return found

    async def approve(self, event_id: str, note: str = "") -> ChangeReport:
        """Let an event that awaits approval act."""
        return await self._settle_approval(event_id, note, approve=True)

    async def reject(self, event_id: str, note: str = "") -> ChangeReport:
        """Resolve an event that awaits approval without acting."""
        return await self._settle_approval(event_id, note, approve=False)

    async def _settle_approval(self, event_id: str, note: str, *, approve: bool) -> ChangeReport:
        name = expand_id(event_id.partition("-")[0])
        word = "approve" if approve else "reject"
        async with self._writing(word, name, note) as record:
            before = await self._store.queue.approve(name, approve=approve, by=self._actor.who, note=note)
            if not before:
                raise NotFound(f"no event {event_id}")
            if before != EventState.AWAITING_APPROVAL:
                raise Refused(f"event {name} is {before}, not awaiting approval")
            at = iso_from_ms(await server_now_ms(self._store.client))
            await self._store.queue.log_record(name, approval_record(name, at=at, by=self._actor.who, approved=approve, note=note))
            record.result = "approved" if approve else "rejected"
        return ChangeReport(changed=1, ids=(name,))

    async def _state(self, event: str) -> str:
        header = await self._store.reader.find_event(event)
        return header.get("state", "") if header else ""

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

    async def _learn(self, before: Decision, after: Decision, edit: Edit) -> None:
        """Book the new word on each finding, and take back the one it replaces."""
        old = {cluster.refs: cluster.word for cluster in before.clusters}
        voters = {answer.vendor or answer.provider for answer in before.answers if answer.status is AnswerStatus.OK and not answer.late}
        for cluster in after.clusters:
            was, now = old.get(cluster.refs, ""), cluster.word
            if was == now or not set(cluster.refs) & set(edit.findings):
                continue
            providers = sorted({str(member["provider"]) for member in cluster.members if "unsupported" not in member})
            what = Judgement(cluster.vendors or cluster.k, len(voters), providers, before.kind, cluster.category or "other")
            if was:
                await self._store.outcomes.judge(what, real=was == "accepted", taken_back=True)
            if now:
                await self._store.outcomes.judge(what, real=now == "accepted")


def _shape(decision: Decision) -> list[tuple[str, ...]]:
    return [cluster.refs for cluster in decision.clusters]


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
        return ConsensusManager().decide(replace(given, basis=basis)).model_copy(update={"feedback": decision.feedback})
    words = {"accept": "accepted", "dismiss": "dismissed"}
    clusters = tuple(
        cluster.model_copy(update={"word": words.get(edit.word, "")}) if set(cluster.refs) & set(edit.findings) else cluster
        for cluster in decision.clusters
    )
    return decision.model_copy(update={"clusters": clusters, "feedback": (*decision.feedback, edit)})


def with_late_answers(decision: Decision, tasks: Sequence[TaskDetail]) -> tuple[Answer, ...]:
    """The answers of a decision, those that came after it in the place of what was missing then, marked late."""
    came = {task.id: task.answer for task in one_per_seat([task for task in tasks if not task.asks]) if task.answer is not None}
    found = []
    for answer in decision.answers:
        late = came.get(answer.task_id)
        is_late = answer.status in (AnswerStatus.PENDING, AnswerStatus.CANCELLED) and late is not None
        found.append(late.model_copy(update={"late": True, "vendor": answer.vendor}) if late is not None and is_late else answer)
    return tuple(found)


def differences(decided: Decision, would_be: Decision) -> list[str]:
    """How two decisions on the same answers differ, in words."""
    found = []
    if decided.verdict != would_be.verdict:
        found.append(f"{decided.verdict} would be {would_be.verdict}")
    if decided.needs_operator != would_be.needs_operator:
        found.append("an operator would decide" if would_be.needs_operator else "no operator would be needed")
    before, after = ({cluster.refs for cluster in d.clusters if cluster.confirmed and cluster.stands} for d in (decided, would_be))
    if before != after:
        found.append(f"{len(before)} findings confirmed would be {len(after)}")
    return found
