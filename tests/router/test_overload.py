"""What gives way when there is too much to do: seats first, then events, and never by surprise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.domain.events import Priority
from gitbridge_console.router.overload import Overload, Step, may_be_shed, measure
from gitbridge_console.settings.model import QueueSettings, SheddingSettings
from gitbridge_console.settings.routing import KindSettings
from gitbridge_console.store.records import LaneCounts, QueueStats

QUEUE = QueueSettings(max_waiting=100, memory_soft_bytes=1000)
SHEDDING = SheddingSettings(smaller_panel_fill=0.7, single_seat_fill=0.85, max_wait_s=100)


def stats(undecided: int = 0, ready: int = 0, stored: int = 0, paused: bool = False) -> QueueStats:
    lane = LaneCounts(ready, 0, 0, 0, None, (0, 0, ready, 0, 0))
    pauses = {"claude": {"by": "ana"}} if paused else {}
    return QueueStats(0, {"claude": lane}, {"routed": undecided}, {}, pauses, {"routed": stored})


@pytest.mark.parametrize(
    ("undecided", "step"),
    [(69, Step.NORMAL), (70, Step.SMALLER_PANELS), (85, Step.SINGLE_SEATS), (100, Step.SHEDDING), (250, Step.SHEDDING)],
)
def test_each_step_begins_at_its_fill(undecided: int, step: Step) -> None:
    found = measure(QUEUE, SHEDDING, stats(undecided), {})
    assert (found.step, found.fill) == (step, undecided / 100)
    assert bool(found.reason) == (step is not Step.NORMAL)


@pytest.mark.parametrize(
    ("ready", "step"), [(139, Step.NORMAL), (140, Step.SMALLER_PANELS), (170, Step.SINGLE_SEATS), (200, Step.SHEDDING)]
)
def test_waiting_counts_like_depth(ready: int, step: Step) -> None:
    found = measure(QUEUE, SHEDDING, stats(ready=ready), {"claude": 2.0})
    assert found.step is step
    assert found.waits_s == {"claude": ready / 2}
    if step is not Step.NORMAL:
        assert "claude" in found.reason


@pytest.mark.parametrize(("pace", "paused"), [(0.0, False), (2.0, True)])
def test_a_paused_lane_or_one_without_a_pace_says_nothing_of_waiting(pace: float, paused: bool) -> None:
    assert measure(QUEUE, SHEDDING, stats(ready=10_000, paused=paused), {"claude": pace}) == Overload()


def test_bytes_over_the_soft_limit_are_overload_and_below_it_nothing() -> None:
    assert measure(QUEUE, SHEDDING, stats(stored=999), {}).step is Step.NORMAL
    assert measure(QUEUE, SHEDDING, stats(stored=1000), {}).step is Step.SHEDDING
    assert measure(QueueSettings(max_waiting=100, memory_soft_bytes=0), SHEDDING, stats(stored=10**12), {}).step is Step.NORMAL


def test_switched_off_nothing_gives_way() -> None:
    off = SheddingSettings(enabled=False)
    assert measure(QUEUE, off, stats(1000), {}).step is Step.NORMAL
    assert not may_be_shed(Priority.BULK, off)
    assert [may_be_shed(priority, SHEDDING) for priority in Priority] == [False, False, False, True, True]


@given(st.integers(0, 300), st.integers(0, 300), st.floats(0.1, 100))
def test_more_work_never_means_a_milder_step(a: int, b: int, pace: float) -> None:
    low, high = sorted((a, b))
    assert (
        measure(QUEUE, SHEDDING, stats(low, low), {"claude": pace}).step
        <= measure(QUEUE, SHEDDING, stats(high, high), {"claude": pace}).step
    )


@given(st.sampled_from(Step), st.integers(1, 8), st.integers(1, 8), st.booleans())
def test_a_panel_never_vanishes_and_keeps_its_quorum_until_single_seats(step: Step, seats: int, quorum: int, sheddable: bool) -> None:
    policy = KindSettings(seats=max(seats, quorum), quorum=quorum)
    given_seats = Overload(step).seats(policy, may_be_shed=sheddable)
    assert 1 <= given_seats <= policy.seats
    if step < Step.SINGLE_SEATS or not sheddable:
        assert given_seats >= policy.quorum
