"""Groups of findings as the decision records them: who said it, how severe, in whose words."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from gitbridge_console.consensus.matching import Group, merge, statements_of
from gitbridge_console.domain.answers import SEVERITIES
from gitbridge_console.domain.decisions import Answer, Cluster

KEPT = (
    "title",
    "severity",
    "path",
    "start_line",
    "end_line",
    "category",
    "body",
    "evidence",
    "section",
    "suggestion",
    "problem",
    "confidence",
)


def rank(severity: str) -> int:
    """0 for critical, rising; unknown words count as the least severe."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def findings_of(answer: Answer) -> list[dict[str, Any]]:
    """The findings (or edits) of an answer, empty for kinds without."""
    payload = answer.payload or {}
    found = payload.get("findings") or payload.get("edits") or []
    return list(found)


def build_clusters(votes: Sequence[Answer]) -> tuple[Cluster, ...]:
    """Match the findings of all voting answers; most agreed and most severe first."""
    by_provider = {answer.provider: findings_of(answer) for answer in votes}
    groups = merge([statement for provider, findings in by_provider.items() for statement in statements_of(provider, findings)])
    clusters = [_cluster(group, by_provider, len(by_provider)) for group in groups]
    clusters.sort(key=lambda c: (-c.k, rank(c.severity), c.path, c.line, c.title))
    return tuple(cluster.model_copy(update={"id": n}) for n, cluster in enumerate(clusters, 1))


def _cluster(group: Group, by_provider: dict[str, list[dict[str, Any]]], n: int) -> Cluster:
    members = [
        {
            "provider": member.provider,
            "index": member.index,
            **{key: value for key, value in _finding(by_provider, member.provider, member.index).items() if key in KEPT},
        }
        for member in group.members
    ]
    # The words of the most severe member with the most evidence stand for all; texts are never blended.
    speaker = min(
        members, key=lambda m: (rank(str(m.get("severity", ""))), -len(str(m.get("evidence", ""))), str(m["provider"]), int(m["index"]))
    )
    ranks = [min(rank(str(m.get("severity", ""))) for m in members if m["provider"] == provider) for provider in sorted(group.providers)]
    return Cluster(
        id=0,
        tier=group.tier,
        k=len(group.providers),
        n=n,
        severity=merged_severity(ranks),
        category=str(speaker.get("category", speaker.get("problem", ""))),
        path=str(speaker.get("path", "")),
        line=int(speaker.get("start_line", 0)),
        title=str(speaker.get("title", "")),
        members=tuple(members),
    )


def _finding(by_provider: dict[str, list[dict[str, Any]]], provider: str, index: int) -> dict[str, Any]:
    return by_provider[provider][index]


def merged_severity(ranks: Sequence[int]) -> str:
    """The median of the providers' ratings, halves rounded to the more severe; never below high where one says critical."""
    middle = int(statistics.median(ranks))
    if 0 in ranks:
        middle = min(middle, SEVERITIES.index("high"))
    return SEVERITIES[min(middle, len(SEVERITIES) - 1)]
