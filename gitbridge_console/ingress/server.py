"""Serving an ASGI application inside a running loop: no signal handlers, no exit, a clear line when it cannot listen."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from starlette.types import ASGIApp

from gitbridge_console.ingress.addresses import contains, networks, read_address, source_key
from gitbridge_console.settings.ingress import IngressSettings

logger = logging.getLogger(__name__)

SHUTDOWN_S = 10
HEADERS_MAX_BYTES = 32 * 1024
"""All headers of a request together; code hosts send about one thousand bytes."""
SILENT_FACTOR = 2
"""Beyond ``max_connections`` a request is answered 503; beyond so many times as many connections are closed unheard."""
REPORT_EVERY_S = 60.0


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


class Connections:
    """Who holds how many connections. Those of this host and of trusted proxies speak for many, and have no limit of their own."""

    def __init__(self, limits: IngressSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._by_source: Counter[str] = Counter()
        self._said_at: float | None = None
        self._turned_away = 0

    def enter(self, peer: str, connections: int) -> str | None:
        """Count a connection; ``None`` when it is one too many. ``connections`` are all there are, this one included."""
        address = read_address(peer)
        source = source_key(address)
        if connections > self._limits.max_connections * SILENT_FACTOR:
            self._say(source, f"ingress.max_connections is {self._limits.max_connections}")
            return None
        own = self._limits.max_connections_per_source
        many = address is None or address.is_loopback or contains(networks(self._limits.trusted_proxies), address)
        if own and not many and self._by_source[source] >= own:
            self._say(source, f"ingress.max_connections_per_source is {own}")
            return None
        self._by_source[source] += 1
        return source

    def leave(self, source: str) -> None:
        """A counted connection is over."""
        self._by_source[source] -= 1
        if self._by_source[source] <= 0:
            del self._by_source[source]

    def _say(self, source: str, why: str) -> None:
        self._turned_away += 1
        now = self._clock()
        if self._said_at is None or now - self._said_at >= REPORT_EVERY_S:
            self._said_at = now
            logger.warning("connection from %s closed unheard: %s; %d so far", source, why, self._turned_away)


async def serve_ingress(
    app: ASGIApp,
    host: str,
    port: int,
    stop: asyncio.Event,
    on_ready: Callable[[str, int], None] | None = None,
    settings: IngressSettings | None = None,
) -> None:
    """Serve until ``stop`` is set, then finish the requests in hand (at most 10 s). ``on_ready`` gets the real address.

    Raises:
        CannotListen: the address is taken or not ours.
    """
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    limits = settings or IngressSettings()
    connections = Connections(limits)

    class ImpatientProtocol(H11Protocol):
        """Closes a connection that is one too many or brings no request; the server itself only minds idle time after a response."""

        headers_due: asyncio.TimerHandle | None = None
        source: str | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.source = connections.enter(self.client[0] if self.client else "", len(self.connections))
            if self.source is None:
                transport.abort()
                return
            self.expect_request()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self.expect_request()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            if self.headers_due is not None:
                self.headers_due.cancel()
            if self.source is not None:
                connections.leave(self.source)

        def expect_request(self) -> None:
            if self.headers_due is not None:
                self.headers_due.cancel()
            self.headers_due = self.loop.call_later(limits.headers_timeout_s, self.hang_up, self.cycle)

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
        "ws": "none",
        "h11_max_incomplete_event_size": HEADERS_MAX_BYTES,
        # The server refuses the one that reaches its limit, not the one beyond it.
        "limit_concurrency": limits.max_connections + 1,
        "timeout_keep_alive": limits.keep_alive_s,
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
