"""GitHub's REST API: one call or a list of pages, as a token or an App, bounded in size, time and pages.

Who asks follows from the path: ``/app…`` is asked as the App itself, ``/repos/…`` and ``/orgs/…`` with a token of its
installation there; with a plain token set instead, everything is asked with that.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from gitbridge_console.hosts.base import HostDiff, HostProblem, HostReply
from gitbridge_console.hosts.github_auth import Credential, GitHubAuth
from gitbridge_console.hosts.github_problems import problem_of
from gitbridge_console.settings.model import GitHubSettings

if TYPE_CHECKING:
    import httpx2

API_VERSION = "2022-11-28"
JSON = "application/vnd.github+json"
ERROR_BODY_MAX = 16_384
BODY_MAX = 8 * 1024**2
REDIRECTS_MAX = 2
CONNECTIONS_MAX = 8
READING = frozenset({"GET", "HEAD"})


class GitHubApi:
    """One for the process; connects at the first question and is closed with the engine."""

    def __init__(self, settings: Callable[[], GitHubSettings], token: Callable[[], str | None]) -> None:
        self._settings = settings
        self.auth = GitHubAuth(settings, token)
        self._login: tuple[str, str] = ("", "")
        self._client: httpx2.AsyncClient | None = None

    @property
    def may_read(self) -> bool:
        """Whether it may be asked for what is public: with a credential, or without where the settings say so."""
        return self._settings().anonymous or self.auth.available

    async def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, as_for: str = "") -> HostReply:
        """Ask once; a token of an App that ended meanwhile is renewed and the question repeated.

        ``as_for`` is the path that says who asks, where ``path`` itself does not.

        Raises:
            HostProblem: it was not done; ``unknown`` where a write may have been done.
        """
        content = None if body is None else json.dumps(body).encode()
        async with self.answer(method, path, accept=JSON, content=content, as_for=as_for) as response:
            return await _reply(response, unknown=method not in READING, base=self._base())

    async def pages(self, path: str, *, pages_max: int) -> AsyncIterator[HostReply]:
        """The pages of a list, in the host's order, ``pages_max`` at most; the last one still says ``next_page`` where there are more.

        Raises:
            HostProblem: a page is not to be had.
        """
        page = path
        for _ in range(pages_max):
            # The host names further pages of a repository by its number.
            reply = await self.call("GET", page, as_for=path)
            yield reply
            if not reply.next_page:
                return
            page = reply.next_page

    async def own_login(self) -> str:
        """The name its comments and reviews carry; asked for once per credential.

        Raises:
            HostProblem: the host does not say.
        """
        who = self.auth.fingerprint
        if self._login[0] != who:
            path, field, ending = ("/app", "slug", "[bot]") if self.auth.is_app else ("/user", "login", "")
            data = (await self.call("GET", path)).data
            name = data.get(field) if isinstance(data, dict) else None
            if not isinstance(name, str) or not name:
                raise HostProblem("the host does not say who the credential belongs to", retry_in_s=0.0)
            self._login = (who, name + ending)
        return self._login[1]

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    @asynccontextmanager
    async def answer(
        self, method: str, path: str, *, accept: str, content: bytes | None = None, as_for: str = ""
    ) -> AsyncIterator[httpx2.Response]:
        """A successful response whose body is still to be read, within the time of the whole call.

        Raises:
            HostProblem: it is none, or the host cannot be reached.
        """
        import httpx2

        writing, sent = method not in READING, False
        self._http()  # to build it, and to import what it needs, is not the host's time
        try:
            async with asyncio.timeout(self._settings().timeout_total_s):
                credential = await self.auth.credential(as_for or path, self._as_app)
                sent = True
                async with self._send(method, path, accept, content, credential) as response:
                    if response.status_code != 401 or not self.auth.forget(credential):
                        await _check(response, credential, writing=writing)
                        yield response
                        return
                sent = False
                credential = await self.auth.credential(as_for or path, self._as_app)
                sent = True
                async with self._send(method, path, accept, content, credential) as response:
                    await _check(response, credential, writing=writing)
                    yield response
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise HostProblem(f"the host cannot be reached: {type(error).__name__}", retry_in_s=0.0) from None
        except (httpx2.TimeoutException, TimeoutError):
            raise HostProblem("the host does not answer in time", retry_in_s=0.0, unknown=writing and sent) from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise HostProblem(f"the host cannot be reached: {type(error).__name__}", retry_in_s=0.0, unknown=writing and sent) from None

    @asynccontextmanager
    async def _send(
        self, method: str, path: str, accept: str, content: bytes | None, credential: Credential
    ) -> AsyncIterator[httpx2.Response]:
        """The answer, whatever it is; redirects are followed at home only, with the same method."""
        from gidgethub import sansio

        secrets = {"oauth_token" if credential.kind == "token" else "jwt": credential.secret} if credential.secret else {}
        headers = sansio.create_headers("gitbridge-console", accept=accept, **secrets) | {"x-github-api-version": API_VERSION}
        if content is not None:
            headers["content-type"] = "application/json"
        base = self._base()
        url = base.join(path.lstrip("/"))
        for _ in range(REDIRECTS_MAX + 1):
            async with self._http().stream(method, url, headers=headers, content=content) as response:
                if response.status_code not in (301, 302, 307, 308):
                    yield response
                    return
                url = same_origin(base, url.join(response.headers.get("location", "")))
        raise HostProblem("the host redirects in a circle")

    async def _as_app(self, method: str, path: str, jwt: str) -> HostReply:
        """A question of the App's own, on the way to a token: it changes nothing, so it may be repeated whatever became of it."""
        credential = Credential("jwt", jwt)
        async with self._send(method, path, JSON, None, credential) as response:
            await _check(response, credential, writing=False)
            return await _reply(response, unknown=False, base=self._base())

    def _base(self) -> httpx2.URL:
        import httpx2

        return httpx2.URL(self._settings().base_url.rstrip("/") + "/")

    def _http(self) -> httpx2.AsyncClient:
        import gidgethub.sansio  # noqa: F401 - for those who ask by it later
        import httpx2

        if self._client is None:
            settings = self._settings()
            timeout = httpx2.Timeout(settings.timeout_s, connect=settings.timeout_connect_s)
            limits = httpx2.Limits(max_connections=CONNECTIONS_MAX)
            self._client = httpx2.AsyncClient(timeout=timeout, follow_redirects=False, limits=limits)
        return self._client


async def read_body(response: httpx2.Response, max_bytes: int) -> HostDiff:
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


async def _check(response: httpx2.Response, credential: Credential, *, writing: bool) -> None:
    if not 200 <= response.status_code < 300:
        body = (await read_body(response, ERROR_BODY_MAX)).raw
        raise problem_of(response.status_code, response.headers, body, shown=credential.kind, writing=writing)


async def _reply(response: httpx2.Response, *, unknown: bool, base: httpx2.URL) -> HostReply:
    """A success with its JSON. One that cannot be read may have been a write that was done."""
    status = response.status_code
    body = await read_body(response, BODY_MAX)
    try:
        data = json.loads(body.raw) if body.raw and not body.cut else None
    except (ValueError, RecursionError):
        raise HostProblem("the host's answer cannot be read", retry_in_s=0.0, status=status, unknown=unknown) from None
    if body.cut:
        raise HostProblem(f"the host's answer is larger than {BODY_MAX >> 20} MiB", status=status, unknown=unknown)
    return HostReply(status, data, _next_page(response, base))


def _next_page(response: httpx2.Response, base: httpx2.URL) -> str:
    """Path of the next page as the ``link`` header names it, below the base address; elsewhere no token goes."""
    url = response.links.get("next", {}).get("url", "")
    if not url:
        return ""
    target = same_origin(base, response.url.join(url))
    return "/" + target.raw_path.decode("ascii").removeprefix(base.raw_path.decode("ascii"))


def same_origin(base: httpx2.URL, url: httpx2.URL) -> httpx2.URL:
    """The address, if it is at home.

    Raises:
        HostProblem: it is elsewhere.
    """
    if (url.scheme, url.host, url.port) != (base.scheme, base.host, base.port):
        raise HostProblem("the host redirects elsewhere, where the token must not go")
    return url
