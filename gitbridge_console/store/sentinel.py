"""The primary of a service, as its Sentinels name it at the moment of each connection.

A connection whose server turned out to be a replica is closed: the next one asks the Sentinels again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis.asyncio.connection import Connection
from redis.asyncio.sentinel import Sentinel
from redis.exceptions import ReadOnlyError

from gitbridge_console.store.addresses import Address
from gitbridge_console.store.patient_connection import TcpConnection, TlsConnection
from gitbridge_console.store.warm_pool import WarmPool


class PrimaryFinder:
    """Asks the Sentinels, one after the other, until one knows the primary."""

    def __init__(self, address: Address, *, tls: Mapping[str, Any], connect_timeout_s: float) -> None:
        own: dict[str, Any] = {
            "socket_timeout": connect_timeout_s,
            "socket_connect_timeout": connect_timeout_s,
            "username": address.sentinel_username,
            "password": address.sentinel_password,
            **tls,
        }
        if address.server.startswith("rediss:"):
            own["ssl"] = True
        self._service = address.service
        self._sentinel: Any = Sentinel(list(address.hosts), sentinel_kwargs=own)  # type: ignore[no-untyped-call]

    async def find(self) -> tuple[str, int]:
        """Host and port of the primary.

        Raises:
            redis.exceptions.ConnectionError: no Sentinel answers, or none knows a primary that is well.
        """
        host, port = await self._sentinel.discover_master(self._service)
        return str(host), int(port)

    async def aclose(self) -> None:
        """Close what was opened to the Sentinels."""
        for client in self._sentinel.sentinels:
            await client.aclose()


class SentinelPool(WarmPool):
    """Connections to whoever is the primary when they are made."""

    def __init__(self, finder: PrimaryFinder, **options: Any) -> None:
        self._finder = finder
        super().__init__(**options, finder=finder)

    async def disconnect(self, inuse_connections: bool = True) -> None:
        """Close every connection, those to the Sentinels too."""
        await super().disconnect(inuse_connections)
        await self._finder.aclose()


class _ToThePrimary(Connection):
    """Looks for the primary each time a socket is opened."""

    def __init__(self, *, finder: PrimaryFinder, **options: Any) -> None:
        self._finder = finder
        super().__init__(**options)

    async def _connect(self) -> None:
        self.host, self.port = await self._finder.find()
        await super()._connect()  # type: ignore[no-untyped-call]

    async def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return await super().read_response(*args, **options)
        except ReadOnlyError:
            await self.disconnect(nowait=True)
            raise


class SentinelTcpConnection(_ToThePrimary, TcpConnection):
    """Over TCP."""


class SentinelTlsConnection(_ToThePrimary, TlsConnection):
    """Over TCP with TLS."""
