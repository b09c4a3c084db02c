"""Groups of findings as the decision records them: who said it, how severe, in whose words, how likely it is to be real."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from gitbridge_console.consensus.agreement import chance
from gitbridge_console.consensus.edits import regroup, severity_of, word_on
from gitbridge_console.consensus.matching import Group, Match, merge, statements_of
from gitbridge_console.domain.answers import SEVERITIES
from gitbridge_console.domain.decisions import Answer, Basis, Cluster, finding_ref

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


def build_clusters(votes: Sequence[Answer], basis: Basis) -> tuple[Cluster, ...]:
    """Match the findings of all voting answers; what stands first, then the most agreed and most severe."""
    by_provider = {answer.provider: findings_of(answer) for answer in votes}
    vendors = {answer.provider: answer.vendor or answer.provider for answer in votes}
    statements = [s for provider, findings in by_provider.items() for s in statements_of(provider, findings, basis.places)]
    clusters = [_cluster(group, by_provider, vendors, basis) for group in regroup(merge(statements), basis.edits)]
    clusters.sort(key=lambda c: (not c.stands, not c.confirmed, -c.k, rank(c.severity), c.path, c.line, c.title, c.refs))
    return tuple(cluster.model_copy(update={"id": n}) for n, cluster in enumerate(clusters, 1))


def _cluster(group: Group, by_provider: Mapping[str, Sequence[Mapping[str, Any]]], vendors: Mapping[str, str], basis: Basis) -> Cluster:
    refs = [finding_ref(member.provider, member.index) for member in group.members]
    members = []
    for ref, member in zip(refs, group.members, strict=True):
        finding = by_provider[member.provider][member.index]
        shown = {"provider": member.provider, "index": member.index, **{key: finding[key] for key in KEPT if key in finding}}
        if ref in basis.places:
            shown |= {"path": member.path, "start_line": member.start_line, "end_line": member.end_line}
        if ref in basis.unsupported:
            shown["unsupported"] = basis.unsupported[ref]
        members.append(shown)
    standing = [member for member in members if "unsupported" not in member] or members
    supported = "unsupported" not in standing[0]
    providers = sorted({str(member["provider"]) for member in standing}) if supported else []
    # The words of the most severe member with the most evidence stand for all; texts are never blended.
    speaker = min(
        standing, key=lambda m: (rank(str(m.get("severity", ""))), -len(str(m.get("evidence", ""))), str(m["provider"]), int(m["index"]))
    )
    rated = {str(m["provider"]) for m in standing}
    ranks = [min(rank(str(m.get("severity", ""))) for m in standing if m["provider"] == provider) for provider in sorted(rated)]
    n, voices, verified = len(by_provider), len({vendors[provider] for provider in providers}), _verified(refs, basis)
    # Who was asked about it and found it real says so as well.
    agree = voices + sum(word == "real" for provider, word in verified.items() if provider not in providers)
    return Cluster(
        id=0,
        tier=group.tier,
        k=len(providers),
        n=n,
        severity=severity_of(refs, basis.edits) or merged_severity(ranks),
        category=str(speaker.get("category", speaker.get("problem", ""))),
        path=str(speaker.get("path", "")),
        line=int(speaker.get("start_line", 0)),
        title=str(speaker.get("title", "")),
        members=tuple(members),
        vendors=voices,
        real=chance(min(agree, len(set(vendors.values()))), len(set(vendors.values())), basis.outcomes) if supported else 0.0,
        supported=supported,
        word=word_on(refs, basis.edits),
        verified=verified,
        parts=tuple(_part(match) for match in group.matches),
    )


def _verified(refs: Sequence[str], basis: Basis) -> dict[str, Any]:
    return {
        verification.provider: word
        for verification in basis.verifications
        if verification.trusted
        for ref in refs
        if (word := verification.words.get(ref)) is not None
    }


def _part(match: Match) -> dict[str, Any]:
    edge = match.edge
    return {
        "a": finding_ref(match.a.provider, match.a.index),
        "b": finding_ref(match.b.provider, match.b.index),
        "tier": edge.tier,
        "score": round(edge.score, 4),
        "similarity": round(edge.similarity, 4),
        "same_path": edge.same_path,
        "gap": edge.gap,
        "same_category": edge.same_category,
    }


def merged_severity(ranks: Sequence[int]) -> str:
    """The median of the providers' ratings, halves rounded to the more severe; never below high where one says critical."""
    middle = int(statistics.median(ranks))
    if 0 in ranks:
        middle = min(middle, SEVERITIES.index("high"))
    return SEVERITIES[min(middle, len(SEVERITIES) - 1)]
