"""What another strategy would have made of a decision, from what is stored: nobody is asked and nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gitbridge_console.actions.requests import NoAction, plan_action
from gitbridge_console.consensus.edits import word_on
from gitbridge_console.consensus.manager import ConsensusManager
from gitbridge_console.consensus.support import check
from gitbridge_console.domain.decisions import Answer, AnswerStatus, Decision
from gitbridge_console.domain.event_records import EventRecord
from gitbridge_console.domain.event_views import TaskDetail
from gitbridge_console.domain.events import Kind
from gitbridge_console.domain.facts import read_facts
from gitbridge_console.router.second_round import with_open_claims
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.routing import KindSettings
from gitbridge_console.sources.diffs import material_from, parse_unified_diff

MISSING = frozenset({AnswerStatus.PENDING, AnswerStatus.CANCELLED})
"""What a seat had to say at the time may have come since."""


@dataclass(frozen=True, slots=True)
class Recomputed:
    """What a strategy would have made of a decision. ``differs`` says in words how, empty where it would have been the same."""

    decided: Decision
    would_be: Decision
    differs: tuple[str, ...]


def recomputed(decided: Decision, strategy: str, record: EventRecord | None, settings: Settings, *, with_late: bool) -> Recomputed:
    """One decision under another strategy; ``record`` is its event, needed for late answers only."""
    given = with_late_answers(decided, record, settings) if with_late and record is not None else decided
    would_be = ConsensusManager().recompute(given, strategy, with_late=with_late)
    would_be = with_open_claims(would_be, KindSettings.model_validate(would_be.policy))
    return Recomputed(decided, would_be, tuple(differences(decided, would_be)))


def with_actions(found: Recomputed, record: EventRecord, settings: Settings) -> Recomputed:
    """The same, and what would be done about it where that is something else."""
    own, other = (action_type(decision, record, settings) for decision in (found.decided, found.would_be))
    return found if own == other else replace(found, differs=(*found.differs, f"action {own} would be {other}"))


def may_have_come(decision: Decision) -> bool:
    """Whether an answer was missing that may be there by now."""
    return any(answer.status in MISSING for answer in decision.answers)


def with_late_answers(decision: Decision, record: EventRecord, settings: Settings) -> Decision:
    """The decision with the answers that came after it in the place of what was missing, marked late and held against the diff."""
    came = _by_seat(decision, record.detail.tasks)
    vendors = {name: provider.vendor for name, provider in settings.providers.items()}
    late = {
        task_id: answer.model_copy(update={"late": True, "vendor": vendors.get(answer.provider, "")}) for task_id, answer in came.items()
    }
    basis = decision.basis
    if late and basis.checked and record.diff:
        support = check(tuple(late.values()), parse_unified_diff(record.diff.decode("utf-8", "replace"), settings.sources))
        basis = basis.model_copy(
            update={"unsupported": {**basis.unsupported, **support.unsupported}, "places": {**basis.places, **support.places}}
        )
    answers = tuple(late.get(answer.task_id, answer) for answer in decision.answers)
    return decision.model_copy(update={"answers": answers, "basis": basis})


def _by_seat(decision: Decision, tasks: Sequence[TaskDetail]) -> dict[str, Answer]:
    """Answers by the task whose answer was missing; a seat may have been answered by its hedge."""
    seats = {task.id: task.hedge_of or task.id for task in tasks}
    found: dict[str, Answer] = {}
    for answer in decision.answers:
        if answer.status in MISSING:
            seat = seats.get(answer.task_id, answer.task_id)
            came = [task.answer for task in tasks if seats[task.id] == seat and not task.asks and task.answer is not None]
            if came:
                found[answer.task_id] = min(came, key=lambda each: each.status is not AnswerStatus.OK)
    return found


def action_type(decision: Decision, record: EventRecord, settings: Settings) -> str:
    """The type of what would be done about a decision, by the settings as they are now; ``none`` where nothing would."""
    diff = None if record.diff is None else record.diff.decode("utf-8", "replace")
    try:
        facts = read_facts(record.detail.type, json.loads(record.payload), diff)
    except ValueError:
        return "none"
    plan = plan_action(
        settings.kinds[Kind(decision.kind).value], facts, decision, material_from(facts, diff, settings.sources).files, settings.actions
    )
    return "none" if isinstance(plan, NoAction) else plan.type


def differences(decided: Decision, would_be: Decision) -> list[str]:
    """How two decisions on the same answers differ, in words."""
    found = []
    if decided.verdict != would_be.verdict:
        found.append(f"{decided.verdict} would be {would_be.verdict}")
    if decided.needs_operator != would_be.needs_operator:
        found.append("an operator would decide" if would_be.needs_operator else "no operator would be needed")
    before, after = confirmed(decided), confirmed(would_be)
    if before != after:
        found.append(f"{len(before)} findings confirmed would be {len(after)}" + (", others" if len(before) == len(after) else ""))
    return found


def confirmed(decision: Decision) -> set[frozenset[str]]:
    """The findings that counted as confirmed when it was decided: what was said of them later decided nothing."""
    clusters = [cluster.model_copy(update={"word": word_on(cluster.refs, decision.basis.edits)}) for cluster in decision.clusters]
    return {frozenset(cluster.refs) for cluster in clusters if cluster.confirmed and cluster.stands}
