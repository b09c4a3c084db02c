"""Questions about a panel's answers, before it is decided: is a lone grave finding real, which of several verdicts holds, one vote more.

What may be asked of whom is a function of the decision as it would stand; the questions are seats beside the panel, and bring
the event back to ``decide`` one time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from gitbridge_console.consensus.arbiter import read_arbitration, written_answers
from gitbridge_console.consensus.conflicts import is_lone
from gitbridge_console.consensus.edits import chosen_verdict
from gitbridge_console.consensus.verification import Claim, claims_for, read_verification, verdict_on
from gitbridge_console.domain.decisions import Answer, AnswerStatus, Arbitration, Decision, Verification
from gitbridge_console.domain.event_views import TaskDetail
from gitbridge_console.domain.events import Ask
from gitbridge_console.settings.routing import KindSettings
from gitbridge_console.store.records import Seat


def questions(decision: Decision, policy: KindSettings, available: Sequence[str]) -> list[Seat]:
    """What is still to be asked about a panel's answers, of those who can be asked now; nothing where the panel is clear."""
    seats = []
    if policy.verify:
        lone = [cluster for cluster in decision.clusters if is_lone(cluster)]
        for answer in decision.answers:
            if answer.status is AnswerStatus.OK and answer.provider in available:
                claims = claims_for(answer.provider, decision, lone)
                if claims:
                    seats.append(Seat(answer.provider, Ask.VERIFY, json.dumps([asdict(claim) for claim in claims])))
    if policy.arbiter and policy.arbiter in available and needs_arbiter(decision):
        seats += [Seat(policy.arbiter, Ask.ARBITER, written_answers(decision, backwards=backwards)) for backwards in (False, True)]
    return seats


def needs_arbiter(decision: Decision) -> bool:
    """Whether votes differ: a ruling is a verdict, and settles nothing else."""
    return any(conflict.type == "verdict" for conflict in decision.conflicts)


def unsettled(decision: Decision, policy: KindSettings) -> list[int]:
    """Critical findings of one reviewer that nobody could confirm or refute: an operator decides then."""
    if not policy.verify or len(decision.answers) < 2:
        return []
    lone = (cluster for cluster in decision.clusters if is_lone(cluster) and cluster.severity == "critical")
    return [cluster.id for cluster in lone if verdict_on(cluster) in ("", "unsettled")]


def with_open_claims(decision: Decision, policy: KindSettings) -> Decision:
    """The decision, left to an operator where a critical finding is unsettled and none has chosen the verdict yet."""
    if decision.needs_operator or chosen_verdict(decision.basis.edits) is not None or not (claims := unsettled(decision, policy)):
        return decision
    why = f"nobody could confirm or refute the critical finding #{claims[0]}: an operator decides"
    return decision.model_copy(update={"needs_operator": True, "rationale": (*decision.rationale, why)})


def read_answers(asked: Sequence[TaskDetail], about: Mapping[str, str]) -> tuple[tuple[Verification, ...], Arbitration | None]:
    """What the second round came to; a question without an answer says why there is none."""
    verifications = []
    rulings: list[Answer | None] = []
    arbiter = ""
    for task in asked:
        answer = task.answer if task.answer is not None and task.answer.status is AnswerStatus.OK else None
        if task.asks == Ask.VERIFY:
            claims = _claims(about.get(task.id, ""))
            reason = "" if answer else _why_none(task)
            verifications.append(read_verification(task.provider, claims, answer.payload if answer else None, reason))
        elif task.asks == Ask.ARBITER:
            arbiter = arbiter or task.provider
            # One that was moved by hand is another's word, not a second of the same.
            rulings.append(answer if task.provider == arbiter else None)
    return tuple(verifications), read_arbitration(arbiter, rulings) if arbiter else None


def cost_of(asked: Sequence[TaskDetail]) -> float | None:
    """What the second round cost, as far as that is known."""
    known = [task.answer.cost_usd for task in asked if task.answer is not None and task.answer.cost_usd is not None]
    return round(sum(known), 6) if known else None


def _claims(raw: str) -> list[Claim]:
    try:
        return [Claim(**row) for row in json.loads(raw)]
    except (ValueError, TypeError):
        return []


def _why_none(task: TaskDetail) -> str:
    return (task.answer.reason if task.answer is not None else "") or f"no answer in time; it is {task.state.replace('_', ' ')}"


def written_about(asks: str, raw: str) -> str:
    """What a question is about, as it stands in the prompt: the claims by number, or the answers by letter."""
    if asks != Ask.VERIFY:
        return raw
    rows = (f"{n}. {claim.path or 'no file'}:{claim.line or '?'} {claim.title}" for n, claim in enumerate(_claims(raw), 1))
    return "Claims:\n" + "\n".join(" ".join(row.split()) for row in rows)
