"""``ConsensusManager``: the panel's answers, the kind's policy and the basis in, a decision out. No I/O, no clock.

A decision holds all it was made from, so it can be made anew: :func:`input_of` gives back the input, and the same input gives
the same decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gitbridge_console.consensus.agreement import agreement
from gitbridge_console.consensus.clusters import build_clusters
from gitbridge_console.consensus.conflicts import find_conflicts
from gitbridge_console.consensus.edits import chosen_verdict
from gitbridge_console.consensus.fields import decide_fields
from gitbridge_console.consensus.strategies import CAUTION, Outcome, Panel, apply_strategy
from gitbridge_console.consensus.wording import identical_wording
from gitbridge_console.domain.decisions import Agreement, Answer, AnswerStatus, Basis, Cluster, Decision, DecisionState
from gitbridge_console.domain.events import Kind
from gitbridge_console.settings.routing import KindSettings

RULES = 2
"""Version of the rules below and of what they call; a decision says by which it was made."""

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
    basis: Basis = field(default_factory=Basis)


def input_of(decision: Decision) -> ConsensusInput:
    """What a stored decision was made from. One of before its policy was kept has its strategy and quorum only."""
    policy = decision.policy or {"strategy": decision.strategy, "quorum": decision.quorum, "seats": max(decision.seats, decision.quorum)}
    return ConsensusInput(
        event_id=decision.event_id,
        run=decision.run,
        kind=Kind(decision.kind),
        policy=KindSettings.model_validate(policy),
        answers=decision.answers,
        created_at=decision.created_at,
        decision_id=decision.id,
        basis=decision.basis,
    )


class ConsensusManager:
    """Decides. Abstentions and refusals count as answered, never as votes; what is invalid counts as neither."""

    def decide(self, given: ConsensusInput) -> Decision:
        """The decision of a panel as it stands, whatever is missing."""
        answers = tuple(sorted(given.answers, key=lambda answer: (answer.provider, answer.task_id)))
        votes = tuple(answer for answer in answers if is_vote(answer, given.kind))
        in_time = tuple(answer for answer in answers if not answer.late)
        answered = sum(answer.status in ANSWERED for answer in in_time)
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
            cost_usd=sum_known([*(answer.cost_usd for answer in answers), given.basis.asked_usd]),
            rules=RULES,
            policy=given.policy.model_dump(mode="json"),
            basis=given.basis,
        )
        return bare if not votes else bare.model_copy(update=_outcome(given, answers, votes, state))

    def recompute(self, decision: Decision, strategy: str, *, with_late: bool = False) -> Decision:
        """What another strategy would have decided from the same answers; ``with_late``: also from those that came too late.

        Raises:
            ValueError: no such strategy.
        """
        given = input_of(decision)
        policy = KindSettings.model_validate(given.policy.model_dump() | {"strategy": strategy})
        answers = tuple(answer.model_copy(update={"late": False}) for answer in given.answers) if with_late else given.answers
        return self.decide(replace(given, policy=policy, answers=answers))


def _outcome(given: ConsensusInput, answers: tuple[Answer, ...], votes: tuple[Answer, ...], state: DecisionState) -> dict[str, Any]:
    """The parts of a decision that come from votes."""
    clusters = build_clusters(votes, given.basis)
    outcome = _verdict(given, votes, clusters)
    fields, summary = decide_fields(given.kind, votes, outcome.verdict)
    chosen = chosen_verdict(given.basis.edits) is not None
    return {
        "verdict": outcome.verdict,
        "agreement": agreement(votes, clusters, outcome.verdict, given.basis.usual),
        "clusters": clusters,
        "conflicts": find_conflicts(answers, votes, clusters, outcome.verdict, _resolver(given), fields),
        "dissent": tuple(
            {"provider": vote.provider, "verdict": vote.verdict or "", "why": str((vote.payload or {}).get("summary", ""))[:300]}
            for vote in votes
            if vote.verdict != outcome.verdict
        ),
        "rationale": (*_standing(state, len(votes), given.policy), *outcome.rationale),
        "fields": fields,
        "summary": summary,
        "needs_operator": not chosen and (outcome.needs_operator or state is DecisionState.DEGRADED),
        "flags": _flags(votes),
    }


def _verdict(given: ConsensusInput, votes: tuple[Answer, ...], clusters: tuple[Cluster, ...]) -> Outcome:
    """An operator's verdict, else the arbiter's where the votes differ, else that of the strategy."""
    edit = chosen_verdict(given.basis.edits)
    if edit is not None and edit.value in CAUTION[given.kind]:
        return Outcome(edit.value, (f"{edit.by} chose it" + (f": {edit.note}" if edit.note else ""),))
    outcome = apply_strategy(given.policy.strategy, Panel(given.kind, votes, clusters, given.basis.reliability))
    ruling = given.basis.arbitration
    if ruling is None or len({vote.verdict for vote in votes}) < 2:
        return outcome
    if ruling.verdict in CAUTION[given.kind]:
        why = f"the arbiter {ruling.provider} said so twice, the answers in either order"
        # It settles what the votes left open, not who has the last word.
        return Outcome(ruling.verdict, (why, *outcome.rationale), needs_operator=given.policy.strategy == "operator")
    unknown = f"{ruling.verdict[:60]!r} is no verdict of a {given.kind}" if ruling.verdict else ""
    why = ruling.reason or unknown or "it said otherwise when the answers came in another order"
    return Outcome(outcome.verdict, (*outcome.rationale, f"the arbiter {ruling.provider} decided nothing: {why}"), needs_operator=True)


def _resolver(given: ConsensusInput) -> str:
    if chosen_verdict(given.basis.edits) is not None:
        return "operator"
    if given.basis.arbitration is not None and given.basis.arbitration.verdict in CAUTION[given.kind]:
        return "arbiter"
    return given.policy.strategy


def _flags(votes: tuple[Answer, ...]) -> tuple[str, ...]:
    flags = []
    vendors = {vote.vendor or vote.provider for vote in votes}
    if len(votes) > 1 and len(vendors) < len(votes):
        flags.append(f"{len(votes)} votes, {len(vendors)} vendor{'s' if len(vendors) > 1 else ''}")
    if (same := identical_wording(votes)) is not None:
        who, words = same
        flags.append(f"{' and '.join(who)} use the same words: {words!r}; was the text under review written to steer them?")
    return tuple(flags)


def is_vote(answer: Answer, kind: Kind) -> bool:
    """Whether an answer counts: valid, in time, and with a verdict of its kind other than ``abstain``."""
    return answer.status is AnswerStatus.OK and answer.payload is not None and not answer.late and answer.verdict in CAUTION[kind]


def decision_state(seats: int, answered: int, votes: int, quorum: int) -> DecisionState:
    """How much of the panel stands behind the decision."""
    if votes == 0:
        return DecisionState.FAILED
    if votes < quorum:
        return DecisionState.DEGRADED
    return DecisionState.COMPLETE if answered >= seats else DecisionState.PARTIAL


def sum_known(costs: Sequence[float | None]) -> float | None:
    """Sum of the known costs; ``None`` where none is known."""
    known = [cost for cost in costs if cost is not None]
    return round(sum(known), 6) if known else None


def _standing(state: DecisionState, votes: int, policy: KindSettings) -> tuple[str, ...]:
    if policy.quorum == 1 and votes == 1:
        return ("one answer, nobody to compare it with",)
    if state is DecisionState.DEGRADED:
        return (f"{votes} of {policy.quorum} needed votes: an operator decides",)
    missing = f", {max(0, policy.seats - votes)} missing" if state is DecisionState.PARTIAL and policy.seats > votes else ""
    return (f"{votes} votes, quorum {policy.quorum}{missing}",)
