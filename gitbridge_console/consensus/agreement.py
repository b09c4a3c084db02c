"""How far a panel agrees, in words an operator can use: counts, a band against what is usual, and the chance that a finding is real.

The rates were measured on 50 pull requests reviewed by ten AI reviewers (labels by a judging model, published as "code review
benchmark" by Martian, 2026): of findings that one, two or three of three name, 16, 50 and 82 of a hundred are real; agreement
of all of a panel's findings is 17 % in the median. Low agreement is normal, so a bare percentage would look broken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from gitbridge_console.domain.decisions import Agreement, Answer, Cluster

PRIORS: Mapping[int, Mapping[int, float]] = {
    1: {1: 0.35},
    2: {1: 0.22, 2: 0.68},
    3: {1: 0.16, 2: 0.50, 3: 0.82},
    4: {1: 0.12, 2: 0.40, 3: 0.66, 4: 0.91},
    5: {1: 0.10, 2: 0.33, 3: 0.55, 4: 0.77, 5: 0.95},
}
"""By the number of voters, then by how many name it; larger panels are taken as panels of five, by their share."""

PSEUDO_COUNTS = 10
"""How many operators' words the published rate is worth."""

LIKELY, DOUBTFUL = 0.65, 0.35
WEIGHTS = {"critical": 8, "high": 4, "medium": 2, "low": 1, "nit": 0}
USUAL = (0.08, 0.29)
"""Quartiles of agreement over the published reviews."""

HISTORY_MIN, HISTORY_MAX = 30, 100
"""Decisions of a repository from which on its own quartiles hold, and the newest that are looked at."""

Band = Literal["", "low", "usual", "high", "all clear"]


def prior(k: int, n: int) -> float:
    """The published rate for "k of n"."""
    if k <= 0 or n <= 0:
        return 0.0
    most = max(PRIORS)
    if n <= most:
        return PRIORS[n][min(k, n)]
    return PRIORS[most][max(1, min(most, round(k * most / n)))]


def chance(k: int, n: int, outcomes: Mapping[str, tuple[int, int]] | None = None) -> float:
    """Chance that what ``k`` of ``n`` voters name is real: the published rate, moved by what operators said of such findings.

    ``outcomes`` has, by ``k/n``, how many were real of how many judged (a Beta prior worth :data:`PSEUDO_COUNTS`).
    """
    real, judged = (outcomes or {}).get(f"{k}/{n}", (0, 0))
    return round((PSEUDO_COUNTS * prior(k, n) + real) / (PSEUDO_COUNTS + judged), 4)


def chance_word(real: float) -> str:
    """``likely``, ``even`` or ``doubtful``."""
    return "likely" if real >= LIKELY else "doubtful" if real < DOUBTFUL else "even"


def share(clusters: Sequence[Cluster], voters: int) -> float | None:
    """Agreement of the findings, weighed by severity: 1 when all name all (or nobody names any), 0 when nobody confirms another.

    ``None`` for a single voter. Where only nits were found each counts the same.
    """
    if voters < 2:
        return None
    counted = [cluster for cluster in clusters if cluster.supported and cluster.k > 0]
    weights = [WEIGHTS.get(cluster.severity, 1) for cluster in counted]
    if not sum(weights):
        weights = [1] * len(counted)
    total = sum(weights)
    if not total:
        return 1.0
    return round(sum(w * (cluster.k - 1) / (voters - 1) for w, cluster in zip(weights, counted, strict=True)) / total, 4)


def quartiles(history: Sequence[float]) -> tuple[float, float] | None:
    """Lower and upper quartile of a repository's agreements (nearest rank); ``None`` while there are too few."""
    if len(history) < HISTORY_MIN:
        return None
    ordered = sorted(history)
    return ordered[(len(ordered) - 1) // 4], ordered[3 * (len(ordered) - 1) // 4]


def agreement(votes: Sequence[Answer], clusters: Sequence[Cluster], verdict: str, usual: tuple[float, float] | None) -> Agreement:
    """All of it; ``usual`` are the repository's own quartiles, ``None`` for the published ones."""
    found = [cluster for cluster in clusters if cluster.supported]
    agreed, (low, high) = share(clusters, len(votes)), usual or USUAL
    band: Band = ""
    if agreed is not None:
        band = "all clear" if not found else "low" if agreed < low else "high" if agreed > high else "usual"
    return Agreement(
        verdict_k=sum(vote.verdict == verdict for vote in votes),
        verdict_n=len(votes),
        findings_confirmed=sum(cluster.confirmed and cluster.stands for cluster in clusters),
        findings_total=len(found),
        share=agreed,
        band=band,
        usual=(low, high) if agreed is not None else None,
        own_history=usual is not None,
    )
