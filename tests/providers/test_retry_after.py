"""Waiting as headers ask for it."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.providers.retry_after import LONGEST_S, parse_retry_after, rate_limit_headers, reset_after_s

NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "20.4"}, 20.4),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"x-ms-retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "3"}, 3.0),
        ({"retry-after-ms": "-1", "retry-after": "3"}, 3.0),
        ({"retry-after": formatdate(NOW + 30, usegmt=True)}, 30.0),
        ({"retry-after": formatdate(NOW - 30, usegmt=True)}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "4294967"}, LONGEST_S),
        ({"retry-after": "Sun, 99 Foo 2026"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], expected: float | None) -> None:
    assert parse_retry_after(headers, NOW) == expected


@given(st.dictionaries(st.sampled_from(["retry-after-ms", "x-ms-retry-after-ms", "retry-after"]), st.text() | st.floats().map(str)))
def test_retry_after_is_always_none_or_a_sensible_time(headers: dict[str, str]) -> None:
    wait_s = parse_retry_after(headers, NOW)
    assert wait_s is None or 0 <= wait_s <= LONGEST_S


@given(st.floats(0, LONGEST_S))
def test_a_number_comes_through_as_it_is(seconds: float) -> None:
    assert parse_retry_after({"retry-after": repr(seconds)}) == seconds


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 360.0),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "100ms"}, 0.1),
        ({"x-ratelimit-remaining-tokens": "12", "x-ratelimit-reset-tokens": "6m0s"}, None),
        ({"x-ratelimit-remaining-tokens": "0"}, None),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "later"}, None),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "7"}, 7.0),
        (
            {
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-09-21T14:14:00Z",
                "anthropic-ratelimit-tokens-remaining": "0",
                "anthropic-ratelimit-tokens-reset": "2026-09-21T14:13:30Z",
            },
            40.0,
        ),
        ({"anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-requests-reset": "2020-01-01T00:00:00Z"}, None),
    ],
)
def test_reset_of_an_exhausted_limit(headers: dict[str, str], expected: float | None) -> None:
    assert reset_after_s(headers, NOW) == expected


@given(st.dictionaries(st.sampled_from(["x-ratelimit-remaining-a", "x-ratelimit-reset-a"]), st.sampled_from(["0", "0.0"]) | st.text()))
def test_reset_never_raises(headers: dict[str, str]) -> None:
    wait_s = reset_after_s(headers, NOW)
    assert wait_s is None or 0 < wait_s <= LONGEST_S


def test_only_headers_about_limits_are_kept() -> None:
    headers = {
        "X-RateLimit-Remaining-Requests": "9",
        "anthropic-ratelimit-tokens-reset": "x" * 500,
        "Retry-After": "1",
        "set-cookie": "secret",
        "authorization": "secret",
    }
    kept = rate_limit_headers(headers)
    assert set(kept) == {"x-ratelimit-remaining-requests", "anthropic-ratelimit-tokens-reset", "retry-after"}
    assert max(map(len, kept.values())) <= 128
    assert len(rate_limit_headers({f"x-ratelimit-{n}": "1" for n in range(500)})) <= 48
