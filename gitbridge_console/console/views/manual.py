"""The documentation as lines: Markdown laid out for a width, in our tones."""

from __future__ import annotations

from functools import lru_cache
from io import StringIO
from typing import ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Markdown
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from gitbridge_console.console.text import safe
from gitbridge_console.console.views.cells import Cell, Line

WIDEST = 100
"""Longer lines are hard to read."""


class Code(CodeBlock):
    """Code as it was typed: what is too long is cut and not broken, a drawing stays one."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Indented by two."""
        for row in str(self.text).rstrip().split("\n"):
            yield Text(f"  {row}", style="cyan", no_wrap=True, overflow="crop")


class Manual(Markdown):
    """Markdown with our code blocks."""

    elements: ClassVar = {**Markdown.elements, "fence": Code, "code_block": Code}


@lru_cache(maxsize=16)
def manual_lines(text: str, width: int) -> tuple[Line, ...]:
    """A Markdown text in lines of at most ``width`` cells."""
    console = Console(
        file=StringIO(), width=max(20, min(width, WIDEST)), color_system="standard", force_terminal=True, legacy_windows=False
    )
    rows = console.render_lines(Manual(text, hyperlinks=False), pad=False)
    return tuple(Line(tuple(_cell(segment) for segment in row if segment.text)) for row in rows)


def _cell(segment: Segment) -> Cell:
    return Cell(safe(segment.text), _tone(segment.style))


def _tone(style: Style | None) -> str:
    if style is None:
        return ""
    if style.bold:
        return "head" if style.color is not None or style.underline else "strong"
    return "accent" if style.color is not None else "dim" if style.dim else ""
