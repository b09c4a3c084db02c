"""Theme files: what one holds, where they are, and reading one. A file that cannot be used is named with its key in one line."""

from __future__ import annotations

import contextlib
import difflib
import re
import stat
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import platformdirs
from textual.color import ColorParseError
from textual.theme import BUILTIN_THEMES, Theme

from gitbridge_console.console.text import clip, safe

COLOUR = re.compile(
    r"#[0-9a-fA-F]{6}|ansi_(?:black|red|green|yellow|blue|magenta|cyan|white)"
    r"|ansi_bright_(?:black|red|green|yellow|blue|magenta|cyan|white)"
)
NAME = re.compile(r"[a-z][a-z0-9-]{1,40}")
MAX_BYTES = 64 * 1024
GROUNDS = ("background", "surface", "panel")
TEXTS = ("foreground", "dim", "accent", "good", "warn", "bad")
RESERVED = ("ansi-", "textual-")
"""How the toolkit's own themes begin that the console falls back on; a file may not replace those."""


class ThemeError(ValueError):
    """Why a file is no theme: one line that names the key."""


class ThemeFile(NamedTuple):
    """What a theme file holds: colours as ``#rrggbb``, or all of them ``ansi_...``, the terminal's own sixteen.

    Checked by hand in :func:`checked`: a theme is on before the first frame, and the library that checks the settings is not
    imported yet then.
    """

    name: str
    background: str
    surface: str
    panel: str
    foreground: str
    dim: str
    accent: str
    good: str
    warn: str
    bad: str
    dark: bool = True

    @property
    def sixteen(self) -> bool:
        """Whether the colours are the terminal's own."""
        return self.background.startswith("ansi_")

    def theme(self) -> Theme:
        """As Textual wants it."""
        variables = {"gb-dim": self.dim}
        if self.sixteen:
            # Without the variables of a theme of its own kind the toolkit's style sheet cannot be read.
            variables = BUILTIN_THEMES["ansi-dark"].variables | {"surface": self.surface, "panel": self.panel} | variables
        return Theme(
            name=self.name,
            primary=self.accent,
            secondary=self.dim,
            accent=self.accent,
            success=self.good,
            warning=self.warn,
            error=self.bad,
            foreground=self.foreground,
            background=self.background,
            surface=self.surface,
            panel=self.panel,
            dark=self.dark,
            variables=variables,
            ansi=self.sixteen,
        )


def shipped_folder() -> Path:
    """Where the shipped themes are: inside the package once installed, at the top of a checkout before."""
    package = Path(__file__).parent.parent
    inside = package / "themes"
    return inside if inside.is_dir() else package.parent / "themes"


def user_folder() -> Path:
    """The operator's own themes."""
    return Path(platformdirs.user_config_dir("gitbridge")) / "themes"


def read_theme(path: Path) -> ThemeFile:
    """The theme of a file.

    Raises:
        ThemeError: it cannot be read, is no TOML, or has a wrong key or value.
    """
    try:
        # A pipe or a device would be waited for, or never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise ThemeError("no regular file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ThemeError(f"larger than {MAX_BYTES:,} bytes")
        file_theme = checked(tomllib.loads(data.decode("utf-8")))
        # A colour Textual cannot use is found here, and not when the theme is put on.
        file_theme.theme().to_color_system().generate()
    except ThemeError:
        raise
    except OSError as error:
        raise ThemeError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ThemeError("no UTF-8 text") from error
    except RecursionError as error:
        raise ThemeError("nested too deeply") from error
    except ValueError as error:
        raise ThemeError(f"no TOML: {_short(error)}") from error
    except ColorParseError as error:
        raise ThemeError(_short(error)) from error
    return file_theme


def named_like(name: str, folders: Sequence[Path]) -> ThemeFile | None:
    """The theme of the first file that is named like it, ``None`` where there is none that can be used."""
    if NAME.fullmatch(name):
        for path in (folder / f"{name}.toml" for folder in folders):
            with contextlib.suppress(ThemeError):  # it is read again, with all others, and told of then
                if path.exists() and (found := read_theme(path)).name == name:
                    return found
    return None


def nearest(word: str, known: list[str]) -> str:
    """The known word most like this one, ``""`` where none is like it."""
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.5)), "")


def checked(table: Mapping[str, object]) -> ThemeFile:
    """The theme a table describes.

    Raises:
        ThemeError: the first fault, unknown keys before what is missing: a key written wrongly is both.
    """
    keys = ["name", "dark", *GROUNDS, *TEXTS]
    faults = [_unknown(key, keys) for key in table if key not in keys]
    faults += [fault for key in keys if (fault := _fault(key, table)) is not None]
    if not faults:
        own = [key for key in (*GROUNDS, *TEXTS) if str(table[key]).startswith("ansi_")]
        if own and len(own) < len(GROUNDS) + len(TEXTS):
            odd = next(key for key in (*GROUNDS, *TEXTS) if key not in own)
            faults.append(f"{odd}: all colours are ansi_... or none, and {own[0]} is")
    if faults:
        raise ThemeError(faults[0] + (f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""))
    return ThemeFile(**table)  # type: ignore[arg-type]  # every key and the kind of its value was looked at


def _unknown(key: str, keys: list[str]) -> str:
    like = nearest(key, keys)
    return f"{_short(key)}: no such key, " + (f"is {like} meant?" if like else f"there are {', '.join(keys)}")


def _fault(key: str, table: Mapping[str, object]) -> str | None:
    """What is wrong with the value of a key, ``None`` when nothing is."""
    if key not in table:
        return None if key == "dark" else f"{key}: missing"
    value = table[key]
    # Of what is no text only the kind is named: a number may have more digits than Python writes out.
    given = _short(repr(value) if isinstance(value, str) else f"a value of the kind {type(value).__name__}")
    if key == "dark":
        return None if isinstance(value, bool) else f"dark: {given} is neither true nor false"
    if not isinstance(value, str):
        return f"{key}: {given} is no text in quotes"
    if key == "name" and not NAME.fullmatch(value):
        return f"name: {given} is not 2 to 41 of a-z, 0-9 and -, a letter first"
    if key == "name" and value.startswith(RESERVED):
        return f"name: {value} is reserved"
    if key != "name" and not COLOUR.fullmatch(value):
        return f"{key}: {given} is no colour, wanted is #rrggbb or ansi_ with a name"
    return None


def _short(what: object) -> str:
    return clip(safe(str(what)), 120)
