"""The fleet's alerts in the store: what is known of them, what operators said about them, and who delivers.

==========================  ===========================================================================
``{ns:alerts}:book``        hash: ``book``, JSON of all conditions and messages; ``fence`` of who wrote it; ``trouble``
                            of receivers
``{ns:alerts}:acked``       hash: condition to JSON of who has seen it
``{ns:alerts}:silenced``    hash: condition or code to JSON of until when, by whom and why
``{ns:alerts}:lock``        the elected deliverer, gone by itself; ``…:fence`` counts elections
==========================  ===========================================================================
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from redis.asyncio import Redis

from gitbridge_console.domain.alerting import AlertBook, Silence
from gitbridge_console.store.bounded_writes import BoundedWrites
from gitbridge_console.store.fleet_lock import FleetLock
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.replies import table_of, text_of

LOCK_S = 30.0
SAID_MAX = 200
"""Acknowledgements and silences kept of each; at the limit another one is refused."""

_WRITE = """
if tonumber(redis.call('HGET', KEYS[1], 'fence') or '0') > tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'fence', ARGV[1], 'book', ARGV[2], 'trouble', ARGV[3])
return 1
"""
"""Write the book. ``ARGV``: the writer's fence, the book, receivers in trouble. Returns 0 where a later deliverer has written already."""

_SAY = """
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
"""
_UNSAY = "return redis.call('HDEL', KEYS[1], unpack(ARGV))"


class AlertStore:
    """The book is one deliverer's, told by its fence; acknowledgements and silences are the operators' and stand apart."""

    def __init__(self, client: Redis, keys: Keys, writes: BoundedWrites) -> None:
        self._client = client
        self._writes = writes
        self._tag = keys.alerts
        self.lock = FleetLock(writes, f"{self._tag}:lock", ttl_s=LOCK_S)

    async def read(self) -> AlertBook:
        """The book; an empty one where there is none, or one of another version."""
        raw = await self._client.hget(f"{self._tag}:book", "book")
        try:
            return AlertBook.model_validate_json(raw) if raw else AlertBook()
        except ValidationError:
            return AlertBook()

    async def write(self, book: AlertBook, fence: int) -> bool:
        """Put the book back; ``False`` where another deliverer was elected since, and nothing was written."""
        trouble = {
            name: state.last_error + (f" ({state.given_up} given up)" if state.given_up else "")
            for name, state in book.targets.items()
            if state.last_error
        }
        return bool(await self._writes.run(_WRITE, f"{self._tag}:book", fence, book.model_dump_json(), json.dumps(trouble)))

    async def said(self) -> tuple[dict[str, dict[str, Any]], dict[str, Silence], dict[str, str]]:
        """Conditions that were acknowledged, with who and when; silences, those that are over too; receivers in trouble, with why."""
        async with self._client.pipeline(transaction=False) as pipe:
            pipe.hgetall(f"{self._tag}:acked")
            pipe.hgetall(f"{self._tag}:silenced")
            pipe.hget(f"{self._tag}:book", "trouble")
            acked, silences, trouble = await pipe.execute()
        return (
            {name: said for name, text in table_of(acked).items() if (said := _table(text))},
            {name: hush for name, text in table_of(silences).items() if (hush := _silence(text)) is not None},
            {name: str(why) for name, why in _table(text_of(trouble)).items()},
        )

    async def acknowledge(self, key: str, about: Mapping[str, Any]) -> bool:
        """Note that somebody has seen a condition; ``False`` where too many are noted."""
        return bool(await self._writes.run(_SAY, f"{self._tag}:acked", key, json.dumps(about), SAID_MAX))

    async def silence(self, name: str, silence: Silence) -> bool:
        """Note that nobody is to be told of it; ``False`` where too many are noted."""
        return bool(await self._writes.run(_SAY, f"{self._tag}:silenced", name, silence.model_dump_json(), SAID_MAX))

    async def forget(self, *, acked: list[str] | None = None, silenced: list[str] | None = None) -> int:
        """Take words back; returns how many there were."""
        gone = 0
        for name, names in (("acked", acked), ("silenced", silenced)):
            if names:
                gone += int(text_of(await self._writes.run(_UNSAY, f"{self._tag}:{name}", *names)))
        return gone


def _table(text: str) -> dict[str, Any]:
    """A stored table; what cannot be read, by another version or by hand, says nothing."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _silence(text: str) -> Silence | None:
    try:
        return Silence.model_validate_json(text)
    except ValidationError:
        return None
