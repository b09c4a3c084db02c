"""A made-up panel whose truth is known: what matching, votes and chances make of it is what was measured on real reviews.

The simulator has faults that all reviewers share in difficulty (so their misses go together), a skill and false alarms of each,
now and then a wrong path, and answers that cannot be read. It is fitted to nothing here: its rates are told below, and must
come near the published k = 1, 2, 3 of three before anything else is learned from it.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass

import pytest

from gitbridge_console.consensus.matching import Statement, merge

PANELS = 400
ISSUES = 3
"""Real issues of a change, as in the fifty pull requests of the published reviews."""

TRUE_RATE = {1: 0.16, 2: 0.50, 3: 0.82}
WITHIN = 0.06

SUBJECTS = (
    "cart",
    "invoice",
    "session",
    "token",
    "retry",
    "cache",
    "queue",
    "lock",
    "index",
    "header",
    "quota",
    "ledger",
    "webhook",
    "batch",
)
PARTS = ("Total", "Owner", "Limit", "Window", "Cursor", "Digest", "Offset", "Parser", "Writer", "Reader", "Mapper", "Guard")
FAULTS = (
    "is None",
    "rounds twice",
    "never closes",
    "races",
    "leaks memory",
    "skips the last",
    "is unescaped",
    "ignores errors",
    "overflows",
)


@dataclass(frozen=True)
class Rater:
    """``skill``: chance to see an easy issue; ``alarms``: false findings of a change; the others: shares of findings and of answers."""

    name: str
    skill: float
    alarms: float
    wrong_path: float = 0.03
    malformed: float = 0.03


RATERS = (Rater("claude", 0.50, 2.4), Rater("grok", 0.42, 2.9), Rater("chatgpt", 0.46, 2.6))


def words(order: random.Random) -> tuple[str, str, str]:
    return order.choice(SUBJECTS), order.choice(SUBJECTS) + order.choice(PARTS), order.choice(FAULTS)


def told(order: random.Random, what: tuple[str, str, str]) -> str:
    subject, name, fault = what
    return order.choice((f"{name} {fault} for the {subject}", f"in {subject}: {name} {fault}", f"{subject} breaks since {name} {fault}"))


def one_panel(order: random.Random) -> list[tuple[Statement, int | None]]:
    """Everybody's findings with the issue each is about, ``None`` for a false one."""
    paths = [f"src/{order.choice(SUBJECTS)}_{n}.py" for n in range(4)]
    issues = [(words(order), order.choice(paths), order.randint(1, 400), order.random()) for _ in range(ISSUES)]
    tempting = [(words(order), order.choice(paths), order.randint(1, 400)) for _ in range(28)]
    said: list[tuple[Statement, int | None]] = []
    for rater in RATERS:
        if order.random() < rater.malformed:
            continue
        found: list[tuple[tuple[str, str, str], str, int, int | None]] = [
            (what, path, line, n)
            for n, (what, path, line, hard) in enumerate(issues)
            if order.random() < min(1.0, 2 * rater.skill * (1 - hard))
        ]
        # What looks like a fault tempts all alike: false findings are correlated too.
        found += [(*order.choice(tempting), None) for _ in range(int(order.expovariate(1 / rater.alarms) + 0.5))]
        for index, (what, path, line, issue) in enumerate(found):
            place = order.choice(paths) if order.random() < rater.wrong_path else path
            said.append((Statement(rater.name, index, told(order, what), place, line + order.choice((0, 0, 1)), line + 2), issue))
    return said


@pytest.fixture(scope="module")
def rates() -> dict[int, float]:
    """Of findings that one, two or three reviewers name: how many are real."""
    order = random.Random(11)
    real: defaultdict[int, list[bool]] = defaultdict(list)
    for _ in range(PANELS):
        said = one_panel(order)
        issue_of = {(statement.provider, statement.index): issue for statement, issue in said}
        for group in merge([statement for statement, _ in said]):
            real[len(group.providers)].append(any(issue_of[m.provider, m.index] is not None for m in group.members))
    return {k: sum(found) / len(found) for k, found in sorted(real.items())}


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_more_say_so_the_likelier_as_measured(rates: dict[int, float], k: int) -> None:
    assert rates[k] == pytest.approx(TRUE_RATE[k], abs=WITHIN)
