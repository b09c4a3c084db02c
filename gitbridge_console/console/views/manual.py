"""The documentation as lines: Markdown laid out for a width, in our tones."""

from __future__ import annotations

from functools import lru_cache
from io import StringIO

from rich.console import Console
from rich.markdown import Markdown
from rich.segment import Segment
from rich.style import Style

from gitbridge_console.console.text import safe
from gitbridge_console.console.views.cells import Cell, Line

WIDEST = 100
"""Longer lines are hard to read."""


@lru_cache(maxsize=16)
def manual_lines(text: str, width: int) -> tuple[Line, ...]:
    """A Markdown text in lines of at most ``width`` cells."""
    console = Console(
        file=StringIO(), width=max(20, min(width, WIDEST)), color_system="standard", force_terminal=True, legacy_windows=False
    )
    rows = console.render_lines(Markdown(text, hyperlinks=False, code_theme="bw"), pad=False)
    return tuple(Line(tuple(_cell(segment) for segment in row if segment.text)) for row in rows)


def _cell(segment: Segment) -> Cell:
    return Cell(safe(segment.text), _tone(segment.style))


def _tone(style: Style | None) -> str:
    if style is None:
        return ""
    if style.bold:
        return "head" if style.color is not None or style.underline else "strong"
    return "accent" if style.color is not None else "dim" if style.dim else ""
