"""Clients for one server, for a primary that Sentinels name, and for a Cluster: they return bytes and never repeat a command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.connection import AbstractConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gitbridge_console.settings.model import RedisSettings
from gitbridge_console.store.addresses import Address, redact_url
from gitbridge_console.store.patient_connection import Parser, TcpConnection, TlsConnection, UnixConnection
from gitbridge_console.store.sentinel import PrimaryFinder, SentinelPool, SentinelTcpConnection, SentinelTlsConnection
from gitbridge_console.store.shared_reads import SharingClient
from gitbridge_console.store.unavailable import StoreUnavailable
from gitbridge_console.store.warm_pool import WarmPool

HEALTH_CHECK_S = 15

_CONNECTIONS: Mapping[str, type[AbstractConnection]] = {"redis": TcpConnection, "rediss": TlsConnection, "unix": UnixConnection}
_THROUGH_SENTINELS: Mapping[str, type[AbstractConnection]] = {"redis": SentinelTcpConnection, "rediss": SentinelTlsConnection}

_NOT_OF_A_NODE = frozenset({"host", "port", "db", "path", "connection_class", "timeout", "parser_class"})
"""Options of a pool that a client of a Cluster has other words for, or none."""


def make_client(settings: RedisSettings, url: str | None = None) -> Redis:
    """A client for ``url`` (default: the one of the settings). No connection is made yet.

    Raises:
        StoreUnavailable: the URL cannot be used.
    """
    address = url or settings.url
    if address is None:
        raise StoreUnavailable("no Redis URL is configured and no embedded server was started")
    return client_of(address, settings, max_connections=settings.max_connections, socket_timeout_s=settings.socket_timeout_s)


def client_of(url: str, settings: RedisSettings, *, max_connections: int, socket_timeout_s: float | None) -> Redis:
    """A client with its own bound of connections and of time: ``None`` waits for an answer without limit.

    Raises:
        StoreUnavailable: the URL cannot be used.
    """
    try:
        address = Address.parse(url)
        options: dict[str, Any] = dict(parse_url(address.server))
    except ValueError as error:
        raise StoreUnavailable(f"redis.url {redact_url(url)}: {error}") from None
    scheme = address.server.partition(":")[0]
    options |= {
        "socket_timeout": socket_timeout_s,
        "socket_connect_timeout": settings.connect_timeout_s,
        "health_check_interval": HEALTH_CHECK_S,
        "retry": Retry(NoBackoff(), 0),
        "max_connections": max_connections,
        "timeout": settings.connect_timeout_s,
        "decode_responses": False,
        "protocol": 2,
        "parser_class": Parser,
    }
    if scheme != "unix":
        options["socket_keepalive"] = True
    if address.topology == "cluster":
        return _cluster_client(address, options, _CONNECTIONS[scheme])
    if address.topology == "sentinel":
        finder = PrimaryFinder(address, tls=_tls_options(options), connect_timeout_s=settings.connect_timeout_s)
        pool = SentinelPool(finder, **options | {"connection_class": _THROUGH_SENTINELS[scheme]})
        return SharingClient.from_pool(pool)
    return SharingClient.from_pool(WarmPool(**options | {"connection_class": _CONNECTIONS[scheme]}))


def _tls_options(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name.startswith("ssl_")}


def _cluster_client(address: Address, options: Mapping[str, Any], connection_class: type[AbstractConnection]) -> Redis:
    """A client of a Cluster has the commands of a client of one server, and is used as such everywhere else."""
    own = {name: value for name, value in options.items() if name not in _NOT_OF_A_NODE}
    host, port = address.hosts[0]
    nodes = [_StartupNode(*node) for node in address.hosts[1:]]
    client = RedisCluster(host=host, port=port, startup_nodes=cast(Any, nodes), ssl=connection_class is TlsConnection, **own)
    # There is no parameter for either: every node that is found later takes its options from here.
    client.get_connection_kwargs().update(connection_class=cast(Any, connection_class), parser_class=cast(Any, Parser))
    return cast(Redis, client)


def cluster_of(client: object) -> RedisCluster | None:
    """The client as one of a Cluster, ``None`` where it is one of a single server."""
    return client if isinstance(client, RedisCluster) else None


class _StartupNode:
    """All that the client reads of a node it is to begin with."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
