"""GitHub's REST API, as far as a review needs it: the diff of a pull request or of two commits, read-only and bounded.

Headers and errors are those of gidgethub; the body is read here, for a diff may be larger than anybody wants to hold.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from gitbridge_console.domain.names import REPOSITORY, SHA
from gitbridge_console.hosts.base import HostDiff, HostProblem, TooLarge
from gitbridge_console.settings.model import GitHubSettings

if TYPE_CHECKING:
    import httpx2

API_VERSION = "2022-11-28"
DIFF = "application/vnd.github.diff"
JSON = "application/vnd.github+json"
ERROR_BODY_MAX = 16_384
PAGES_MAX = 3
PAGE_BYTES_MAX = 8 * 1024**2
REDIRECTS_MAX = 2
RETRY_AFTER_MAX_S = 3_600.0


class GitHubClient:
    """One client for the engine; made at the first question, closed with the engine."""

    def __init__(self, settings: Callable[[], GitHubSettings], token: Callable[[], str | None]) -> None:
        self._settings = settings
        self._token = token
        self._client: httpx2.AsyncClient | None = None

    async def pull_diff(self, repository: str, number: int, max_bytes: int) -> HostDiff:
        """The diff of a pull request against its merge base.

        Raises:
            HostProblem: there is none to be had.
        """
        path = f"/repos/{_checked(repository)}/pulls/{int(number)}"
        try:
            return await self._diff(path, max_bytes)
        except TooLarge:
            return await self._from_files(f"{path}/files", max_bytes)

    async def compare_diff(self, repository: str, base: str, head: str, max_bytes: int) -> HostDiff:
        """The diff from one commit to another; from nothing, with an empty ``base``, that of the head alone.

        Raises:
            HostProblem: there is none to be had.
        """
        if not SHA.fullmatch(head) or (base and not SHA.fullmatch(base)):
            raise HostProblem("the event names no commits that could be compared")
        where = f"compare/{base}...{head}" if base else f"commits/{head}"
        return await self._diff(f"/repos/{_checked(repository)}/{where}", max_bytes)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _diff(self, path: str, max_bytes: int) -> HostDiff:
        async with self._answer(path, DIFF) as response:
            return await _read(response, max_bytes)

    async def _from_files(self, path: str, max_bytes: int) -> HostDiff:
        """The same from the list of files, where the host says that the diff is too large."""
        parts: list[str] = []
        size, more = 0, True
        for page in range(1, PAGES_MAX + 1):
            async with self._answer(f"{path}?per_page=100&page={page}", JSON) as response:
                body = await _read(response, PAGE_BYTES_MAX)
            files = _files(body)
            if files is None:
                more = True
                break
            for file in files:
                parts.append(_as_diff(file))
                size += len(parts[-1])
            more = len(files) == 100
            if not more or size > max_bytes:
                break
        raw = "".join(parts).encode("utf-8", "replace")
        return HostDiff(raw[: max_bytes + 1], more or len(raw) > max_bytes)

    @asynccontextmanager
    async def _answer(self, path: str, accept: str) -> AsyncIterator[httpx2.Response]:
        """A successful response whose body is still to be read.

        Raises:
            HostProblem: it is none, or the host cannot be reached.
        """
        import httpx2
        from gidgethub import sansio

        settings, token = self._settings(), self._token()
        base = httpx2.URL(settings.base_url.rstrip("/") + "/")
        headers = sansio.create_headers("gitbridge-console", accept=accept, oauth_token=token) | {"x-github-api-version": API_VERSION}
        url = base.join(path.lstrip("/"))
        try:
            for _ in range(REDIRECTS_MAX + 1):
                async with self._http(settings).stream("GET", url, headers=headers) as response:
                    if response.status_code in (301, 302, 307, 308):
                        url = _same_origin(base, url.join(response.headers.get("location", "")))
                        continue
                    if response.status_code != 200:
                        raise _problem(response.status_code, response.headers, (await _read(response, ERROR_BODY_MAX)).raw, bool(token))
                    yield response
                    return
            raise HostProblem("the host redirects in a circle")
        except httpx2.TimeoutException:
            raise HostProblem("the host does not answer in time", retry_in_s=0.0) from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise HostProblem(f"the host cannot be reached: {type(error).__name__}", retry_in_s=0.0) from None

    def _http(self, settings: GitHubSettings) -> httpx2.AsyncClient:
        import httpx2

        if self._client is None:
            timeout = httpx2.Timeout(settings.timeout_s, connect=settings.timeout_connect_s)
            self._client = httpx2.AsyncClient(timeout=timeout, follow_redirects=False, limits=httpx2.Limits(max_connections=8))
        return self._client


def _checked(repository: str) -> str:
    if not REPOSITORY.fullmatch(repository):
        raise HostProblem("the event names no usable repository")
    return repository


def _same_origin(base: httpx2.URL, url: httpx2.URL) -> httpx2.URL:
    if (url.scheme, url.host, url.port) != (base.scheme, base.host, base.port):
        raise HostProblem("the host redirects elsewhere, where the token must not go")
    return url


async def _read(response: httpx2.Response, max_bytes: int) -> HostDiff:
    """The body, up to one byte more than asked for; what follows is not waited for."""
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        parts.append(part)
        size += len(part)
        if size > max_bytes:
            break
    raw = b"".join(parts)
    return HostDiff(raw[: max_bytes + 1], len(raw) > max_bytes)


def _files(body: HostDiff) -> list[dict[str, Any]] | None:
    """The files of a page, ``None`` where it cannot be read."""
    try:
        files = json.loads(body.raw) if not body.cut else None
    except (ValueError, RecursionError):
        return None
    return [file for file in files if isinstance(file, dict)] if isinstance(files, list) else None


def _as_diff(file: Mapping[str, Any]) -> str:
    """One file of the list, as it would stand in a diff."""
    name = str(file.get("filename", "")).replace("\n", " ")
    old = str(file.get("previous_filename") or name).replace("\n", " ")
    status = {"added": "new file mode 100644\n", "removed": "deleted file mode 100644\n", "renamed": f"rename from {old}\n"}
    patch = file.get("patch")
    body = f"--- a/{old}\n+++ b/{name}\n{patch}\n" if isinstance(patch, str) and patch else ""
    return f"diff --git a/{old} b/{name}\n{status.get(str(file.get('status')), '')}{body}"


def _problem(status: int, headers: Mapping[str, str], body: bytes, with_token: bool) -> HostProblem:
    """What a refusal means. The host's own words are left out: they may hold anything."""
    import gidgethub
    from gidgethub import sansio

    limited = False
    try:
        sansio.decipher_response(status, headers, body)
    except gidgethub.RateLimitExceeded:
        limited = True
    except (gidgethub.GitHubException, ValueError, KeyError, TypeError, AttributeError, LookupError):
        pass  # what it means is told by the status below
    wait_s = _retry_after_s(headers)
    if status == 429 or limited or (status == 403 and wait_s is not None):
        return HostProblem("the host's rate limit is reached", retry_in_s=wait_s or 60.0)
    if status == 401 and with_token:
        return HostProblem(f"the host refuses the token ({status})", credential=True)
    if status in (401, 403, 404):
        return HostProblem(f"the host shows nothing ({status}): without access to this repository, or it is gone")
    if status in (406, 422):
        return TooLarge("the host gives no diff of that size")
    if status >= 500:
        return HostProblem(f"the host is unwell ({status})", retry_in_s=wait_s or 0.0)
    return HostProblem(f"the host refuses ({status})")


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by ``retry-after``, or until a spent limit is there again; bounded."""
    try:
        if "retry-after" in headers:
            wait_s = float(headers["retry-after"])
        elif headers.get("x-ratelimit-remaining") == "0":
            wait_s = float(headers["x-ratelimit-reset"]) - time.time()
        else:
            return None
    except (ValueError, KeyError):
        return None
    return min(RETRY_AFTER_MAX_S, max(1.0, wait_s)) if math.isfinite(wait_s) else None
