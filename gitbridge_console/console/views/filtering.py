"""The ``/`` filter of a list: words anywhere in a row, or ``column=text``; a ``!`` in front inverts the whole."""

from __future__ import annotations

from collections.abc import Sequence

from gitbridge_console.console.views.cells import Column, Row


def filter_rows(rows: Sequence[Row], columns: Sequence[Column], wanted: str) -> list[Row]:
    """Rows in which every word of ``wanted`` is found.

    ``lane=gr`` looks into the column whose title starts with ``lane`` only.

    Raises:
        ValueError: no column has such a title; one line that names those there are.
    """
    inverted = wanted.startswith("!")
    words = [_condition(word, columns) for word in wanted.removeprefix("!").lower().split()]
    return [row for row in rows if not words or all(_holds(row, *word) for word in words) != inverted]


def _condition(word: str, columns: Sequence[Column]) -> tuple[int | None, str]:
    key, equals, value = word.partition("=")
    if not equals or not key.isalpha():
        return None, word
    for n, column in enumerate(columns):
        if column.title.lower().startswith(key):
            return n, value
    titles = ", ".join(column.title.lower() for column in columns if column.title.isalpha())
    raise ValueError(f"no column {key}: there are {titles}")


def _holds(row: Row, column: int | None, text: str) -> bool:
    cells = row.cells if column is None else (row.cells[column],)
    return text in " ".join(cell.text for cell in cells).lower()
