"""Hints that a lane has new work. Correctness never depends on them: every lane also looks by itself once a second."""

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
"""Told like a lane: work in somebody's hand is not wanted any more."""


class Wakeups:
    """Turns published lane names into events that lanes wait on. ``client`` is its own, without a time limit on reading."""

    def __init__(self, client: Redis, *partitions: Keys) -> None:
        self._client = client
        self._channels = [keys.wake for keys in partitions]
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
                            for event in self._events.get(text_of(said[2]), ()):
                                event.set()
            except (RedisError, OSError) as error:
                logger.debug("wake-up channel lost: %s", error)
                if cluster is not None:
                    # The node may be gone for good: its nodes are looked for anew, which nothing else that this client does would cause.
                    await cluster.aclose()
                await asyncio.sleep(RECONNECT_S)
