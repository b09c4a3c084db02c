"""How well a theme's texts stand out from its grounds."""

from __future__ import annotations

from functools import lru_cache

from textual.color import Color

from gitbridge_console.console.themes import GROUNDS, TEXTS, ThemeFile

XTERM = {
    "black": "#000000",
    "red": "#cd0000",
    "green": "#00cd00",
    "yellow": "#cdcd00",
    "blue": "#0000ee",
    "magenta": "#cd00cd",
    "cyan": "#00cdcd",
    "white": "#e5e5e5",
    "bright_black": "#7f7f7f",
    "bright_red": "#ff0000",
    "bright_green": "#00ff00",
    "bright_yellow": "#ffff00",
    "bright_blue": "#5c5cff",
    "bright_magenta": "#ff00ff",
    "bright_cyan": "#00ffff",
    "bright_white": "#ffffff",
}
"""The sixteen colours as xterm shows them by default; what another terminal makes of them cannot be known."""


def linear_rgb(colour: str) -> tuple[float, float, float]:
    """Red, green and blue from 0 to 1 without the gamma of sRGB (IEC 61966-2-1, threshold as WCAG 2.2 has it)."""
    parsed = Color.parse(XTERM[colour.removeprefix("ansi_")] if colour.startswith("ansi_") else colour)
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parsed.normalized)
    return red, green, blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, from 1 to 21, as WCAG 2.2 defines it; which of them is the ground does not matter."""
    low, high = sorted(0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in (linear_rgb(one), linear_rgb(other)))
    return (high + 0.05) / (low + 0.05)


@lru_cache(maxsize=512)
def least_contrast(theme: ThemeFile) -> float:
    """The lowest contrast of any text of a theme on any of its grounds."""
    return min(contrast(getattr(theme, text), getattr(theme, ground)) for text in TEXTS for ground in GROUNDS)
