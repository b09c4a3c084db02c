"""The ``/`` filter of a short list, held in memory: the FILTER keys that its columns answer, ``column=text``, or words anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from gitbridge_console.console.views.cells import Column, Row
from gitbridge_console.domain.filters import KEYS

ANSWERED_BY = {
    "state": ("STATE", "PANEL"),
    "kind": ("KIND",),
    "provider": ("PROVIDER", "LANE"),
    "error": ("ERROR",),
    "repo": ("SUBJECT", "TARGET"),
    "repository": ("SUBJECT", "TARGET"),
    "subject": ("SUBJECT", "TARGET"),
    "text": (),
}
"""Titles of the columns that answer a key of the FILTER language; none: the whole row."""


def filter_rows(rows: Sequence[Row], columns: Sequence[Column], wanted: str) -> list[Row]:
    """Rows in which every condition of ``wanted`` holds; ``*`` stands for anything, a ``!`` in front inverts the whole.

    Raises:
        ValueError: no column answers such a key; one line that names those that can be asked.
    """
    inverted = wanted.startswith("!")
    words = [_condition(word, columns) for word in wanted.removeprefix("!").lower().split()]
    return [row for row in rows if not words or all(_holds(row, *word) for word in words) != inverted]


def _condition(word: str, columns: Sequence[Column]) -> tuple[tuple[int, ...] | None, str]:
    key, equals, value = word.partition("=")
    if not equals or not key.isalpha():
        return None, word
    if key == "text":
        return None, value
    titles = ANSWERED_BY.get(key, ())
    places = tuple(n for n, column in enumerate(columns) if column.title in titles)
    places = places or tuple(n for n, column in enumerate(columns) if column.title.lower().startswith(key))
    if places:
        return places, value
    known = ", ".join(dict.fromkeys(column.title.lower() for column in columns if column.title.isalpha()))
    raise ValueError(f"{'this list has no' if key in KEYS else 'there is no'} {key}: ask for {known} or words")


def _holds(row: Row, places: tuple[int, ...] | None, text: str) -> bool:
    cells = row.cells if places is None else [row.cells[n] for n in places]
    return fnmatchcase(" ".join(cell.text for cell in cells).lower().replace("_", " "), f"*{text.replace('_', ' ')}*")
