"""A decision on screen: providers are columns, findings are rows; the same lines for a screen that is still growing.

Below 60 columns a line per finding, below 100 a glyph per provider, from 100 on a column each, from 160 on with their words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gitbridge_console.console.views.cells import Cell, Line, cut, line
from gitbridge_console.console.views.conflicts import conflict_lines, conflicts_at, disputed, general, general_lines
from gitbridge_console.console.views.findings import (
    Shown,
    fold_lines,
    grid_rows,
    split_folded,
    tiny_row,
    unified_head,
    unified_row,
)
from gitbridge_console.console.views.panel import (
    grid_heads,
    grid_rule,
    state_cell,
    table_lines,
    title_line,
    trust_lines,
    verdict_text,
    warning_lines,
    why_lines,
)
from gitbridge_console.domain.decisions import Cluster, Decision

TINY_WIDTH, GRID_WIDTH, WIDE_WIDTH = 60, 98, 156
"""Cells of a page at which the form changes: a screen's columns (60, 100, 160) without its margins."""

GRID_COLUMN, GRID_COLUMN_MIN, WIDE_COLUMN_MIN = 17, 14, 20
LEFT_MIN, WIDE_LEFT_MIN = 48, 62


@dataclass(frozen=True, slots=True)
class Look:
    """How an operator looks at a decision."""

    cursor: str = ""
    """Name of a finding (``claude#0``) in the group the cursor stands on."""
    marked: frozenset[str] = frozenset()
    unfolded: bool = False
    preview: bool = False
    """Made from the answers that are there so far; nothing is decided."""
    subject: str = ""
    title: str = ""
    head_sha: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """Lines, and where in them each finding stands: number of its first line, by the finding's number."""

    lines: tuple[Line, ...]
    places: dict[int, int]


def finding_name(cluster: Cluster) -> str:
    """What the cursor and marks hold on to while findings come, go and change their numbers."""
    return cluster.refs[0] if cluster.refs else f"#{cluster.id}"


def is_named(cluster: Cluster, name: str) -> bool:
    """Whether the name is one of a group's."""
    return name in cluster.refs or name == finding_name(cluster)


def visible(decision: Decision, look: Look) -> list[Cluster]:
    """The findings the cursor can go to, in order."""
    return list(decision.clusters) if look.unfolded else split_folded(decision, disputed(decision))[0]


def chosen(decision: Decision, look: Look) -> Cluster | None:
    """The finding under the cursor: the first where the cursor's own is gone."""
    rows = visible(decision, look)
    return next((cluster for cluster in rows if is_named(cluster, look.cursor)), rows[0] if rows else None)


def marked(decision: Decision, look: Look) -> list[Cluster]:
    """The findings marked."""
    return [cluster for cluster in decision.clusters if any(is_named(cluster, name) for name in look.marked)]


def consensus_picture(decision: Decision, width: int, look: Look) -> Picture:
    """The whole of it; no line is wider than ``width`` cells."""
    lines = [
        title_line(look.subject, look.title, look.head_sha, state_cell(decision, preview=look.preview), width),
        *warning_lines(decision, width, preview=look.preview),
        *_rule(width),
    ]
    layout = _layout(decision, width)
    if layout is not None:
        left, column, _ = layout
        lines += [*grid_heads(decision, left, column, preview=look.preview), grid_rule(left, column, len(decision.answers))]
    elif width >= TINY_WIDTH:
        lines += table_lines(decision, width, preview=look.preview)
    else:
        lines.append(line(Cell(verdict_text(decision), "strong"), Cell(f"  {decision.strategy}", "dim")))
    if width >= TINY_WIDTH and layout is None:
        lines += [*trust_lines(decision, width, preview=look.preview), *_rule(width)]
    rows, places = _finding_lines(decision, width, look, layout)
    places = {number: at + len(lines) for number, at in places.items()}
    lines += rows
    if width >= TINY_WIDTH:
        below = trust_lines(decision, width, preview=look.preview) if layout is not None else []
        below += why_lines(decision, width, preview=look.preview)
        below += general_lines(general(decision), decision, width)
        lines += [*_rule(width), *below] if below else []
    return Picture(tuple(cut(whole, width) for whole in lines), places)


def _rule(width: int) -> list[Line]:
    return [line(Cell("─" * width, "dim"))] if width >= TINY_WIDTH else []


def _layout(decision: Decision, width: int) -> tuple[int, int, bool] | None:
    """Cells left of the grid and of each column, and whether there is room for words; ``None`` where there is none for a grid."""
    seats = len(decision.answers)
    if width < GRID_WIDTH or not seats:
        return None
    room = (width - WIDE_LEFT_MIN) // seats - 2
    if width >= WIDE_WIDTH and room >= WIDE_COLUMN_MIN:
        column = min(room, max(WIDE_COLUMN_MIN, width * 6 // 10 // seats - 2))
        return width - seats * (column + 2), column, True
    column = min(GRID_COLUMN, (width - LEFT_MIN) // seats - 2)
    return (width - seats * (column + 2), column, False) if column >= GRID_COLUMN_MIN else None


def _finding_lines(decision: Decision, width: int, look: Look, layout: tuple[int, int, bool] | None) -> tuple[list[Line], dict[int, int]]:
    clashes = disputed(decision)
    here = chosen(decision, look)
    shown = Shown(here.id if here and look.cursor else 0, frozenset(cluster.id for cluster in marked(decision, look)), clashes)
    _, folded = split_folded(decision, clashes)
    lines: list[Line] = []
    places: dict[int, int] = {}
    if layout is None and width >= TINY_WIDTH and decision.clusters:
        lines.append(unified_head(decision.answers, width))
    for cluster in visible(decision, look):
        places[cluster.id] = len(lines)
        rows = _rows(cluster, decision, width, shown, layout)
        if cluster.id == shown.cursor:
            rows = [rows[0]._replace(chosen=True), *rows[1:]]
        lines += rows
        if width >= TINY_WIDTH:
            ways = layout is not None or cluster.id == shown.cursor
            found = conflicts_at(cluster, decision)
            lines += [part for conflict in found for part in conflict_lines(conflict, decision, width, alternatives=ways)]
    if folded and not look.unfolded:
        lines += fold_lines(folded, width, "z" if look.cursor else "")
    elif folded:
        lines.append(line(Cell("  z folds what is unconfirmed or unsupported", "dim")))
    return lines, places


def _rows(cluster: Cluster, decision: Decision, width: int, shown: Shown, layout: tuple[int, int, bool] | None) -> Sequence[Line]:
    if layout is not None:
        left, column, sayings = layout
        return grid_rows(cluster, decision.answers, left, column, shown, sayings=sayings)
    if width >= TINY_WIDTH:
        return [unified_row(cluster, decision.answers, width, shown)]
    return [tiny_row(cluster, decision.answers, width, shown)]
