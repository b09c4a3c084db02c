"""Themes from TOML files: those shipped and those of the operator's own folder. A bad file is skipped and named."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from textual.color import ColorParseError
from textual.theme import Theme

COLOUR = r"^#[0-9a-fA-F]{6}$"
MAX_BYTES = 64 * 1024


class ThemeFile(BaseModel):
    """What a theme file holds. ``text`` colours are checked against ``background`` by the tests for shipped themes."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{1,40}$")
    dark: bool = True
    background: str = Field(pattern=COLOUR)
    surface: str = Field(pattern=COLOUR)
    panel: str = Field(pattern=COLOUR)
    foreground: str = Field(pattern=COLOUR)
    dim: str = Field(pattern=COLOUR)
    accent: str = Field(pattern=COLOUR)
    good: str = Field(pattern=COLOUR)
    warn: str = Field(pattern=COLOUR)
    bad: str = Field(pattern=COLOUR)

    def theme(self) -> Theme:
        """As Textual wants it.

        Raises:
            ColorParseError: a colour Textual cannot use; found here and not when the theme is put on.
        """
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
            variables={"gb-dim": self.dim},
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


def load_themes(folders: Iterable[Path] | None = None) -> tuple[dict[str, ThemeFile], list[str]]:
    """All themes by name, later folders winning, and one line for each file that could not be used."""
    themes: dict[str, ThemeFile] = {}
    problems: list[str] = []
    for folder in folders if folders is not None else (shipped_folder(), user_folder()):
        for path in sorted(folder.glob("*.toml")):
            try:
                theme = _read(path)
                theme.theme()
            except (OSError, ValueError, ColorParseError) as error:
                problems.append(f"theme {path.name} skipped: {_one_line(error)}")
            else:
                themes[theme.name] = theme
    return themes, problems


def _read(path: Path) -> ThemeFile:
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES} bytes")
    return ThemeFile.model_validate(tomllib.loads(path.read_text("utf-8")))


def _one_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    return " ".join(str(error).split())[:200]
