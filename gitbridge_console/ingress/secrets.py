"""Where the webhook secrets come from: named environment variables and files, read again from time to time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from gitbridge_console.settings.ingress import IngressSettings

REREAD_S = 15.0
SECRET_MAX_BYTES = 4096


def load_secrets(settings: IngressSettings, environ: Mapping[str, str] | None = None) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
    """The secrets that are there, and one line for each file that cannot be read. White space around them is not theirs."""
    environment = os.environ if environ is None else environ
    found = [environment.get(name, "").strip().encode("utf-8", "surrogateescape") for name in settings.secret_env]
    problems = []
    for name in settings.secret_files:
        try:
            with Path(name).expanduser().open("rb") as file:
                found.append(file.read(SECRET_MAX_BYTES).strip())
        except OSError as error:
            problems.append(f"ingress.secret_files: {name}: {error.strerror or error}")
    return tuple(dict.fromkeys(secret for secret in found if secret)), tuple(problems)


def check_ingress(settings: IngressSettings, environ: Mapping[str, str] | None = None) -> str | None:
    """What is wrong with the secrets, in one line for the start and for ``config check``; ``None`` when nothing is."""
    secrets, problems = load_secrets(settings, environ)
    if problems:
        return problems[0]
    if secrets:
        return None
    names = ", ".join((*settings.secret_env, *settings.secret_files)) or "ingress.secret_env"
    if settings.allow_unsigned_loopback:
        return f"no webhook secret ({names}): only unsigned deliveries from this host are taken (ingress.allow_unsigned_loopback)"
    return f"no webhook secret is configured: set {names}; until then every delivery is refused"


class SecretSource:
    """The secrets in force: read again when the settings are swapped, and every quarter of a minute for rotated files."""

    def __init__(self, settings: Callable[[], IngressSettings], clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._read_from: IngressSettings | None = None
        self._read_at = 0.0
        self._secrets: tuple[bytes, ...] = ()

    def current(self) -> tuple[bytes, ...]:
        """All secrets a delivery may be signed with."""
        settings, now = self._settings(), self._clock()
        if settings is not self._read_from or now - self._read_at >= REREAD_S:
            self._secrets, _ = load_secrets(settings)
            self._read_from, self._read_at = settings, now
        return self._secrets
