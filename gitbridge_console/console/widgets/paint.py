"""Turns toned cells into styled segments. The only place where tones become colours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.theme import Theme

from gitbridge_console.console.text import clip, to_ascii, width_of
from gitbridge_console.console.views.cells import Cell, Line

LOUD = {"bad", "head", "strong"}
"""Tones that are bold as well."""
REVERSED = Style(reverse=True)
GROUNDS_MAX = 32
"""Grounds a palette keeps its styles for; a theme has a few."""


def palette_of(app: App[object]) -> Palette:
    """The palette of the application's theme."""
    return _palette(app.current_theme, bool(getattr(app, "no_color", False)), bool(getattr(app, "ascii_mode", False)))


class Palette:
    """Styles of all tones under a theme; with ``plain`` only bold and reverse are left."""

    def __init__(self, theme: Theme, plain: bool, ascii_mode: bool) -> None:

        def style(colour: str | None, *, bold: bool = False) -> Style:
            # Rich has other names for the terminal's sixteen colours than Textual, which therefore reads them.
            return Style(color=None if plain or colour is None else Color.parse(colour).rich_color, bold=bold)

        self.ascii_mode = ascii_mode
        self.tones: dict[str, Style] = {
            "": Style(),
            "good": style(theme.success),
            "warn": style(theme.warning),
            "bad": style(theme.error, bold=True),
            "dim": style(theme.variables.get("gb-dim", theme.secondary)),
            "accent": style(theme.accent),
            "head": style(theme.accent, bold=True),
            "strong": Style(bold=True),
            "struck": style(theme.variables.get("gb-dim", theme.secondary)) + Style(strike=True),
        }
        self._on: dict[Style, dict[str, Style]] = {}

    def on(self, base: Style) -> Mapping[str, Style]:
        """The styles of all tones on a ground."""
        if base not in self._on:
            if len(self._on) >= GROUNDS_MAX:
                self._on.clear()
            self._on[base] = {tone: base + style for tone, style in self.tones.items()}
        return self._on[base]

    def text(self, text: str) -> str:
        """Our own signs, in ASCII where asked for."""
        return to_ascii(text) if self.ascii_mode else text

    def segments(self, cells: Iterable[Cell], base: Style) -> list[Segment]:
        """Styled segments of cells, as few as there are changes of tone: each costs the link some 25 bytes.

        What is blank takes the tone of what stands before it.
        """
        styles = self.on(base)
        return [Segment(self.text(text), styles[tone]) for text, tone in _merged(cells)]

    def fill(self, line: Line, width: int, base: Style) -> list[Segment]:
        """A line in exactly ``width`` cells."""
        ground = base + REVERSED if line.chosen else base
        parts = _of_one_ground(line.parts) if line.chosen else line.parts
        return exactly(width, self.segments(parts, ground), ground)

    def cut(self, line: Line, width: int, base: Style) -> list[Segment]:
        """A line in at most ``width`` cells; what has no room ends in an ellipsis."""
        segments: list[Segment] = []
        left, styles = width, self.on(base)
        for text, tone in _merged(line.parts):
            if left <= 0:
                break
            room = width_of(text)
            segments.append(Segment(self.text(text if room <= left else clip(text, left)), styles[tone]))
            left -= room
        return segments


def exactly(width: int, segments: list[Segment], ground: Style) -> list[Segment]:
    """A line of exactly so many cells: cut at the end, or filled up with blanks."""
    missing = width - sum(width_of(segment.text) for segment in segments)
    if missing < 0:
        return Segment.adjust_line_length(segments, width, ground)
    return [*segments, Segment(" " * missing, ground)] if missing else segments


def _of_one_ground(cells: Iterable[Cell]) -> list[Cell]:
    """The row the cursor is on: turned round, each tone would be a patch of another ground. Words tell the state there, too."""
    return [Cell(cell.text, "strong" if cell.tone in LOUD else "") for cell in cells]


def _merged(cells: Iterable[Cell]) -> list[tuple[str, str]]:
    """Text and tone of stretches of one tone each."""
    merged: list[tuple[str, str]] = []
    texts: list[str] = []
    last: str | None = None
    for text, tone in cells:
        if tone == last or (last not in (None, "struck") and text.isspace()):
            texts.append(text)
        elif text:
            if last is not None:
                merged.append(("".join(texts), last))
            texts, last = [text], tone
    if last is not None:
        merged.append(("".join(texts), last))
    return merged


_recent: dict[tuple[str, bool, bool], tuple[Theme, Palette]] = {}


def _palette(theme: Theme, plain: bool, ascii_mode: bool) -> Palette:
    """Made once per theme: it is asked for with every line drawn."""
    key = (theme.name, plain, ascii_mode)
    known = _recent.get(key)
    if known is None or known[0] is not theme:
        _recent[key] = known = (theme, Palette(theme, plain, ascii_mode))
    return known[1]
