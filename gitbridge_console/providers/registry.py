"""From settings to providers: where the key is, what is wrong with it, and which class speaks to the service."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Iterable
from pathlib import Path

from gitbridge_console.providers.base import Provider
from gitbridge_console.providers.claude import ClaudeProvider
from gitbridge_console.providers.clients import OPENAI_HOST, host_of
from gitbridge_console.providers.errors import MissingKey
from gitbridge_console.providers.openai_chat import ChatCompletionsProvider
from gitbridge_console.providers.openai_responses import ChatGPTProvider, GrokProvider
from gitbridge_console.settings.routing import ProviderSettings

KEY_MAX_BYTES = 8_192
NO_KEY_NEEDED = "no-key-needed"
"""What a server that wants no key is sent, since an SDK without a key would look for one in the environment."""

XAI_HOST = "api.x.ai"

WARM = {
    "anthropic": ("anthropic", "anthropic.resources.messages"),
    "responses": ("openai", "openai.resources.responses"),
    "chat": ("openai", "openai.resources.chat.completions"),
}

TALKATIVE = ("anthropic", "openai", "httpx2", "httpcore2")
"""Loggers that at lower levels write down whole questions, which quote private source."""

_imported: set[str] = set()


def resolve_key(settings: ProviderSettings) -> str | None:
    """The key from the named variable or, where that is unset, the named file; ``None`` where there is none to be used.

    A server that needs no key (OpenAI-compatible, neither variable nor file named) gets a dummy.
    """
    return _look_for_key(settings)[0]


def key_problem(name: str, settings: ProviderSettings) -> str | None:
    """One line that says why the provider has no usable key and what to do; ``None`` where it has one."""
    problem = _look_for_key(settings)[1]
    return problem.replace("{name}", name) if problem else None


def key_stamp(settings: ProviderSettings) -> tuple[int, int, int] | None:
    """What changes when the key in ``api_key_file`` is replaced; ``None`` where there is no such file or it is not read."""
    if not settings.api_key_file or (settings.api_key_env and os.environ.get(settings.api_key_env, "").strip()):
        return None
    try:
        found = Path(settings.api_key_file).expanduser().stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def build_provider(name: str, settings: ProviderSettings, key: str | None) -> Provider:
    """The provider for an entry of the settings. Cheap: the SDK is loaded with the first question, or by ``import_sdks``.

    Raises:
        MissingKey: ``key`` is empty.
    """
    if not key:
        raise MissingKey(key_problem(name, settings) or f"no key given for {name}")
    if settings.api == "anthropic":
        return ClaudeProvider(name, settings, key)
    if settings.api == "chat":
        return ChatCompletionsProvider(name, settings, key)
    if host_of(settings.base_url) == XAI_HOST or "xai" in (settings.vendor, name) or name == "grok":
        return GrokProvider(name, settings, key)
    return ChatGPTProvider(name, settings, key)


def import_sdks(apis: Iterable[str] = tuple(WARM)) -> None:
    """Import the SDKs that the given kinds of API need, and the price list: one to two seconds, so not in an event loop."""
    asked = tuple(apis)
    for module in {module: None for api in asked for module in WARM[api]}:
        importlib.import_module(module)
    importlib.import_module("genai_prices.data")
    importlib.import_module("gitbridge_console.providers.transport")
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    _imported.update(asked)


def imported(api: str) -> bool:
    """Whether ``import_sdks`` has finished for that kind of API.

    A module that another thread is still importing stands in ``sys.modules`` already; importing it then would block.
    """
    return api in _imported


def _look_for_key(settings: ProviderSettings) -> tuple[str | None, str | None]:
    """The key, or the problem; ``{name}`` stands for the provider's name."""
    variable, file = settings.api_key_env, settings.api_key_file
    if variable:
        key = os.environ.get(variable, "").strip()
        if key:
            return _checked(key, f"in {variable}")
    if file:
        return _from_file(Path(file).expanduser())
    if variable:
        return None, f"no key: set {variable} or providers.{{name}}.api_key_file"
    if settings.api == "anthropic" or host_of(settings.base_url) in (OPENAI_HOST, XAI_HOST):
        return None, "no key: set providers.{name}.api_key_env or providers.{name}.api_key_file"
    return NO_KEY_NEEDED, None


def _from_file(path: Path) -> tuple[str | None, str | None]:
    try:
        with path.open("rb") as file:
            raw = file.read(KEY_MAX_BYTES + 1)
    except OSError as error:
        return None, f"no key: providers.{{name}}.api_key_file {path} cannot be read: {error.strerror}"
    if len(raw) > KEY_MAX_BYTES:
        return None, f"no key: {path} (providers.{{name}}.api_key_file) is larger than {KEY_MAX_BYTES} bytes, so it holds no key"
    key = raw.decode("utf-8", "replace").strip()
    return _checked(key, f"in {path}") if key else (None, f"no key: {path} (providers.{{name}}.api_key_file) is empty")


def _checked(key: str, where: str) -> tuple[str | None, str | None]:
    if len(key) > KEY_MAX_BYTES or not key.isascii() or not key.isprintable() or " " in key:
        return None, f"the key {where} cannot be sent: it has blanks, line breaks or characters outside ASCII"
    return key, None
