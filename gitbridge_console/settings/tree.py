"""Settings as a tree of tables: merging layers and remembering where each value came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str, ...]


def dotted(path: Path) -> str:
    """``("redis", "url")`` as people write it: ``redis.url``."""
    return ".".join(path)


def leaves(tree: Mapping[str, Any], above: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value below the tables of a tree, with its path. An empty table is a value itself."""
    for key, value in tree.items():
        path = (*above, str(key))
        if isinstance(value, Mapping) and value:
            yield from leaves(value, path)
        else:
            yield path, value


def merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``change`` laid over it, table by table; anything that is no table is replaced whole."""
    merged = dict(base)
    for key, value in change.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def planted(path: Path, value: Any) -> dict[str, Any]:
    """A tree that holds one value."""
    for key in reversed(path):
        value = {key: value}
    result: dict[str, Any] = value
    return result


def nearest_origin(origins: Mapping[Path, str], path: Path) -> str | None:
    """Where the value at ``path`` came from; for a table, or a value that is missing in one, where its neighbours did."""
    for length in range(len(path), 0, -1):
        part = path[:length]
        if part in origins:
            return origins[part]
        inside = [origin for known, origin in origins.items() if known[:length] == part]
        if inside:
            return inside[-1]
    return None
