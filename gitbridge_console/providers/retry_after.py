"""What a response's headers say about waiting: Retry-After in its four spellings, and rate-limit headers. Pure."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from gitbridge_console.domain.header_values import number, seconds_until

LONGEST_S = 86_400.0
"""No wait is longer than a day: what a service asks beyond that is clamped."""

NUMERIC = (("retry-after-ms", 1000.0), ("x-ms-retry-after-ms", 1000.0), ("retry-after", 1.0))
"""Headers read as a number, in this order, and what one second is in their unit."""

RATE_LIMIT_PREFIXES = ("anthropic-ratelimit-", "x-ratelimit-", "anthropic-priority-")
RETRY_HEADERS = frozenset({"retry-after", "retry-after-ms", "x-ms-retry-after-ms"})
MOST_HEADERS = 48
LONGEST_VALUE = 128


def parse_retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds to wait as the headers (lower-case names) ask, from 0 to a day; ``None`` where they ask nothing sensible.

    ``now`` is the Unix time an HTTP date is compared with. NaN, infinite and negative numbers and past dates are ignored,
    and the next header is read.
    """
    for name, unit in NUMERIC:
        seconds = number(headers.get(name))
        if seconds is not None and seconds >= 0:
            return min(seconds / unit, LONGEST_S)
    date = _http_date(headers.get("retry-after"))
    if date is None:
        return None
    wait_s = date - (time.time() if now is None else now)
    return min(wait_s, LONGEST_S) if wait_s > 0 else None


def reset_after_s(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds until every exhausted rate limit named in the headers is refilled; ``None`` where none is exhausted.

    Anthropic resets are absolute (RFC 3339), OpenAI's are durations in Go's notation (``6m0s``, ``100ms``).
    """
    now = time.time() if now is None else now
    waits: list[float] = []
    for name, value in headers.items():
        if "remaining" not in name or not name.startswith(RATE_LIMIT_PREFIXES) or number(value) != 0:
            continue
        reset = headers.get(name.replace("remaining", "reset"))
        wait_s = seconds_until(reset, now) if reset else None
        if wait_s is not None and wait_s > 0:
            waits.append(min(wait_s, LONGEST_S))
    return max(waits, default=None)


def rate_limit_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Only the headers about limits and waiting, names in lower case; bounded in number and length."""
    kept: dict[str, str] = {}
    for raw, value in headers.items():
        name = raw.lower()
        if name.startswith(RATE_LIMIT_PREFIXES) or name in RETRY_HEADERS:
            kept[name[:LONGEST_VALUE]] = value[:LONGEST_VALUE]
            if len(kept) >= MOST_HEADERS:
                break
    return kept


def _http_date(text: str | None) -> float | None:
    if not text:
        return None
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
