"""One partition of the queue: its keys, its scripts, and the group commits that share its round trips."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any

from redis.asyncio import Redis

from gitbridge_console.store.durability import DiskWait
from gitbridge_console.store.group_commit import GroupCommit, Transition
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.scripts_loader import FIRST_WITH_FLAGS, ScriptRunner


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
        return await self._scripts.run_group("commit", transitions)

    def accept(self, bounds: Sequence[Any], args: Sequence[Any]) -> Awaitable[Any]:
        """Enqueue one event, together with others that come at the same time. May be refused at the server's memory limit.

        ``bounds`` are the arguments of the script of that name; those given last are in force for all that leave together.
        """
        self._bounds = bounds
        return self._accepts.submit("enqueue", args)

    def commit(self, transition: str, *args: Any) -> Awaitable[Any]:
        """Run a worker's transition, together with others."""
        return self._commits.submit(transition, args)

    async def run(self, script: str, *args: Any) -> Any:
        """Run an operator's or the maintenance's script by itself."""
        return await self._scripts.run(script, *args)
