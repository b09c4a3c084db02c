"""Theme files: what one holds, where they are, and reading one. A file that cannot be used is named with its key in one line."""

from __future__ import annotations

import difflib
import stat
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError
from textual.color import ColorParseError
from textual.theme import BUILTIN_THEMES, Theme

from gitbridge_console.console.text import clip, safe

COLOUR = (
    r"^(?:#[0-9a-fA-F]{6}|ansi_(?:black|red|green|yellow|blue|magenta|cyan|white)"
    r"|ansi_bright_(?:black|red|green|yellow|blue|magenta|cyan|white))$"
)
NAME = r"^[a-z][a-z0-9-]{1,40}$"
MAX_BYTES = 64 * 1024
GROUNDS = ("background", "surface", "panel")
TEXTS = ("foreground", "dim", "accent", "good", "warn", "bad")
RESERVED = ("ansi-", "textual-")
"""How the toolkit's own themes begin that the console falls back on; a file may not replace those."""

Colour = Annotated[str, Field(pattern=COLOUR)]


class ThemeError(ValueError):
    """Why a file is no theme: one line that names the key."""


class ThemeFile(BaseModel):
    """What a theme file holds: colours as ``#rrggbb``, or all of them ``ansi_...``, the terminal's own sixteen."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Annotated[str, Field(pattern=NAME)]
    dark: bool = True
    background: Colour
    surface: Colour
    panel: Colour
    foreground: Colour
    dim: Colour
    accent: Colour
    good: Colour
    warn: Colour
    bad: Colour

    @field_validator("name")
    @classmethod
    def _is_free(cls, name: str) -> str:
        if name.startswith(RESERVED):
            raise PydanticCustomError("reserved", "{name} is reserved", {"name": name})
        return name

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> ThemeFile:
        own = [key for key in (*GROUNDS, *TEXTS) if getattr(self, key).startswith("ansi_")]
        if own and len(own) < len(GROUNDS) + len(TEXTS):
            odd = next(key for key in (*GROUNDS, *TEXTS) if key not in own)
            raise PydanticCustomError("mixed", "{odd}: all colours are ansi_... or none, and {own} is", {"odd": odd, "own": own[0]})
        return self

    @property
    def sixteen(self) -> bool:
        """Whether the colours are the terminal's own."""
        return self.background.startswith("ansi_")

    def theme(self) -> Theme:
        """As Textual wants it.

        Raises:
            ColorParseError: a colour Textual cannot use; found here and not when the theme is put on.
        """
        variables = {"gb-dim": self.dim}
        if self.sixteen:
            # Without the variables of a theme of its own kind the toolkit's style sheet cannot be read.
            variables = BUILTIN_THEMES["ansi-dark"].variables | {"surface": self.surface, "panel": self.panel} | variables
        theme = Theme(
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
        theme.to_color_system().generate()
        return theme


def shipped_folder() -> Path:
    """Where the shipped themes are: inside the package once installed, at the top of a checkout before."""
    inside = Path(str(resources.files("gitbridge_console"))) / "themes"
    return inside if inside.is_dir() else inside.parent.parent / "themes"


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
        file_theme = ThemeFile.model_validate(tomllib.loads(data.decode("utf-8")))
        file_theme.theme()
    except ThemeError:
        raise
    except ValidationError as error:
        raise ThemeError(_one_fault(error)) from error
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


def nearest(word: str, known: list[str]) -> str:
    """The known word most like this one, ``""`` where none is like it."""
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.5)), "")


def _one_fault(error: ValidationError) -> str:
    """The first fault, unknown keys before what is missing: a key written wrongly is both."""
    faults = sorted(error.errors(include_url=False), key=lambda fault: fault["type"] != "extra_forbidden")
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return _fault(faults[0]) + more


def _fault(fault: ErrorDetails) -> str:
    key = _short(".".join(str(part) for part in fault["loc"]))
    # Of what is no text only the kind is named: a number may have more digits than Python writes out.
    given = _short(repr(fault["input"]) if isinstance(fault["input"], str) else f"a value of the kind {type(fault['input']).__name__}")
    keys = list(ThemeFile.model_fields)
    match fault["type"]:
        case "extra_forbidden":
            like = nearest(key, keys)
            return f"{key}: no such key, " + (f"is {like} meant?" if like else f"there are {', '.join(keys)}")
        case "missing":
            return f"{key}: missing"
        case "string_pattern_mismatch" if key == "name":
            return f"name: {given} is not 2 to 41 of a-z, 0-9 and -, a letter first"
        case "string_pattern_mismatch":
            return f"{key}: {given} is no colour, wanted is #rrggbb or ansi_ with a name"
        case "string_type":
            return f"{key}: {given} is no text in quotes"
        case "bool_type":
            return f"{key}: {given} is neither true nor false"
        case _:
            return f"{key}: {_short(fault['msg'])}" if key else _short(fault["msg"])


def _short(what: object) -> str:
    return clip(safe(str(what)), 120)
