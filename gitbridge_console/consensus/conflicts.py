"""What a panel does not agree on, by type, with what was made of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gitbridge_console.consensus.clusters import findings_of, rank
from gitbridge_console.domain.decisions import Answer, AnswerStatus, Cluster, Conflict

GRAVE = frozenset({"critical", "high"})
MEDIUM = 2
SINGLE_FIELDS = {"kind": "most named", "priority": "median", "risk": "median"}
"""Fields that can hold one value only, with the rule that chose it."""


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
        *_evidence(votes),
        *_fields(votes, fields),
        *_missing(answers, votes),
    )


def _verdict(votes: Sequence[Answer], verdict: str, strategy: str) -> Iterable[Conflict]:
    positions = {vote.provider: vote.verdict or "" for vote in votes}
    if len(set(positions.values())) > 1:
        yield Conflict(type="verdict", subject="verdict", positions=positions, resolution=verdict, resolved_by=strategy)


def _severity(clusters: Sequence[Cluster]) -> Iterable[Conflict]:
    for cluster in clusters:
        positions = {str(m["provider"]): str(m.get("severity", "")) for m in cluster.members}
        ranks = [rank(word) for word in positions.values()]
        if len(ranks) > 1 and max(ranks) - min(ranks) >= 2:
            yield Conflict(
                type="severity",
                subject=f"#{cluster.id}",
                positions=positions,
                resolution=cluster.severity,
                resolved_by="median, critical counts as high",
            )


def _lone(clusters: Sequence[Cluster]) -> Iterable[Conflict]:
    for cluster in clusters:
        if cluster.k == 1 and cluster.severity in GRAVE:
            provider = str(cluster.members[0]["provider"])
            positions = {provider: cluster.severity}
            yield Conflict(
                type="lone",
                subject=f"#{cluster.id}",
                positions=positions,
                resolution="shown as unconfirmed",
                resolved_by="one reviewer only",
            )


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
        yield Conflict(
            type="verdict_evidence",
            subject=vote.provider,
            positions={vote.provider: text},
            resolution="flagged, the vote stands",
            resolved_by="rule",
        )


def _fields(votes: Sequence[Answer], fields: Mapping[str, Any]) -> Iterable[Conflict]:
    for name, rule in SINGLE_FIELDS.items():
        positions = {vote.provider: str((vote.payload or {}).get(name, "")) for vote in votes}
        if name in fields and len(set(positions.values())) > 1:
            yield Conflict(type="field", subject=name, positions=positions, resolution=str(fields[name]), resolved_by=rule)


def _missing(answers: Sequence[Answer], votes: Sequence[Answer]) -> Iterable[Conflict]:
    voted = {vote.task_id for vote in votes}
    for answer in answers:
        if answer.task_id not in voted:
            status = AnswerStatus.INVALID if answer.status is AnswerStatus.OK else answer.status
            why = answer.reason or status.value.replace("_", " ")
            yield Conflict(
                type="missing",
                subject=answer.provider,
                positions={answer.provider: status.value},
                resolution="no vote",
                resolved_by=why[:200],
            )
