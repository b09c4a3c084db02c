"""What follows a failed attempt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.domain.failures import ERROR_CODES, RULES, Failure, FailureClass, Verdict
from gitbridge_console.domain.policy import RetryLimits, Step, backoff_s, next_step

LIMITS = RetryLimits(attempts_max=4, attempts_per_provider_max=2, backoff_base_s=0.5, backoff_cap_s=8)


def step(
    cls: FailureClass,
    *,
    calls: int = 1,
    here: int = 1,
    candidates: bool = True,
    remaining_s: float = 100,
    retry_after_s: float | None = None,
) -> Step:
    failure = Failure(cls, "x", retry_after_s=retry_after_s)
    return next_step(failure, LIMITS, calls=calls, calls_here=here, candidates=candidates, remaining_s=remaining_s, jitter=0.5)


@pytest.mark.parametrize(
    ("cls", "first", "second"),
    [
        (FailureClass.TRANSIENT, Verdict.RETRY, Verdict.FAIL_OVER),
        (FailureClass.SILENT, Verdict.FAIL_OVER, Verdict.FAIL_OVER),
        (FailureClass.OVERLOADED, Verdict.FAIL_OVER, Verdict.FAIL_OVER),
        (FailureClass.RATE_LIMIT, Verdict.FAIL_OVER, Verdict.FAIL_OVER),
        (FailureClass.QUOTA, Verdict.DISABLE, Verdict.DISABLE),
        (FailureClass.CREDENTIAL, Verdict.DISABLE, Verdict.DISABLE),
        (FailureClass.POLICY, Verdict.GIVE_UP, Verdict.GIVE_UP),
        (FailureClass.CALLER_FAULT, Verdict.GIVE_UP, Verdict.GIVE_UP),
        (FailureClass.INVALID_OUTPUT, Verdict.RETRY, Verdict.FAIL_OVER),
    ],
)
def test_the_table(cls: FailureClass, first: Verdict, second: Verdict) -> None:
    assert step(cls).verdict is first
    assert step(cls, calls=2, here=2).verdict is second


def test_nothing_follows_the_last_attempt_not_even_a_wait() -> None:
    assert step(FailureClass.TRANSIENT, calls=4, here=1) == Step(Verdict.GIVE_UP)


def test_it_never_waits_past_the_deadline() -> None:
    assert step(FailureClass.TRANSIENT, candidates=False, remaining_s=0.1) == Step(Verdict.GIVE_UP)
    assert step(FailureClass.RATE_LIMIT, candidates=False, retry_after_s=200) == Step(Verdict.GIVE_UP)


def test_a_rate_limit_without_a_reserve_waits_in_the_lane_as_long_as_asked() -> None:
    assert step(FailureClass.RATE_LIMIT, candidates=False, retry_after_s=7) == Step(Verdict.PARK, 7)


@pytest.mark.parametrize("cls", [FailureClass.OVERLOADED, FailureClass.SILENT])
def test_without_a_reserve_a_service_in_trouble_is_asked_once_more_after_the_longest_wait(cls: FailureClass) -> None:
    assert step(cls, candidates=False) == Step(Verdict.PARK, 8)
    assert step(cls, candidates=False, calls=2, here=2) == Step(Verdict.GIVE_UP)
    assert step(cls, candidates=False, remaining_s=8) == Step(Verdict.GIVE_UP)


@pytest.mark.parametrize("cls", [FailureClass.POLICY, FailureClass.CALLER_FAULT, FailureClass.TOO_LARGE, FailureClass.QUOTA])
def test_what_time_does_not_mend_is_not_waited_for(cls: FailureClass) -> None:
    assert step(cls, candidates=False) == Step(Verdict.GIVE_UP)


def test_backoff_is_full_jitter_up_to_the_cap() -> None:
    assert [backoff_s(LIMITS, n, 1.0) for n in range(1, 7)] == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]


@given(
    st.sampled_from(sorted(RULES)),
    st.integers(1, 10),
    st.integers(1, 10),
    st.booleans(),
    st.floats(0, 1000),
    st.floats(0, 1),
    st.none() | st.floats(0, 1000),
)
def test_every_step_respects_every_bound(
    cls: FailureClass, calls: int, here: int, candidates: bool, remaining_s: float, jitter: float, retry_after_s: float | None
) -> None:
    failure = Failure(cls, "x", retry_after_s=retry_after_s)
    result = next_step(failure, LIMITS, calls=calls, calls_here=here, candidates=candidates, remaining_s=remaining_s, jitter=jitter)
    assert result.delay_s == 0 or result.delay_s < remaining_s
    if result.verdict in (Verdict.RETRY, Verdict.PARK):
        assert calls < LIMITS.attempts_max
        assert here < LIMITS.attempts_per_provider_max
    if result.verdict in (Verdict.FAIL_OVER, Verdict.DISABLE):
        assert candidates
        assert calls < LIMITS.attempts_max


def test_every_class_has_a_code() -> None:
    assert set(ERROR_CODES) == set(FailureClass)
    assert Failure(FailureClass.SILENT, "x").code == "ERR_ROUTING_003"
