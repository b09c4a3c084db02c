"""What the processes that receive webhooks say of themselves, so that ``status`` shows their spools anywhere in the fleet."""

from __future__ import annotations

import json
import logging

from pydantic import ValidationError
from redis.asyncio import Redis

from gitbridge_console.domain.snapshots import ReceiverStatus, SpoolStatus
from gitbridge_console.store.bounded_writes import BEAT, BoundedWrites
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.replies import server_now_ms, table_of

logger = logging.getLogger(__name__)

FORGET_AFTER_S = 24 * 3600.0
"""A receiver that fell silent with deliveries in its spool is worth knowing of for a day."""
FORGET_EMPTY_AFTER_S = 60.0


class ReceiverRegistry:
    """Who receives, and what waits in whose spool."""

    def __init__(self, client: Redis, keys: Keys, *, writes: BoundedWrites | None = None) -> None:
        self._client = client
        self._key = keys.receivers
        self._writes = writes or BoundedWrites(client)

    async def beat(self, receiver: str, host: str, spool: SpoolStatus | None) -> None:
        """Say that a receiver is there, at the memory limit too."""
        body = {"host": host, "spool": None if spool is None else spool.model_dump(), "at": await server_now_ms(self._client)}
        await self._writes.run(BEAT, self._key, receiver, json.dumps(body), round(FORGET_AFTER_S * 1000))

    async def leave(self, receiver: str) -> None:
        """Say goodbye; for a receiver that leaves nothing in its spool."""
        await self._client.hdel(self._key, receiver)

    async def known(self) -> tuple[ReceiverStatus, ...]:
        """Every receiver that was heard of lately, or that fell silent with a spool that is not empty. What cannot be read is left out."""
        now = await server_now_ms(self._client)
        found = []
        for receiver, raw in sorted(table_of(await self._client.hgetall(self._key)).items()):
            try:
                body = json.loads(raw)
                age_s = round(max(0, now - int(body["at"])) / 1000, 1)
                spool = None if body["spool"] is None else SpoolStatus.model_validate(body["spool"])
                status = ReceiverStatus(id=receiver, host=str(body["host"]), beat_age_s=age_s, spool=spool)
            except (ValueError, KeyError, TypeError, ValidationError):
                logger.debug("what receiver %s says of itself cannot be read", receiver)
                continue
            if age_s <= FORGET_EMPTY_AFTER_S or (spool is not None and spool.records):
                found.append(status)
        return tuple(found)
