"""Charts over hours, from the minute hashes of the metrics: merged over the fleet, there after a restart.

Minutes that are over are read once and folded into the steps of a chart. What is kept of them is bounded by the spans that are
asked for: at most :data:`STEPS_MAX` steps for each provider, span and step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property

from redis.asyncio import Redis

from gitbridge_console.domain.history import FleetHistory, History, ProviderHistory, Series
from gitbridge_console.store.latency_histogram import BOUNDS_MS, LatencyHistogram
from gitbridge_console.store.metrics_keys import FLEET, minute_key, providers_key
from gitbridge_console.store.metrics_window import NOT_AN_ERROR, durations, named, sum_of
from gitbridge_console.store.replies import server_now_ms, text_of

STEPS_MAX = 100
HASHES_AT_ONCE = 300
"""Minutes read in one round trip; a day of five scopes is 7,200."""
STEP_MINUTES = (1, 2, 5, 15, 30, 60)

Step = tuple[str, int, int]
"""Scope, minutes of a step, number of the step since the epoch."""


def step_minutes(span_s: int) -> int:
    """The shortest step that shows a span in at most :data:`STEPS_MAX` steps."""
    return next((minutes for minutes in STEP_MINUTES if span_s <= STEPS_MAX * minutes * 60), STEP_MINUTES[-1])


class MetricsHistory:
    """Reads and folds; one for each process that draws. Not for use from several threads."""

    def __init__(self, client: Redis, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._finished: dict[Step, StepCounts] = {}

    async def read(self, span_s: int, providers: Iterable[str] = ()) -> History:
        """The last ``span_s`` seconds, of ``providers`` and of every provider that has metrics.

        Raises:
            redis.exceptions.RedisError: the store is away.
        """
        known = [text_of(name) for name in await self._client.smembers(providers_key(self._namespace))]
        names = sorted({*providers, *known})
        length = step_minutes(span_s)
        minute = await server_now_ms(self._client) // 60_000
        last = minute // length
        steps = range(last - max(1, span_s // (60 * length)) + 1, last + 1)
        table = await self._steps([FLEET, *names], length, steps, minute)
        return History(
            span_s=span_s,
            step_s=60 * length,
            fleet=_fleet([table[FLEET, length, step] for step in steps]),
            providers={name: _provider([table[name, length, step] for step in steps]) for name in names},
        )

    async def _steps(self, scopes: list[str], length: int, steps: range, minute: int) -> dict[Step, StepCounts]:
        wanted = [(scope, length, step) for scope in scopes for step in steps]
        missing = [place for place in wanted if place not in self._finished]
        places = [(place, at) for place in missing for at in range(place[2] * length, min((place[2] + 1) * length, minute + 1))]
        fresh: dict[Step, StepCounts] = {place: StepCounts() for place in missing}
        for start in range(0, len(places), HASHES_AT_ONCE):
            part = places[start : start + HASHES_AT_ONCE]
            async with self._client.pipeline(transaction=False) as pipe:
                for (scope, _, _), at in part:
                    pipe.hgetall(minute_key(self._namespace, scope, at))
                replies = await pipe.execute()
            for (place, _), reply in zip(part, replies, strict=True):
                fresh[place].fold({text_of(name): int(n) for name, n in reply.items()})
        table = {place: fresh[place] if place in fresh else self._finished[place] for place in wanted}
        # Engines flush the minute that has just ended a moment later: a step is finished once a whole minute more is over.
        over = {place: sums for place, sums in table.items() if (place[2] + 1) * length < minute}
        oldest = {length: steps[0]}
        kept = {place: sums for place, sums in self._finished.items() if place[1] != length or place[2] >= oldest[length]}
        self._finished = {**kept, **over}
        return table


class StepCounts(Counter[str]):
    """What was counted within a step. Those that are over are drawn again and again, so what is dear is worked out once."""

    def fold(self, minute: Mapping[str, int]) -> None:
        """Add a minute; of depths the greatest counts."""
        for name, n in minute.items():
            self[name] = max(self[name], n) if name.startswith("g:") else self[name] + n

    @cached_property
    def latencies_ms(self) -> list[float | None]:
        """p50 and p95 of the answers; ``None`` without any."""
        return LatencyHistogram.from_fields(self, "l:").percentiles(0.5, 0.95)

    @cached_property
    def durations_ms(self) -> Mapping[str, list[float | None]]:
        """p50 and p95 of the durations that were measured."""
        return {name: histogram.percentiles(0.5, 0.95) for name, histogram in durations(self).items()}

    @cached_property
    def calls(self) -> int | None:
        """All calls, however they ended; ``None`` without any."""
        failed = sum(named(self, "e:").values())
        return self.get("ok", 0) + failed if "ok" in self or failed else None

    @cached_property
    def failed(self) -> int | None:
        """Calls that ended in an error; ``None`` without any call."""
        return None if self.calls is None else sum(n for name, n in named(self, "e:").items() if name not in NOT_AN_ERROR)


P50, P95 = 0, 1


def _series(values: Iterable[float | None]) -> Series:
    return tuple(None if value is None else round(value, 4) for value in values)


def _durations(steps: Iterable[StepCounts], name: str, which: int) -> Series:
    found = (sums.durations_ms.get(name) for sums in steps)
    return _series(None if both is None else both[which] for both in found)


def _provider(steps: list[StepCounts]) -> ProviderHistory:
    total = sum_of(steps)
    classes = sorted(name for name in named(total, "e:") if name not in NOT_AN_ERROR)
    histogram = LatencyHistogram.from_fields(total, "l:")
    bounds = (*BOUNDS_MS, float("inf"))
    return ProviderHistory(
        calls=_series(sums.calls for sums in steps),
        failed=_series(sums.failed for sums in steps),
        p50_ms=_series(sums.latencies_ms[P50] for sums in steps),
        p95_ms=_series(sums.latencies_ms[P95] for sums in steps),
        cost_usd=_series(sums["c"] / 1_000_000 if sums.get("ck") else None for sums in steps),
        tokens=_series(sums["ti"] + sums["to"] if sums.calls is not None else None for sums in steps),
        errors={name: _series(sums.get(f"e:{name}", 0) if sums.calls is not None else None for sums in steps) for name in classes},
        histogram=tuple((bound, n) for bound, n in zip(bounds, histogram.counts, strict=True) if n),
    )


def _fleet(steps: list[StepCounts]) -> FleetHistory:
    lanes = sorted({name.removeprefix("g:") for sums in steps for name in sums if name.startswith("g:")})
    return FleetHistory(
        received=_series(sums.get("k:in", 0) if sums else None for sums in steps),
        finished=_series(sums.get("k:out", 0) if sums else None for sums in steps),
        routing_p95_ms=_durations(steps, "routing_latency", P95),
        processing_p50_ms=_durations(steps, "processing", P50),
        processing_p95_ms=_durations(steps, "processing", P95),
        queue_p95_ms=_durations(steps, "queue_latency", P95),
        depth={lane: _series(sums.get(f"g:{lane}") for sums in steps) for lane in lanes},
    )
