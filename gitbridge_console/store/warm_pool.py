"""A pool that hands out again, at once, what was just given back."""

from __future__ import annotations

from typing import Any

from redis.asyncio import BlockingConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError


class WarmPool(BlockingConnectionPool):
    """Keeps what is given back in hand, so that most commands need none of the locks, time limits and measurements of the pool.

    Those take longer than the command itself does to a server nearby. To the pool a connection in hand is one in use: its bound
    holds, and where somebody waits for a connection it gets the next one that is given back.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._in_hand: list[AbstractConnection] = []
        self._waiting = 0

    async def get_connection(self, *_: Any, **__: Any) -> AbstractConnection:
        """A connection that is ready to send.

        Raises:
            redis.exceptions.ConnectionError: the server is away, or all connections stayed in use.
        """
        while self._in_hand:
            connection = self._in_hand.pop()
            if await _is_ready(connection):
                return connection
            await self._put_back(connection)
        self._waiting += 1
        try:
            return await super().get_connection()  # type: ignore[no-untyped-call,no-any-return]
        finally:
            self._waiting -= 1

    async def release(self, connection: AbstractConnection) -> None:
        """Give a connection back."""
        if self._waiting or not connection.is_connected or connection.should_reconnect():  # type: ignore[no-untyped-call]
            await super().release(connection)
        else:
            self._in_hand.append(connection)

    async def _put_back(self, connection: AbstractConnection) -> None:
        """What the server closed, or said too much over, is of no use any more; its place is."""
        try:
            await connection.disconnect()
        finally:
            await super().release(connection)


async def _is_ready(connection: AbstractConnection) -> bool:
    try:
        return connection.is_connected and not await connection.can_read()
    except (RedisError, OSError):
        # It is being closed.
        return False
