"""What a decision's operators' words add to what is known of findings: one judgement for each finding with a word on it."""

from __future__ import annotations

from collections import Counter

from gitbridge_console.consensus.manager import is_vote
from gitbridge_console.domain.decisions import Cluster, Decision
from gitbridge_console.domain.events import Kind
from gitbridge_console.store.outcomes import Judgement

Judged = tuple[Judgement, bool]
"""A judgement, and whether the finding was accepted."""


def judgements(decision: Decision) -> Counter[Judged]:
    """All of a decision; ``k`` and ``n`` are those its chances were looked up by."""
    kind = Kind(decision.kind)
    voters = len({answer.vendor or answer.provider for answer in decision.answers if is_vote(answer, kind)})
    return Counter((_judgement(cluster, voters, kind), cluster.word == "accepted") for cluster in decision.clusters if cluster.word)


def changes(before: Decision, after: Decision) -> tuple[list[Judged], list[Judged]]:
    """What is to be taken back and what is to be booked when one decision takes the place of another.

    Findings that were joined or split with a word on them count as what they are now, so the sum over all edits is always that
    of the decision as it stands.
    """
    old, new = judgements(before), judgements(after)
    return list((old - new).elements()), list((new - old).elements())


def _judgement(cluster: Cluster, voters: int, kind: Kind) -> Judgement:
    supported = [member for member in cluster.members if "unsupported" not in member]
    providers = tuple(sorted({str(member["provider"]) for member in supported or cluster.members}))
    return Judgement(cluster.vendors or cluster.k, voters, providers, kind.value, cluster.category or "other")
