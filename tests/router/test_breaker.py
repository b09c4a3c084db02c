"""The circuit breaker as a state machine; the clock is a number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.router.breaker import Admission, BreakerState, CircuitBreaker
from gitbridge_console.settings.model import BreakerSettings

SETTINGS = BreakerSettings(consecutive_failures=5, open_base_s=15, open_cap_s=60, successes_to_close=2)


def admitted(breaker: CircuitBreaker, now: float) -> Admission:
    admission = breaker.admit(now, 60)
    assert admission is not None
    return admission


def opened(at: float = 0.0) -> CircuitBreaker:
    breaker = CircuitBreaker(SETTINGS)
    for _ in range(5):
        breaker.failed(admitted(breaker, at), at, "transient")
    return breaker


def test_five_failures_in_a_row_open_it_and_nothing_passes() -> None:
    breaker = opened()
    assert breaker.state is BreakerState.OPEN
    assert breaker.admit(14.9, 60) is None
    assert list(breaker.causes) == ["transient"] * 5


def test_a_success_in_between_starts_the_count_again() -> None:
    breaker = CircuitBreaker(SETTINGS)
    for _ in range(4):
        breaker.failed(admitted(breaker, 0), 0, "transient")
    breaker.succeeded(admitted(breaker, 0), 0)
    breaker.failed(admitted(breaker, 0), 0, "transient")
    assert breaker.state is BreakerState.CLOSED


def test_one_probe_at_a_time_and_two_successes_close_it() -> None:
    breaker = opened()
    probe = admitted(breaker, 15)
    assert probe.probe
    assert breaker.admit(15, 60) is None
    breaker.succeeded(probe, 16)
    assert breaker.state is BreakerState.HALF_OPEN
    breaker.succeeded(admitted(breaker, 16), 17)
    assert breaker.state is BreakerState.CLOSED


def test_a_failed_probe_opens_it_for_twice_as_long_up_to_the_cap() -> None:
    breaker, now, waits = opened(), 0.0, []
    for _ in range(4):
        waits.append(breaker.open_until - now)
        now = breaker.open_until
        breaker.failed(admitted(breaker, now), now, "silent")
    assert waits == [15, 30, 60, 60]


def test_a_cancelled_probe_does_not_wedge_it() -> None:
    breaker = opened()
    breaker.neutral(admitted(breaker, 15))
    assert breaker.admit(15, 60) is not None


def test_a_probe_that_never_reports_loses_its_place() -> None:
    breaker = opened()
    admitted(breaker, 15)
    assert breaker.admit(74, 60) is None
    assert breaker.admit(76, 60) is not None


def test_results_from_before_a_change_are_ignored() -> None:
    breaker = CircuitBreaker(SETTINGS)
    old = admitted(breaker, 0)
    for _ in range(5):
        breaker.failed(admitted(breaker, 0), 0, "transient")
    breaker.succeeded(old, 1)
    breaker.failed(old, 1, "late")
    assert breaker.state is BreakerState.OPEN
    assert "late" not in breaker.causes


def test_what_has_no_weight_does_not_count() -> None:
    breaker = CircuitBreaker(SETTINGS)
    for _ in range(50):
        breaker.failed(admitted(breaker, 0), 0, "rate_limit", weight=0)
    assert breaker.state is BreakerState.CLOSED


def test_an_operator_can_reset_it() -> None:
    breaker = opened()
    breaker.reset(1)
    assert breaker.state is BreakerState.CLOSED
    assert breaker.admit(1, 60) is not None


@given(st.lists(st.tuples(st.sampled_from(["ok", "fail", "neutral", "forget"]), st.floats(0, 30)), max_size=80))
def test_it_always_lets_somebody_through_in_the_end(steps: list[tuple[str, float]]) -> None:
    """Whatever happened, including probes nobody reports on, a call passes after the longest wait."""
    breaker, now = CircuitBreaker(SETTINGS), 0.0
    for what, later in steps:
        now += later
        admission = breaker.admit(now, 60)
        if admission is None:
            continue
        if what == "ok":
            breaker.succeeded(admission, now)
        elif what == "fail":
            breaker.failed(admission, now, "transient")
        elif what == "neutral":
            breaker.neutral(admission)
    assert breaker.admit(now + SETTINGS.open_cap_s + 61, 60) is not None
