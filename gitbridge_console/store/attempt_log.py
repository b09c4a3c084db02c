"""The newest calls to each provider, for whoever looks at it: a short stream, written with the metrics."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from gitbridge_console.domain.history import RecentAttempt
from gitbridge_console.domain.tasks import Attempt
from gitbridge_console.domain.timestamps import ms_from_iso
from gitbridge_console.store.bounded_writes import BoundedWrites
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.replies import newest_entries, table_of

KEPT = 200
AT_ONCE = 50
"""Most attempts of one provider that one flush writes, the newest; a busy fleet has no use for more in a second."""
KEEP_S = 7 * 86_400
TEXT_MAX = 100

APPEND_FOR = """
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', unpack(ARGV, 3))
return redis.call('EXPIRE', KEYS[1], ARGV[1])
"""
"""Append an entry to a stream that is forgotten when nobody writes. ``ARGV``: seconds, its length, then field and value in turn."""


class AttemptLog:
    """Keeps what happened since the last flush in memory, bounded, and writes it with the flush of the metrics."""

    def __init__(self, client: Redis, keys: Keys, writes: BoundedWrites) -> None:
        self._client = client
        self._keys = keys
        self._writes = writes
        self._pending: defaultdict[str, deque[dict[str, str]]] = defaultdict(lambda: deque(maxlen=AT_ONCE))

    def note(self, provider: str, job: str, attempt: Attempt) -> None:
        """Remember an attempt until the next flush."""
        fields = {
            "at": str(ms_from_iso(attempt.started_at)),
            "job": job,
            "model": attempt.model[:TEXT_MAX],
            "outcome": attempt.outcome[:TEXT_MAX],
            "ms": f"{attempt.latency_ms:.0f}",
            "ttft": "" if attempt.ttft_ms is None else f"{attempt.ttft_ms:.0f}",
            "usd": "" if attempt.cost_usd is None else f"{attempt.cost_usd:.6f}",
            "http": str(attempt.http_status or ""),
            "request": (attempt.request_id or "")[:TEXT_MAX],
        }
        self._pending[provider].append(fields)

    def add_to(self, pipe: Pipeline, providers: Collection[str]) -> None:
        """Put what is pending of some providers into a pipeline and forget it: of what gets lost, each task knows more."""
        for provider in [name for name in self._pending if name in providers]:
            for fields in self._pending.pop(provider):
                pairs = [part for pair in fields.items() for part in pair]
                self._writes.add_to(pipe, APPEND_FOR, self._keys.provider_attempts(provider), KEEP_S, KEPT, *pairs)

    async def newest(self, provider: str, limit: int = KEPT) -> tuple[RecentAttempt, ...]:
        """The newest attempts of a provider, newest first.

        Raises:
            redis.exceptions.RedisError: the store is away.
        """
        entries = await newest_entries(self._client, self._keys.provider_attempts(provider), limit)
        return tuple(_read(table_of(fields)) for _, fields in entries)


def _read(entry: dict[str, str]) -> RecentAttempt:
    return RecentAttempt(
        at_ms=int(entry.get("at") or 0),
        job=entry.get("job", ""),
        model=entry.get("model", ""),
        outcome=entry.get("outcome", ""),
        latency_ms=float(entry.get("ms") or 0),
        ttft_ms=float(entry["ttft"]) if entry.get("ttft") else None,
        cost_usd=float(entry["usd"]) if entry.get("usd") else None,
        http_status=int(entry["http"]) if entry.get("http") else None,
        request_id=entry.get("request", ""),
    )
