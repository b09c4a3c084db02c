"""Several sorted sets read as one list, by score and then by name, without ever reading them whole."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from redis.asyncio import Redis

from gitbridge_console.domain.windows import Bookmark
from gitbridge_console.store.keys import BELOW_LONG_MEMBER

NEAR = 500
"""Up to this place the sets are read from their beginning; further down the place is searched for first."""
SPLITS = 15
"""Scores that are counted in one round trip while a place is searched for."""
LEAST_PER_SET = 32
END = (float("inf"), b"")
"""Place of a set that was read to its end."""


class Entry(NamedTuple):
    """One member: what it is ordered by, its name, and the key of its set."""

    score: float
    name: bytes
    key: str


class MergedSets:
    """``descending``: the greatest score first. Scores must be whole numbers, as all of ours are.

    Nothing is locked: entries may come and go between two reads, as on any live list.
    """

    def __init__(self, client: Redis, keys: Sequence[str], *, descending: bool = False) -> None:
        self._client = client
        self._keys = tuple(keys)
        self._descending = descending

    async def total(self) -> int:
        """Entries of all sets."""
        return sum(await self._each("zcount", "-inf", BELOW_LONG_MEMBER))

    async def _each(self, command: str, *args: Any) -> list[Any]:
        if not self._keys:
            return []
        pipe = self._client.pipeline(transaction=False)
        for key in self._keys:
            getattr(pipe, command)(key, *args)
        return list(await pipe.execute())

    async def window(self, first: int, count: int) -> list[Entry]:
        """Entries ``first`` and following, ``count`` at most. Entries of equal score before them are read along."""
        if first + count <= NEAR or len(self._keys) == 1:
            skips = [first if len(self._keys) == 1 else 0] * len(self._keys)
        else:
            skips = await self._skips(first)
        ahead = first - sum(skips)
        pipe = self._client.pipeline(transaction=False)
        for key, skip in zip(self._keys, skips, strict=True):
            pipe.zrange(key, skip, skip + ahead + count - 1, desc=self._descending, withscores=True)
        replies = await pipe.execute() if self._keys else []
        return self._merged({key: reply for key, reply in zip(self._keys, replies, strict=True)})[ahead : ahead + count]

    def _merged(self, replies: Mapping[str, Sequence[tuple[bytes, float]]]) -> list[Entry]:
        rows = ([Entry(score, name, key) for name, score in reply] for key, reply in replies.items())
        return list(heapq.merge(*rows, reverse=self._descending))

    async def _skips(self, first: int) -> list[int]:
        """For each set, how many of its entries stand before the score at which the merged list reaches ``first``.

        The score is searched for by counting at several scores at once: a search over 2^53 takes 14 round trips.
        """
        low, high = await self._bounds()
        best = [0] * len(self._keys)
        while high - low > 0:
            step = max(1, (high - low) // (SPLITS + 1))
            tries = sorted({*(min(high, low + step * n) for n in range(1, SPLITS + 1)), high})
            counts = await self._counted(tries)
            fitting = sum(sum(row) <= first for row in counts)
            if fitting:
                low, best = tries[fitting - 1], counts[fitting - 1]
            if fitting == len(tries):
                break
            high = tries[fitting] - 1
        return best

    async def _bounds(self) -> tuple[int, int]:
        """Least and greatest rank value; a rank value is the score, negated where the list goes down."""
        ends = [*await self._each("zrange", 0, 0, False, True), *await self._each("zrange", -1, -1, False, True)]
        scores = [round(score) for reply in ends for _, score in reply] or [0]
        return (-max(scores), -min(scores)) if self._descending else (min(scores), max(scores))

    async def _counted(self, values: Sequence[int]) -> list[list[int]]:
        """By rank value: how many entries of each set stand before it."""
        pipe = self._client.pipeline(transaction=False)
        for value in values:
            for key in self._keys:
                pipe.zcount(key, *((f"({-value}", "+inf") if self._descending else ("-inf", f"({value}")))
        replies = await pipe.execute()
        width = len(self._keys)
        return [replies[n * width : (n + 1) * width] for n in range(len(values))]

    async def place_of(self, names: Mapping[str, bytes]) -> int | None:
        """Where the first of the named entries that still exists stands; ``names`` by key of the set it may be in."""
        for key, name in names.items():
            score = await self._client.zscore(key, name)
            if score is None:
                continue
            pipe = self._client.pipeline(transaction=False)
            for other in self._keys:
                pipe.zcount(other, *((f"({score:.0f}", "+inf") if self._descending else ("-inf", f"({score:.0f}")))
            before: int = sum(await pipe.execute())
            # Of those with the same score the names decide; they are few.
            equal = await self._each("zrangebyscore", f"{score:.0f}", f"{score:.0f}")
            ordered = sorted((member for members in equal for member in members), reverse=self._descending)
            return before + ordered.index(name) if name in ordered else before
        return None

    async def after(self, bookmark: Bookmark, count: int) -> tuple[list[Entry], Bookmark | None]:
        """The next entries in order, about ``count``, and where to go on; ``None`` once everything was seen.

        What is moved to a place before the bookmark meanwhile is not seen any more, and nothing is seen twice.
        """
        open_keys = [key for key in self._keys if bookmark.places.get(key) != END]
        limit = max(LEAST_PER_SET, 2 * count // max(1, len(open_keys)))
        pipe = self._client.pipeline(transaction=False)
        for key in open_keys:
            self._ask_after(pipe, key, bookmark.places.get(key), limit)
        replies = await pipe.execute() if open_keys else []
        found: dict[str, list[tuple[bytes, float]]] = {}
        cuts: list[Entry] = []
        for n, key in enumerate(open_keys):
            equal, beyond = replies[2 * n], replies[2 * n + 1]
            at = bookmark.places.get(key)
            found[key] = [row for row in equal if at is not None and self._follows((row[1], row[0]), at)] + beyond
            if len(beyond) == limit:
                cuts.append(Entry(beyond[-1][1], beyond[-1][0], key))
        merged = self._merged(found)
        if cuts:
            until = max(cuts) if self._descending else min(cuts)
            merged = [entry for entry in merged if (entry >= until if self._descending else entry <= until)]
        places = dict(bookmark.places) | {entry.key: (entry.score, entry.name) for entry in merged}
        for key in set(open_keys) - {cut.key for cut in cuts}:
            if not found[key] or places.get(key) == (found[key][-1][1], found[key][-1][0]):
                places[key] = END
        ended = all(places.get(key) == END for key in self._keys)
        return merged, None if ended else Bookmark(places, bookmark.looked + len(merged))

    def _ask_after(self, pipe: Any, key: str, at: tuple[float, bytes] | None, limit: int) -> None:
        """Entries of the bookmark's own score, all of them, and those beyond it."""
        score, ask = 0 if at is None else int(at[0]), pipe.zrevrangebyscore if self._descending else pipe.zrangebyscore
        none_yet, far = ("+inf", "-inf") if self._descending else ("-inf", "+inf")
        ask(key, score, score, None, None, True)
        ask(key, none_yet if at is None else f"({score}", far, 0, limit, True)

    def _follows(self, here: tuple[float, bytes], mark: tuple[float, bytes]) -> bool:
        return here < mark if self._descending else here > mark
