"""How far back charts go."""

from __future__ import annotations

SPANS: dict[str, int] = {"5m": 300, "15m": 900, "1h": 3_600, "6h": 21_600, "24h": 86_400}
"""Seconds by the word for it, shortest first."""


def next_span(now: str, step: int) -> str:
    """The span ``step`` longer (shorter: negative) than ``now``; the last one at either end."""
    words = list(SPANS)
    return words[max(0, min(len(words) - 1, words.index(now) + step))]
