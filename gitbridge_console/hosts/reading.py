"""Asking a host for text or JSON, read-only and bounded: what the clients of hosts have in common that nobody writes to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from gitbridge_console.hosts.base import HostDiff, HostProblem
from gitbridge_console.hosts.github_api import ERROR_BODY_MAX, REDIRECTS_MAX, read_body, same_origin
from gitbridge_console.hosts.github_problems import problem_of
from gitbridge_console.hosts.tokens import TokenSource
from gitbridge_console.settings.hosts import ReadingSettings

if TYPE_CHECKING:
    import httpx2

CONNECTIONS_MAX = 8
TOTAL_S = 40.0
"""Longest one question takes, drips of a slow host included."""
PAGE_BYTES_MAX = 8 * 1024**2


class HostReader:
    """One for each host and process; connects at the first question and is closed with the engine.

    ``login`` makes the header of a request out of a token.
    """

    def __init__(self, settings: Callable[[], ReadingSettings], login: Callable[[str], Mapping[str, str]]) -> None:
        self._settings = settings
        self._token = TokenSource(settings)
        self._login = login
        self._client: httpx2.AsyncClient | None = None

    @property
    def available(self) -> bool:
        """Whether it may be asked at all: it has an address, and a token or leave to go without."""
        settings = self._settings()
        return bool(settings.base_url) and (settings.anonymous or self._token() is not None)

    async def text(self, path: str, max_bytes: int) -> HostDiff:
        """The body of an answer, one byte more than asked for at most.

        Raises:
            HostProblem: there is none to be had.
        """
        async with self._answer(path) as response:
            return await read_body(response, max_bytes)

    async def json(self, path: str) -> Any:
        """What the JSON of an answer says.

        Raises:
            HostProblem: there is none to be had, it is too large or cannot be read.
        """
        body = await self.text(path, PAGE_BYTES_MAX)
        if body.cut:
            raise HostProblem(f"the host's answer is larger than {PAGE_BYTES_MAX >> 20} MiB")
        try:
            return json.loads(body.raw)
        except (ValueError, RecursionError):
            raise HostProblem("the host's answer cannot be read", retry_in_s=0.0) from None

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    @asynccontextmanager
    async def _answer(self, path: str) -> AsyncIterator[httpx2.Response]:
        import httpx2

        settings, token = self._settings(), self._token()
        headers = {"user-agent": "gitbridge-console", **(self._login(token) if token else {})}
        base = httpx2.URL(settings.base_url.rstrip("/") + "/")
        url = base.join(path.lstrip("/"))
        try:
            async with asyncio.timeout(TOTAL_S):
                for _ in range(REDIRECTS_MAX + 1):
                    async with self._http(settings).stream("GET", url, headers=headers) as response:
                        if response.status_code in (301, 302, 307, 308):
                            url = same_origin(base, url.join(response.headers.get("location", "")))
                            continue
                        if response.status_code != 200:
                            body = (await read_body(response, ERROR_BODY_MAX)).raw
                            raise problem_of(response.status_code, response.headers, body, shown="token" if token else "none")
                        yield response
                        return
            raise HostProblem("the host redirects in a circle")
        except (httpx2.TimeoutException, TimeoutError):
            raise HostProblem("the host does not answer in time", retry_in_s=0.0) from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise HostProblem(f"the host cannot be reached: {type(error).__name__}", retry_in_s=0.0) from None

    def _http(self, settings: ReadingSettings) -> httpx2.AsyncClient:
        import httpx2

        if self._client is None:
            timeout = httpx2.Timeout(settings.timeout_s, connect=settings.timeout_connect_s)
            self._client = httpx2.AsyncClient(
                timeout=timeout, follow_redirects=False, limits=httpx2.Limits(max_connections=CONNECTIONS_MAX)
            )
        return self._client
