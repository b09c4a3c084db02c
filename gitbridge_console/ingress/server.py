"""Serving an ASGI application inside a running loop: no signal handlers, no exit, a clear line when it cannot listen."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

from starlette.types import ASGIApp

KEEP_ALIVE_S = 5
HEADERS_S = 10
"""How long a connection may take to bring a request's headers; then it is closed, so that silent ones cannot fill the door."""
SHUTDOWN_S = 10


class CannotListen(Exception):
    """The address cannot be listened on; the message is one line for an operator."""


def parse_listen(text: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``, ``[v6]:PORT`` or ``:PORT`` (this host only); port 0 takes a free one.

    Raises:
        ValueError: it is not of that form.
    """
    host, colon, port = text.strip().rpartition(":")
    if not colon or not port.isascii() or not port.isdecimal() or int(port) > 65535 or (":" in host and not host.startswith("[")):
        raise ValueError(f"{text!r} is not HOST:PORT")
    return host.strip("[]") or "127.0.0.1", int(port)


async def serve_ingress(
    app: ASGIApp,
    host: str,
    port: int,
    stop: asyncio.Event,
    on_ready: Callable[[str, int], None] | None = None,
    *,
    max_connections: int = 256,
) -> None:
    """Serve until ``stop`` is set, then finish the requests in hand (at most 10 s). ``on_ready`` gets the real address.

    Raises:
        CannotListen: the address is taken or not ours.
    """
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class ImpatientProtocol(H11Protocol):
        """Closes a connection that brings no request; the server itself only minds idle time after a response."""

        headers_due: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.expect_request()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self.expect_request()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            if self.headers_due is not None:
                self.headers_due.cancel()

        def expect_request(self) -> None:
            if self.headers_due is not None:
                self.headers_due.cancel()
            self.headers_due = self.loop.call_later(HEADERS_S, self.hang_up, self.cycle)

        def hang_up(self, last_cycle: object) -> None:
            if self.cycle is last_cycle and (last_cycle is None or self.cycle.response_complete):
                self.transport.close()

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started and on_ready is not None:
                on_ready(*listener.getsockname()[:2])

    listener = _listen(host, port)
    options: dict[str, Any] = {
        "http": ImpatientProtocol,
        "log_config": None,
        "access_log": False,
        "lifespan": "off",
        "server_header": False,
        # A forwarded address is the sender's word; who is on loopback is decided by the peer itself.
        "proxy_headers": False,
        "limit_concurrency": max_connections,
        "timeout_keep_alive": KEEP_ALIVE_S,
        "timeout_graceful_shutdown": SHUTDOWN_S,
    }
    server = Server(uvicorn.Config(app, **options))
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="ingress")
    stopping = asyncio.create_task(stop.wait(), name="ingress-stop")
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        server.should_exit = True
        await serving
        listener.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        raise CannotListen(f"cannot listen on {host}:{port}: {getattr(error, 'strerror', None) or error}") from error
    listener.setblocking(False)
    return listener
