"""Builds the settings from their layers: built-in defaults, the user's file, the file here, the environment, the command line."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gitbridge_console.settings import files as places
from gitbridge_console.settings.environment import settings_in
from gitbridge_console.settings.errors import SettingsError
from gitbridge_console.settings.explain import explain
from gitbridge_console.settings.files import candidate_files, check_owned, line_of, read_file
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.tree import Path as KeyPath
from gitbridge_console.settings.tree import dotted, leaves, merge, nearest_origin, planted

BUILT_IN = "built in"
COMMAND_LINE = "command line"
ROLES = "roles"


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings and their history.

    ``files`` are those that were read, ``watched`` all that would be if they existed; ``origins`` maps a dotted key to
    where its value came from (a file, a variable, the command line), keys at their default are not in it.
    """

    settings: Settings
    files: tuple[Path, ...]
    watched: tuple[Path, ...]
    origins: Mapping[str, str]


@dataclass(slots=True)
class _Layers:
    """What has been laid over the defaults so far."""

    tree: dict[str, Any]
    origins: dict[KeyPath, str] = field(default_factory=dict)

    def add(self, change: Mapping[str, Any], origin: str) -> None:
        self.tree = merge(self.tree, change)
        for path, _ in leaves(change):
            self.origins[path] = origin


def load_settings(
    config: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> LoadedSettings:
    """Read everything and check it as a whole.

    ``config`` takes the place of ``./gitbridge.toml``; ``overrides`` maps dotted keys to values of the command line.

    Raises:
        SettingsError: something cannot be read or is not right; every problem found, one line each.
    """
    env = os.environ if env is None else env
    asked = Path(config).expanduser() if config is not None else None
    watched = candidate_files(asked, env)
    files = tuple(path for path in dict.fromkeys(watched) if path == asked or path.is_file())
    layers = _Layers(Settings().model_dump())
    for path in files:
        layers.add(_read(path, files), str(path))
    for name, key, value in settings_in(env, _named_variables(layers.tree)):
        if key[0] == ROLES:
            raise SettingsError([f"{name}: roles are not taken from the environment, which anybody can set: write them in a file"])
        layers.add(planted(key, value), name)
    for key_text, value in (overrides or {}).items():
        layers.add(planted(tuple(key_text.split(".")), value), COMMAND_LINE)
    settings = _checked(layers)
    return LoadedSettings(settings, files, watched, {dotted(path): origin for path, origin in layers.origins.items()})


def _read(path: Path, files: Sequence[Path]) -> dict[str, Any]:
    """One file. Roles in the host's hold for everybody, so that none may stand in another.

    Raises:
        SettingsError: it cannot be read, or has roles where it may not.
    """
    tree = read_file(path)
    if path == places.SYSTEM_FILE:
        check_owned(path)
    elif ROLES in tree and places.SYSTEM_FILE in files and ROLES in read_file(places.SYSTEM_FILE):
        raise SettingsError([f"{path}: {ROLES}: they stand in {places.SYSTEM_FILE}, which holds for everybody here: take them out"])
    return tree


def _checked(layers: _Layers) -> Settings:
    try:
        return Settings.model_validate(layers.tree)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
    except RecursionError:
        raise SettingsError(["the settings are nested too deeply"]) from None
    raise SettingsError(list(dict.fromkeys(_problem(layers.origins, *explain(one)) for one in found)))


def _problem(origins: Mapping[KeyPath, str], path: KeyPath, text: str) -> str:
    """``gitbridge.toml:12: kinds.code_review.seats: should be …``."""
    origin = nearest_origin(origins, path) or BUILT_IN
    if not path:
        origin = next(iter(dict.fromkeys(origins.values())), BUILT_IN)
    line = _line_in(origin, path)
    where = f"{origin}:{line}" if line else origin
    return f"{where}: {dotted(path)}: {text}" if path else f"{where}: {text}"


def _line_in(origin: str, path: KeyPath) -> int | None:
    try:
        return line_of(Path(origin).read_text("utf-8"), path) if path and Path(origin).is_file() else None
    except (OSError, UnicodeDecodeError):
        return None


def _named_variables(tree: Mapping[str, Any]) -> frozenset[str]:
    """Environment variables that the files name as places of a secret."""
    names: set[str] = set()
    ingress = tree.get("ingress")
    if isinstance(ingress, Mapping):
        names.update(_words(ingress.get("secret_env")))
    providers = tree.get("providers")
    for provider in providers.values() if isinstance(providers, Mapping) else ():
        if isinstance(provider, Mapping):
            names.update(_words(provider.get("api_key_env")))
    alerts = tree.get("alerts")
    webhooks = alerts.get("webhooks") if isinstance(alerts, Mapping) else None
    for webhook in webhooks.values() if isinstance(webhooks, Mapping) else ():
        if isinstance(webhook, Mapping):
            names.update(word for key in ("url_env", "secret_env", "routing_key_env") for word in _words(webhook.get(key)) if word)
    return frozenset(names)


def _words(value: object) -> Iterable[str]:
    if isinstance(value, str):
        return (value,)
    return (word for word in value if isinstance(word, str)) if isinstance(value, list | tuple) else ()
