"""What reconciling remembers: how far it has come at each webhook, what it asked for again, and which deliveries are here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from redis.asyncio import Redis

from gitbridge_console.domain.deliveries import MissedDelivery
from gitbridge_console.store.bounded_writes import SET, BoundedWrites
from gitbridge_console.store.fleet_lock import FleetLock
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.replies import server_now_ms, table_of

DAY_MS = 86_400_000
DAYS = 8
"""As far back as any host remembers a delivery, and the day that has begun."""
LOCK_TTL_S = 120.0
"""Longer than one question to the host and the pause before it; prolonged at each."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one webhook has been looked at, in ms, and what was found missing by then and is not settled yet.

    ``resume`` is the page at which a look ended that was too long for one run, and ``resume_since_ms`` how far back it has to go
    from there.
    """

    since_ms: int = 0
    resume: str = ""
    resume_since_ms: int = 0
    open: tuple[MissedDelivery, ...] = ()


@dataclass(frozen=True, slots=True)
class Tried:
    """How often something was asked for again, and when last, in ms."""

    times: int
    at_ms: int


class ReconcileStore:
    """Fleet-wide; one process at a time works with it, under :attr:`lock`."""

    def __init__(self, client: Redis, partitions: Sequence[Keys], *, writes: BoundedWrites | None = None) -> None:
        self._client = client
        self._partitions = partitions
        self._writes = writes or BoundedWrites(client)
        self._key = partitions[0].reconcile
        self.lock = FleetLock(self._writes, f"{self._key}:lock", ttl_s=LOCK_TTL_S)

    async def known(self, guids: Sequence[str]) -> set[str]:
        """Which of these deliveries are here, whatever became of them."""
        if not guids:
            return set()
        today = await server_now_ms(self._client) // DAY_MS
        async with self._client.pipeline(transaction=False) as pipe:
            for keys in self._partitions:
                for day in range(today - DAYS, today + 1):
                    pipe.hmget(keys.deliveries(day), *guids)
            found = await pipe.execute()
        return {guid for n, guid in enumerate(guids) if any(one[n] is not None for one in found)}

    async def progress(self, hook: str) -> Progress:
        """How far a webhook is settled."""
        raw = await self._client.hget(self._key, f"hook:{hook}")
        if not raw:
            return Progress()
        body = json.loads(raw)
        return Progress(**body | {"open": tuple(MissedDelivery.model_validate(one) for one in body.get("open", ()))})

    async def keep(self, hook: str, progress: Progress) -> None:
        """Remember it."""
        body = asdict(progress) | {"open": [one.model_dump(mode="json") for one in progress.open]}
        await self._writes.run(SET, self._key, f"hook:{hook}", json.dumps(body))

    async def tried(self) -> dict[str, Tried]:
        """Everything asked for again lately, by its guid."""
        found = table_of(await self._client.hgetall(self._key))
        return {name[6:]: Tried(**json.loads(raw)) for name, raw in found.items() if name.startswith("tried:")}

    async def note_tried(self, guid: str, tried: Tried) -> None:
        """Remember that it is asked for again; said before it is done."""
        await self._writes.run(SET, self._key, f"tried:{guid}", json.dumps(asdict(tried)))

    async def forget_tried(self, guids: Sequence[str]) -> None:
        """They are here, or too old to be asked for."""
        if guids:
            await self._client.hdel(self._key, *(f"tried:{guid}" for guid in guids))
