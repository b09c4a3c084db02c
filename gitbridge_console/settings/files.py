"""The settings files: where they are, reading one, and in which line a key stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gitbridge_console.settings.errors import SettingsError
from gitbridge_console.settings.tree import Path as KeyPath

FILE_NAME = "gitbridge.toml"
MAX_FILE_BYTES = 1024 * 1024
SYSTEM_FILE = Path("/etc/gitbridge") / FILE_NAME
"""The file of this host, read first. Roles that stand in it hold for everybody."""

_HEADER = re.compile(r"^\s*\[{1,2}\s*([^\[\]]+?)\s*\]{1,2}\s*(?:#.*)?$")
_ASSIGNMENT = re.compile(r"^\s*([A-Za-z0-9_.\"'\- ]+?)\s*=")


def user_file(env: Mapping[str, str]) -> Path:
    """The file of this user: ``$XDG_CONFIG_HOME/gitbridge/gitbridge.toml``, with ``~/.config`` where that is not set."""
    base = env.get("XDG_CONFIG_HOME", "")
    home = Path(env["HOME"]) if env.get("HOME") else Path.home()
    folder = Path(base) if base.startswith("/") else home / ".config"
    return folder / "gitbridge" / FILE_NAME


def candidate_files(config: Path | None, env: Mapping[str, str]) -> tuple[Path, ...]:
    """Files that are read where they exist, later ones winning: the host's, the user's, then the one asked for or ``./gitbridge.toml``."""
    return (SYSTEM_FILE, user_file(env), config if config is not None else Path(FILE_NAME))


def check_owned(path: Path) -> None:
    """Refuse a file of the host that others than its owner could have written.

    Raises:
        SettingsError: they could, or nobody can tell.
    """
    for place in (path.parent, path):
        try:
            mode = place.stat().st_mode
        except OSError as error:
            raise SettingsError([f"{place}: {error.strerror or error}"]) from None
        if mode & 0o022:
            raise SettingsError([f"{place}: others than its owner can write it, so its roles mean nothing: chmod go-w {place}"])


def read_file(path: Path) -> dict[str, Any]:
    """The tables of one file.

    Raises:
        SettingsError: it cannot be read, or is not TOML.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
        if len(raw) > MAX_FILE_BYTES:
            raise SettingsError([f"{path}: larger than {MAX_FILE_BYTES} bytes"])
        return tomllib.loads(raw.decode("utf-8"))
    except OSError as error:
        raise SettingsError([f"{path}: {error.strerror or error}"]) from None
    except UnicodeDecodeError as error:
        raise SettingsError([f"{path}: not UTF-8 text (byte {error.start})"]) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([_syntax_problem(path, str(error))]) from None


def _syntax_problem(path: Path, message: str) -> str:
    """tomllib says ``… (at line 3, column 9)``; the place goes in front, as compilers write it."""
    found = re.search(r"\s*\(at line (\d+), column (\d+)\)$", message)
    if found is None:
        return f"{path}: not TOML: {message}"
    return f"{path}:{found[1]}: not TOML: {message[: found.start()]} (column {found[2]})"


def line_of(text: str, path: KeyPath) -> int | None:
    """Number of the line that sets ``path`` in a TOML text, or that opens the nearest table around it.

    A scan for people's eyes: it knows headers and assignments, not strings that run over lines.
    """
    best_line, best_length = None, 0
    table: KeyPath = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = found = _split(header[1])
        elif assignment := _ASSIGNMENT.match(line):
            found = (*table, *_split(assignment[1]))
        else:
            continue
        if len(found) > best_length and path[: len(found)] == found:
            best_line, best_length = number, len(found)
    return best_line


def _split(text: str) -> KeyPath:
    return tuple(part.strip().strip("\"'") for part in text.split("."))
