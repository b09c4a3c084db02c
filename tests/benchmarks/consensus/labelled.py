"""Reviews of real pull requests by several AI reviewers, with what a judge found each finding to be: scores of ours on them.

The file is JSON: ``{"prs": [{"golden": [{"text"}], "findings": [{"tool", "text", "golden": [index]}]}]}``; a finding with an
empty ``golden`` was judged false. The judge keeps one candidate of each tool for a golden issue, so a tool's second posting
of it counts as false there: pairs with such a finding are left out of the pair score, and so are pairs of two false ones,
which may or may not be the same mistake.
"""

from __future__ import annotations

import itertools
import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from gitbridge_console.consensus.agreement import PRIORS, chance
from gitbridge_console.consensus.matching import Group, Statement, edge, merge, tokens
from gitbridge_console.domain.answers import FINDINGS_MAX
from tests.consensus.panels import decide, finding, vote

PANEL = 3
REVIEWERS_MAX = 10
"""Reviewers with the most findings make up the panels; ones that hardly say anything are no panel."""


@dataclass(frozen=True)
class PullRequest:
    """``findings`` by reviewer; ``golden`` holds which issues each statement names, by reviewer and index."""

    issues: int
    findings: dict[str, tuple[Statement, ...]]
    golden: dict[tuple[str, int], frozenset[int]]


@dataclass(frozen=True)
class Score:
    """Precision, recall and their harmonic mean."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def read(path: Path) -> list[PullRequest]:
    """The file's pull requests."""
    found = []
    for pr in json.loads(path.read_text("utf-8"))["prs"]:
        findings: defaultdict[str, list[Statement]] = defaultdict(list)
        golden = {}
        for said in pr["findings"]:
            own = findings[said["tool"]]
            golden[said["tool"], len(own)] = frozenset(said["golden"])
            own.append(Statement(said["tool"], len(own), said["text"]))
        found.append(PullRequest(len(pr["golden"]), {name: tuple(said) for name, said in findings.items()}, golden))
    return found


def reviewers(prs: Sequence[PullRequest]) -> tuple[str, ...]:
    """Those with the most findings, in the order of their names."""
    counts = Counter({name: 0 for pr in prs for name in pr.findings})
    for pr in prs:
        counts.update({name: len(said) for name, said in pr.findings.items()})
    return tuple(sorted(name for name, _ in counts.most_common(REVIEWERS_MAX)))


def pair_score(prs: Sequence[PullRequest]) -> Score:
    """Whether two findings of different reviewers are matched, against whether they name the same issue."""
    right = matched = same = 0
    for pr in prs:
        issues_of = {name: frozenset().union(*(pr.golden[name, s.index] for s in said)) for name, said in pr.findings.items()}
        for a, b in itertools.combinations(itertools.chain.from_iterable(pr.findings.values()), 2):
            of_a, of_b = pr.golden[a.provider, a.index], pr.golden[b.provider, b.index]
            repeated = (not of_a and issues_of[a.provider] & of_b) or (not of_b and issues_of[b.provider] & of_a)
            if a.provider == b.provider or not (of_a or of_b) or repeated:
                continue
            is_match, is_same = edge(a, b) is not None, bool(of_a & of_b)
            right += is_match and is_same
            matched += is_match
            same += is_same
    return Score(right / matched if matched else 0.0, right / same if same else 0.0)


@dataclass(frozen=True)
class Judged:
    """One group of a panel's findings: how many said it, and which issues it names."""

    pr: int
    k: int
    issues: frozenset[int]


def judged(prs: Sequence[PullRequest], panel: Sequence[str]) -> list[Judged]:
    """What a panel of these reviewers found, in groups."""
    return [
        Judged(n, len(group.providers), _issues(pr, group))
        for n, pr in enumerate(prs)
        for group in merge([statement for name in panel for statement in pr.findings.get(name, ())])
    ]


def _issues(pr: PullRequest, group: Group) -> frozenset[int]:
    return frozenset().union(*(pr.golden[member.provider, member.index] for member in group.members))


def score(found: Iterable[Judged], issues: int) -> Score:
    """Of groups: how many are real, and how many of all issues they cover."""
    groups = list(found)
    covered = len({(group.pr, issue) for group in groups for issue in group.issues})
    return Score(sum(bool(group.issues) for group in groups) / len(groups) if groups else 0.0, covered / issues if issues else 0.0)


LARGE = 60
ROUNDS = 5


def large_merge_ms(prs: Sequence[PullRequest]) -> float:
    """The best of some merges of three reviewers with sixty findings each, taken from all pull requests: what one arrival may cost."""
    texts = [statement.title for pr in prs for said in pr.findings.values() for statement in said]
    panel = [
        Statement(f"reviewer {n // LARGE}", n % LARGE, texts[n * 7 % len(texts)], f"src/{n % 9}.py", n * 13 % 400 + 1)
        for n in range(PANEL * LARGE)
    ]
    took = []
    for _ in range(ROUNDS):
        tokens.cache_clear()
        began = perf_counter()
        merge(panel)
        took.append((perf_counter() - began) * 1000)
    return min(took)


HOSTILE = ("x" * 390, "`" * 390, "abcd\n" * 78, "add the lock remove the cart " * 13)


def hostile_decide_ms() -> float:
    """The longest of some decisions on eight answers as large and as awkward as answers may be: what one event may cost the others."""
    took = []
    for text in HOSTILE:
        findings = [finding(text, "high", 8, body=text * 15, evidence=text * 15) for _ in range(FINDINGS_MAX)]
        answers = [vote(f"p{n}", "comment", findings) for n in range(8)]
        began = perf_counter()
        decide(*answers)
        took.append((perf_counter() - began) * 1000)
    return max(took)


def measure(path: Path) -> dict[str, float | int]:
    """All figures, averaged over every panel of three."""
    prs = read(path)
    names, issues = reviewers(prs), sum(pr.issues for pr in prs)
    single = {name: score(judged(prs, [name]), issues).f1 for name in names}
    votes, unions, bests, misses, won, took = [], [], [], [], 0, []
    real: defaultdict[int, list[bool]] = defaultdict(list)
    for panel in itertools.combinations(names, PANEL):
        began = perf_counter()
        groups = judged(prs, panel)
        took.append((perf_counter() - began) * 1000 / len(prs))
        vote = score((group for group in groups if group.k >= 2), issues).f1
        best = max(single[name] for name in panel)
        votes.append(vote)
        bests.append(best)
        won += vote > best
        unions.append(score(groups, issues).recall)
        for group in groups:
            real[group.k].append(bool(group.issues))
            misses.append((chance(group.k, PANEL) - bool(group.issues)) ** 2)
    return {
        "pair_f1": round(pair_score(prs).f1, 4),
        "vote_f1": round(statistics.fmean(votes), 4),
        "best_single_f1": round(statistics.fmean(bests), 4),
        "panels_won": won,
        "panels": len(votes),
        "brier": round(statistics.fmean(misses), 4),
        "union_recall": round(statistics.fmean(unions), 4),
        "merge_ms": round(statistics.fmean(took), 3),
        "hostile_decide_ms": round(hostile_decide_ms(), 1),
        "merge_3x60_ms": round(large_merge_ms(prs), 1),
        **{f"real_{k}_of_{PANEL}": round(statistics.fmean(found), 4) for k, found in sorted(real.items())},
        **{f"chance_{k}_of_{PANEL}": PRIORS[PANEL][k] for k in sorted(real)},
    }
