"""``ConsensusManager``: the panel's answers and the kind's policy in, a decision out. No I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gitbridge_console.consensus.clusters import build_clusters
from gitbridge_console.consensus.conflicts import find_conflicts
from gitbridge_console.consensus.fields import decide_fields
from gitbridge_console.consensus.strategies import CAUTION, Panel, apply_strategy
from gitbridge_console.domain.decisions import Agreement, Answer, AnswerStatus, Decision, DecisionState
from gitbridge_console.domain.events import Kind
from gitbridge_console.settings.routing import KindSettings

ANSWERED = frozenset({AnswerStatus.OK, AnswerStatus.ABSTAIN, AnswerStatus.REFUSED})


@dataclass(frozen=True, slots=True)
class ConsensusInput:
    """Everything a decision depends on; the same input gives the same decision."""

    event_id: str
    run: int
    kind: Kind
    policy: KindSettings
    answers: tuple[Answer, ...]
    created_at: str
    decision_id: str


class ConsensusManager:
    """Decides. Abstentions and refusals count as answered, never as votes; what is invalid counts as neither."""

    def decide(self, given: ConsensusInput) -> Decision:
        """The decision of a panel as it stands, whatever is missing."""
        answers = tuple(sorted(given.answers, key=lambda answer: (answer.provider, answer.task_id)))
        votes = tuple(answer for answer in answers if is_vote(answer, given.kind))
        answered = sum(answer.status in ANSWERED for answer in answers)
        state = decision_state(len(answers), answered, len(votes), given.policy.quorum)
        bare = Decision(
            id=given.decision_id,
            event_id=given.event_id,
            run=given.run,
            created_at=given.created_at,
            kind=given.kind.value,
            state=state,
            strategy=given.policy.strategy,
            verdict="none",
            seats=len(answers),
            quorum=given.policy.quorum,
            answered=answered,
            agreement=Agreement(verdict_k=0, verdict_n=0),
            conflicts=find_conflicts(answers, votes, (), "none", given.policy.strategy, {}),
            rationale=("nobody voted",),
            answers=answers,
            cost_usd=sum_known(answers),
        )
        return bare if not votes else bare.model_copy(update=_outcome(given, answers, votes, state))


def _outcome(given: ConsensusInput, answers: tuple[Answer, ...], votes: tuple[Answer, ...], state: DecisionState) -> dict[str, Any]:
    """The parts of a decision that come from votes."""
    clusters = build_clusters(votes)
    outcome = apply_strategy(given.policy.strategy, Panel(given.kind, votes, clusters))
    fields, summary = decide_fields(given.kind, votes, outcome.verdict)
    return {
        "verdict": outcome.verdict,
        "agreement": Agreement(
            verdict_k=sum(vote.verdict == outcome.verdict for vote in votes),
            verdict_n=len(votes),
            findings_confirmed=sum(cluster.k >= 2 for cluster in clusters),
            findings_total=len(clusters),
        ),
        "clusters": clusters,
        "conflicts": find_conflicts(answers, votes, clusters, outcome.verdict, given.policy.strategy, fields),
        "dissent": tuple(
            {"provider": vote.provider, "verdict": vote.verdict or "", "why": str((vote.payload or {}).get("summary", ""))[:300]}
            for vote in votes
            if vote.verdict != outcome.verdict
        ),
        "rationale": (*_standing(state, len(votes), given.policy), *outcome.rationale),
        "fields": fields,
        "summary": summary,
        "needs_operator": outcome.needs_operator or state is DecisionState.DEGRADED,
    }


def is_vote(answer: Answer, kind: Kind) -> bool:
    """Whether an answer counts: valid, and with a verdict of its kind other than ``abstain``."""
    return answer.status is AnswerStatus.OK and answer.payload is not None and answer.verdict in CAUTION[kind]


def decision_state(seats: int, answered: int, votes: int, quorum: int) -> DecisionState:
    """How much of the panel stands behind the decision."""
    if votes == 0:
        return DecisionState.FAILED
    if votes < quorum:
        return DecisionState.DEGRADED
    return DecisionState.COMPLETE if answered >= seats else DecisionState.PARTIAL


def sum_known(answers: tuple[Answer, ...]) -> float | None:
    """Sum of the known costs; ``None`` where none is known."""
    known = [answer.cost_usd for answer in answers if answer.cost_usd is not None]
    return round(sum(known), 6) if known else None


def _standing(state: DecisionState, votes: int, policy: KindSettings) -> tuple[str, ...]:
    if policy.quorum == 1 and votes == 1:
        return ("one answer, nobody to compare it with",)
    if state is DecisionState.DEGRADED:
        return (f"{votes} of {policy.quorum} needed votes: an operator decides",)
    return (f"{votes} votes, quorum {policy.quorum}",)
