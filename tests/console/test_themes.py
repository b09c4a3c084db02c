"""Shipped themes can be read by everyone; a bad file of the operator's is skipped and named."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.color import Color

from gitbridge_console.console.themes import ThemeFile, load_themes, shipped_folder

SHIPPED = load_themes([shipped_folder()])[0]
TONES = ("foreground", "dim", "accent", "good", "warn", "bad")


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in Color.parse(colour).normalized]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(theme: ThemeFile, one: str, other: str) -> float:
    low, high = sorted((luminance(getattr(theme, one)), luminance(getattr(theme, other))))
    return (high + 0.05) / (low + 0.05)


def test_three_themes_are_shipped_without_a_fault() -> None:
    """Dark, light, high contrast."""
    themes, problems = load_themes([shipped_folder()])
    assert set(themes) == {"gitbridge-dark", "gitbridge-light", "high-contrast"}
    assert problems == []


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_every_tone_stands_out_from_every_ground(name: str) -> None:
    """WCAG AA, and AAA for the theme made for it; under the cursor the two are swapped, which is the same ratio."""
    least = 7.0 if name == "high-contrast" else 4.5
    for tone in TONES:
        for ground in ("background", "panel"):
            assert contrast(SHIPPED[name], tone, ground) >= least, f"{tone} on {ground}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name = 'x'", "name"),
        ("this is no toml", "skipped"),
        (Path(shipped_folder() / "gitbridge-dark.toml").read_text("utf-8").replace("#14171c", "nocolour"), "background"),
        (Path(shipped_folder() / "gitbridge-dark.toml").read_text("utf-8") + 'evil = "1"\n', "evil"),
        ("#" * 70_000, "larger"),
        ("\x00", "skipped"),
    ],
)
def test_a_bad_file_is_skipped_with_one_line(tmp_path: Path, text: str, why: str) -> None:
    """And the good ones beside it are kept."""
    (tmp_path / "bad.toml").write_text(text, "utf-8")
    (tmp_path / "mine.toml").write_text(
        Path(shipped_folder() / "gitbridge-dark.toml").read_text("utf-8").replace("gitbridge-dark", "mine"), "utf-8"
    )
    themes, [problem] = load_themes([tmp_path])
    assert list(themes) == ["mine"]
    assert "bad.toml skipped" in problem
    assert why in problem
    assert "\n" not in problem


def test_a_file_that_is_no_text_is_skipped(tmp_path: Path) -> None:
    """Bytes that are not UTF-8."""
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe\x00")
    assert load_themes([tmp_path])[1][0].startswith("theme bad.toml skipped")
