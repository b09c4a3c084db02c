"""What the metrics of some minutes come to: sums, rates, percentiles, availability. Pure functions of the minute hashes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from gitbridge_console.domain.failures import RULES, FailureClass
from gitbridge_console.domain.snapshots import Percentiles
from gitbridge_console.store.latency_histogram import LatencyHistogram

UNAVAILABLE = frozenset(cls.value for cls, rule in RULES.items() if rule.breaker_weight >= 1 or rule.disables)
"""Outcomes in which the service was not there for us, as opposed to answering something unusable."""


PACE_MINUTES = 6
"""Minutes a provider's pace is judged by, the running one included."""

NOT_AN_ERROR = frozenset({"ok", "cancelled", FailureClass.NEUTRAL.value})

NOTHING_MEASURED = Percentiles()


@dataclass(frozen=True, slots=True)
class ProviderWindow:
    """One provider over the window. Rates are fractions 0..1; ``None`` where nothing was measured."""

    calls_1m: int = 0
    calls_15m: int = 0
    """Calls over the whole window, 15 minutes unless asked otherwise."""
    pace_per_s: float | None = None
    """Calls a second that it is known to get through, see :func:`pace_of`."""
    latency_ms: Percentiles = field(default_factory=Percentiles)
    ttft_ms: Percentiles = field(default_factory=Percentiles)
    errors_by_class: Mapping[str, int] = field(default_factory=dict)
    error_rate: float = 0.0
    availability: float | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float | None = None
    """Sum of the known costs; ``None`` when no call's cost is known."""
    latency_trend_ms: tuple[float | None, ...] = ()
    """p95 of each minute, oldest first."""


@dataclass(frozen=True, slots=True)
class MetricsWindow:
    """All metrics of the last minutes, the running one included."""

    minutes: int
    providers: Mapping[str, ProviderWindow] = field(default_factory=dict)
    durations: Mapping[str, LatencyHistogram] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    counts_1m: Mapping[str, float] = field(default_factory=dict)

    def percentiles(self, name: str) -> Percentiles:
        """p50, p95, p99 of a named duration (``queue_latency``, ``routing_latency``, ``processing``), in milliseconds."""
        return _percentiles(self.durations.get(name))

    @property
    def paces(self) -> dict[str, float]:
        """Calls a second that each provider gets through, where that is known."""
        return {name: one.pace_per_s for name, one in self.providers.items() if one.pace_per_s is not None}

    def per_second(self, name: str) -> float:
        """Rate of a named count over the last minute."""
        return round(self.counts_1m.get(name, 0.0) / 60, 3)


def sum_of(tables: Iterable[Mapping[str, int]]) -> Counter[str]:
    """All tables added up."""
    total: Counter[str] = Counter()
    for table in tables:
        total.update(table)
    return total


def named(fields: Mapping[str, int], prefix: str) -> dict[str, int]:
    """Fields that begin with a prefix, without it."""
    start = len(prefix)
    return {name[start:]: n for name, n in fields.items() if name.startswith(prefix)}


def last_minute(fleet: Sequence[Mapping[str, int]], rest: float) -> dict[str, float]:
    """Counts of the last 60 seconds: the running minute, and of the one before what is left of it."""
    before = named(fleet[-2], "k:") if len(fleet) > 1 else {}
    running = named(fleet[-1], "k:")
    return {name: running.get(name, 0) + before.get(name, 0) * rest for name in {*before, *running}}


def durations(fields: Mapping[str, int]) -> dict[str, LatencyHistogram]:
    """The histograms of all named durations."""
    names = {name.split(":")[1] for name in fields if name.startswith("v:")}
    return {name: LatencyHistogram.from_fields(fields, f"v:{name}:") for name in names}


def judged(counts: Counts) -> tuple[int, int]:
    """Calls that say something about the provider, and those it was not there for."""
    judged = counts.get("ok", 0) + sum(n for name, n in counts.errors.items() if name not in NOT_AN_ERROR)
    return judged, sum(n for name, n in counts.errors.items() if name in UNAVAILABLE)


def share(spans: Iterable[tuple[int, int]]) -> float | None:
    """What part of the judged calls the provider was there for, 0 to 1; ``None`` without calls."""
    judged, away = (sum(column) for column in zip(*spans, strict=True))
    return round(1 - away / judged, 4) if judged else None


class Counts(dict[str, int]):
    """What was counted within a minute, or in some of them. It is looked at every second, so what is dear is worked out once.

    It is not to be changed once it was looked at.
    """

    @cached_property
    def errors(self) -> Mapping[str, int]:
        """Calls that were not answered, by class."""
        return named(self, "e:")

    @cached_property
    def calls(self) -> int:
        """All calls, however they ended."""
        return self.get("ok", 0) + sum(self.errors.values())

    @cached_property
    def latency_p95_ms(self) -> float | None:
        """Of the answers; ``None`` without any."""
        return LatencyHistogram.from_fields(self, "l:").percentile(0.95) if self else None

    @cached_property
    def latency_ms(self) -> Percentiles:
        """Of the answers."""
        return _percentiles(LatencyHistogram.from_fields(self, "l:"))

    @cached_property
    def ttft_ms(self) -> Percentiles:
        """Of the time to the first token."""
        return _percentiles(LatencyHistogram.from_fields(self, "t:"))

    @cached_property
    def durations(self) -> Mapping[str, LatencyHistogram]:
        """The histograms of all named durations."""
        return durations(self)


def pace_of(calls: Sequence[int], rest: float) -> float | None:
    """Calls a second in the best of some minutes, oldest first; of the last one the share ``rest`` is still to come.

    A minute counts only behind another one with calls: in the first one after a start or a pause little was asked, which says nothing of
    what could have been answered. ``None`` where no minute counts.
    """
    whole = [now for before, now in pairwise(calls[:-1]) if before and now]
    if len(calls) > 2 and calls[-2] and calls[-3]:
        whole.append(round(calls[-1] + calls[-2] * rest))
    return max(whole) / 60 if whole else None


def provider_window(tables: Sequence[Counts], total: Counts, rest: float) -> ProviderWindow:
    """One provider over the minutes of the tables, oldest first, in all ``total``; of the last one the share ``rest`` is still to come."""
    calls, away = judged(total)
    before = tables[-2].calls if len(tables) > 1 else 0
    return ProviderWindow(
        calls_1m=round(tables[-1].calls + before * rest),
        calls_15m=total.calls,
        pace_per_s=pace_of([table.calls for table in tables[-PACE_MINUTES:]], rest),
        latency_ms=total.latency_ms,
        ttft_ms=total.ttft_ms,
        errors_by_class={name: n for name, n in sorted(total.errors.items()) if name not in NOT_AN_ERROR},
        error_rate=round((calls - total.get("ok", 0)) / calls, 4) if calls else 0.0,
        availability=round(1 - away / calls, 4) if calls else None,
        tokens_in=total.get("ti", 0),
        tokens_out=total.get("to", 0),
        cost_usd=total.get("c", 0) / 1_000_000 if total.get("ck") else None,
        latency_trend_ms=tuple(table.latency_p95_ms for table in tables),
    )


def _percentiles(histogram: LatencyHistogram | None) -> Percentiles:
    if histogram is None or not any(histogram.counts):
        return NOTHING_MEASURED
    p50, p95, p99 = (None if ms is None else round(ms, 1) for ms in histogram.percentiles(0.5, 0.95, 0.99))
    return Percentiles(p50=p50, p95=p95, p99=p99)
