"""What a panel does not agree on, by type, with what was made of it and what could be done instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gitbridge_console.consensus.clusters import findings_of, rank
from gitbridge_console.consensus.contradictions import contradictions
from gitbridge_console.consensus.verification import verdict_on
from gitbridge_console.domain.decisions import Answer, AnswerStatus, Cluster, Conflict

GRAVE = frozenset({"critical", "high"})
MEDIUM = 2
SINGLE_FIELDS = {"kind": "most named", "priority": "median", "risk": "median"}
"""Fields that can hold one value only, with the rule that chose it."""

ALTERNATIVES: Mapping[str, tuple[str, ...]] = {
    "verdict": ("majority", "weighted", "strictest", "arbiter", "operator"),
    "severity": ("strictest", "operator"),
    "lone": ("accept", "dismiss"),
    "contradiction": ("operator",),
    "verdict_evidence": ("operator",),
    "unsupported": ("accept, which restores its vote",),
    "field": ("operator",),
    "missing": ("replay", "replay with another panel"),
    "stale": ("replay", "post as outdated"),
}
"""The nine types. Each has a default, said as ``resolution``; these are the other ways."""


def find_conflicts(
    answers: Sequence[Answer],
    votes: Sequence[Answer],
    clusters: Sequence[Cluster],
    verdict: str,
    strategy: str,
    fields: Mapping[str, Any],
) -> tuple[Conflict, ...]:
    """All conflicts of a panel; ``verdict`` and ``fields`` are what was decided, the verdict by ``strategy``."""
    return (
        *_verdict(votes, verdict, strategy),
        *_severity(clusters),
        *(_lone(clusters) if len(votes) > 1 else ()),
        *_contradiction(clusters),
        *_evidence(votes),
        *_unsupported(clusters),
        *_fields(votes, fields),
        *_missing(answers, votes),
    )


def conflict(type: str, subject: str, positions: dict[str, str], resolution: str, by: str) -> Conflict:
    """One conflict with the alternatives of its type."""
    return Conflict(type=type, subject=subject, positions=positions, resolution=resolution, resolved_by=by, alternatives=ALTERNATIVES[type])


def _verdict(votes: Sequence[Answer], verdict: str, strategy: str) -> Iterable[Conflict]:
    positions = {vote.provider: vote.verdict or "" for vote in votes}
    if len(set(positions.values())) > 1:
        yield conflict("verdict", "verdict", positions, verdict, strategy)


def _severity(clusters: Sequence[Cluster]) -> Iterable[Conflict]:
    for cluster in clusters:
        positions = {str(m["provider"]): str(m.get("severity", "")) for m in cluster.members}
        ranks = [rank(word) for word in positions.values()]
        if len(ranks) > 1 and max(ranks) - min(ranks) >= 2:
            yield conflict("severity", f"#{cluster.id}", positions, cluster.severity, "median, critical counts as high")


def is_lone(cluster: Cluster) -> bool:
    """A grave finding with one voice behind it, and no word of an operator."""
    return cluster.supported and not cluster.word and not cluster.confirmed and cluster.severity in GRAVE


def _lone(clusters: Sequence[Cluster]) -> Iterable[Conflict]:
    for cluster in filter(is_lone, clusters):
        positions = {str(m["provider"]): cluster.severity for m in cluster.members if "unsupported" not in m}
        positions |= {who: word.replace("_", " ") for who, word in cluster.verified.items()}
        found = verdict_on(cluster)
        resolution, by = {
            "real": ("counts as confirmed", "others asked about it found it real"),
            "not_real": ("shown as unconfirmed", "others asked about it found it not real"),
            "unsettled": ("shown as unconfirmed", "others asked about it could not tell"),
        }.get(found, ("shown as unconfirmed", "one reviewer only"))
        yield conflict("lone", f"#{cluster.id}", positions, resolution, by)


def _contradiction(clusters: Sequence[Cluster]) -> Iterable[Conflict]:
    for one, other, wishes in contradictions(clusters):
        subject = f"#{one.id}" if one.id == other.id else f"#{min(one.id, other.id)} and #{max(one.id, other.id)}"
        yield conflict("contradiction", subject, wishes, "listed side by side", "an operator chooses")


def _evidence(votes: Sequence[Answer]) -> Iterable[Conflict]:
    for vote in votes:
        ranks = [rank(str(finding.get("severity", ""))) for finding in findings_of(vote)]
        worst = min(ranks, default=len("none"))
        if vote.verdict == "request_changes" and worst > MEDIUM:
            text = "asks for changes without a finding of medium severity"
        elif vote.verdict == "approve" and worst == 0:
            text = "approves in spite of a critical finding"
        else:
            continue
        yield conflict("verdict_evidence", vote.provider, {vote.provider: text}, "flagged, the vote stands", "rule")


def _unsupported(clusters: Sequence[Cluster]) -> Iterable[Conflict]:
    for cluster in clusters:
        positions = {str(m["provider"]): str(m["unsupported"]) for m in cluster.members if "unsupported" in m}
        if not positions:
            continue
        if cluster.word == "accepted":
            resolution, by = "restored", "operator"
        else:
            resolution, by = ("that vote is left out" if cluster.supported else "no vote"), "held against the diff"
        yield conflict("unsupported", f"#{cluster.id}", positions, resolution, by)


def _fields(votes: Sequence[Answer], fields: Mapping[str, Any]) -> Iterable[Conflict]:
    for name, rule in SINGLE_FIELDS.items():
        positions = {vote.provider: str((vote.payload or {}).get(name, "")) for vote in votes}
        if name in fields and len(set(positions.values())) > 1:
            yield conflict("field", name, positions, str(fields[name]), rule)


def _missing(answers: Sequence[Answer], votes: Sequence[Answer]) -> Iterable[Conflict]:
    voted = {vote.task_id for vote in votes}
    for answer in answers:
        if answer.task_id not in voted:
            status = AnswerStatus.INVALID if answer.status is AnswerStatus.OK else answer.status
            why = answer.reason or status.value.replace("_", " ")
            yield conflict("missing", answer.provider, {answer.provider: status.value}, "no vote", why[:200])
