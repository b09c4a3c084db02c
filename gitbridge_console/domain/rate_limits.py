"""Rate limits of a provider as token buckets whose clock is handed in; and what the headers of a response say of them.

A bucket refills continuously and holds little, so that what is let through is spread over the minute: a small burst, then
the pace of the limit. What is asked for is an estimate; the difference to what was used is given back, or taken, later.
A need larger than the bucket passes when the bucket is full and leaves a debt, which is paid off before the next passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from gitbridge_console.domain.header_values import number, seconds_until

MINUTE_S = 60.0
BURST_S = 3.0
"""A bucket holds what its limit allows in so many seconds: 5 % of a minute."""

SHARE_OF_OWN = 0.95
"""Of the operator's limit so much is sent within a minute, the burst included: calls that take a few seconds longer to arrive
than others must not make it more than the whole."""

SHARE_OF_ADVERTISED = 0.9
"""Of a limit a provider advertises so much is used: others may use the same key, and clocks and counts differ."""

LARGEST = 1e12
"""A number in a header beyond this is no limit of anything."""

LONGEST_RESET_S = 86_400.0
ENOUGH = 1 - 1e-6
"""Share of a need that is as good as all of it: sums of fractions are not exact."""


class Dimension(StrEnum):
    """What is limited. ``TOKENS`` is input and output counted together, as some providers do."""

    REQUESTS = "requests"
    INPUT = "input_tokens"
    OUTPUT = "output_tokens"
    TOKENS = "tokens"


Amounts = Mapping[Dimension, float]

HEADERS: dict[Dimension, tuple[tuple[str, str, str], ...]] = {
    Dimension.REQUESTS: (
        ("anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
        ("x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ),
    Dimension.INPUT: (
        ("anthropic-ratelimit-input-tokens-limit", "anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
    ),
    Dimension.OUTPUT: (
        (
            "anthropic-ratelimit-output-tokens-limit",
            "anthropic-ratelimit-output-tokens-remaining",
            "anthropic-ratelimit-output-tokens-reset",
        ),
    ),
    Dimension.TOKENS: (
        ("anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
        ("x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ),
}
"""Names of the headers for limit, remaining and reset, by what they limit: Anthropic's and OpenAI's."""


@dataclass(frozen=True, slots=True)
class Advertised:
    """What one response says of one limit; ``None`` where it says nothing sensible. ``reset_s`` is from the response on."""

    limit: float | None = None
    remaining: float | None = None
    reset_s: float | None = None


def read_headers(headers: Mapping[str, str], now: float) -> dict[Dimension, Advertised]:
    """The limits named in the headers of a response (lower-case names); ``now`` is the Unix time they came at.

    A limit below 1, negative, not a number or absurdly large is not there; nor is a reset that is past or over a day away.
    """
    found: dict[Dimension, Advertised] = {}
    for dimension, families in HEADERS.items():
        for limit_name, remaining_name, reset_name in families:
            limit, remaining = _amount(headers.get(limit_name), 1), _amount(headers.get(remaining_name), 0)
            if limit is None and remaining is None:
                continue
            found[dimension] = Advertised(limit, remaining, _reset(headers.get(reset_name), now))
            break
    return found


def _amount(text: str | None, least: float) -> float | None:
    value = number(text)
    return value if value is not None and least <= value <= LARGEST else None


def _reset(text: str | None, now: float) -> float | None:
    wait_s = seconds_until(text, now) if text else None
    return wait_s if wait_s is not None and 0 < wait_s <= LONGEST_RESET_S else None


def closed_for_s(advertised: Iterable[Advertised]) -> float:
    """How long a limit that is used up stays so, where its window is longer than a minute: it does not refill as a bucket does."""
    return max((a.reset_s for a in advertised if a.remaining == 0 and a.reset_s is not None and a.reset_s > MINUTE_S), default=0.0)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a bucket refills, in units a second, and how much it holds."""

    per_s: float
    burst: float

    def shared(self, engines: int) -> Pace:
        """One engine's part, when each keeps account for itself. A bucket still has room for one request."""
        return Pace(self.per_s / engines, max(1.0, self.burst / engines))


def pace_of(own_per_minute: float, advertised_per_minute: float | None) -> Pace | None:
    """The pace of a limit set by the operator (0: none) and one advertised by the provider; the slower one, ``None`` without any.

    Of the operator's what the bucket holds and what refills within a minute add up to 95 %, so between 90 and 95 % refill.
    Of an advertised one 90 % do.
    """
    paces = []
    if own_per_minute:
        burst = _burst(own_per_minute)
        paces.append(Pace((own_per_minute * SHARE_OF_OWN - burst + 1) / MINUTE_S, burst))
    if advertised_per_minute is not None:
        used = advertised_per_minute * SHARE_OF_ADVERTISED
        paces.append(Pace(used / MINUTE_S, _burst(used)))
    return min(paces, key=lambda pace: pace.per_s) if paces else None


def _burst(per_minute: float) -> float:
    return max(1.0, per_minute * BURST_S / MINUTE_S)


@dataclass(slots=True)
class Bucket:
    """One limit. ``level`` is what may be taken at once, below zero while a debt is paid off; ``at`` is when that was so."""

    pace: Pace
    level: float
    at: float

    def level_at(self, now: float) -> float:
        """What may be taken at ``now``; a clock that goes back refills nothing."""
        return min(self.pace.burst, self.level + max(0.0, now - self.at) * self.pace.per_s)

    def wait_s(self, need: float, now: float) -> float:
        """Seconds until ``need`` may be taken, 0 when it may be."""
        lack = min(need, self.pace.burst) - self.level_at(now)
        return 0.0 if lack <= min(need, self.pace.burst) * (1 - ENOUGH) else lack / self.pace.per_s

    def change(self, amount: float, now: float) -> None:
        """Take (below zero) or give back (above); it never holds more than its burst."""
        self.set(self.level_at(now) + amount, now)

    def set(self, level: float, now: float) -> None:
        """Say what it holds."""
        self.level, self.at = min(self.pace.burst, level), now


class Buckets:
    """All limits of one provider's model. Times are seconds of one clock."""

    def __init__(self) -> None:
        self.all: dict[Dimension, Bucket] = {}
        self.closed_until = 0.0

    def use(self, paces: Mapping[Dimension, Pace], now: float, *, full: bool = True) -> None:
        """Have exactly these limits. One that is new starts full or, with ``full`` false, empty; a known one keeps its level."""
        before = self.all
        self.all = {}
        for dimension, pace in paces.items():
            known = before.get(dimension)
            level = known.level_at(now) if known else pace.burst if full else 0.0
            self.all[dimension] = Bucket(pace, min(level, pace.burst), now)

    def divide(self, engines: int, now: float) -> None:
        """Go on alone with one engine's part of every limit: from nothing, since others may have taken all, or a part of the debt."""
        for bucket in self.all.values():
            bucket.pace, level = bucket.pace.shared(engines), bucket.level_at(now)
            bucket.set(min(0.0, level) / engines, now)

    def wait_s(self, needs: Amounts, now: float) -> tuple[float, Dimension | None]:
        """Seconds until all of ``needs`` may be taken at once, and which limit opens last (``None``: closed as a whole)."""
        waits: list[tuple[float, Dimension | None]] = [(max(0.0, self.closed_until - now), None)]
        waits += [(bucket.wait_s(needs.get(dimension, 0.0), now), dimension) for dimension, bucket in self.all.items()]
        return max(waits, key=lambda wait: wait[0])

    def change(self, amounts: Amounts, now: float) -> None:
        """Take (below zero) or give back (above)."""
        for dimension, bucket in self.all.items():
            bucket.change(amounts.get(dimension, 0.0), now)

    def at_most(self, remaining: Amounts, now: float) -> None:
        """Hold no more than the provider says is left."""
        for dimension, left in remaining.items():
            if (bucket := self.all.get(dimension)) is not None:
                bucket.set(min(bucket.level_at(now), left), now)

    def close(self, until: float) -> None:
        """Let nothing through before ``until``; an earlier end never shortens a later one."""
        self.closed_until = max(self.closed_until, until)

    def reopen(self) -> None:
        """Closed no longer; what the limits hold stays."""
        self.closed_until = 0.0

    def how_often(self, needs: Amounts, now: float, most: int) -> int:
        """How many times, up to ``most``, ``needs`` can be taken at ``now``."""
        if self.wait_s(needs, now)[0] > 0:
            return 0
        fits = [bucket.level_at(now) / need for dimension, bucket in self.all.items() if (need := needs.get(dimension, 0.0)) > 0]
        return max(1, int(min([float(most), *(fit + 1 - ENOUGH for fit in fits)])))
