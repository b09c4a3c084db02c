"""One partition of the queue: its keys, its scripts, and the group commits that share its round trips."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from contextlib import aclosing
from itertools import takewhile
from typing import Any

from redis.asyncio import Redis

from gitbridge_console.store.durability import DiskWait
from gitbridge_console.store.group_commit import LEFT, WEIGHT, GroupCommit, Transition, loads_of
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.scripts_loader import FIRST_WITH_FLAGS, ScriptRunner
from gitbridge_console.store.series import Series

MANY_MAX = 32
"""Events in one call when many are enqueued together: it takes the server a millisecond; of what would take it long the rest is left."""

CONCLUDE = "conclude"
WEIGHTS = {"route": 6, "settle": 5, "widen": 5, "hedge": 5, "hand_on": 4, "retry": 4}
"""What transitions that make, count or move other jobs take the server: so many times what ends one alike with others, about 30 µs."""


class Partition:
    """Everything of one event lives in one partition, under one hash tag, so that every script touches a single slot."""

    def __init__(self, client: Redis, keys: Keys, server_major: int = FIRST_WITH_FLAGS, disk: DiskWait | None = None) -> None:
        self.keys = keys
        self._disk = disk
        self._scripts = ScriptRunner(client, keys.tag, server_major)
        self._bounds: Sequence[Any] = ()
        self._accepts = GroupCommit(self._send_accepts)
        self._commits = GroupCommit(self._send_commits)

    async def _send_accepts(self, transitions: list[Transition]) -> list[Any]:
        replies = await self._scripts.run_group("accept", [("bounds", self._bounds), *transitions], self._disk)
        return replies[1:]

    async def _send_commits(self, transitions: list[Transition]) -> list[Any]:
        """As they came, but that events which end alike end by one transition."""
        merged: list[Transition] = []
        ends: dict[Sequence[Any], tuple[int, list[Any]]] = {}
        places: list[tuple[int, slice | None]] = []
        for name, args in transitions:
            if name != CONCLUDE:
                places.append((len(merged), None))
                merged.append((name, args))
                continue
            how, jobs = args[0], args[1:]
            if how not in ends:
                ends[how] = (len(merged), [*how])
                merged.append((name, ends[how][1]))
            at, own = ends[how]
            first = (len(own) - len(how)) // 2
            places.append((at, slice(first, first + len(jobs) // 2)))
            own += jobs
        replies = await self._scripts.run_group("commit", merged)
        return [replies[at] if part is None or not isinstance(replies[at], list) else replies[at][part] for at, part in places]

    def accept(self, bounds: Sequence[Any], args: Sequence[Any]) -> Awaitable[Any]:
        """Enqueue one event, together with others that come at the same time. May be refused at the server's memory limit.

        ``bounds`` are the arguments of the script of that name; those given last are in force for all that leave together.
        """
        self._bounds = bounds
        return self._accepts.run("enqueue", args)

    async def accept_many(self, bounds: Sequence[Any], events: Iterable[Sequence[Any]]) -> list[Any]:
        """Enqueue events in their order, as many in a call as is good; a reply or an exception for each.

        An event is given as for :meth:`accept`, or, plain, as what it has in common with others, its delivery id and its payload.
        """
        series = Series(bounds, loads_of(events, MANY_MAX))
        async with aclosing(self._scripts.run_in_turn("accept", series.next_group, self._disk)) as answers:
            async for answer in answers:
                series.answered(answer)
        return series.replies

    async def conclude(self, how: tuple[str, ...], jobs: Sequence[str]) -> list[Any]:
        """End events alike, given as id, fence, id, fence …: 1, 0 where the fence is void, or an exception, for each."""
        replies: list[Any] = []
        while len(replies) < len(jobs) // 2:
            left = jobs[2 * len(replies) :]
            found = await self._commits.run(CONCLUDE, (how, *left), len(left) // 2)
            replies += takewhile(lambda reply: reply != LEFT, found)
        return replies

    def claim(self, n: int, args: Sequence[Any]) -> Awaitable[Any]:
        """Claim up to ``n`` jobs; what is handed on or back in the same call is claimed with them."""
        return self._commits.run("claim", args, n)

    def claim_command(self, args: Sequence[Any]) -> tuple[Any, ...]:
        """A claim by itself, as a command; the first of its list of replies is that of :meth:`claim`."""
        return self._scripts.command("commit", [("claim", args)])

    def commit(self, transition: str, *args: Any) -> Awaitable[Any]:
        """Run a worker's transition, together with others."""
        return self._commits.run(transition, args, WEIGHTS.get(transition, WEIGHT))

    async def run(self, script: str, *args: Any) -> Any:
        """Run an operator's or the maintenance's script by itself."""
        return await self._scripts.run(script, *args)
