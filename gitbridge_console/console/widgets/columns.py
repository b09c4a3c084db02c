"""How the cells of a row are laid out in columns, and by what they are sorted."""

from __future__ import annotations

from collections.abc import Sequence

from gitbridge_console.console.text import fit
from gitbridge_console.console.views.cells import Cell, Column


def layout_columns(columns: Sequence[Column], width: int) -> list[int]:
    """Widths that fit; 0 for columns left out. Those with the greatest ``drop`` go first, flexible ones share what is left."""
    shown = list(range(len(columns)))
    for drop in sorted({c.drop for c in columns if c.drop}, reverse=True):
        if sum(columns[n].width + 1 for n in shown) - 1 <= width:
            break
        shown = [n for n in shown if columns[n].drop != drop]
    widths = [columns[n].width if n in shown else 0 for n in range(len(columns))]
    spare = width - sum(widths) - max(0, len(shown) - 1)
    flexible = [n for n in shown if columns[n].flex]
    for n in flexible:
        widths[n] = max(1, widths[n] + spare // len(flexible))
    return widths


def laid_out(columns: Sequence[Column], cells: Sequence[Cell], widths: Sequence[int]) -> list[Cell]:
    """Cells in the widths of their columns, with a blank between them."""
    out: list[Cell] = []
    for column, cell, width in zip(columns, cells, widths, strict=True):
        if width:
            if out:
                out.append(Cell(" "))
            out.append(Cell(fit(cell.text, width, right=column.right), cell.tone))
    return out


def natural(text: str) -> tuple[int, float, str]:
    """What a cell is sorted by: numbers before words, by value; ``1,204``, ``840ms`` and ``61%`` count as numbers."""
    digits = text.replace(",", "").strip().rstrip("%smh$").lstrip("$")
    try:
        return (0, float(digits) * (1000 if text.endswith("s") and not text.endswith("ms") else 1), text)
    except ValueError:
        return (1, 0.0, text)
