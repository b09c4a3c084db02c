"""Looks at folders of themes, and again when asked: what changed is read, what is broken keeps its last good form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gitbridge_console.console.text import clip, safe
from gitbridge_console.console.themes import ThemeError, ThemeFile, read_theme

WATCH_S = 2.0
"""Seconds between two looks."""

FILES_MAX = 200
"""Files of one folder; more are not read."""

Stamp = tuple[int, int, int]


class ThemesFound(NamedTuple):
    """All themes by name, one line for each file that cannot be used, and those of the lines that are new."""

    themes: dict[str, ThemeFile]
    problems: tuple[str, ...]
    new: tuple[str, ...]


class ThemeWatch:
    """Folders of ``*.toml`` files; of two themes of one name that of the later folder wins."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)
        self._stamps: dict[Path, Stamp] | None = None
        self._good: dict[Path, ThemeFile] = {}
        self._faults: dict[Path, str] = {}
        self._told: frozenset[str] = frozenset()

    def check(self) -> ThemesFound | None:
        """What there is now, ``None`` when nothing changed since the last look; at the first there is always something."""
        stamps, too_many = self._look()
        if stamps == self._stamps:
            return None
        before, self._stamps = self._stamps or {}, stamps
        for path in self._good.keys() | self._faults.keys():
            if path not in stamps:
                self._good.pop(path, None)
                self._faults.pop(path, None)
        for path, stamp in stamps.items():
            if before.get(path) != stamp:
                self._read(path)
        themes, doubles = self._merged()
        problems = (*self._faults.values(), *doubles, *too_many)
        new = tuple(problem for problem in problems if problem not in self._told)
        self._told = frozenset(problems)
        return ThemesFound(themes, problems, new)

    def _look(self) -> tuple[dict[Path, Stamp], list[str]]:
        stamps: dict[Path, Stamp] = {}
        too_many: list[str] = []
        for folder in self._folders:
            paths = _files(folder)
            if len(paths) > FILES_MAX:
                too_many.append(f"of {len(paths)} themes in one folder the first {FILES_MAX} are read")
            stamps |= {path: _stamp(path) for path in paths[:FILES_MAX]}
        return stamps, too_many

    def _read(self, path: Path) -> None:
        self._faults.pop(path, None)
        try:
            self._good[path] = read_theme(path)
        except ThemeError as error:
            kept = "; it stays as it was" if path in self._good else ""
            self._faults[path] = f"theme {_name(path)} skipped: {error}{kept}"

    def _merged(self) -> tuple[dict[str, ThemeFile], list[str]]:
        themes: dict[str, ThemeFile] = {}
        doubles: list[str] = []
        for folder in self._folders:
            owners: dict[str, Path] = {}
            for path in sorted(path for path in self._good if path.parent == folder):
                theme = self._good[path]
                if theme.name in owners:
                    doubles.append(f"theme {_name(path)} skipped: name: {theme.name} is the name of {_name(owners[theme.name])} already")
                else:
                    owners[theme.name], themes[theme.name] = path, theme
        return themes, doubles


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(folder.glob("*.toml"))
    except OSError:
        return []  # it went away while it was being read, or may not be read; it is looked at again


def _stamp(path: Path) -> Stamp:
    """Changes when the file does; of what cannot be looked at, the error."""
    try:
        seen = path.stat()
    except OSError as error:
        return (0, 0, -(error.errno or 1))
    return (seen.st_mtime_ns, seen.st_size, seen.st_ino)


def _name(path: Path) -> str:
    return clip(safe(path.name), 60)
