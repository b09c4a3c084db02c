"""Where the log goes: a bounded file in the state folder, never the screen, never with a secret in it."""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import re
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gitbridge_console.commands.held_log import HeldLog
from gitbridge_console.settings.shown import without_passwords

if TYPE_CHECKING:
    from gitbridge_console.settings.model import Settings

FILE_MAX_BYTES = 5 * 1024 * 1024
FILES_KEPT = 3
SECRET_FILE_MAX_BYTES = 4096
SECRET_SHORTEST = 6
"""Shorter values are not looked for: replacing them would eat ordinary words."""

_SECRET_VARIABLE = re.compile(r"(SECRET|TOKEN|API_KEY|PASSWORD)$")
_LOOKS_SECRET = re.compile(
    r"\b(?:sk-[A-Za-z0-9_-]{8,}|xai-[A-Za-z0-9_-]{8,}|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,})|(?<=Bearer )[^\s\"']+"
    r"|(?<=x-api-key: )[^\s\"']+"
)
_LIBRARIES = ("httpx2", "httpcore2", "anthropic", "openai", "uvicorn", "asyncio")


def known_secrets(settings: Settings, env: Mapping[str, str] | None = None) -> frozenset[str]:
    """Every value that must not be written: what the settings name, and what the environment calls a secret."""
    env = os.environ if env is None else env
    names = {name for name in env if _SECRET_VARIABLE.search(name)}
    names.update(settings.ingress.secret_env)
    names.update(provider.api_key_env for provider in settings.providers.values() if provider.api_key_env)
    for webhook in settings.alerts.webhooks.values():
        names.update(name for name in (webhook.url_env, webhook.secret_env, webhook.routing_key_env) if name)
    files = [provider.api_key_file for provider in settings.providers.values() if provider.api_key_file]
    found = {env.get(name, "").strip() for name in names}
    found.update(_file_secret(name) for name in (*files, *settings.ingress.secret_files))
    return frozenset(value for value in found if len(value) >= SECRET_SHORTEST)


def _file_secret(name: str) -> str:
    try:
        with Path(name).expanduser().open("rb") as file:
            return file.read(SECRET_FILE_MAX_BYTES).decode("utf-8", "replace").strip()
    except OSError:
        return ""  # the engine reports a missing key file where it matters


class Redactor:
    """Takes secrets out of text: those that are known, and what looks like one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        longest_first = sorted(secrets, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __call__(self, text: str) -> str:
        """The text with ``***`` in their place."""
        if self._known is not None:
            text = self._known.sub("***", text)
        return without_passwords(_LOOKS_SECRET.sub("***", text))


class PlainFormatter(logging.Formatter):
    """``2026-11-22T21:00:00.123Z WARNING gitbridge_console.router: text``; what spans lines is indented."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self, redact: Redactor) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """The line, traceback included, without secrets and without control characters."""
        text = self._redact(super().format(record))
        return "\n    ".join("".join(c if c.isprintable() or c == "\t" else "�" for c in line) for line in text.splitlines())


class JsonFormatter(PlainFormatter):
    """One JSON object per line: at, level, logger, message and, where there is one, traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The object."""
        entry = {
            "at": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._redact(record.getMessage()),
        }
        if record.exc_info:
            entry["traceback"] = self._redact(self.formatException(record.exc_info))
        return json.dumps(entry)


def set_up_logging(settings: Settings, path: Path | None, *, to_stderr: bool = False) -> None:
    """Send the log to ``path`` (JSON lines when it ends in ``.jsonl``; at most four files of 5 MiB) and, where wanted, warnings to stderr.

    Raises:
        OSError: the file cannot be opened.
    """
    redact = Redactor(known_secrets(settings))
    root = logging.getLogger()
    held: list[logging.LogRecord] = []
    for handler in root.handlers[:]:
        if getattr(handler, "ours", False):
            held += handler.records if isinstance(handler, HeldLog) else ()
            root.removeHandler(handler)
            handler.close()
    handlers: list[logging.Handler] = []
    if path is not None:
        handlers.append(_file_handler(path, redact))
    if to_stderr:
        handlers.append(logging.StreamHandler(sys.stderr))
        handlers[-1].setFormatter(PlainFormatter(redact))
        handlers[-1].setLevel(logging.WARNING if path is not None else logging.NOTSET)
    for handler in handlers or [logging.NullHandler()]:
        handler.ours = True  # type: ignore[attr-defined]
        root.addHandler(handler)
    root.setLevel(settings.log_level.upper())
    for record in held:
        if logging.getLogger(record.name).isEnabledFor(record.levelno):
            root.handle(record)
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.raiseExceptions = False
    logging.captureWarnings(True)


def _file_handler(path: Path, redact: Redactor) -> logging.Handler:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=FILE_MAX_BYTES, backupCount=FILES_KEPT, encoding="utf-8")
    handler.setFormatter(JsonFormatter(redact) if path.suffix in {".jsonl", ".json"} else PlainFormatter(redact))
    return handler
