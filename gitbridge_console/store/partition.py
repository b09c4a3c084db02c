"""One partition of the queue: its keys, its scripts, and the group commits that share its round trips."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError

from gitbridge_console.store.durability import DiskWait
from gitbridge_console.store.group_commit import GroupCommit, Transition, loads_of
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.scripts_loader import FIRST_WITH_FLAGS, ScriptRunner

MANY_MAX = 128
"""Events in one call when many are enqueued together; it takes the server about 2 ms."""

CONCLUDE = "conclude"


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
        ends: dict[Sequence[Any], list[Any]] = {}
        places: list[tuple[int, int]] = []
        for name, args in transitions:
            if name != CONCLUDE:
                places.append((len(merged), -1))
                merged.append((name, args))
                continue
            how = args[:3]
            if how not in ends:
                ends[how] = [len(merged), *how]
                merged.append((name, ends[how]))
            own = ends[how]
            places.append((own[0], (len(own) - 4) // 2))
            own += args[3:]
        for own in ends.values():
            del own[0]
        replies = await self._scripts.run_group("commit", merged)
        return [replies[at] if n < 0 or isinstance(replies[at], Exception) else replies[at][n] for at, n in places]

    def accept(self, bounds: Sequence[Any], args: Sequence[Any]) -> Awaitable[Any]:
        """Enqueue one event, together with others that come at the same time. May be refused at the server's memory limit.

        ``bounds`` are the arguments of the script of that name; those given last are in force for all that leave together.
        """
        self._bounds = bounds
        return self._accepts.submit("enqueue", args)

    async def accept_many(self, bounds: Sequence[Any], events: Sequence[Sequence[Any]]) -> list[Any]:
        """Enqueue events given as for :meth:`accept`, in their order, as many in a call as is good; a reply or an exception for each."""
        replies: list[Any] = []
        for load in loads_of(events, MANY_MAX):
            try:
                found = await self._scripts.run_group("accept", [("bounds", bounds), *(("enqueue", args) for args in load)], self._disk)
                replies += found[1:]
            except OutOfMemoryError as error:
                replies += [error] * len(load)
        return replies

    def commit(self, transition: str, *args: Any) -> Awaitable[Any]:
        """Run a worker's transition, together with others."""
        return self._commits.submit(transition, args)

    async def run(self, script: str, *args: Any) -> Any:
        """Run an operator's or the maintenance's script by itself."""
        return await self._scripts.run(script, *args)
