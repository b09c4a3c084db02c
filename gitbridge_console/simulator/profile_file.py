"""Reads fault profiles: a name, or a TOML file written by hand.

A file may start from a named profile (``base = "calm"``, the default) and changes what it names::

    base = "none"
    [grok]
    latency = { median_s = 0.6, sigma = 0.4 }
    faults = { server_error = 0.02 }
    [[grok.storms]]
    from_s = 25
    until_s = 45
    every_s = 120
    slowdown = 3.0
    faults = { rate_limited = 0.5, retry_after_s = 4 }
"""

from __future__ import annotations

import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gitbridge_console.simulator.profiles import Profiles, ServiceProfile, named_profiles

MAX_FILE_BYTES = 256 * 1024
_ADAPTER = TypeAdapter(ServiceProfile)


class ProfileError(ValueError):
    """A fault profile cannot be used; the message is one line that names the file and the key."""


def load_profiles(word: str) -> Profiles:
    """The profiles called ``word`` (none, calm, storm), or those of the TOML file at that path.

    Raises:
        ProfileError: neither a known name nor a readable, valid file.
    """
    named = named_profiles()
    if word in named:
        return named[word]
    path = Path(word)
    if not path.is_file():
        raise ProfileError(f"{word}: no such fault profile: use {', '.join(named)} or the path of a TOML file")
    return _build(_read(path), path, named)


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ProfileError(f"{path}: larger than {MAX_FILE_BYTES} bytes")
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ProfileError(f"{path}: {_one_line(error)}") from None


def _build(data: dict[str, Any], path: Path, named: dict[str, Profiles]) -> Profiles:
    base_word = data.pop("base", "calm")
    if not isinstance(base_word, str) or base_word not in named:
        raise ProfileError(f"{path}: base: must be one of {', '.join(named)}, not {base_word!r}")
    profiles = dict(named[base_word])
    for name, table in data.items():
        if name not in profiles:
            raise ProfileError(f"{path}: {name}: no such service: use {', '.join(profiles)}")
        if not isinstance(table, dict):
            raise ProfileError(f"{path}: {name}: must be a table")
        profiles[name] = _service(path, name, profiles[name], table)
    return profiles


def _service(path: Path, name: str, base: ServiceProfile, table: dict[str, Any]) -> ServiceProfile:
    try:
        profile = _ADAPTER.validate_python(_merged(asdict(base), table))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join([name, *(str(part) for part in first["loc"])])
        raise ProfileError(f"{path}: {key}: {_one_line(first['msg'])}") from None
    _check_sense(path, name, profile)
    return profile


def _check_sense(path: Path, name: str, profile: ServiceProfile) -> None:
    for where, faults in [("faults", profile.faults), *((f"storms.{i}.faults", s.faults) for i, s in enumerate(profile.storms))]:
        if faults is not None and faults.total > 1 + 1e-9:
            raise ProfileError(f"{path}: {name}.{where}: the rates add up to more than 1")
    for index, storm in enumerate(profile.storms):
        if storm.until_s <= storm.from_s:
            raise ProfileError(f"{path}: {name}.storms.{index}.until_s: must be later than from_s")
        if storm.every_s and storm.until_s > storm.every_s:
            raise ProfileError(f"{path}: {name}.storms.{index}.every_s: must not be shorter than until_s")


def _merged(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in change.items():
        below = base.get(key)
        merged[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _one_line(error: object) -> str:
    return " ".join(str(error).split())
