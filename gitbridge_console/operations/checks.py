"""Is everything here that a run needs? One finding per check, with what to do: for ``doctor`` and the console's ``:doctor``."""

from __future__ import annotations

import locale
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from gitbridge_console.operations.places import spool_dir, state_dir
from gitbridge_console.settings.model import Settings

Level = Literal["ok", "warn", "fail"]

SMALLEST_TERMINAL = (80, 24)
FREE_WANTED_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. ``todo`` says what to do about it, empty when nothing is to be done."""

    name: str
    level: Level
    text: str
    todo: str = ""


def check_place() -> Iterator[Check]:
    """Python, the terminal and its encoding."""
    yield _python()
    yield from _terminal()
    yield _encoding()


def check_settings(settings: Settings) -> Iterator[Check]:
    """What the settings need: keys, secrets, folders, programs."""
    yield from _providers(settings)
    yield _webhook(settings)
    yield _spool(settings)
    yield _sources(settings)
    yield _actions(settings)
    yield _state(settings)
    if settings.redis.url is None:
        yield _server_binary()


def _python() -> Check:
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Check("python", "ok", text)


def _terminal() -> Iterator[Check]:
    if not sys.stdout.isatty():
        yield Check("terminal", "warn", "stdout is no terminal, so nothing is known of one", "run doctor where the console will run")
        return
    term = os.environ.get("TERM", "")
    if term in {"", "dumb"}:
        yield Check("terminal", "fail", f"TERM is {term!r}", "use a terminal that can move its cursor, and set TERM")
        return
    columns, rows = shutil.get_terminal_size()
    size = f"{term}, {columns}x{rows}"
    if columns < SMALLEST_TERMINAL[0] or rows < SMALLEST_TERMINAL[1]:
        yield Check("terminal", "warn", size, f"the console wants {SMALLEST_TERMINAL[0]}x{SMALLEST_TERMINAL[1]}")
    else:
        yield Check("terminal", "ok", size)
    if os.environ.get("NO_COLOR"):
        yield Check("colours", "warn", "off: NO_COLOR is set", "unset it for colours")
    elif os.environ.get("COLORTERM", "") in {"truecolor", "24bit"} or "256" in term:
        yield Check("colours", "ok", os.environ.get("COLORTERM") or "256")
    else:
        yield Check("colours", "warn", "16 at most", "set TERM to a name with -256color if the terminal has them")


def _encoding() -> Check:
    encoding = (getattr(sys.stdout, "encoding", None) or locale.getpreferredencoding(False)).lower()
    if encoding.replace("-", "") == "utf8":
        return Check("encoding", "ok", encoding)
    return Check("encoding", "warn", encoding, "use a UTF-8 locale (LANG=C.UTF-8), or --ascii")


def _providers(settings: Settings) -> Iterator[Check]:
    from gitbridge_console.providers.registry import key_problem

    usable = 0
    for name, provider in settings.providers.items():
        problem = key_problem(name, provider) if provider.enabled else None
        if not provider.enabled:
            yield Check(f"provider {name}", "ok", "switched off in the settings")
        elif problem is not None:
            yield Check(f"provider {name}", "warn", problem, "without it, its seats go to the others")
        else:
            usable += 1
            yield Check(f"provider {name}", "ok", f"{provider.model} at {provider.base_url}; `health {name}` asks it")
    if not usable:
        yield Check("providers", "warn", "none can be asked: events would be parked", "set a key, or try gitbridge-console demo")


def _webhook(settings: Settings) -> Check:
    from gitbridge_console.ingress.secrets import check_ingress

    problem = check_ingress(settings.ingress)
    if problem is None:
        return Check("webhook secret", "ok", "there is one")
    return Check("webhook secret", "warn", problem, "needed for ingress and --listen only")


def _spool(settings: Settings) -> Check:
    folder, most = spool_dir(settings).absolute(), settings.ingress.spool_max_bytes
    if not most:
        return Check("spool", "warn", "off: deliveries get 503 while the store is away", "set ingress.spool_max_bytes")
    there = next(place for place in (folder, *folder.parents) if place.is_dir())
    free = shutil.disk_usage(there).free
    if free < most:
        text = f"{free:,} bytes are free in {there}, ingress.spool_max_bytes is {most:,}"
        return Check("spool", "warn", text, "make room, or set it lower; needed for ingress and --listen only")
    if not os.access(there, os.W_OK):
        return Check("spool", "warn", f"{there} may not be written", "set ingress.spool_dir; needed for ingress and --listen only")
    return Check("spool", "ok", f"{folder}, {most:,} bytes at most")


def _sources(settings: Settings) -> Check:
    from gitbridge_console.hosts.tokens import token_of

    github, mirrors = settings.hosts.github, settings.sources.mirrors
    has_token = bool(github.app_id) or token_of(github) is not None
    if mirrors and shutil.which("git") is None:
        return Check("sources", "warn", "sources.mirrors are set and there is no git", "install git")
    parts = [f"{len(mirrors)} mirrors"] if mirrors else []
    parts += ["GitHub with a credential"] if has_token else ["GitHub without a token"] if github.anonymous else []
    for name, own in (("GitLab", settings.hosts.gitlab), ("Gitea", settings.hosts.gitea)):
        if own.base_url and token_of(own) is not None:
            parts.append(f"{name} with a token")
    if not parts:
        return Check(
            "sources", "warn", "no diffs but those given", f"set {github.token_env or 'hosts.github.token_env'} or sources.mirrors"
        )
    return Check("sources", "ok", ", ".join(parts))


def _actions(settings: Settings) -> Check:
    if settings.actions.dry_run:
        return Check("actions", "ok", "dry run: what would be sent to the code host is stored and shown")
    return Check("actions", "ok", "what is decided is published; `pause act` holds it back")


def _state(settings: Settings) -> Check:
    folder = state_dir(settings)
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not os.access(nearest, os.W_OK | os.X_OK) or not nearest.is_dir():
        return Check("state folder", "fail", f"{folder} cannot be written", "name another one with --state-dir")
    free = shutil.disk_usage(nearest).free
    if free < FREE_WANTED_BYTES:
        return Check("state folder", "warn", f"{folder}: {free // 2**20} MiB free", "make room: accepted events are kept there")
    return Check("state folder", "ok", str(folder))


def _server_binary() -> Check:
    from gitbridge_console.store.allocator import has_jemalloc
    from gitbridge_console.store.embedded_files import find_server_binary
    from gitbridge_console.store.unavailable import EmbeddedUnavailable

    try:
        binary = find_server_binary()
        if sys.platform != "linux" or has_jemalloc(binary):
            return Check("embedded server", "ok", binary)
        return Check("embedded server", "ok", f"{binary}, without jemalloc", "if it is busy, install libjemalloc2: a fifth less work")
    except EmbeddedUnavailable as error:
        return Check("embedded server", "fail", "no server program", str(error))
