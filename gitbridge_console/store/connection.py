"""Connections to the store: how clients are built, what a usable server is, and what may be said about its URL."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit, urlunsplit

import hiredis
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection, Connection, DefaultParser, SSLConnection, UnixDomainSocketConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, AuthorizationError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from gitbridge_console.settings.model import Durability, RedisSettings
from gitbridge_console.store.embedded import EmbeddedServer
from gitbridge_console.store.server_watch import read_appendfsync, server_warnings, version_of
from gitbridge_console.store.unavailable import STORE_AWAY_ERRORS, DiskRefused, EmbeddedUnavailable, StoreUnavailable

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
HEALTH_CHECK_S = 15
CONNECT_DELAYS_S = (0.05, 0.25)
"""Waits between attempts to connect. Connecting may be repeated; a command that was sent never is."""


class _Parser(DefaultParser):  # type: ignore[misc, valid-type]  # one of three classes, chosen when redis-py is imported
    """Tells a server whose disk is full from one that says something is wrong."""

    EXCEPTION_CLASSES: ClassVar[dict[str, Any]] = {**DefaultParser.EXCEPTION_CLASSES, "MISCONF": DiskRefused}


class _PatientConnection(AbstractConnection):
    """Repeats connecting, never commands; packs with hiredis instead of in Python; a task that writes can be cancelled."""

    async def connect(self) -> None:
        for delay_s in CONNECT_DELAYS_S:
            try:
                return await super().connect()  # type: ignore[no-untyped-call,no-any-return]
            except (AuthenticationError, AuthorizationError):
                raise
            except (RedisConnectionError, RedisTimeoutError):
                await asyncio.sleep(delay_s)
        return await super().connect()  # type: ignore[no-untyped-call,no-any-return]

    async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:
        # redis-py writes under asyncio.wait_for, which up to Python 3.11 forgets a cancellation that comes as the write ends.
        if not self.is_connected:
            await self.connect_check_health(check_health=False)
        if check_health:
            await self.check_health()  # type: ignore[no-untyped-call]
        chunks = [command.encode()] if isinstance(command, str) else [command] if isinstance(command, bytes) else command
        try:
            async with asyncio.timeout(self.socket_timeout or None):
                await self._send_packed_command(chunks)
        except TimeoutError:
            await self.disconnect(nowait=True)
            raise RedisTimeoutError("Timeout writing to socket") from None
        except OSError as error:
            await self.disconnect(nowait=True)
            raise RedisConnectionError(f"Error while writing to socket: {error}") from error
        except BaseException:
            # Half a command may have gone out: nothing else can be said over this connection.
            await self.disconnect(nowait=True)
            raise

    def pack_command(self, *args: Any) -> list[bytes]:
        if isinstance(args[0], str) and " " in args[0]:
            args = (*args[0].split(), *args[1:])
        return [hiredis.pack_command(args)]

    def pack_commands(self, commands: Iterable[Iterable[Any]]) -> list[bytes]:
        return [b"".join(chunk for command in commands for chunk in self.pack_command(*command))]


class _TcpConnection(_PatientConnection, Connection):
    pass


class _TlsConnection(_PatientConnection, SSLConnection):
    pass


class _UnixConnection(_PatientConnection, UnixDomainSocketConnection):
    pass


_CONNECTIONS: dict[str, type[Connection | UnixDomainSocketConnection]] = {
    "redis": _TcpConnection,
    "rediss": _TlsConnection,
    "unix": _UnixConnection,
}


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
        return _client(self.url, self.settings, max_connections=max_connections, socket_timeout_s=socket_timeout_s)


def redact_url(url: str) -> str:
    """The URL with every password replaced by ``***``; what cannot be parsed is not shown at all."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "(unreadable URL)"
    if not parts.scheme:
        return "(unreadable URL)"
    credentials, at, host = parts.netloc.rpartition("@")
    user, colon, _ = credentials.partition(":")
    netloc = f"{user}{colon}{'***' if colon else ''}{at}{host}"
    query = "&".join(f"{name}=***" if "pass" in name.lower() else f"{name}{eq}{value}" for name, eq, value in _query_parts(parts.query))
    shown = urlunsplit((parts.scheme, netloc, parts.path, query, ""))
    return shown if netloc else shown.replace(":/", ":///", 1)


def _query_parts(query: str) -> list[tuple[str, str, str]]:
    return [part.partition("=") for part in query.split("&") if part]


def make_client(settings: RedisSettings, url: str | None = None) -> Redis:
    """A client for ``url`` (default: the one of the settings) that returns bytes and never repeats a command.

    No connection is made yet. Sentinel and Cluster would be further schemes of this one place.

    Raises:
        StoreUnavailable: the URL cannot be used.
    """
    address = url or settings.url
    if address is None:
        raise StoreUnavailable("no Redis URL is configured and no embedded server was started")
    return _client(address, settings, max_connections=settings.max_connections, socket_timeout_s=settings.socket_timeout_s)


def _client(url: str, settings: RedisSettings, *, max_connections: int, socket_timeout_s: float | None) -> Redis:
    scheme = url.partition(":")[0].lower()
    connection_class = _CONNECTIONS.get(scheme)
    if connection_class is None:
        raise StoreUnavailable(f"redis.url {redact_url(url)}: use redis://, rediss:// or unix://")
    try:
        options: dict[str, Any] = dict(parse_url(url))
    except ValueError as error:
        raise StoreUnavailable(f"redis.url {redact_url(url)}: {error}") from None
    options |= {
        "connection_class": connection_class,
        "socket_timeout": socket_timeout_s,
        "socket_connect_timeout": settings.connect_timeout_s,
        "health_check_interval": HEALTH_CHECK_S,
        "retry": Retry(NoBackoff(), 0),
        "max_connections": max_connections,
        "timeout": settings.connect_timeout_s,
        "decode_responses": False,
        "protocol": 2,
        "parser_class": _Parser,
    }
    if scheme != "unix":
        options["socket_keepalive"] = True
    return Redis.from_pool(BlockingConnectionPool(**options))


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
    """Ask the server what it is and refuse one that would lose work.

    Raises:
        StoreUnavailable: away, too old, evicting keys, a read-only replica, a Sentinel or a Cluster node.
    """
    shown = redact_url(url) if url else "the server"
    try:
        facts: dict[str, Any] = await client.info()
        appendfsync = await read_appendfsync(client)
    except (RedisError, OSError) as error:
        raise StoreUnavailable(_away_line(error, url, shown)) from error
    version = str(facts.get("redis_version", "0"))
    numbers = version_of(facts)
    policy = str(facts.get("maxmemory_policy", "noeviction"))
    limit = int(facts.get("maxmemory", 0))
    mode = str(facts.get("redis_mode", facts.get("server_mode", "standalone")))
    if numbers < MIN_VERSION:
        raise StoreUnavailable(f"{shown} is version {version}; GitBridge needs Redis 6.2 or later, or any Valkey")
    if mode in {"sentinel", "cluster"}:
        raise StoreUnavailable(f"{shown} runs in {mode} mode, which this version cannot use: name a standalone server")
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
        warnings=tuple(server_warnings(facts, durability, appendfsync)),
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
    password = urlsplit(url).password if url else None
    return text.replace(password, "***") if password else text
