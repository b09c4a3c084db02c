"""Connections to the store: how clients are built, what a usable server is, and what may be said about its URL."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gitbridge_console.settings.model import Durability, RedisSettings
from gitbridge_console.store.addresses import redact_url, secrets_of
from gitbridge_console.store.clients import client_of, cluster_of, make_client
from gitbridge_console.store.embedded import EmbeddedServer
from gitbridge_console.store.server_watch import Server, look_at_servers, server_warnings, version_of
from gitbridge_console.store.unavailable import STORE_AWAY_ERRORS, EmbeddedUnavailable, StoreUnavailable

__all__ = [
    "STORE_AWAY_ERRORS",
    "EmbeddedUnavailable",
    "ServerInfo",
    "StoreConnection",
    "StoreUnavailable",
    "check_server",
    "connect",
    "make_client",
    "redact_url",
]

MIN_VERSION = (6, 2)


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What the server says of itself. ``version`` is the Redis version it is compatible with, which scripts go by."""

    name: str
    version: str
    major: int
    policy: str
    maxmemory_bytes: int
    append_only: bool
    warnings: tuple[str, ...] = ()
    """One line each, for an operator."""


@dataclass(frozen=True, slots=True)
class StoreConnection:
    """An open store: a client that returns bytes, what is known of its server, and how to get further clients."""

    client: Redis
    url: str
    """As given, password included: never show it, see :attr:`shown_url`."""
    settings: RedisSettings
    info: ServerInfo
    embedded: EmbeddedServer | None = None

    @property
    def shown_url(self) -> str:
        """The URL without its password."""
        return redact_url(self.url)

    def new_client(self, *, max_connections: int = 2, socket_timeout_s: float | None = None) -> Redis:
        """A client of its own pool, for commands that block; ``None`` waits without limit. Whoever asks closes it."""
        return client_of(self.url, self.settings, max_connections=max_connections, socket_timeout_s=socket_timeout_s)


@asynccontextmanager
async def connect(settings: RedisSettings, state_dir: str | Path) -> AsyncIterator[StoreConnection]:
    """Open the store: the configured server, or the embedded one of the state folder, checked and ready.

    Raises:
        StoreUnavailable: it is away or unsuitable, in one line without a password.
    """
    embedded = None if settings.url else EmbeddedServer(state_dir, durability=settings.durability)
    url = settings.url or await _started(embedded)
    try:
        client = make_client(settings, url)
        try:
            info = await check_server(client, url, settings.durability)
            yield StoreConnection(client, url, settings, info, embedded)
        finally:
            await client.aclose()
    finally:
        if embedded is not None:
            await embedded.leave()


async def _started(embedded: EmbeddedServer | None) -> str:
    assert embedded is not None, "without a URL there is an embedded server"
    return await embedded.start()


async def check_server(client: Redis, url: str = "", durability: Durability = "everysec") -> ServerInfo:
    """Ask the server what it is, of a Cluster each of its primaries, and refuse one that would lose work.

    Raises:
        StoreUnavailable: away, too old, evicting keys, a read-only replica, a Sentinel, or a node of a Cluster that is named as one server.
    """
    shown = redact_url(url) if url else "the server"
    try:
        servers = await look_at_servers(client)
    except (RedisError, OSError) as error:
        raise StoreUnavailable(_away_line(error, url, shown)) from error
    found = [_checked(server, f"{shown} ({server.name})" if server.name else shown, durability) for server in servers]
    if cluster_of(client) is not None and durability == "waitaof":
        raise StoreUnavailable(
            f"{shown}: redis.durability waitaof cannot be had of a Cluster: use always, with appendfsync always on its nodes"
        )
    oldest = min(found, key=lambda info: info.major)
    return replace(oldest, warnings=tuple(dict.fromkeys(line for info in found for line in info.warnings)))


def _checked(server: Server, shown: str, durability: Durability) -> ServerInfo:
    """What one server is.

    Raises:
        StoreUnavailable: it would lose work.
    """
    facts = server.facts
    version, numbers = str(facts.get("redis_version", "0")), version_of(facts)
    policy = str(facts.get("maxmemory_policy", "noeviction"))
    limit = int(facts.get("maxmemory", 0))
    mode = str(facts.get("redis_mode", facts.get("server_mode", "standalone")))
    if numbers < MIN_VERSION:
        raise StoreUnavailable(f"{shown} is version {version}; GitBridge needs Redis 6.2 or later, or any Valkey")
    if mode == "sentinel":
        raise StoreUnavailable(f"{shown} is a Sentinel: name it as redis+sentinel://HOST:PORT/SERVICE")
    if mode == "cluster" and not server.name:
        raise StoreUnavailable(f"{shown} is a node of a Cluster: name it as redis+cluster://HOST:PORT")
    if facts.get("role") == "slave":
        raise StoreUnavailable(f"{shown} is a read-only replica: name its primary")
    if policy != "noeviction" and limit:
        raise StoreUnavailable(f"{shown} has maxmemory-policy {policy}, which deletes queued work: set it to noeviction")
    return ServerInfo(
        name=str(facts.get("server_name", "redis")),
        version=version,
        major=numbers[0],
        policy=policy,
        maxmemory_bytes=limit,
        append_only=bool(facts.get("aof_enabled", 0)),
        warnings=tuple(server_warnings(facts, durability, server.appendfsync)),
    )


def _away_line(error: Exception, url: str, shown: str) -> str:
    """What is wrong with a server that could not be asked, and what to do about it."""
    cause = error if isinstance(error, OSError) else error.__cause__ or error.__context__
    if isinstance(cause, OSError) and cause.errno is not None:
        reason = cause.strerror if isinstance(cause, socket.gaierror) else os.strerror(cause.errno)
        return f"{shown} does not answer ({(reason or str(cause)).lower()}): start it, or name another with redis.url or --redis"
    return f"{shown}: {_one_line(error, url)}"


def _one_line(error: Exception, url: str) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    for secret in secrets_of(url):
        text = text.replace(secret, "***")
    return text
