"""Bodies of requests to the simulated services: bounded, and only with a key."""

from __future__ import annotations

import json
import re
from typing import Any

from starlette.requests import Request

from gitbridge_console.simulator.service import BadAsk

MAX_BODY_BYTES = 32 * 1024 * 1024


async def read_raw(request: Request) -> bytes:
    """The body as it came.

    Raises:
        BadAsk: there is no key, or too much of it.
    """
    if not (request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer").strip()):
        raise BadAsk("No API key was given", status=401)
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MAX_BODY_BYTES:
            raise BadAsk("Request exceeds the maximum size", status=413)
    return bytes(raw)


async def read_body(request: Request) -> dict[str, Any]:
    """The JSON object of a request.

    Raises:
        BadAsk: there is none; also as :func:`read_raw`.
    """
    raw = await read_raw(request)
    try:
        body = json.loads(raw)
    except ValueError:
        raise BadAsk("We could not parse the JSON body of your request.") from None
    if not isinstance(body, dict):
        raise BadAsk("The body must be a JSON object.")
    return body


async def read_upload(request: Request) -> bytes:
    """The content of the one file in a form.

    Raises:
        BadAsk: there is none; also as :func:`read_raw`.
    """
    raw = await read_raw(request)
    boundary = re.search(r"boundary=\"?([^\";]+)", request.headers.get("content-type", ""))
    for part in raw.split(b"--" + boundary[1].encode()) if boundary else []:
        head, _, content = part.partition(b"\r\n\r\n")
        if b"filename=" in head:
            return content.removesuffix(b"\r\n")
    raise BadAsk("Missing required parameter: 'file'.", param="file")
