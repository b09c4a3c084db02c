"""Dead letters in the store: the oldest of them, the lock of whoever exports them, and forgetting those that were."""

from __future__ import annotations

from collections.abc import Sequence

from redis.asyncio import Redis

from gitbridge_console.domain.dead_letters import DEAD_STATES, DeadExports, DeadLetter, DeadLetters, DeadTrouble
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.replies import server_now_ms, table_of, text_of
from gitbridge_console.store.scripts_loader import FIRST_WITH_FLAGS, ScriptRunner

NOTICE_S = 24 * 3600.0
"""How long consoles say that dead letters were exported; each further export begins it anew."""

TROUBLE_S = 300.0
"""How long consoles say that an export failed; longer than the time between two tries."""


class DeadLetterStore:
    """Dead letters of one partition."""

    def __init__(self, client: Redis, keys: Keys, *, server_major: int = FIRST_WITH_FLAGS) -> None:
        self._client = client
        self._keys = keys
        self._scripts = ScriptRunner(client, keys.tag, server_major)

    async def look(self, limit: int) -> DeadLetters:
        """Their number and the oldest ``limit``."""
        pipe = self._client.pipeline(transaction=False)
        for state in DEAD_STATES:
            pipe.zcard(self._keys.state(state))
            pipe.zrange(self._keys.state(state), 0, limit - 1, withscores=True)
        replies = await pipe.execute()
        found = sorted((int(since), text_of(raw)) for row in replies[1::2] for raw, since in row)
        oldest = tuple(DeadLetter(event_id, since) for since, event_id in found[:limit])
        return DeadLetters(await server_now_ms(self._client), sum(replies[::2]), oldest)

    async def at_work(self, tasks: Sequence[str]) -> bool:
        """Whether somebody holds one of these tasks; what it brings would be missing from an export."""
        pipe = self._client.pipeline(transaction=False)
        for task_id in tasks:
            pipe.hget(self._keys.job(task_id), "st")
        return b"leased" in (await pipe.execute() if tasks else [])

    async def hold(self, owner: str, ttl_s: float) -> bool:
        """Take the export lock or prolong it; ``False``: somebody else has it."""
        return bool(await self._scripts.run("dead_lock", "hold", owner, round(ttl_s * 1000)))

    async def leave(self, owner: str) -> None:
        """Give the export lock up, if it is still ours."""
        await self._scripts.run("dead_lock", "leave", owner, 0)

    async def forget(self, exported: Sequence[tuple[str, int]], *, file: str, engine: str) -> list[bool]:
        """Remove events given as (id, run) that lie in ``file``; says for each whether it went.

        One that was replayed since, or whose seat is being worked on, is left alone.
        """
        pairs = [part for event_id, run in exported for part in (event_id, run)]
        return [bool(n) for n in await self._scripts.run("forget", file, engine, round(NOTICE_S * 1000), *pairs)]

    async def complain(self, text: str, *, engine: str) -> None:
        """Tell every console why dead letters could not be exported."""
        await self._scripts.run("dead_trouble", text[:300], engine, round(TROUBLE_S * 1000))

    async def notices(self) -> tuple[DeadExports | None, DeadTrouble | None]:
        """What consoles are to say: of exports lately, and of trouble with them."""
        pipe = self._client.pipeline(transaction=False)
        pipe.hgetall(self._keys.dead_exports)
        pipe.hgetall(self._keys.dead_trouble)
        done, trouble = [table_of(reply) for reply in await pipe.execute()]
        return (
            DeadExports(int(done["since"]), int(done["count"]), int(done["files"]), done["file"], done["engine"]) if done else None,
            DeadTrouble(int(trouble["since"]), trouble["engine"], trouble["text"]) if trouble else None,
        )
