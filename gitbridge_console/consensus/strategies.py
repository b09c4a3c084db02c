"""Ways to turn votes into a verdict, each a pure function of the panel.

``majority`` is the default, ``policy`` the one made for reviews. ``confidence``, ``cost_aware``, ``latency_aware`` and
``hybrid`` weigh votes by what the answers say of themselves; stated confidence is weak evidence, so none is a default.
Several providers of one vendor share one voice in all of them.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gitbridge_console.consensus.clusters import findings_of
from gitbridge_console.consensus.verification import verdict_on
from gitbridge_console.domain.decisions import Answer, Cluster
from gitbridge_console.domain.events import Kind

CAUTION: dict[Kind, tuple[str, ...]] = {
    Kind.CODE_REVIEW: ("request_changes", "comment", "approve"),
    Kind.PUSH_REVIEW: ("alert", "ok"),
    Kind.DOCUMENTATION: ("needs_update", "up_to_date"),
    Kind.ISSUE_TRIAGE: ("needs_info", "triaged"),
    Kind.GENERAL: ("attention", "noted"),
}
"""Verdicts of each kind, the most cautious first: ties go that way."""

CONFIDENCE = {"low": 0.5, "medium": 1.0, "high": 1.5}


@dataclass(frozen=True, slots=True)
class Panel:
    """What a strategy sees: valid, non-abstaining votes and the merged findings."""

    kind: Kind
    votes: tuple[Answer, ...]
    clusters: tuple[Cluster, ...]
    reliability: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """By provider: right and wrong findings, as operators judged them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict, the rules that led to it, and whether a person has to decide."""

    verdict: str
    rationale: tuple[str, ...]
    needs_operator: bool = False


def most_cautious(kind: Kind, verdicts: Sequence[str]) -> str:
    """Of several verdicts the one that does least harm if it is wrong."""
    order = CAUTION[kind]
    return min(verdicts, key=lambda verdict: order.index(verdict) if verdict in order else len(order))


def weigh(panel: Panel, weight: Callable[[Answer], float], name: str) -> Outcome:
    """The verdict with the greatest sum of weights; ties go to the most cautious and are said."""
    sums: defaultdict[str, float] = defaultdict(float)
    voices = Counter(vote.vendor or vote.provider for vote in panel.votes)
    for vote in panel.votes:
        sums[vote.verdict or ""] += weight(vote) / voices[vote.vendor or vote.provider]
    best = max(sums.values())
    leaders = [verdict for verdict, total in sums.items() if total > best - 1e-9]
    verdict = most_cautious(panel.kind, leaders)
    counts = ", ".join(f"{word} {round(total, 3):g}" for word, total in sorted(sums.items(), key=lambda item: (-item[1], item[0])))
    rationale = [f"{name}: {counts}"]
    if len(leaders) > 1:
        rationale.append(f"tie between {' and '.join(sorted(leaders))}: the most cautious one holds")
    return Outcome(verdict, tuple(rationale))


def majority(panel: Panel) -> Outcome:
    """One vote each."""
    return weigh(panel, lambda vote: 1.0, "majority")


OUTCOMES_MIN = 30
"""Judged findings from which on a provider's record says something."""

WEIGHT_MAX = 2.2
"""Log-odds of a record of nine right in ten: nobody weighs more."""


def learned_weight(right: float, wrong: float) -> float:
    """Log-odds of the mean of a provider's record (uniform prior), never below those of a coin that is a little better than even.

    1 below :data:`OUTCOMES_MIN` outcomes.
    """
    if right + wrong < OUTCOMES_MIN:
        return 1.0
    mean = max(0.5, (right + 1) / (right + wrong + 2))
    return min(WEIGHT_MAX, max(0.1, math.log(mean / (1 - mean))))


def weighted(panel: Panel) -> Outcome:
    """Votes by what operators made of earlier findings; whoever has too few of them weighs 1, like all did at first."""
    known = {name: record for name, record in panel.reliability.items() if sum(record) >= OUTCOMES_MIN}
    if not known:
        return weigh(panel, lambda vote: 1.0, f"weighted, nobody has {OUTCOMES_MIN} judged findings yet")
    return weigh(panel, lambda vote: learned_weight(*known.get(vote.provider, (0.0, 0.0))), "weighted")


def strictest(panel: Panel) -> Outcome:
    """The most cautious verdict anybody gave."""
    return Outcome(most_cautious(panel.kind, [vote.verdict or "" for vote in panel.votes]), ("strictest: the most cautious vote holds",))


def unanimous(panel: Panel) -> Outcome:
    """Only what all agree on; else a person decides."""
    verdicts = {vote.verdict or "" for vote in panel.votes}
    if len(verdicts) == 1:
        return Outcome(verdicts.pop(), ("unanimous",))
    return Outcome(most_cautious(panel.kind, sorted(verdicts)), ("not unanimous: an operator decides",), needs_operator=True)


def operator(panel: Panel) -> Outcome:
    """The majority as a proposal; a person decides."""
    return Outcome(majority(panel).verdict, ("an operator decides",), needs_operator=True)


def policy(panel: Panel) -> Outcome:
    """For reviews, by the merged findings: confirmed grave ones ask for changes, others comment, none and all approving approves.

    For other kinds it is the majority.
    """
    if panel.kind is not Kind.CODE_REVIEW:
        return majority(panel)
    standing = [cluster for cluster in panel.clusters if cluster.stands]
    grounds = [why for cluster in standing if (why := ground_for_changes(cluster))]
    if grounds:
        return Outcome("request_changes", tuple(grounds[:5]))
    if standing:
        return Outcome("comment", (f"R3: {len(standing)} findings, none both grave and confirmed",))
    if all(vote.verdict == "approve" for vote in panel.votes):
        return Outcome("approve", ("R4: no findings and every vote approves",))
    return Outcome("comment", ("R5: no findings, but not every vote approves",))


def ground_for_changes(cluster: Cluster) -> str:
    """By which rule a finding asks for changes; empty where it does not."""
    if cluster.severity not in ("critical", "high"):
        return ""
    if cluster.word == "accepted":
        return f"R1: #{cluster.id} is {cluster.severity} and an operator accepted it"
    if cluster.confirmed:
        return f"R1: #{cluster.id} is {cluster.severity} and confirmed by {cluster.k} of {cluster.n}"
    if cluster.severity == "critical" and verdict_on(cluster) == "real":
        return f"R2: #{cluster.id} is critical, and others asked about it found it real"
    return ""


def single(panel: Panel, provider: str) -> Outcome:
    """What one provider said."""
    for vote in panel.votes:
        if vote.provider == provider:
            return Outcome(vote.verdict or "", (f"single: {provider} decides",))
    return Outcome(majority(panel).verdict, (f"single: {provider} gave no vote, an operator decides",), needs_operator=True)


def stated_confidence(vote: Answer) -> float:
    """Mean confidence of an answer's findings as a weight around 1; without findings 1."""
    words = [CONFIDENCE.get(str(finding.get("confidence")), 1.0) for finding in findings_of(vote)]
    return sum(words) / len(words) if words else 1.0


def confidence(panel: Panel) -> Outcome:
    """Votes by the confidence they state."""
    return weigh(panel, stated_confidence, "confidence")


def _cheaper_is_more(value: Callable[[Answer], float | None], votes: Sequence[Answer]) -> Callable[[Answer], float]:
    """Weights 1.2 down to 0.8 from the least to the greatest value; unknown ones weigh 1. They can only break ties."""
    known = sorted(v for vote in votes if (v := value(vote)) is not None)

    def weight(vote: Answer) -> float:
        own = value(vote)
        if own is None or not known or known[0] == known[-1]:
            return 1.0
        return 1.2 - 0.4 * (own - known[0]) / (known[-1] - known[0])

    return weight


def cost_aware(panel: Panel) -> Outcome:
    """Majority; among equals the cheaper answers weigh more."""
    return weigh(panel, _cheaper_is_more(lambda vote: vote.cost_usd, panel.votes), "cost aware")


def latency_aware(panel: Panel) -> Outcome:
    """Majority; among equals the quicker answers weigh more."""
    return weigh(panel, _cheaper_is_more(lambda vote: vote.latency_ms, panel.votes), "latency aware")


def hybrid(panel: Panel) -> Outcome:
    """Confidence, cost and latency together, as the product of their weights."""
    cost = _cheaper_is_more(lambda vote: vote.cost_usd, panel.votes)
    latency = _cheaper_is_more(lambda vote: vote.latency_ms, panel.votes)
    return weigh(panel, lambda vote: stated_confidence(vote) * cost(vote) * latency(vote), "hybrid")


STRATEGIES: Mapping[str, Callable[[Panel], Outcome]] = {
    "majority": majority,
    "policy": policy,
    "weighted": weighted,
    "strictest": strictest,
    "unanimous": unanimous,
    "operator": operator,
    "confidence": confidence,
    "cost_aware": cost_aware,
    "latency_aware": latency_aware,
    "hybrid": hybrid,
}


def apply_strategy(name: str, panel: Panel) -> Outcome:
    """Run a strategy by the name the settings give it.

    Raises:
        ValueError: no such strategy.
    """
    if name.startswith("single:"):
        return single(panel, name.removeprefix("single:"))
    if name not in STRATEGIES:
        raise ValueError(f"unknown strategy {name!r}: use single:<provider> or one of {', '.join(STRATEGIES)}")
    return STRATEGIES[name](panel)
