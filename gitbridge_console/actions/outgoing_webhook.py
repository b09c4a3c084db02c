"""Tells a receiver of the operator's choice what was decided: signed, bounded, without redirects. A repetition carries the same id."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitbridge_console.actions.signing import NoSecret, key_of, signed_headers
from gitbridge_console.hosts.base import HostProblem
from gitbridge_console.hosts.github_problems import retry_after_s
from gitbridge_console.settings.model import ActionSettings

if TYPE_CHECKING:
    import httpx2

BODY_MAX = 256 * 1024
SECRET_MAX_BYTES = 1_024


class OutgoingWebhook:
    """One for the engine; connects at the first message."""

    def __init__(self, settings: Callable[[], ActionSettings]) -> None:
        self._settings = settings
        self._client: httpx2.AsyncClient | None = None

    async def send(self, message_id: str, url: str, body: dict[str, Any]) -> int:
        """Send one message; returns the receiver's status. What it answers beside that is not read.

        Raises:
            HostProblem: it was not taken, or nobody knows: receivers tell a repetition by its id.
        """
        import httpx2

        settings = self._settings()
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        if len(content) > BODY_MAX:
            raise HostProblem(f"the message has {len(content):,} bytes, more than {BODY_MAX:,}")
        try:
            key = key_of(await asyncio.to_thread(read_secret, settings))
        except NoSecret as problem:
            raise HostProblem(f"actions.webhook_secret_env: {problem}", credential=True) from None
        headers = signed_headers(key, message_id, int(time.time()), content) | {"content-type": "application/json"}
        client = self._http(settings)  # to build it is not the receiver's time
        try:
            async with (
                asyncio.timeout(settings.webhook_timeout_s),
                client.stream("POST", url, content=content, headers=headers) as response,
            ):
                return _taken(response)
        except (httpx2.TimeoutException, TimeoutError):
            raise HostProblem("the receiver does not answer in time", retry_in_s=0.0, unknown=True) from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise HostProblem(f"the receiver cannot be reached: {type(error).__name__}", retry_in_s=0.0, unknown=True) from None

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _http(self, settings: ActionSettings) -> httpx2.AsyncClient:
        import httpx2

        if self._client is None:
            self._client = httpx2.AsyncClient(
                timeout=settings.webhook_timeout_s,
                follow_redirects=False,
                limits=httpx2.Limits(max_connections=4),
                headers={"user-agent": "gitbridge-console"},
            )
        return self._client


def read_secret(settings: ActionSettings) -> str:
    """The secret from where the settings name it.

    Raises:
        NoSecret: there is none.
    """
    found = os.environ.get(settings.webhook_secret_env, "").strip() if settings.webhook_secret_env else ""
    if not found and settings.webhook_secret_file:
        try:
            with Path(settings.webhook_secret_file).expanduser().open("rb") as file:
                found = file.read(SECRET_MAX_BYTES).decode("utf-8", "replace").strip()
        except OSError as error:
            raise NoSecret(f"the file cannot be read: {error.strerror}") from None
    if not found:
        raise NoSecret("there is no secret to sign with")
    return found


def _taken(response: httpx2.Response) -> int:
    status = response.status_code
    if 200 <= status < 300:
        return status
    if status in (408, 425, 429) or status >= 500:
        wait_s = retry_after_s(response.headers)
        raise HostProblem(f"the receiver takes nothing now ({status})", retry_in_s=wait_s or 0.0, status=status)
    raise HostProblem(f"the receiver refuses ({status})", status=status)
