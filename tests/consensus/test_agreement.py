"""What an operator reads of a panel's agreement: counts, a band against what is usual, the chance of being real."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.consensus.agreement import HISTORY_MIN, PRIORS, chance, chance_word, prior, quartiles, share
from gitbridge_console.domain.decisions import Basis
from tests.consensus.panels import decide, finding, vote


def test_the_published_rates_are_the_chances_until_operators_said_otherwise() -> None:
    assert [chance(k, 3) for k in (1, 2, 3)] == [0.16, 0.50, 0.82]
    assert [chance_word(chance(k, 3)) for k in (1, 2, 3)] == ["doubtful", "even", "likely"]
    assert chance(2, 3, {"2/3": (10, 10)}) == 0.75
    assert chance(2, 3, {"2/3": (0, 90)}) == 0.05
    assert chance(0, 3) == 0.0


@given(st.integers(1, 8), st.integers(1, 8))
def test_the_more_say_so_the_likelier(k: int, n: int) -> None:
    assert 0 < prior(min(k, n), n) <= prior(n, n) < 1
    if 1 < k <= n <= max(PRIORS):
        assert prior(k, n) > prior(k - 1, n)


def test_grave_findings_weigh_more_in_the_agreement() -> None:
    both, one = finding("roundTax rounds twice", "critical"), finding("typo in name", "low", 90)
    agreed = decide(vote("claude", findings=[both, one]), vote("grok", findings=[both])).agreement
    assert (agreed.findings_confirmed, agreed.findings_total) == (1, 2)
    assert agreed.share == pytest.approx(8 / 9, abs=1e-4)
    assert (agreed.band, agreed.usual, agreed.own_history) == ("high", (0.08, 0.29), False)


def test_nobody_found_anything_is_all_clear_and_one_voter_has_nobody_to_agree_with() -> None:
    clear = decide(vote("claude", "approve"), vote("grok", "approve")).agreement
    assert (clear.share, clear.band) == (1.0, "all clear")
    alone = decide(vote("claude", findings=[finding()]), quorum=1).agreement
    assert (alone.share, alone.band, alone.usual) == (None, "", None)


def test_nits_count_where_there_is_nothing_else() -> None:
    nits = [finding("typo in name", "nit"), finding("trailing blank line", "nit", 90)]
    assert decide(vote("claude", findings=nits), vote("grok", findings=nits[:1])).agreement.share == 0.5


def test_a_repository_with_enough_decisions_has_its_own_band() -> None:
    assert quartiles([0.5] * (HISTORY_MIN - 1)) is None
    low, high = quartiles([n / 40 for n in range(41)]) or (0, 0)
    assert (low, high) == (0.25, 0.75)
    agreed = decide(vote("claude", findings=[finding()]), vote("grok"), basis=Basis(usual=(0.0, 0.1))).agreement
    assert (agreed.band, agreed.own_history) == ("usual", True)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 400)), max_size=8))
def test_agreement_is_a_share(said: list[tuple[str, int]]) -> None:
    found = {name: [finding(f"total wrong at {line}", line=line) for who, line in said if who == name] for name in "ab"}
    decision = decide(*(vote(name, findings=found[name]) for name in "ab"))
    agreed = share(decision.clusters, 2)
    assert agreed is not None
    assert 0 <= agreed <= 1
