"""How much of its calls a provider was there for, over minutes, an hour and a day."""

from __future__ import annotations

from collections.abc import Iterable

from redis.asyncio import Redis

from gitbridge_console.store.metrics_keys import PENDING_MINUTES_MAX, hour_key, minute_key
from gitbridge_console.store.metrics_window import Counts, judged, share

NEWEST, HOUR, DAY = 5, 60, 24
"""Minutes, minutes and hours."""

Span = tuple[str, str, int]
"""Provider, ``minute`` or ``hour``, and which one since the epoch."""


class Availability:
    """Reads calls that were judged. Spans nobody adds to any more are asked for once: an hour and a day of each provider are kept."""

    def __init__(self, client: Redis, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._over: dict[Span, tuple[int, int]] = {}

    async def read(self, names: Iterable[str], minute: int) -> dict[str, dict[str, float | None]]:
        """The shares in the minutes, the hour and the day that end with ``minute``; ``None`` without calls.

        Raises:
            redis.exceptions.RedisError: the store is away.
        """
        spans = {
            name: (
                [(name, "minute", at) for at in range(minute - HOUR + 1, minute + 1)],
                [(name, "hour", at) for at in range(minute // 60 - DAY + 1, minute // 60 + 1)],
            )
            for name in names
        }
        wanted = [span for minutes, hours in spans.values() for span in (*minutes, *hours)]
        kept = self._over
        missing = [span for span in wanted if span not in kept]
        async with self._client.pipeline(transaction=False) as pipe:
            for name, kind, at in missing:
                if kind == "minute":
                    pipe.hgetall(minute_key(self._namespace, name, at))
                else:
                    pipe.hmget(hour_key(self._namespace, name, at), "judged", "away")
            replies = await pipe.execute()
        found = dict(kept)
        for span, reply in zip(missing, replies, strict=True):
            found[span] = (
                judged(Counts({key.decode(): int(n) for key, n in reply.items()}))
                if span[1] == "minute"
                else (int(reply[0] or 0), int(reply[1] or 0))
            )
        over = minute - PENDING_MINUTES_MAX - 1
        self._over = {span: found[span] for span in wanted if span[2] < (over if span[1] == "minute" else over // 60)}
        return {
            name: {
                "5m": share([found[span] for span in minutes[-NEWEST:]]),
                "1h": share([found[span] for span in minutes]),
                "24h": share([found[span] for span in hours]),
            }
            for name, (minutes, hours) in spans.items()
        }
