"""What the SDKs' HTTP clients are given on top of their defaults: no redirects, and a bound on bodies that are no stream.

Imported only when a client is built, since it needs the HTTP library.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2

MAX_BODY_BYTES = 4 * 1024 * 1024
"""Of an error or a list of models no more is read, as it comes over the wire; the SDKs read such bodies whole."""

MAX_RESULTS_BYTES = 64 * 1024 * 1024
"""Of the results of a batch no more is read."""

STREAM_TYPE = "text/event-stream"
RESULT_PATHS = ("/results", "/content")
"""How the addresses of batch results end, at Anthropic and at OpenAI."""


class BoundedStream(httpx2.AsyncByteStream):
    """A body that ends at ``limit`` bytes, whatever the other side goes on to send."""

    def __init__(self, stream: httpx2.AsyncByteStream, limit: int) -> None:
        self._stream = stream
        self._left = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            yield chunk[: self._left]
            self._left -= len(chunk)
            if self._left <= 0:
                return

    async def aclose(self) -> None:
        """Close the connection, or give it back where the body was read to its end."""
        await self._stream.aclose()


async def bound_body(response: httpx2.Response) -> None:
    """Event hook: answers that are no event stream get a bounded body."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if response.status_code < 300 and kind == STREAM_TYPE:
        return
    if isinstance(response.stream, httpx2.AsyncByteStream):
        results = response.status_code < 300 and response.request.url.path.endswith(RESULT_PATHS)
        response.stream = BoundedStream(response.stream, MAX_RESULTS_BYTES if results else MAX_BODY_BYTES)


def client_options(timeout: httpx2.Timeout, *, connections: int, keepalive_s: float) -> dict[str, Any]:
    """Options for an SDK's ``DefaultAsyncHttpxClient``: at most so many connections, kept open for ``keepalive_s`` when unused.

    A redirect would carry the question, which may quote private source, to an address nobody configured.
    """
    limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=keepalive_s)
    return {"limits": limits, "timeout": timeout, "follow_redirects": False, "event_hooks": {"response": [bound_body]}}
