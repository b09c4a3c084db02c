"""The simulated code host over HTTP, beside the simulated AI services."""

from __future__ import annotations

import json
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.simulator.code_host import CodeHost

BODY_MAX = 1024 * 1024


def host_routes(host: CodeHost) -> list[Route]:
    """Everything below the host's address goes to the host."""

    async def answer(request: Request) -> Response:
        body = await request.body()
        if len(body) > BODY_MAX:
            return Response(status_code=413)
        path = f"/{request.path_params['path']}" + (f"?{request.url.query}" if request.url.query else "")
        found = host.answer(request.method, path, request.headers.get("authorization", ""), body)
        return JSONResponse(found.data, status_code=found.status, headers=found.headers)

    return [Route("/{path:path}", answer, methods=["GET", "POST", "PUT", "PATCH"])]


def know_head(host: CodeHost, event: IncomingEvent) -> None:
    """The head a made-up pull request has by now is the host's truth about it."""
    if event.type != "pull_request":
        return
    with suppress(ValueError, KeyError, TypeError):
        payload = json.loads(event.payload)
        host.know(payload["repository"]["full_name"], int(payload["number"]), payload["pull_request"]["head"]["sha"])
