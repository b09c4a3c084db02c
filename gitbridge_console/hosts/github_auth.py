"""As whom GitHub is asked: a token, or an App, whose short-lived tokens are fetched when needed and renewed before they end.

An App signs a JWT with its private key; with it, it is given a token for each account that installed it. The key stays in
its file, tokens stay in memory.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from gitbridge_console.hosts.base import HostProblem, HostReply
from gitbridge_console.settings.model import GitHubSettings

RENEW_BEFORE_S = 300.0
"""An installation's token lives for an hour; it is renewed when less than this is left."""
KEY_MAX_BYTES = 16_384
INSTALLATIONS_MAX = 1_000
_ACCOUNT_PATH = re.compile(r"/(?:repos/([^/?#]+)/[^/?#]+|orgs/([^/?#]+))(?:[/?#]|$)")

AskApp = Callable[[str, str, str], Awaitable[HostReply]]
"""Asks a method and path with a JWT."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What goes into a request. ``account`` is whose installation it is for, empty for a plain token or the App itself."""

    kind: Literal["none", "token", "jwt"]
    secret: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class _Installed:
    token: str
    ends_at: float


class GitHubAuth:
    """Finds the credential for a path: the token where one is set, else the App's, for the account the path is about."""

    def __init__(
        self, settings: Callable[[], GitHubSettings], token: Callable[[], str | None], clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._token = token
        self._clock = clock
        self._tokens: dict[tuple[str, str, str], _Installed] = {}
        self._lock = asyncio.Lock()

    @property
    def is_app(self) -> bool:
        """Whether GitHub is asked as an App; it is preferred where both are set."""
        return bool(self._settings().app_id)

    @property
    def available(self) -> bool:
        """Whether there is anything to show GitHub at all."""
        return self.is_app or self._token() is not None

    @property
    def fingerprint(self) -> str:
        """Tells one credential from another without saying anything of it; another one after it was replaced."""
        settings = self._settings()
        what = f"app {settings.app_id}" if settings.app_id else f"token {self._token() or ''}"
        return hashlib.sha256(f"{settings.base_url} {what}".encode()).hexdigest()[:16]

    async def credential(self, path: str, ask: AskApp) -> Credential:
        """What to show for ``path``; ``ask`` is used to fetch a token of an installation.

        Raises:
            HostProblem: there is none that could be shown for it.
        """
        settings = self._settings()
        if not settings.app_id:
            token = self._token()
            if path.startswith("/app/") or path == "/app":
                raise HostProblem("only an App may ask for this: set hosts.github.app_id and app_key_file")
            return Credential("token", token) if token else Credential("none")
        if path.startswith("/app/") or path == "/app":
            return Credential("jwt", await self._jwt(settings))
        found = _ACCOUNT_PATH.match(path)
        if found is None:
            raise HostProblem("an App has no token for this: it belongs to no repository and no organisation")
        account = (found[1] or found[2]).lower()
        async with self._lock:
            key = (settings.base_url, settings.app_id, account)
            known = self._tokens.get(key)
            if known is None or known.ends_at - self._clock() < RENEW_BEFORE_S:
                known = await self._fetch(settings, found[0].rstrip("/?#"), ask)
                self._tokens.pop(key, None)
                self._tokens[key] = known
                while len(self._tokens) > INSTALLATIONS_MAX:
                    del self._tokens[next(iter(self._tokens))]
        return Credential("token", known.token, account)

    def forget(self, credential: Credential) -> bool:
        """A credential was refused: whether another one can be had."""
        stale = [key for key, known in self._tokens.items() if credential.account and known.token == credential.secret]
        for key in stale:
            del self._tokens[key]
        return bool(credential.account)

    async def _fetch(self, settings: GitHubSettings, home: str, ask: AskApp) -> _Installed:
        """A token for the installation that looks after ``home``, a repository or organisation."""
        jwt = await self._jwt(settings)
        try:
            installation = _field(await ask("GET", f"{home}/installation", jwt), "id", int)
        except HostProblem as problem:
            if problem.status == 404:
                text = f"the App is not installed for {home.partition('/')[2].partition('/')[2]}"
                raise HostProblem(text, credential=True, status=404) from None
            raise
        reply = await ask("POST", f"/app/installations/{installation}/access_tokens", jwt)
        token, ends = _field(reply, "token", str), _field(reply, "expires_at", str)
        try:
            ends_at = datetime.fromisoformat(ends).timestamp()
        except ValueError:
            raise HostProblem("the host gave a token without a readable end", retry_in_s=0.0) from None
        if not token.isascii() or not token.isprintable() or " " in token:
            raise HostProblem("the host gave a token that cannot be sent", retry_in_s=0.0)
        return _Installed(token, ends_at)

    async def _jwt(self, settings: GitHubSettings) -> str:
        from gidgethub.apps import get_jwt

        key = await asyncio.to_thread(_read_key, settings.app_key_file)
        try:
            return get_jwt(app_id=settings.app_id, private_key=key)
        except Exception:
            # Whatever the cryptography raises, its words may quote the key.
            raise HostProblem("hosts.github.app_key_file holds no private RSA key in PEM form", credential=True) from None


def _read_key(place: str) -> bytes:
    try:
        with Path(place).expanduser().open("rb") as file:
            return file.read(KEY_MAX_BYTES)
    except OSError as error:
        raise HostProblem(f"hosts.github.app_key_file cannot be read: {error.strerror}", credential=True) from None


def _field(reply: HostReply, name: str, kind: type) -> Any:
    value = reply.data.get(name) if isinstance(reply.data, dict) else None
    if not isinstance(value, kind) or not value:
        raise HostProblem(f"the host's answer names no {name}", retry_in_s=0.0)
    return value
