"""What the server says of itself while it is in use: its memory, and what an operator should mend."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import ResponseError

from gitbridge_console.settings.model import Durability
from gitbridge_console.store.clients import cluster_of
from gitbridge_console.store.durability import durability_warnings
from gitbridge_console.store.replies import text_of

LOOK_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class ServerState:
    """The server at one moment, of a Cluster the fullest of its primaries. ``memory_max_bytes`` is ``None`` where it has no limit."""

    memory_bytes: int
    memory_max_bytes: int | None
    warnings: tuple[str, ...] = ()
    """One line each, for an operator."""


class ServerWatch:
    """Asks the server, at most once in :data:`LOOK_EVERY_S` however many want to know."""

    def __init__(
        self, client: Redis, durability: Durability, clock: Callable[[], float] = time.monotonic, *, also: Sequence[str] = ()
    ) -> None:
        """``also``: what is to be mended whatever the server says."""
        self._client = client
        self._also = also
        self._durability: Durability = durability
        self._clock = clock
        self._asking = asyncio.Lock()
        self._last: ServerState | None = None
        self._looked_at = 0.0

    async def look(self) -> ServerState:
        """The state now, or that of less than a second ago.

        Raises:
            redis.exceptions.RedisError: the store is away.
        """
        async with self._asking:
            if self._last is None or self._clock() - self._looked_at >= LOOK_EVERY_S:
                servers = await look_at_servers(self._client)
                fullest = max(servers, key=lambda server: server.fill)
                warnings = (line for server in servers for line in server_warnings(server.facts, self._durability, server.appendfsync))
                self._last = ServerState(
                    memory_bytes=int(fullest.facts.get("used_memory", 0)),
                    memory_max_bytes=int(fullest.facts.get("maxmemory", 0)) or None,
                    warnings=tuple(dict.fromkeys((*self._also, *warnings))),
                )
                self._looked_at = self._clock()
            return self._last


@dataclass(frozen=True, slots=True)
class Server:
    """One server: its ``INFO``, and its ``appendfsync`` where this user may read that."""

    facts: Mapping[str, Any]
    appendfsync: str | None
    name: str = ""
    """Host and port of a node of a Cluster; empty where there is only one server."""

    @property
    def fill(self) -> tuple[float, int]:
        """By what one is fuller than another: the share of its limit, then bytes."""
        used, limit = int(self.facts.get("used_memory", 0)), int(self.facts.get("maxmemory", 0))
        return used / limit if limit else 0.0, used


async def look_at_servers(client: Redis) -> list[Server]:
    """Ask the server, of a Cluster each primary; one at least.

    Raises:
        redis.exceptions.RedisError: the store is away, or one of its nodes.
    """
    cluster = cluster_of(client)
    if cluster is None:
        return [Server(await client.info(), await _appendfsync(client))]
    await cluster.initialize()
    nodes = {node.name: node for node in cluster.get_primaries()}
    facts = await asyncio.gather(*(cluster.info(target_nodes=node) for node in nodes.values()))
    synced = await asyncio.gather(*(_appendfsync(cluster, target_nodes=node) for node in nodes.values()))
    return [Server(*found) for found in zip(facts, synced, nodes, strict=True)]


async def _appendfsync(client: Redis | RedisCluster, **where: Any) -> str | None:
    try:
        found: Mapping[Any, Any] = await client.config_get("appendfsync", **where)
    except ResponseError:
        return None
    return text_of(found.get("appendfsync")) or None


def version_of(facts: Mapping[str, Any]) -> tuple[int, ...]:
    """Major and minor version of Redis the server is compatible with."""
    return tuple(int(part) if part.isdigit() else 0 for part in str(facts.get("redis_version", "0")).split(".")[:2])


def server_warnings(facts: Mapping[str, Any], durability: Durability, appendfsync: str | None) -> Iterable[str]:
    """What an operator should mend on the server; ``facts`` is its ``INFO``."""
    policy = str(facts.get("maxmemory_policy", "noeviction"))
    append_only = bool(facts.get("aof_enabled", 0))
    if policy != "noeviction":
        yield f"maxmemory-policy is {policy}: set it to noeviction before setting a memory limit"
    if not append_only:
        yield "the append-only file is off: accepted events are lost when the server stops"
    elif facts.get("aof_last_write_status", "ok") != "ok":
        yield "the server cannot write its append-only file: see its log and its disk"
    yield from durability_warnings(durability, append_only=append_only, version=version_of(facts), appendfsync=appendfsync)
