"""uvicorn without what an embedded server must not do: no signal handlers, no log lines on the terminal.

Imported only when the services are started, because uvicorn takes its time.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

_silent = logging.getLogger("gitbridge_console.simulator.http")
_silent.propagate = False
_silent.addHandler(logging.NullHandler())


class _QuietProtocol(H11Protocol):
    """Cut answers are meant here; uvicorn would report each as an error of the application."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _silent
        self.access_log = False


class _QuietServer(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the program around this server."""
        yield


def quiet_server(app: Starlette) -> uvicorn.Server:
    """A server that touches neither signals nor logging; run it with ``serve(sockets=[...])``."""
    config = uvicorn.Config(
        app,
        http=_QuietProtocol,
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=256,
        timeout_graceful_shutdown=2,
    )
    return _QuietServer(config)
