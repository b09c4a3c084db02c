"""Scripts over many things: each call does as many as the server has time for, the next goes on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, Protocol

from gitbridge_console.domain.bulk import CHUNK_MAX

UPKEEP_CHUNK = 32
"""Things one call of the upkeep looks for, of each sort."""
UPKEEP_MAX, UPKEEP_CALLS_MAX = 500, 50
"""Things done, and calls made, one after another before the rest waits for the next turn of the upkeep."""


class Scripts(Protocol):
    """Whatever runs scripts on a partition."""

    async def run(self, script: str, *args: Any) -> Any:
        """Run one and return its raw reply."""
        ...


async def run_over(scripts: Scripts, script: str, args: Sequence[Any], things: Sequence[Any], width: int = 1) -> list[Any]:
    """Run a script over things, each ``width`` arguments; a reply for each, in their order."""
    replies: list[Any] = []
    while some := things[width * len(replies) : width * (len(replies) + CHUNK_MAX)]:
        replies += await scripts.run(script, *args, *some)
    return replies


async def run_on(scripts: Scripts, script: str, *args: Any) -> list[int]:
    """Run a script until it has done :data:`UPKEEP_MAX` things, or its last number, which says whether there may be more, is 0.

    Returns its other numbers, added up.
    """
    sums: list[int] = []
    for _ in range(UPKEEP_CALLS_MAX):
        *counts, more = map(int, await scripts.run(script, *args))
        sums = [sum(pair) for pair in zip_longest(sums, counts, fillvalue=0)]
        if not more or sum(sums) >= UPKEEP_MAX:
            break
    return sums
