"""Outside text can neither act on the terminal nor break the layout."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from still_fleet import HOSTILE

from gitbridge_console.console.text import COMBINING_MAX, clip, fit, safe, to_ascii

ANY = st.text(st.characters(), max_size=200) | st.text(
    st.sampled_from(
        "\x1b[]0;31mHJ\x07\x9b\x9d\x90\r\n\t\u202e\u2066\u200b\u200f\u061c\u2028\u2029\ufe0f\u0301\ud800\udfff漢é👩\u200d🦰a\\"
    ),
    max_size=60,
)


@given(ANY)
def test_nothing_a_terminal_acts_on_is_left(text: str) -> None:
    shown = safe(text)
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    shown.encode("utf-8")


@given(ANY)
def test_with_lines_only_line_feeds_are_left_too(text: str) -> None:
    assert all(char == "\n" or unicodedata.category(char) not in ("Cc", "Cf", "Zl", "Zp") for char in safe(text, lines=True))


@given(ANY)
def test_making_safe_twice_changes_nothing_more(text: str) -> None:
    assert safe(safe(text)) == safe(text)


@given(ANY)
def test_marks_do_not_pile_up(text: str) -> None:
    run = 0
    for char in safe(text):
        run = run + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        assert run <= COMBINING_MAX


@given(ANY, st.integers(-1, 40))
def test_clipped_text_is_never_wider(text: str, width: int) -> None:
    assert cell_len(clip(safe(text), width)) <= max(0, width)


@given(ANY, st.integers(0, 40), st.booleans())
def test_fitted_text_is_exactly_as_wide(text: str, width: int, right: bool) -> None:
    assert cell_len(fit(safe(text), width, right=right)) == width


@given(ANY)
def test_ascii_is_ascii(text: str) -> None:
    assert to_ascii(safe(text)).isascii()


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPq#0;2;0;0;0\x1b\\image", "image"),
        ("a\r\nb\nc", "a b c"),
        ("[bold]markup[/bold]", "[bold]markup[/bold]"),
        ("abc\u202efed", "abcfed"),
        ("a\ufff9b\U0001d173c\u0600", "abc"),
        ("\ud800", "\ufffd"),
        ("a\tb", "a    b"),
        ("漢字", "漢字"),
    ],
)
def test_examples(raw: str, shown: str) -> None:
    assert safe(raw) == shown


def test_a_hostile_line_keeps_its_words() -> None:
    shown = safe(HOSTILE)
    assert "[bold]markup[/bold]" in shown
    assert "owned" not in shown


def test_clip_shows_that_it_cut() -> None:
    assert clip("abcdef", 4) == "abc…"
    assert clip("漢字漢字", 4) == "漢…"
    assert clip("abc", 0) == ""
    assert fit("7", 3, right=True) == "  7"
