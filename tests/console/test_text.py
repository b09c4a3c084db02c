"""Outside text cannot act on the terminal, whatever it holds."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len, get_character_cell_size
from sample import HOSTILE

from gitbridge_console.console.text import ONE_CELL_EACH, clip, fit, safe, to_ascii, width_of

ANY_TEXT = st.text(st.characters(codec=None), max_size=80)
TRICKS = "\u061c\u200b\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029\ufeff"


@given(ANY_TEXT, st.booleans())
@example(HOSTILE, True)
@example("\x1b]0;" + "x" * 5000, False)
@example("a" + "\u0301" * 50, False)
@example("\x1b\x1b[31m", False)
def test_safe_text_holds_no_control_no_direction_change_and_no_surrogate(text: str, lines: bool) -> None:
    """What is left can be printed anywhere."""
    cleaned = safe(text, lines=lines)
    assert not set(cleaned) & set(TRICKS)
    for char in cleaned.replace("\n", "" if lines else "\n"):
        assert unicodedata.category(char) not in {"Cc", "Cs", "Cf", "Zl", "Zp"} or char in "\u00ad"
    cleaned.encode("utf-8")


@given(ANY_TEXT)
def test_safe_is_idempotent(text: str) -> None:
    """Cleaning twice changes nothing more."""
    once = safe(text)
    assert safe(once) == once


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;http://evil\x07link\x1b]8;;\x1b\\", "link"),
        ("a\r\nb\tc", "a b    c"),
        ("[bold]kept[/bold]", "[bold]kept[/bold]"),
        ("ab\u202ecd", "abcd"),
        ("Z\u0300\u0301\u0302\u0303", "Z\u0300\u0301"),
        ("\u0300x", "x"),
        ("\ud800", "\ufffd"),
        ("購物車", "購物車"),
    ],
)
def test_safe_by_example(raw: str, shown: str) -> None:
    """Escape sequences vanish, line ends become spaces, markup stays text."""
    assert safe(raw) == shown


@given(st.one_of(ANY_TEXT, st.text(st.sampled_from("ab ─⠿…●漢\u0301\ufe0f↔☎\t\x7f"), max_size=12)))
def test_a_text_is_as_wide_as_rich_says(text: str) -> None:
    assert width_of(text) == cell_len(text)


def test_what_is_not_looked_up_takes_one_cell() -> None:
    signs = [chr(code) for code in range(0x110000) if ONE_CELL_EACH.fullmatch(chr(code))]
    assert len(signs) > 600
    assert {get_character_cell_size(sign) for sign in signs} == {1}


@given(ANY_TEXT.map(safe), st.integers(0, 40), st.booleans())
@example("購物車為空", 4, False)
def test_fit_is_exactly_as_wide_as_asked(text: str, width: int, right: bool) -> None:
    """Also with wide characters, so columns stay in line."""
    assert cell_len(fit(text, width, right=right)) == width
    assert cell_len(clip(text, width)) <= width


@given(ANY_TEXT.map(safe))
def test_ascii_keeps_the_width(text: str) -> None:
    """And is ASCII."""
    shown = to_ascii(text)
    assert shown.isascii()
    assert cell_len(shown) == sum(cell_len(char) for char in text)


def test_clip_ends_in_an_ellipsis() -> None:
    """What was cut says so."""
    assert clip("consensus", 5) == "cons…"
    assert clip("consensus", 9) == "consensus"
