"""The simulated code host on real sockets, with the faults a real one has: refusals, silence, connections cut before and after a write."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from wire import Connection, Received, ScriptedServer, scripted_server

from gitbridge_console.simulator.code_host import CodeHost

TOKEN = "ghp_0123456789abcdefghij"
PREFIX = "/api/v3"
SECONDARY = {
    "message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
    "documentation_url": "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits",
}


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request. ``done``: the host did it nevertheless."""

    how: Literal["reset", "silence", "answer"]
    done: bool = False
    status: int = 0
    body: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


CUT_AFTER = Fault("reset", done=True)
CUT_BEFORE = Fault("reset")
SILENT_AFTER = Fault("silence", done=True)
BROKEN_AFTER = Fault("answer", done=True, status=502, body={"message": "Server Error"})
BROKEN_BEFORE = Fault("answer", status=500, body={"message": "Server Error"})
LIMITED = Fault("answer", status=403, body=SECONDARY, headers={"retry-after": "1"})
LIMITED_SILENTLY = Fault("answer", status=403, body=SECONDARY)
UNAUTHORIZED = Fault("answer", status=401, body={"message": "Bad credentials"})
FORBIDDEN = Fault("answer", status=403, body={"message": "Resource not accessible by personal access token"})


class WiredHost:
    """The host and its weather. ``fault`` is asked about each request; ``written`` has the times of writes it took."""

    def __init__(self, server: ScriptedServer) -> None:
        self.url = f"{server.origin}{PREFIX}"
        self.host = CodeHost(self.url, {TOKEN: "bridge"})
        self.asked: list[tuple[str, str]] = []
        self.written: list[float] = []
        self.fault: Callable[[str, str], Fault | None] = lambda method, path: None
        self.seen: Callable[[str, str], None] = lambda method, path: None
        server.script = self._serve

    def writes(self) -> list[str]:
        """Paths of everything that was asked to be changed."""
        return [path for method, path in self.asked if method != "GET"]

    def faults(self, *faults: Fault | None) -> None:
        """The next writes meet these, one each; the rest goes well."""
        left = list(faults)
        self.fault = lambda method, path: left.pop(0) if method != "GET" and left else None

    async def _serve(self, connection: Connection, request: Received) -> None:
        path = request.path.removeprefix(PREFIX)
        self.asked.append((request.method, path))
        fault = self.fault(request.method, path)
        if fault is None or fault.done:
            answer = self.host.answer(request.method, path, request.headers.get("authorization", ""), request.raw_body)
            if request.method != "GET" and answer.status < 300:
                self.written.append(asyncio.get_running_loop().time())
            self.seen(request.method, path)
            if fault is None:
                await connection.json(answer.status, answer.data, answer.headers)
                return
        if fault.how == "reset":
            connection.reset()
        elif fault.how == "silence":
            await connection.silence()
        else:
            await connection.whole(fault.status, json.dumps(fault.body).encode(), {"content-type": "application/json", **fault.headers})


@contextlib.asynccontextmanager
async def wired_host() -> AsyncIterator[WiredHost]:
    """The host on a free loopback port."""
    async with scripted_server() as server:
        yield WiredHost(server)
