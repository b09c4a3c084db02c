"""What the chooser of themes shows: rows of themes, and a sample of the one that is on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gitbridge_console.console.contrast import least_contrast
from gitbridge_console.console.text import fit
from gitbridge_console.console.themes import ThemeFile
from gitbridge_console.console.views.cells import Cell, Column, Line, Row, line

THEME_COLUMNS = (Column("THEME", 18, flex=True), Column("GROUND", 6), Column("CONTRAST", 10, right=True))
AA, AAA = 4.5, 7.0
"""Contrast ratios that WCAG 2.2 asks of text: at least, and for its strictest level."""

LANES = (
    ("claude", "ok", "good", "842 ms", "12 calls"),
    ("grok", "slow", "warn", "18.4 s", "18 calls"),
    ("chatgpt", "open", "bad", "-", "no calls"),
)
CURSOR = "grok"


def _lane(name: str, state: str, tone: str, p95: str, calls: str) -> Line:
    chosen = name == CURSOR
    sign = Cell(">" if chosen else " ")
    return Line((sign, Cell(fit(name, 9)), Cell(fit(state, 7), tone), Cell(fit(p95, 8, right=True)), Cell(f"  {calls} ", "dim")), chosen)


SAMPLE = (
    line(""),
    line(*(part for tone in ("good", "warn", "bad", "accent", "dim") for part in (Cell(tone, tone), "  "))),
    line("plain text, ", Cell("strong text", "strong"), ", ", Cell("withdrawn", "struck")),
    line(""),
    line(Cell(f" {fit('LANE', 9)}{fit('STATE', 7)}{fit('P95', 8, right=True)}", "dim")),
    *(_lane(*lane) for lane in LANES),
    line(""),
)
"""Every tone, and a table with a row under the cursor."""

SAMPLE_HEAD = (
    line(Cell("GitBridge", "head"), "   open ", Cell("297", "strong"), Cell("   err ", "dim"), Cell("7.9%", "bad")),
    line(Cell("[1 Pulse]", "accent"), Cell("  2 Queue  3 Providers", "dim")),
)
SAMPLE_SERIES: Mapping[str, Sequence[float]] = {
    "claude": (2100, 2200, 2050, 2400, 2900, 4300, 4700, 3600, 2800, 2300, 2200, 2150),
    "grok": (3300, 3200, 3400, 3350, 3600, 5200, 6100, 6000, 5200, 4100, 3600, 3400),
}
"""Milliseconds, made up."""


def theme_rows(themes: Mapping[str, ThemeFile], on: ThemeFile | None) -> list[Row]:
    """One row a theme in the order of their names; the one that is on also when its file is gone."""
    shown = ({} if on is None else {on.name: on}) | dict(themes)
    return [_row(shown[name], gone=name not in themes) for name in sorted(shown)]


def _row(theme: ThemeFile, *, gone: bool) -> Row:
    ratio = least_contrast(theme)
    level, tone = ("AAA", "good") if ratio >= AAA else ("AA", "") if ratio >= AA else ("low", "warn")
    ground = "gone" if gone else "dark" if theme.dark else "light"
    return Row(theme.name, (Cell(theme.name), Cell(ground, "warn" if gone else "dim"), Cell(f"{ratio:.1f} {level:>3}", tone)))
