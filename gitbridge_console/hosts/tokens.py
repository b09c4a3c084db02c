"""The token of a code host, from where the settings name it; looked up each time, so a replaced one is used at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

TOKEN_MAX_BYTES = 4_096


class NamesToken(Protocol):
    """Settings that say where a token is."""

    @property
    def token_env(self) -> str: ...

    @property
    def token_file(self) -> str: ...


class TokenSource:
    """Gives the token, or ``None`` where there is none that could be sent."""

    def __init__(self, settings: Callable[[], NamesToken]) -> None:
        self._settings = settings

    def __call__(self) -> str | None:
        return token_of(self._settings())


def token_of(settings: NamesToken) -> str | None:
    """The token that settings name, if it is there and could be sent."""
    found = os.environ.get(settings.token_env, "").strip() if settings.token_env else ""
    if not found and settings.token_file:
        try:
            with Path(settings.token_file).expanduser().open("rb") as file:
                found = file.read(TOKEN_MAX_BYTES + 1).decode("utf-8", "replace").strip()
        except OSError:
            return None  # `doctor` says why; here it is as if there were none
    usable = found and len(found) <= TOKEN_MAX_BYTES and found.isascii() and found.isprintable() and " " not in found
    return found if usable else None
