"""The circuit breaker as a state machine; the clock is a number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.router.breaker import Admission, BreakerState, CircuitBreaker, Forced
from gitbridge_console.settings.routing import BreakerSettings

SETTINGS = BreakerSettings(consecutive_failures=5, open_base_s=15, open_cap_s=60, successes_to_close=2)


def admitted(breaker: CircuitBreaker, now: float) -> Admission:
    admission = breaker.admit(now, 60)
    assert admission is not None
    return admission


def opened(at: float = 0.0) -> CircuitBreaker:
    breaker = CircuitBreaker(SETTINGS, lambda: 0.5)
    for _ in range(5):
        breaker.failed(admitted(breaker, at), at, "transient")
    return breaker


def test_five_failures_in_a_row_open_it_and_nothing_passes() -> None:
    breaker = opened()
    assert breaker.state is BreakerState.OPEN
    assert breaker.admit(14.9, 60) is None
    assert list(breaker.causes) == ["transient"] * 5


def test_a_success_in_between_starts_the_count_again() -> None:
    breaker = CircuitBreaker(SETTINGS, lambda: 0.5)
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
    breaker = CircuitBreaker(SETTINGS, lambda: 0.5)
    old = admitted(breaker, 0)
    for _ in range(5):
        breaker.failed(admitted(breaker, 0), 0, "transient")
    breaker.succeeded(old, 1)
    breaker.failed(old, 1, "late")
    assert breaker.state is BreakerState.OPEN
    assert "late" not in breaker.causes


def test_what_has_no_weight_does_not_count() -> None:
    breaker = CircuitBreaker(SETTINGS, lambda: 0.5)
    for _ in range(50):
        breaker.failed(admitted(breaker, 0), 0, "rate_limit", weight=0)
    assert breaker.state is BreakerState.CLOSED


def test_half_of_at_least_ten_calls_within_a_minute_open_it_though_no_five_in_a_row_failed() -> None:
    breaker = CircuitBreaker(SETTINGS, lambda: 0.5)
    for n in range(10):
        assert breaker.state is BreakerState.CLOSED
        admission = admitted(breaker, n)
        if n % 2:
            breaker.failed(admission, n, "transient")
        else:
            breaker.succeeded(admission, n, 1.0)
    assert breaker.state is BreakerState.OPEN


def test_what_is_older_than_the_window_does_not_count() -> None:
    breaker = CircuitBreaker(SETTINGS, lambda: 0.5)
    for n in range(60):
        admission = admitted(breaker, 15 * n)
        if n % 2:
            breaker.failed(admission, 15 * n, "transient")
        else:
            breaker.succeeded(admission, 15 * n, 1.0)
    assert breaker.state is BreakerState.CLOSED


def test_answers_that_are_right_but_much_slower_than_ever_open_it() -> None:
    breaker = CircuitBreaker(SETTINGS, lambda: 0.5)
    for n in range(60):
        breaker.succeeded(admitted(breaker, n), n, 1.0)
    for n in range(9):
        breaker.succeeded(admitted(breaker, 200 + n), 200 + n, 9.0)
        assert breaker.state is BreakerState.CLOSED
    breaker.succeeded(admitted(breaker, 209), 209, 9.0)
    assert breaker.state is BreakerState.OPEN
    assert breaker.causes[-1] == "slow"


def test_open_times_differ_by_a_fifth_at_most_so_that_a_fleet_does_not_probe_in_step() -> None:
    waits = []
    for draw in (0.0, 0.5, 1.0):
        breaker = CircuitBreaker(SETTINGS, lambda draw=draw: draw)
        for _ in range(5):
            breaker.failed(admitted(breaker, 0), 0, "transient")
        waits.append(round(breaker.open_until, 6))
    assert waits == [12.0, 15.0, 18.0]


def test_past_openings_are_forgiven_one_for_each_healthy_minute() -> None:
    breaker = opened()
    breaker.failed(admitted(breaker, 15), 15, "transient")
    now = breaker.open_until
    for _ in range(2):
        breaker.succeeded(admitted(breaker, now), now)
    assert breaker.openings == 2
    for minute in (1, 2, 3):
        breaker.succeeded(admitted(breaker, now + 60 * minute), now + 60 * minute)
        assert breaker.openings == max(0, 2 - minute)


def test_healthy_minutes_without_a_call_are_forgiven_for_as_well() -> None:
    breaker = opened()
    breaker.failed(admitted(breaker, 15), 15, "transient")
    now = breaker.open_until
    for _ in range(2):
        breaker.succeeded(admitted(breaker, now), now)
    later = now + 3600
    for _ in range(5):
        breaker.failed(admitted(breaker, later), later, "transient")
    assert breaker.openings == 1
    assert breaker.open_until == later + 15


def test_what_recovered_comes_back_in_steps() -> None:
    breaker = opened()
    for _ in range(2):
        breaker.succeeded(admitted(breaker, 20), 20)
    assert [breaker.share(20 + s) for s in (0, 14, 15, 29, 30, 300)] == [0.25, 0.25, 0.5, 0.5, 1.0, 1.0]


def test_held_open_by_an_operator_it_lets_nothing_pass_however_long() -> None:
    breaker = CircuitBreaker(SETTINGS, lambda: 0.5)
    breaker.forced = Forced("alice", "maintenance", 0)
    assert breaker.admit(0, 60) is None
    assert breaker.admit(1e6, 60) is None
    breaker.forced = None
    assert breaker.admit(1e6, 60) is not None


def test_25_failures_in_a_row_get_at_most_five_and_the_probes_through() -> None:
    breaker, passed, probes = CircuitBreaker(SETTINGS, lambda: 0.5), 0, 0
    for second in range(25):
        admission = breaker.admit(second, 60)
        if admission is not None:
            passed += 1
            probes += admission.probe
            breaker.failed(admission, second, "transient")
    assert passed - probes == 5
    assert probes == 1


def test_an_operator_can_reset_it() -> None:
    breaker = opened()
    breaker.reset(1)
    assert breaker.state is BreakerState.CLOSED
    assert breaker.admit(1, 60) is not None


@given(st.lists(st.tuples(st.sampled_from(["ok", "slow", "fail", "neutral", "forget"]), st.floats(0, 30)), max_size=80))
def test_it_always_lets_somebody_through_in_the_end(steps: list[tuple[str, float]]) -> None:
    """Whatever happened, including probes nobody reports on, a call passes after the longest wait."""
    breaker, now = CircuitBreaker(SETTINGS, lambda: 0.5), 0.0
    for what, later in steps:
        now += later
        admission = breaker.admit(now, 60)
        if admission is None:
            continue
        if what == "ok":
            breaker.succeeded(admission, now, 1.0)
        elif what == "slow":
            breaker.succeeded(admission, now, 100.0)
        elif what == "fail":
            breaker.failed(admission, now, "transient")
        elif what == "neutral":
            breaker.neutral(admission)
    now += 1.2 * SETTINGS.open_cap_s + 61
    for _ in range(SETTINGS.successes_to_close):
        breaker.succeeded(admitted(breaker, now), now, 1.0)
    assert breaker.state is BreakerState.CLOSED
