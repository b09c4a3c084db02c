"""How far back charts go."""

from __future__ import annotations

SPANS: dict[str, int] = {"5m": 300, "15m": 900, "1h": 3_600, "6h": 21_600, "24h": 86_400}
"""Seconds by the word for it, shortest first."""


def next_span(now: str, step: int) -> str:
    """The span ``step`` longer (shorter: negative) than ``now``; the last one at either end."""
    words = list(SPANS)
    return words[max(0, min(len(words) - 1, words.index(now) + step))]


def words_of(seconds: int) -> str:
    """``15m``, ``90s``, ``6h``."""
    if seconds >= 3_600 and seconds % 3_600 == 0:
        return f"{seconds // 3_600}h"
    return f"{seconds // 60}m" if seconds >= 60 and seconds % 60 == 0 else f"{seconds}s"
