"""Shipped themes can be read by everyone; a bad file of the operator's is skipped, and named with its key."""

from __future__ import annotations

import os
from itertools import combinations
from pathlib import Path

import pytest
from colour_vision import SIGHT, apart
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gitbridge_console.console.contrast import XTERM, contrast, least_contrast
from gitbridge_console.console.theme_watch import ThemesFound, ThemeWatch
from gitbridge_console.console.themes import GROUNDS, TEXTS, ThemeFile, shipped_folder

STATES = ("good", "warn", "bad")
DARK = Path(shipped_folder() / "gitbridge-dark.toml").read_text("utf-8")


def themes_in(*folders: Path) -> ThemesFound:
    found = ThemeWatch(folders).check()
    assert found is not None
    return found


SHIPPED = themes_in(shipped_folder())


def text(theme: ThemeFile, key: str) -> str:
    colour = getattr(theme, key)
    assert isinstance(colour, str)
    return colour


def test_ten_themes_are_shipped_without_a_fault() -> None:
    assert set(SHIPPED.themes) == {
        "gitbridge-dark",
        "gitbridge-light",
        "high-contrast",
        "high-contrast-light",
        "colour-safe",
        "sixteen",
        "monochrome",
        "amber-tube",
        "deep-sea",
        "morning-paper",
    }
    assert SHIPPED.problems == ()


def test_every_shipped_file_is_named_like_its_theme() -> None:
    assert {path.stem for path in shipped_folder().glob("*.toml")} == set(SHIPPED.themes)


@pytest.mark.parametrize("name", sorted(SHIPPED.themes))
def test_every_text_stands_out_from_every_ground(name: str) -> None:
    """WCAG AA, and AAA for the themes made for it. Under the cursor the two are swapped, which is the same ratio."""
    least = 7.0 if name.startswith("high-contrast") else 4.5
    for tone in TEXTS:
        for ground in GROUNDS:
            here = text(SHIPPED.themes[name], tone), text(SHIPPED.themes[name], ground)
            assert contrast(*here) >= least, f"{tone} on {ground}"
            assert contrast(*reversed(here)) >= least, f"{tone} on {ground}, under the cursor"


@pytest.mark.parametrize("name", sorted(SHIPPED.themes))
def test_what_is_dim_steps_back_behind_plain_text(name: str) -> None:
    """By a third of the contrast at the least."""
    theme = SHIPPED.themes[name]
    assert contrast(theme.dim, theme.background) <= contrast(theme.foreground, theme.background) * 2 / 3


@pytest.mark.parametrize("name", sorted(SHIPPED.themes))
def test_a_theme_is_as_dark_as_it_says(name: str) -> None:
    theme = SHIPPED.themes[name]
    assert (contrast(theme.background, "#000000") < contrast(theme.background, "#ffffff")) is theme.dark


@pytest.mark.parametrize("sight", SIGHT)
def test_states_of_the_colour_safe_theme_are_told_apart_by_every_sight(sight: str) -> None:
    """A distance of 0.2 in Oklab is ten times the difference one just notices (0.02, CSS Color Module Level 4)."""
    theme = SHIPPED.themes["colour-safe"]
    for one, other in combinations(STATES, 2):
        assert apart(text(theme, one), text(theme, other), sight) >= 0.2, f"{one} and {other}"


def test_the_measure_of_sight_finds_the_confusion_it_is_made_for() -> None:
    """A red and a green of one lightness: far apart for most, alike for who sees no red."""
    assert apart("#ff7b72", "#7ccf8a", "usual") > 0.2
    assert apart("#c06030", "#7a7a2c", "deuteranopia") < 0.1 < apart("#c06030", "#7a7a2c", "usual")


@pytest.mark.parametrize("name", sorted(set(SHIPPED.themes) - {"monochrome"}))
def test_states_have_three_colours_to_usual_sight(name: str) -> None:
    for one, other in combinations(STATES, 2):
        assert apart(text(SHIPPED.themes[name], one), text(SHIPPED.themes[name], other), "usual") >= 0.09, f"{one} and {other}"


def test_monochrome_is_grey_and_brighter_where_it_matters_more() -> None:
    theme = SHIPPED.themes["monochrome"]
    for key in (*GROUNDS, *TEXTS):
        red, green, blue = text(theme, key)[1:3], text(theme, key)[3:5], text(theme, key)[5:]
        assert red == green == blue
    ratios = [contrast(text(theme, key), theme.background) for key in ("dim", *STATES)]
    assert ratios == sorted(ratios)


def test_sixteen_names_the_terminals_colours_only() -> None:
    theme = SHIPPED.themes["sixteen"]
    assert {text(theme, key).removeprefix("ansi_") for key in (*GROUNDS, *TEXTS)} <= set(XTERM)
    assert theme.theme().ansi


def test_contrast_is_that_of_wcag() -> None:
    """Its ends, and the best known grey that just passes on white."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#123456", "#123456") == 1
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)
    assert least_contrast(SHIPPED.themes["gitbridge-dark"]) == pytest.approx(4.83, abs=0.01)


BAD = {
    "an unknown key, with the one most like it": (
        DARK.replace("background", "backgruond"),
        "backgruond: no such key, is background meant?",
    ),
    "an unknown key like no other": (DARK + "evil = 1\n", "evil: no such key, there are name, dark, background"),
    "a key that is missing": (DARK.replace("warn =", "# warn ="), "warn: missing"),
    "a colour that is none": (DARK.replace("#14171c", "nocolour"), "background: 'nocolour' is no colour"),
    "a colour too short": (DARK.replace("#14171c", "#fff"), "background: '#fff' is no colour"),
    "a colour that is a number": (DARK.replace('"#14171c"', "14"), "background: a value of the kind int is no text in quotes"),
    "a number too long to read": (DARK.replace('"#14171c"', "1" * 5_000), "no TOML: "),
    "a number too long to write out": (DARK.replace('"#14171c"', "0x" + "f" * 9_000), "background: a value of the kind int is no text"),
    "a truth that is a word": (DARK.replace("dark = true", 'dark = "yes"'), "dark: 'yes' is neither true nor false"),
    "a name with signs in it": (DARK.replace("gitbridge-dark", "../x"), "name: '../x' is not 2 to 41 of"),
    "a name the toolkit needs": (DARK.replace("gitbridge-dark", "ansi-dark"), "name: ansi-dark is reserved"),
    "colours of two kinds": (DARK.replace("#14171c", "ansi_black"), "surface: all colours are ansi_... or none, and background is"),
    "several faults": ("name = 'xy'", "background: missing (and 8 more)"),
    "no TOML": ("this is no toml", "no TOML: "),
    "a list without an end": ("a = " + "[" * 5000, "nested too deeply"),
    "too large": ("#" * 70_000, "larger than 65,536 bytes"),
    "a zero byte": ("\x00", "no TOML: "),
    "terminal codes": (DARK + '"\\u001b[2J" = 1\n', "no such key"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_skipped_with_one_line(tmp_path: Path, case: str) -> None:
    """And the good ones beside it are kept."""
    content, why = BAD[case]
    (tmp_path / "bad.toml").write_text(content, "utf-8")
    (tmp_path / "mine.toml").write_text(DARK.replace("gitbridge-dark", "mine"), "utf-8")
    found = themes_in(tmp_path)
    assert list(found.themes) == ["mine"]
    [problem] = found.problems
    assert problem.startswith("theme bad.toml skipped: ")
    assert why in problem
    assert problem.isprintable()
    assert len(problem) < 300


def test_what_is_no_file_of_text_is_skipped(tmp_path: Path) -> None:
    """Other bytes, a folder, a pipe nobody writes to, a link to itself, a link to nothing, a device without an end."""
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder.toml").mkdir()
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    (tmp_path / "nothing.toml").symlink_to("nowhere")
    (tmp_path / "zero.toml").symlink_to("/dev/zero")
    assert themes_in(tmp_path).problems == (
        "theme bytes.toml skipped: no UTF-8 text",
        "theme folder.toml skipped: no regular file",
        "theme loop.toml skipped: cannot be read: Too many levels of symbolic links",
        "theme nothing.toml skipped: cannot be read: No such file or directory",
        "theme pipe.toml skipped: no regular file",
        "theme zero.toml skipped: no regular file",
    )


def test_a_theme_may_be_linked_from_elsewhere(tmp_path: Path) -> None:
    """As those do who keep their settings in one place."""
    (tmp_path / "linked.toml").symlink_to(shipped_folder() / "deep-sea.toml")
    assert list(themes_in(tmp_path).themes) == ["deep-sea"]


@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda value: (DARK + value).encode("utf-8"))))
def test_whatever_a_file_holds_it_is_a_theme_or_named_as_bad(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "any.toml").write_bytes(content)
    found = themes_in(tmp_path)
    assert list(found.themes) == ["gitbridge-dark"] or [problem.isprintable() for problem in found.problems] == [True]
