"""Settings fit to be seen: as JSON or TOML, passwords of URLs taken out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gitbridge_console.settings.model import Settings


_CREDENTIALS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*://)(?P<user>[^/@\s:]*):(?P<password>[^\s]*)@")
_QUERY_PASSWORD = re.compile(r"(?i)([?&](?:password|token|secret|api_?key)=)[^&\s]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def without_passwords(text: str) -> str:
    """The text with the password of every URL in it replaced by ``***``."""
    text = _CREDENTIALS.sub(lambda found: f"{found['scheme']}{found['user']}:***@", text)
    return _QUERY_PASSWORD.sub(r"\1***", text)


def shown(settings: Settings) -> dict[str, Any]:
    """The settings as plain data without secrets; keys that are not set are ``None``."""
    tree = _cleaned(settings.model_dump(mode="json"))
    assert isinstance(tree, dict)
    return tree


def _cleaned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _cleaned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    return without_passwords(value) if isinstance(value, str) else value


def as_toml(tree: Mapping[str, Any], origins: Mapping[str, str] | None = None) -> str:
    """A tree of settings as TOML, keys without a value left out; with ``origins``, each line says where its value came from."""
    lines: list[str] = []
    _table(lines, tree, (), origins)
    return "\n".join(lines).strip() + "\n"


def _table(lines: list[str], table: Mapping[str, Any], path: tuple[str, ...], origins: Mapping[str, str] | None) -> None:
    values = {key: value for key, value in table.items() if not _is_tables(value) and value is not None}
    if path and (values or not table):
        lines.extend(["", f"[{'.'.join(_key(part) for part in path)}]"])
    for key, value in values.items():
        line = f"{_key(key)} = {toml_value(value)}"
        if origins is not None:
            line = f"{line:<48} # {origins.get('.'.join((*path, key)), 'built in')}"
        lines.append(line)
    for key, value in table.items():
        if isinstance(value, Mapping):
            _table(lines, value, (*path, key), origins)
        elif _is_tables(value):
            for item in value:
                lines.extend(["", f"[[{'.'.join(_key(part) for part in (*path, key))}]]"])
                lines.extend(f"{_key(name)} = {toml_value(inner)}" for name, inner in item.items() if inner is not None)


def _is_tables(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value))


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else json.dumps(key)


def toml_value(value: Any) -> str:
    """One value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {toml_value(item)}" for key, item in value.items() if item is not None)
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, Sequence):
        return f"[{', '.join(toml_value(item) for item in value)}]"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return f"{value:.1f}"
    return repr(value)
