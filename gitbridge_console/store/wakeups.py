"""Hints that a lane has new work, or that work in hand is not wanted any more. Correctness never depends on them: every lane also looks by
itself once a second. Where claims stand at the server (``standing_claims.py``) lanes are not told here."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gitbridge_console.store.clients import cluster_of
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.replies import text_of

logger = logging.getLogger(__name__)

RECONNECT_S = 1.0

LEASES = ":leases"
"""Has the place of a lane where work in somebody's hand is not wanted any more."""


class Wakeups:
    """Turns what is published into events that lanes wait on. ``client`` is its own, without a time limit on reading.

    Without ``lanes`` only that work is not wanted any more is listened for.
    """

    def __init__(self, client: Redis, *partitions: Keys, lanes: bool = True) -> None:
        self._client = client
        self._lost = {keys.lost.encode() for keys in partitions}
        self._channels = [*self._lost, *(keys.wake for keys in partitions if lanes)]
        self._events: dict[str, set[asyncio.Event]] = defaultdict(set)

    def subscribe(self, lane: str, event: asyncio.Event) -> None:
        """Set ``event`` whenever something is pushed to ``lane``."""
        self._events[lane].add(event)

    def unsubscribe(self, lane: str, event: asyncio.Event) -> None:
        """Forget ``event``."""
        self._events[lane].discard(event)

    async def aclose(self) -> None:
        """Close the connection of its own."""
        await self._client.aclose()

    async def listen(self) -> None:
        """Listen until cancelled; a lost connection is made again, silently, since lanes look by themselves meanwhile."""
        cluster = cluster_of(self._client)
        while True:
            try:
                if cluster is not None:
                    await cluster.initialize()
                async with self._client.pubsub() as channel:
                    await channel.subscribe(*self._channels)
                    while True:
                        # As it came: somebody waits for what the hint is about.
                        said = await channel.parse_response()
                        if said and said[0] == b"message":
                            told = LEASES if said[1] in self._lost else text_of(said[2])
                            for event in self._events.get(told, ()):
                                event.set()
            except (RedisError, OSError) as error:
                logger.debug("wake-up channel lost: %s", error)
                if cluster is not None:
                    # The node may be gone for good: its nodes are looked for anew, which nothing else that this client does would cause.
                    await cluster.aclose()
                await asyncio.sleep(RECONNECT_S)
