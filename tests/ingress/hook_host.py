"""GitHub's side of a webhook on a real socket: it lists what it tried to deliver, in its own shapes, and tries again when told to."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from wire import Connection, Received, ScriptedServer

TOKEN = "ghp_0123456789abcdefghij"
HOOK_URL = "https://ci.example/webhook"
NOW = 1_795_000_000.0
PREFIX = "/api/v3"
_ATTEMPTS = re.compile(r".*/deliveries/(\d+)/attempts")


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


@dataclass
class HookHost:
    """Deliveries newest first, ``page`` at a time. ``arrives`` tells how a delivery ends: the status of the answer, 0: none."""

    server: ScriptedServer
    now: float = NOW
    page: int = 100
    rows: list[dict[str, Any]] = field(default_factory=list)
    hooks: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    refusal: tuple[int, dict[str, Any], dict[str, str]] | None = None
    gone: set[int] = field(default_factory=set)
    arrives: Callable[[dict[str, Any]], Awaitable[int]] | None = None

    def __post_init__(self) -> None:
        self.url = f"{self.server.origin}{PREFIX}"
        self.hooks.append(
            {"type": "Repository", "id": 9, "name": "web", "active": True, "config": {"url": HOOK_URL, "content_type": "json"}}
        )
        self.hooks.append({"type": "Repository", "id": 8, "name": "web", "active": True, "config": {"url": "https://other.example/"}})
        self.server.script = self._serve

    def tried(self, guid: str, ago_s: float, status: int = 0, event: str = "pull_request", action: str | None = "opened") -> int:
        """A delivery that was tried; the number of the attempt."""
        row = {
            "id": 12_345_000 + len(self.rows) + 1,
            "guid": guid,
            "delivered_at": iso(self.now - ago_s),
            "redelivery": any(other["guid"] == guid for other in self.rows),
            "duration": 0.27,
            "status": "OK" if status == 202 else f"Invalid HTTP Response: {status}" if status else "failed to connect to host",
            "status_code": status or 502,
            "event": event,
            "action": action,
            "installation_id": None,
            "repository_id": 456,
            "throttled_at": None,
        }
        self.rows.append(row)
        return row["id"]

    @property
    def repeated(self) -> list[int]:
        """Attempts that were asked for again, in order."""
        return [int(found[1]) for method, path in self.asked if method == "POST" and (found := _ATTEMPTS.fullmatch(path))]

    @property
    def pages_read(self) -> int:
        return sum(1 for method, path in self.asked if method == "GET" and "/deliveries?" in path)

    async def _serve(self, connection: Connection, request: Received) -> None:
        path = request.path.removeprefix(PREFIX)
        self.asked.append((request.method, path))
        assert request.headers["authorization"].split()[0].lower() in {"token", "bearer"}
        if self.refusal is not None and (request.method == "POST" or self.refusal[0] == 401):
            status, body, headers = self.refusal
            await connection.json(status, body, headers)
        elif request.method == "POST":
            await self._again(connection, int(_ATTEMPTS.fullmatch(path)[1]))  # type: ignore[index]
        elif path.endswith("/hooks?per_page=100"):
            await connection.json(200, self.hooks)
        elif "/deliveries?" in path:
            await self._list(connection, path)
        else:
            await connection.json(404, {"message": "Not Found"})

    async def _list(self, connection: Connection, path: str) -> None:
        """Like GitHub, by a cursor that names the last row shown, and with links that name a repository by its number."""
        cursor = parse_qs(urlsplit(path).query).get("cursor", [""])[0]
        newest_first = sorted(self.rows, key=lambda row: (row["delivered_at"], row["id"]), reverse=True)
        if cursor and cursor not in {f"v1_{row['id']}" for row in newest_first}:
            await connection.json(422, {"message": "Invalid cursor"})
            return
        start = next((n + 1 for n, row in enumerate(newest_first) if cursor == f"v1_{row['id']}"), 0)
        shown, rest = newest_first[start : start + self.page], newest_first[start + self.page :]
        place = re.sub(r"/repos/[^/]+/[^/]+/", "/repositories/456/", urlsplit(path).path)
        link = {"link": f'<{self.url}{place}?per_page=100&cursor=v1_{shown[-1]["id"]}>; rel="next"'} if rest else {}
        await connection.json(200, shown, link)

    async def _again(self, connection: Connection, attempt: int) -> None:
        row = next((row for row in self.rows if row["id"] == attempt), None)
        if row is None or attempt in self.gone:
            await connection.json(404, {"message": "Not Found"})
            return
        await connection.json(202, {})
        status = 202 if self.arrives is None else await self.arrives(row)
        self.tried(row["guid"], 0.0, status, row["event"], row["action"])


def body_of(guid: str) -> bytes:
    """What the host sends for a delivery."""
    pull = {"number": 7, "title": f"Tax {guid}", "head": {"sha": "a" * 40}, "updated_at": "2026-11-22T21:00:00Z"}
    return json.dumps({"action": "opened", "pull_request": pull, "repository": {"id": 456, "full_name": "acme/shop"}}).encode()
