"""Themes: valid, readable, and a bad file never stops the console."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitbridge_console.console.themes import ThemeFile, load_themes, shipped_folder

SHIPPED, PROBLEMS = load_themes([shipped_folder()])


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_promised_themes_are_there() -> None:
    assert PROBLEMS == []
    assert {"gitbridge-dark", "gitbridge-light", "high-contrast"} <= set(SHIPPED)


@pytest.mark.parametrize("name", sorted(SHIPPED))
@pytest.mark.parametrize("role", ["foreground", "dim", "accent", "good", "warn", "bad"])
def test_every_text_can_be_read_on_every_ground(name: str, role: str) -> None:
    theme = SHIPPED[name]
    for ground in (theme.background, theme.panel):
        assert contrast(getattr(theme, role), ground) >= (7.0 if name == "high-contrast" else 4.5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "theme x.toml skipped"),
        ('name = "mine"', "Field required"),
        ("\xff", "theme x.toml skipped"),
        ("a" * 70_000, "larger than"),
    ],
)
def test_a_bad_file_is_skipped_and_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "x.toml").write_text(text, "latin-1")
    themes, problems = load_themes([tmp_path])
    assert themes == {}
    assert said in problems[0]
    assert "\n" not in problems[0]


def test_an_operator_can_replace_a_shipped_theme(tmp_path: Path) -> None:
    own = SHIPPED["gitbridge-dark"].model_copy(update={"accent": "#ffffff"})
    (tmp_path / "mine.toml").write_text(
        "\n".join(
            f"{key} = {str(value).lower() if isinstance(value, bool) else chr(34) + str(value) + chr(34)}"
            for key, value in own.model_dump().items()
        )
    )
    themes, problems = load_themes([shipped_folder(), tmp_path])
    assert problems == []
    assert themes["gitbridge-dark"].accent == "#ffffff"


def test_a_theme_file_says_what_it_may_hold() -> None:
    assert "background" in ThemeFile.model_fields
