"""Reads minutes of metrics for those who look every second: what is over is asked for once, and what did not change is not read anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from redis.asyncio import Redis

from gitbridge_console.store.metrics_keys import minute_key
from gitbridge_console.store.metrics_window import Counts, sum_of

KEPT_MINUTES = 15
"""Minutes that are over and are not asked for again."""

Place = tuple[str, int]
"""Scope and minute."""


class MinuteReader:
    """The newest minutes of some scopes. Counts that are as they were are the same object as before, with what was worked out of them."""

    def __init__(self, client: Redis, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._finished: dict[Place, Counts] = {}
        self._running: dict[Place, tuple[Mapping[bytes, bytes], Counts]] = {}
        """The two minutes that are not over yet, as they were last."""
        self._totals: dict[tuple[str, int], tuple[tuple[Counts, ...], Counts, Counts]] = {}
        """By scope and number of minutes: the minutes, all but the last of them added up, and all."""

    async def read(self, scopes: Iterable[str], span: range) -> dict[Place, Counts]:
        """All minutes of the span, the last of which is the running one.

        Raises:
            redis.exceptions.RedisError: the store is away.
        """
        wanted = [(scope, minute) for scope in scopes for minute in span]
        # Two readers may be at it at once: each goes by what was kept when it began.
        kept = self._finished
        missing = [place for place in wanted if place not in kept]
        async with self._client.pipeline(transaction=False) as pipe:
            for scope, minute in missing:
                pipe.hgetall(minute_key(self._namespace, scope, minute))
            replies: list[dict[bytes, bytes]] = await pipe.execute()
        fresh = {place: self._counts(place, reply) for place, reply in zip(missing, replies, strict=True)}
        table = {place: fresh[place] if place in fresh else kept[place] for place in wanted}
        running = span[-1] - 1
        self._running = {place: (reply, fresh[place]) for place, reply in zip(missing, replies, strict=True) if place[1] >= running}
        oldest = span[-1] - max(len(span), KEPT_MINUTES)
        both = {**self._finished, **table}
        # Engines flush the minute that has just ended a moment later.
        self._finished = {place: counts for place, counts in both.items() if oldest < place[1] < running}
        return table

    def _counts(self, place: Place, reply: Mapping[bytes, bytes]) -> Counts:
        known = self._running.get(place)
        if known is not None and known[0] == reply:
            return known[1]
        return Counts({name.decode(): int(n) for name, n in reply.items()})

    def total(self, scope: str, minutes: Sequence[Counts]) -> Counts:
        """Minutes of a scope added up; the same object as before where none of them is another."""
        all_of_them, place = tuple(minutes), (scope, len(minutes))
        known = self._totals.get(place)
        if known is not None and known[0] == all_of_them:
            return known[2]
        same = known is not None and known[0][:-1] == all_of_them[:-1]
        before = known[1] if known is not None and same else Counts(sum_of(all_of_them[:-1]))
        total = Counts(sum_of((before, all_of_them[-1])))
        self._totals[place] = all_of_them, before, total
        return total
