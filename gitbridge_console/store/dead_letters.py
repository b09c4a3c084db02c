"""Dead letters in the store: the oldest of them, the lock of whoever exports them, and forgetting those that were."""

from __future__ import annotations

from collections.abc import Sequence

from redis.asyncio import Redis

from gitbridge_console.domain.dead_letters import DEAD_STATES, DeadExports, DeadLetter, DeadLetters, DeadTrouble
from gitbridge_console.store.in_pieces import run_over
from gitbridge_console.store.keys import Keys, home_of
from gitbridge_console.store.replies import server_now_ms, table_of, text_of
from gitbridge_console.store.scripts_loader import FIRST_WITH_FLAGS, ScriptRunner

NOTICE_S = 24 * 3600.0
"""How long consoles say that dead letters were exported; each further export begins it anew."""

TROUBLE_S = 300.0
"""How long consoles say that an export failed; longer than the time between two tries."""


class DeadLetterStore:
    """Dead letters of all partitions. The lock and what went wrong stand in the first."""

    def __init__(self, client: Redis, partitions: Sequence[Keys], *, server_major: int = FIRST_WITH_FLAGS) -> None:
        self._client = client
        self._partitions = partitions
        self._scripts = {keys: ScriptRunner(client, keys.tag, server_major) for keys in partitions}
        self._first = self._scripts[partitions[0]]

    async def look(self, limit: int) -> DeadLetters:
        """Their number and the oldest ``limit``."""
        pipe = self._client.pipeline(transaction=False)
        for index in (keys.state(state) for keys in self._partitions for state in DEAD_STATES):
            pipe.zcard(index)
            pipe.zrange(index, 0, limit - 1, withscores=True)
        replies = await pipe.execute()
        found = sorted((int(since), text_of(raw)) for row in replies[1::2] for raw, since in row)
        oldest = tuple(DeadLetter(event_id, since) for since, event_id in found[:limit])
        return DeadLetters(await server_now_ms(self._client), sum(replies[::2]), oldest)

    async def at_work(self, tasks: Sequence[str]) -> bool:
        """Whether somebody holds one of these tasks; what it brings would be missing from an export."""
        pipe = self._client.pipeline(transaction=False)
        for task_id in tasks:
            pipe.hexists(home_of(task_id, self._partitions).fences, task_id)
        return any(await pipe.execute() if tasks else [])

    async def hold(self, owner: str, ttl_s: float) -> bool:
        """Take the export lock or prolong it; ``False``: somebody else has it."""
        return bool(await self._first.run("dead_lock", "hold", owner, round(ttl_s * 1000)))

    async def leave(self, owner: str) -> None:
        """Give the export lock up, if it is still ours."""
        await self._first.run("dead_lock", "leave", owner, 0)

    async def forget(self, exported: Sequence[tuple[str, int]], *, file: str, engine: str) -> list[bool]:
        """Remove events given as (id, run) that lie in ``file``; says for each whether it went.

        One that was replayed since, or whose seat is being worked on, is left alone.
        """
        went: dict[str, bool] = {}
        for keys, scripts in self._scripts.items():
            own = [entry for entry in exported if home_of(entry[0], self._partitions) == keys]
            pairs = [part for entry in own for part in entry]
            gone = await run_over(scripts, "forget", (file, engine, round(NOTICE_S * 1000)), pairs, width=2)
            went |= {event_id: bool(n) for (event_id, _), n in zip(own, gone, strict=True)}
        return [went[event_id] for event_id, _ in exported]

    async def complain(self, text: str, *, engine: str) -> None:
        """Tell every console why dead letters could not be exported."""
        await self._first.run("dead_trouble", text[:300], engine, round(TROUBLE_S * 1000))

    async def notices(self) -> tuple[DeadExports | None, DeadTrouble | None]:
        """What consoles are to say: of exports lately, and of trouble with them."""
        pipe = self._client.pipeline(transaction=False)
        pipe.hgetall(self._partitions[0].dead_trouble)
        for keys in self._partitions:
            pipe.hgetall(keys.dead_exports)
        trouble, *parts = [table_of(reply) for reply in await pipe.execute()]
        done = [part for part in parts if part]
        return (
            DeadExports(
                since_ms=min(int(part["since"]) for part in done),
                count=sum(int(part["count"]) for part in done),
                files=max(int(part["files"]) for part in done),
                last_file=done[-1]["file"],
                engine=done[-1]["engine"],
            )
            if done
            else None,
            DeadTrouble(int(trouble["since"]), trouble["engine"], trouble["text"]) if trouble else None,
        )
