"""A list with something about its row beside it, where there is room."""

from __future__ import annotations

from textual.containers import Horizontal

from gitbridge_console.console.style import SPLIT_CSS


class Split(Horizontal):
    """The two of them; the style sheet leaves the second one out where there is none."""

    DEFAULT_CSS = SPLIT_CSS
    SCOPED_CSS = False
