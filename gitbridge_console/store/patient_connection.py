"""One connection to a server: connecting is repeated, a command that was sent never is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, ClassVar

import hiredis
from redis.asyncio.connection import AbstractConnection, Connection, DefaultParser, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import AuthenticationError, AuthorizationError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from gitbridge_console.store.unavailable import DiskRefused, TakesNoWrites

CONNECT_DELAYS_S = (0.05, 0.25)
"""Waits between attempts to connect. Connecting may be repeated; a command that was sent never is."""


class Parser(DefaultParser):  # type: ignore[misc, valid-type]  # one of three classes, chosen when redis-py is imported
    """Tells a server that takes nothing now from one that says something is wrong."""

    EXCEPTION_CLASSES: ClassVar[dict[str, Any]] = {
        **DefaultParser.EXCEPTION_CLASSES,
        "MISCONF": DiskRefused,
        "NOREPLICAS": TakesNoWrites,
        "BUSY": TakesNoWrites,
    }


class PatientConnection(AbstractConnection):
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
            await self._write(chunks)
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

    async def _write(self, chunks: Iterable[bytes]) -> None:
        writer = self._writer
        assert writer is not None, "it is connected"
        writer.writelines(chunks)
        # Most commands have left by now, and need no time limit.
        if writer.transport.get_write_buffer_size() > 0:
            async with asyncio.timeout(self.socket_timeout or None):
                await writer.drain()

    def pack_command(self, *args: Any) -> list[bytes]:
        if isinstance(args[0], str) and " " in args[0]:
            args = (*args[0].split(), *args[1:])
        return [hiredis.pack_command(args)]

    def pack_commands(self, commands: Iterable[Iterable[Any]]) -> list[bytes]:
        return [b"".join(chunk for command in commands for chunk in self.pack_command(*command))]


class TcpConnection(PatientConnection, Connection):
    """Over TCP."""


class TlsConnection(PatientConnection, SSLConnection):
    """Over TCP with TLS."""


class UnixConnection(PatientConnection, UnixDomainSocketConnection):
    """Over a socket in the file system."""
