"""Metrics of the fleet: each engine adds up in memory and flushes into minute hashes that anyone can sum.

A hash per provider and minute (and one for the fleet) holds only integers, so ``HINCRBY`` merges all engines:
``ok`` and ``e:<class>`` calls by outcome, ``l:<bucket>`` latency of answers, ``t:<bucket>`` time to the first token,
``ti`` ``to`` tokens, ``c`` cost in millionths of a dollar with ``ck`` calls of known cost; for the fleet
``v:<name>:<bucket>`` durations, ``k:<name>`` counts, and ``g:<lane>`` the most that stood in a lane within the minute.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import OutOfMemoryError

from gitbridge_console.domain.tasks import Attempt
from gitbridge_console.store.attempt_log import AttemptLog
from gitbridge_console.store.availability import Availability
from gitbridge_console.store.bounded_writes import COUNT, GREATEST, REMEMBER, BoundedWrites
from gitbridge_console.store.clients import cluster_of
from gitbridge_console.store.latency_histogram import BOUNDS_MS, LatencyHistogram
from gitbridge_console.store.metrics_keys import FLEET, PENDING_MINUTES_MAX, hour_key, minute_key, providers_key
from gitbridge_console.store.metrics_minutes import MinuteReader
from gitbridge_console.store.metrics_window import (
    Counts,
    MetricsWindow,
    ProviderWindow,
    judged,
    last_minute,
    named,
    provider_window,
)
from gitbridge_console.store.unavailable import STORE_AWAY_ERRORS

__all__ = ["BOUNDS_MS", "FLEET", "LatencyHistogram", "Metrics", "MetricsWindow", "ProviderWindow", "minute_key", "providers_key"]

CLOCK_CHECK_S = 60.0
AVAILABILITY_S = 30.0
_NOT_NOW: tuple[type[Exception], ...] = (*STORE_AWAY_ERRORS, OutOfMemoryError)

_Pending = Mapping[tuple[str, int], Counter[str]]
"""What was counted, by scope and minute."""


class Metrics:
    """Counts in memory and in the store. Not for use from several threads.

    ``clock`` gives seconds since the epoch; the server's clock corrects it, so that engines agree on minutes.
    """

    def __init__(
        self,
        client: Redis,
        namespace: str,
        *,
        keep_s: float = 26 * 3600,
        clock: Callable[[], float] = time.time,
        writes: BoundedWrites | None = None,
        attempts: AttemptLog | None = None,
    ) -> None:
        self._client = client
        self._attempts = attempts
        self._writes = writes or BoundedWrites(client)
        self._namespace = namespace
        self._keep_s = max(120, round(keep_s))
        self._clock = clock
        self._offset_s = 0.0
        self._clock_checked_at: float | None = None
        self._pending: defaultdict[tuple[str, int], Counter[str]] = defaultdict(Counter)
        self._fleet: Counter[str] | None = None
        """Of what is pending, what is counted of the fleet in the minute that began at ``_fleet_from_s``."""
        self._fleet_from_s = 0.0
        self._depths: dict[tuple[int, str], int] = {}
        self._minutes = MinuteReader(client, namespace)
        self._judged = Availability(client, namespace)
        self._availability: dict[str, dict[str, float | None]] | None = None
        self._availability_until = 0.0

    def record_attempt(
        self,
        provider: str,
        outcome: str,
        latency_ms: float,
        ttft_ms: float | None = None,
        tokens_in: int | None = None,
        tokens_out: int | None = None,
        cost_usd: float | None = None,
    ) -> None:
        """Count one call to a provider. ``outcome`` is ``"ok"`` or a failure class; only answers count for latency."""
        counts = self._now_pending(provider)
        if outcome == "ok":
            counts["ok"] += 1
            counts[f"l:{LatencyHistogram.bucket(latency_ms)}"] += 1
        else:
            counts[f"e:{outcome[:40]}"] += 1
        if ttft_ms is not None:
            counts[f"t:{LatencyHistogram.bucket(ttft_ms)}"] += 1
        self._count_cost(counts, tokens_in, tokens_out, cost_usd)

    def record_batched(
        self, provider: str, outcome: str, tokens_in: int | None = None, tokens_out: int | None = None, cost_usd: float | None = None
    ) -> None:
        """Count one question of a batch. It took hours by design, so it says nothing about latency or availability."""
        counts = self._now_pending(provider)
        counts["b:ok" if outcome == "ok" else "b:failed"] += 1
        self._count_cost(counts, tokens_in, tokens_out, cost_usd)

    @staticmethod
    def _count_cost(counts: Counter[str], tokens_in: int | None, tokens_out: int | None, cost_usd: float | None) -> None:
        counts["ti"] += tokens_in or 0
        counts["to"] += tokens_out or 0
        if cost_usd is not None:
            counts["c"] += round(cost_usd * 1_000_000)
            counts["ck"] += 1

    def record_value(self, name: str, ms: float) -> None:
        """Count one duration of the fleet in milliseconds."""
        self._fleet_now()[f"v:{name}:{LatencyHistogram.bucket(ms)}"] += 1

    def count(self, name: str, n: int = 1) -> None:
        """Count something of the fleet (``in``, ``out``, ``duplicates`` …)."""
        self._fleet_now()[f"k:{name}"] += n

    def record_depths(self, depths: Mapping[str, int]) -> None:
        """How much stands in each lane now; the greatest of a minute is kept."""
        minute = self._minute()
        for lane, n in depths.items():
            self._depths[minute, lane] = max(n, self._depths.get((minute, lane), 0))

    def note_attempt(self, job: str, attempt: Attempt) -> None:
        """Count one call as :meth:`record_attempt` does, and keep it among the provider's newest ones."""
        self.record_attempt(
            attempt.provider,
            attempt.outcome,
            attempt.latency_ms,
            attempt.ttft_ms,
            attempt.tokens_in,
            attempt.tokens_out,
            attempt.cost_usd,
        )
        if self._attempts is not None:
            self._attempts.note(attempt.provider, job, attempt)

    def _now_pending(self, scope: str) -> Counter[str]:
        return self._pending[scope, self._minute()]

    def _fleet_now(self) -> Counter[str]:
        # Every job counts something of the fleet, so this is looked up once a minute, and after each flush.
        now_s = self._now_s()
        if self._fleet is None or not 0 <= now_s - self._fleet_from_s < 60:
            self._fleet_from_s = now_s // 60 * 60
            self._fleet = self._now_pending(FLEET)
        return self._fleet

    def _now_s(self) -> float:
        return self._clock() + self._offset_s

    def _minute(self) -> int:
        return int(self._now_s() // 60)

    async def _check_clock(self) -> None:
        if self._clock_checked_at is not None and 0 <= self._clock() - self._clock_checked_at < CLOCK_CHECK_S:
            return
        seconds, micros = await self._client.time()
        self._clock_checked_at = self._clock()
        self._offset_s = seconds + micros / 1_000_000 - self._clock_checked_at

    async def flush(self) -> int:
        """Add what was counted to the store, in one round trip (in a Cluster one for each scope); returns the number of hashes written.

        With the store away or full everything is kept for the next flush, up to :data:`PENDING_MINUTES_MAX` minutes. Where
        only the reply was lost the same numbers are added twice: metrics are estimates, the journal is not.

        Raises:
            redis.exceptions.RedisError: the store is away, or older than version 7 and at its memory limit.
        """
        pending, self._pending, self._fleet = self._pending, defaultdict(Counter), None
        depths, self._depths = self._depths, {}
        if not pending and not depths:
            return 0
        scopes = sorted({FLEET} | {scope for scope, _ in pending})
        # What shares a transaction has to share a server: in a Cluster each scope has a tag, and so a transaction, of its own.
        groups = [[scope] for scope in scopes] if cluster_of(self._client) is not None else [scopes]
        try:
            await self._check_clock()
        except _NOT_NOW:
            self._take_back(pending)
            raise
        results = await asyncio.gather(*(self._write(group, pending, depths) for group in groups), return_exceptions=True)
        failed = [result for result in results if isinstance(result, BaseException)]
        for group, result in zip(groups, results, strict=True):
            if isinstance(result, _NOT_NOW):
                self._take_back({place: counts for place, counts in pending.items() if place[0] in group})
        if failed:
            raise failed[0]
        return len(pending)

    async def _write(self, scopes: list[str], pending: _Pending, depths: Mapping[tuple[int, str], int]) -> None:
        """Add what was counted for some scopes, all of it or nothing."""
        async with self._client.pipeline(transaction=True) as pipe:
            for (scope, minute), counts in pending.items():
                pairs = [part for name, n in counts.items() if n for part in (name, n)]
                if scope in scopes:
                    self._writes.add_to(pipe, COUNT, minute_key(self._namespace, scope, minute), self._keep_s, *pairs)
            for name, hour, judged, away in _by_hour(pending):
                if name in scopes:
                    self._writes.add_to(pipe, COUNT, hour_key(self._namespace, name, hour), self._keep_s, "judged", judged, "away", away)
            if FLEET in scopes:
                self._add_fleet(pipe, sorted({scope for scope, _ in pending if scope != FLEET}), depths)
            if self._attempts is not None:
                self._attempts.add_to(pipe, scopes)
            await pipe.execute()

    def _add_fleet(self, pipe: Pipeline, providers: Sequence[str], depths: Mapping[tuple[int, str], int]) -> None:
        for minute in {minute for minute, _ in depths}:
            pairs = [part for (at, lane), n in depths.items() if at == minute for part in (f"g:{lane}", n)]
            self._writes.add_to(pipe, GREATEST, minute_key(self._namespace, FLEET, minute), self._keep_s, *pairs)
        if providers:
            self._writes.add_to(pipe, REMEMBER, providers_key(self._namespace), self._keep_s, *providers)

    def _take_back(self, pending: _Pending) -> None:
        oldest = self._minute() - PENDING_MINUTES_MAX
        for (scope, minute), counts in pending.items():
            if minute > oldest:
                self._pending[scope, minute].update(counts)

    async def read(self, minutes: int = 15, providers: Iterable[str] = ()) -> MetricsWindow:
        """The last ``minutes``, of ``providers`` and of every provider known to the store.

        A minute that ended at least a minute ago is asked for once and then kept, so a reader that comes every second
        fetches two small hashes per provider.

        Raises:
            redis.exceptions.RedisError: the store is away.
        """
        await self._check_clock()
        known = await self._client.smembers(providers_key(self._namespace))
        names = sorted({*providers, *(name.decode() if isinstance(name, bytes) else name for name in known)})
        now_s = self._now_s()
        span = range(int(now_s // 60) - minutes + 1, int(now_s // 60) + 1)
        table = await self._minutes.read((FLEET, *names), span)
        # The running minute is not over: the one before it stands in for the rest.
        rest = 1 - (now_s % 60) / 60
        tables = {scope: [table[scope, minute] for minute in span] for scope in (FLEET, *names)}
        totals = {scope: self._minutes.total(scope, own) for scope, own in tables.items()}
        return MetricsWindow(
            minutes=minutes,
            providers={name: provider_window(tables[name], totals[name], rest) for name in names},
            durations=totals[FLEET].durations,
            counts=named(totals[FLEET], "k:"),
            counts_1m=last_minute(tables[FLEET], rest),
        )

    async def availability(self, providers: Iterable[str]) -> dict[str, dict[str, float | None]]:
        """Share of the judged calls of the last 5 minutes, hour and day that a provider was there for; ``None`` without calls.

        The day is the running hour and the 23 before it. Read once in :data:`AVAILABILITY_S` seconds, kept in between.

        Raises:
            redis.exceptions.RedisError: the store is away.
        """
        names = sorted(providers)
        if self._availability is None or set(names) - set(self._availability) or self._clock() >= self._availability_until:
            await self._check_clock()
            self._availability = await self._judged.read(names, self._minute())
            self._availability_until = self._clock() + AVAILABILITY_S
        return {name: self._availability[name] for name in names}


def _by_hour(pending: Mapping[tuple[str, int], Mapping[str, int]]) -> list[tuple[str, int, int, int]]:
    found = [(scope, minute // 60, *judged(Counts(counts))) for (scope, minute), counts in pending.items() if scope != FLEET]
    return [entry for entry in found if entry[2]]
