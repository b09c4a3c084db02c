"""Token buckets and what headers say of limits: what is let through never exceeds the limit, and hostile headers say nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.domain.rate_limits import (
    BURST_S,
    Advertised,
    Bucket,
    Buckets,
    Dimension,
    Pace,
    closed_for_s,
    pace_of,
    read_headers,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC).timestamp()
REQUESTS, INPUT, OUTPUT, TOKENS = Dimension
SMALL = 1e-6

limits = st.integers(1, 1_000_000).map(float)
steps = st.lists(st.tuples(st.floats(0, 30), st.floats(0, 50)), min_size=1, max_size=60)
"""What happens to a bucket: so many seconds pass, then so much is asked for."""


def test_anthropic_and_openai_name_their_limits_each_in_their_own_way() -> None:
    anthropic = {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-requests-reset": "2026-11-23T12:00:01Z",
        "anthropic-ratelimit-input-tokens-limit": "40000",
        "anthropic-ratelimit-input-tokens-remaining": "39000",
        "anthropic-ratelimit-output-tokens-limit": "8000",
        "anthropic-ratelimit-output-tokens-remaining": "0",
        "anthropic-ratelimit-output-tokens-reset": "2026-11-23T12:01:00+00:00",
        "anthropic-ratelimit-tokens-limit": "48000",
    }
    assert read_headers(anthropic, NOW) == {
        REQUESTS: Advertised(50, 49, 1),
        INPUT: Advertised(40000, 39000),
        OUTPUT: Advertised(8000, 0, 60),
        TOKENS: Advertised(48000),
    }
    openai = {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "100ms",
        "x-ratelimit-limit-tokens": "150000",
        "x-ratelimit-remaining-tokens": "149984",
        "x-ratelimit-reset-tokens": "6m0s",
    }
    assert read_headers(openai, NOW) == {REQUESTS: Advertised(60, 59, 0.1), TOKENS: Advertised(150000, 149984, 360)}


@pytest.mark.parametrize("hostile", ["NaN", "inf", "-inf", "-1", "1e300", "", "sixty", "0x10", "9" * 128])
def test_a_number_that_makes_no_sense_says_nothing(hostile: str) -> None:
    names = ("x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "anthropic-ratelimit-tokens-limit")
    assert read_headers(dict.fromkeys(names, hostile), NOW) == {}


def test_a_limit_of_nothing_is_none_and_nothing_left_is_heard() -> None:
    headers = {"x-ratelimit-limit-requests": "0", "x-ratelimit-remaining-requests": "0"}
    assert read_headers(headers, NOW) == {REQUESTS: Advertised(None, 0)}


@pytest.mark.parametrize("hostile", ["NaN", "-5", "0s", "yesterday", "2020-01-01T00:00:00Z", "9999-01-01T00:00:00Z", "1e9", "inf"])
def test_a_reset_that_makes_no_sense_is_none(hostile: str) -> None:
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": hostile}
    assert read_headers(headers, NOW) == {REQUESTS: Advertised(None, 0, None)}


@given(
    st.dictionaries(st.sampled_from(["x-ratelimit-limit-requests", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"]), st.text())
)
def test_whatever_stands_in_the_headers_nothing_is_raised(headers: dict[str, str]) -> None:
    for said in read_headers(headers, NOW).values():
        assert said.limit is None or said.limit >= 1
        assert said.remaining is None or said.remaining >= 0


def test_a_limit_used_up_is_closed_until_its_reset_only_where_its_window_is_longer_than_a_minute() -> None:
    assert closed_for_s([Advertised(60, 0, 30)]) == 0, "it refills as a bucket does"
    assert closed_for_s([Advertised(1000, 0, 3600), Advertised(60, 1, 7200)]) == 3600


@given(limits)
def test_an_operators_limit_is_never_exceeded_within_a_minute_and_nine_tenths_of_it_are_there_to_use(limit: float) -> None:
    pace = pace_of(limit, None)
    assert pace is not None
    assert pace.burst == max(1.0, limit * BURST_S / 60)
    assert pace.burst + pace.per_s * 57 < limit + 1, "nor by calls that took three seconds longer to arrive: fewer whole ones fit"
    assert pace.per_s * 60 >= 0.9 * limit


@given(limits)
def test_of_an_advertised_limit_nine_tenths_refill(limit: float) -> None:
    pace = pace_of(0, limit)
    assert pace is not None
    assert pace.per_s == pytest.approx(0.9 * limit / 60)
    assert pace.burst + pace.per_s * 60 <= limit + 1


@given(limits, limits)
def test_of_two_limits_the_slower_one_holds(own: float, advertised: float) -> None:
    both, one, other = pace_of(own, advertised), pace_of(own, None), pace_of(0, advertised)
    assert one is not None
    assert other is not None
    assert both in (one, other)
    assert both is not None
    assert both.per_s == min(one.per_s, other.per_s)


def test_without_a_limit_there_is_no_pace() -> None:
    assert pace_of(0, None) is None


@given(limits, st.integers(1, 50))
def test_the_parts_of_all_engines_are_no_more_than_the_whole(limit: float, engines: int) -> None:
    pace = pace_of(limit, None)
    assert pace is not None
    part = pace.shared(engines)
    assert part.per_s * engines <= pace.per_s * (1 + SMALL)
    assert part.burst * engines <= max(pace.burst * (1 + SMALL), engines)


@given(st.floats(0.01, 100), st.floats(1, 100), steps, st.booleans())
def test_no_interval_lets_through_more_than_burst_and_pace_and_what_one_call_needs_beyond(
    per_s: float, burst: float, taken: list[tuple[float, float]], gives_back: bool
) -> None:
    bucket = Bucket(Pace(per_s, burst), burst, 0.0)
    now, through = 0.0, list[tuple[float, float]]()
    for seconds, need in taken:
        now += seconds
        assert bucket.level_at(now) <= burst
        if bucket.wait_s(need, now) == 0:
            bucket.change(-need, now)
            through.append((now, need))
            if gives_back:
                bucket.change(need / 2, now)
                through[-1] = (now, need / 2)
        assert bucket.level_at(now) <= burst
    largest = max((need for _, need in taken), default=0.0)
    for i, (start, _) in enumerate(through):
        total = 0.0
        for end, amount in through[i:]:
            total += amount
            assert total <= (burst + per_s * (end - start) + max(0.0, largest - burst)) * (1 + SMALL)


@given(st.floats(0.01, 100), st.floats(1, 100), st.floats(0, 500), st.floats(0, 500))
def test_after_the_wait_it_says_and_not_before_a_need_passes(per_s: float, burst: float, debt: float, need: float) -> None:
    bucket = Bucket(Pace(per_s, burst), burst - debt, 0.0)
    wait_s = bucket.wait_s(need, 0.0)
    assert bucket.wait_s(need, wait_s + SMALL) <= SMALL
    if wait_s > 0.01:
        assert bucket.wait_s(need, wait_s * 0.99) > 0


def test_a_clock_that_goes_back_refills_nothing() -> None:
    bucket = Bucket(Pace(1.0, 3.0), 0.0, 100.0)
    assert bucket.level_at(50.0) == 0.0


@given(st.floats(0, 100), st.floats(0, 100))
def test_what_is_given_back_leaves_what_was_really_used(reserved: float, used: float) -> None:
    pace = Pace(1.0, 1000.0)
    estimated, exact = Bucket(pace, 500.0, 0.0), Bucket(pace, 500.0, 0.0)
    estimated.change(-reserved, 0.0)
    estimated.change(reserved - used, 0.0)
    exact.change(-used, 0.0)
    assert estimated.level_at(1.0) == pytest.approx(exact.level_at(1.0))


@given(st.lists(st.floats(0, 100), min_size=1))
def test_a_shorter_wait_that_comes_later_never_shortens_a_longer_one(ends: list[float]) -> None:
    buckets = Buckets()
    for end in ends:
        buckets.close(end)
    assert buckets.wait_s({}, 0.0) == (max(ends), None)


def test_all_limits_must_have_room_and_the_one_that_opens_last_is_named() -> None:
    buckets = Buckets()
    buckets.use({REQUESTS: Pace(1, 2), OUTPUT: Pace(10, 100)}, 0.0)
    needs = {REQUESTS: 1.0, OUTPUT: 150.0}
    assert buckets.wait_s(needs, 0.0)[0] == 0, "a need larger than the bucket passes when it is full"
    assert buckets.how_often(needs, 0.0, 9) == 1
    assert buckets.how_often({REQUESTS: 1.0}, 0.0, 9) == 2
    buckets.change({REQUESTS: -1.0, OUTPUT: -150.0}, 0.0)
    assert buckets.wait_s(needs, 0.0) == (15.0, OUTPUT)
    assert buckets.how_often(needs, 0.0, 9) == 0


def test_alone_an_engine_begins_with_nothing_and_its_part_of_the_debt() -> None:
    buckets = Buckets()
    buckets.use({REQUESTS: Pace(2, 8), OUTPUT: Pace(10, 100)}, 0.0)
    buckets.change({OUTPUT: -300.0}, 0.0)
    buckets.divide(4, 0.0)
    assert buckets.wait_s({REQUESTS: 1.0}, 0.0)[0] == pytest.approx(50 / 2.5), "the debt of 200 is paid by all four"
    assert buckets.all[REQUESTS].level_at(0.0) == 0


def test_limits_that_change_keep_what_was_taken() -> None:
    buckets = Buckets()
    buckets.use({REQUESTS: Pace(1, 10)}, 0.0)
    buckets.change({REQUESTS: -8.0}, 0.0)
    buckets.use({REQUESTS: Pace(2, 20), INPUT: Pace(1, 5)}, 0.0)
    assert buckets.all[REQUESTS].level_at(0.0) == 2
    assert buckets.all[INPUT].level_at(0.0) == 5
