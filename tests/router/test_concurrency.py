"""The limit on calls at the same time grows while it is needed and shrinks when the provider has too much."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.domain.failures import Failure, FailureClass
from gitbridge_console.router.concurrency import AdaptiveLimit

BUSY = Failure(FailureClass.RATE_LIMIT, "429")


def test_it_begins_with_eight_or_with_less_where_less_is_allowed() -> None:
    assert AdaptiveLimit(16).limit == 8
    assert AdaptiveLimit(3).limit == 3


def test_as_many_successes_as_the_limit_earn_one_more() -> None:
    limit = AdaptiveLimit(10)
    for _ in range(7):
        limit.succeeded(8, 1.0)
    assert limit.limit == 8
    limit.succeeded(8, 1.0)
    assert limit.limit == 9
    for _ in range(100):
        limit.succeeded(10, 1.0)
    assert limit.limit == 10, "and never more than the settings allow"


def test_a_limit_that_is_not_half_used_does_not_grow() -> None:
    limit = AdaptiveLimit(16)
    for _ in range(100):
        limit.succeeded(3, 1.0)
    assert limit.limit == 8
    for _ in range(8):
        limit.succeeded(4, 1.0)
    assert limit.limit == 9


@pytest.mark.parametrize("cls", [FailureClass.RATE_LIMIT, FailureClass.OVERLOADED, FailureClass.SILENT])
def test_what_says_too_much_leaves_seven_tenths(cls: FailureClass) -> None:
    limit = AdaptiveLimit(16)
    limit.failed(Failure(cls, "x"), 0.0)
    assert limit.limit == 5


@pytest.mark.parametrize("cls", [FailureClass.TRANSIENT, FailureClass.CREDENTIAL, FailureClass.INVALID_OUTPUT, FailureClass.NEUTRAL])
def test_other_failures_say_nothing_about_it(cls: FailureClass) -> None:
    limit = AdaptiveLimit(16)
    limit.failed(Failure(cls, "x"), 0.0)
    assert limit.limit == 8


def test_openais_slow_down_halves_it() -> None:
    limit = AdaptiveLimit(16)
    limit.failed(Failure(FailureClass.RATE_LIMIT, "x", provider_code="slow_down"), 0.0)
    assert limit.limit == 4


def test_what_fails_together_cuts_once_within_a_mean_round_trip() -> None:
    limit = AdaptiveLimit(16)
    limit.succeeded(1, 3.0)
    for at in (0.0, 0.0, 1.0, 2.9):
        limit.failed(BUSY, at)
    assert limit.limit == 5
    limit.failed(BUSY, 3.0)
    assert limit.limit == 3


def test_a_lower_bound_cuts_and_a_higher_one_leaves_what_was_learned() -> None:
    limit = AdaptiveLimit(16)
    limit.bound(4)
    assert limit.limit == 4
    limit.bound(64)
    assert limit.limit == 4


@given(st.integers(1, 64), st.lists(st.sampled_from(["well", "busy", "slow down"]), max_size=200))
def test_it_stays_between_one_and_the_most(most: int, happens: list[str]) -> None:
    limit = AdaptiveLimit(most)
    for now, what in enumerate(happens):
        if what == "well":
            limit.succeeded(limit.limit, 0.1)
        else:
            limit.failed(Failure(FailureClass.RATE_LIMIT, "x", provider_code="slow_down" if what == "slow down" else None), float(now))
        assert 1 <= limit.limit <= most
