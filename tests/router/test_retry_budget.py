"""Repeated calls are few: a provider that fails is not asked twice, and over all a fifth of the calls is the most."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.router.retry_budget import FLOOR, SHARE, WINDOW_S, RepeatCap, RetryTokens


def test_half_of_the_tokens_gone_and_nothing_is_repeated() -> None:
    tokens = RetryTokens()
    for _ in range(4):
        tokens.failed()
    assert tokens.may_repeat
    tokens.failed()
    assert not tokens.may_repeat, "five are left, and more than five are needed"
    tokens.succeeded()
    assert tokens.may_repeat


def test_a_long_outage_is_forgotten_after_thirty_successes() -> None:
    tokens = RetryTokens()
    for _ in range(1000):
        tokens.failed()
    for _ in range(24):
        tokens.succeeded()
    assert not tokens.may_repeat
    for _ in range(6):
        tokens.succeeded()
    assert tokens.may_repeat


def test_success_earns_no_more_than_there_was() -> None:
    tokens = RetryTokens()
    for _ in range(100):
        tokens.succeeded()
    assert tokens.tokens == 10


def test_without_much_traffic_three_may_be_repeated_in_a_minute() -> None:
    cap = RepeatCap()
    for _ in range(FLOOR):
        assert cap.may_repeat(0.0)
        cap.repeated(0.0)
    assert not cap.may_repeat(WINDOW_S - 1.5)
    assert cap.may_repeat(WINDOW_S)


def test_with_traffic_a_fifth_may_be() -> None:
    cap = RepeatCap()
    for _ in range(100):
        cap.called(0.0)
    done = 0
    while cap.may_repeat(1.0):
        cap.repeated(1.0)
        done += 1
    assert done == 20
    assert cap.counts(1.0) == (100, 20)


@given(st.lists(st.tuples(st.floats(0, 5), st.booleans()), max_size=200))
def test_whatever_comes_repeats_stay_within_the_share(happens: list[tuple[float, bool]]) -> None:
    cap, now = RepeatCap(), 0.0
    for seconds, repeat in happens:
        now += seconds
        if repeat and cap.may_repeat(now):
            cap.repeated(now)
            calls, repeats = cap.counts(now)
            assert repeats <= max(FLOOR, SHARE * calls)
        else:
            cap.called(now)
