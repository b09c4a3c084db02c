"""What the panel does not agree on, in lines: below the finding it is about, the rest by itself."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gitbridge_console.console.text import clip, fit, safe
from gitbridge_console.console.views.cells import Cell, Line, line, wrap
from gitbridge_console.console.views.panel import LABEL, words
from gitbridge_console.domain.decisions import Cluster, Conflict, Decision

INDENT = 6
SIDE_BY_SIDE_MIN = 60
NUMBER = re.compile(r"#(\d+)")


def numbers_of(conflict: Conflict) -> list[int]:
    """Numbers of the findings it is about; empty for those about the verdict, a field or a provider."""
    return [int(number) for number in NUMBER.findall(conflict.subject)] if conflict.subject.startswith("#") else []


def conflicts_at(cluster: Cluster, decision: Decision) -> list[Conflict]:
    """Conflicts to be shown below a finding: those of two findings stand below the second."""
    return [conflict for conflict in decision.conflicts if cluster.id == max(numbers_of(conflict), default=0)]


def disputed(decision: Decision) -> frozenset[int]:
    """Numbers of the findings that somebody disagrees about."""
    return frozenset(n for conflict in decision.conflicts if conflict.type != "unsupported" for n in numbers_of(conflict))


def general(decision: Decision) -> list[Conflict]:
    """Conflicts that are about no finding, without the missing, who have lines of their own."""
    return [conflict for conflict in decision.conflicts if not numbers_of(conflict) and conflict.type != "missing"]


def conflict_lines(conflict: Conflict, decision: Decision, width: int, *, alternatives: bool = True, label: str = "") -> list[Line]:
    """Who says what, what was made of it and by whom, and what could be done instead; ``label`` stands in place of the indent."""
    subject = "" if conflict.subject == conflict.type or len(numbers_of(conflict)) == 1 else f" {words(conflict.subject)}"
    name = Cell(f"{label or ' ' * INDENT}{words(conflict.type)}{subject} ", "warn")
    resolved = Cell(f"→ {words(conflict.resolution)} ({safe(conflict.resolved_by)})", "accent")
    ways = conflict.alternatives if alternatives else ()
    other = Cell(f"  or: {', '.join(safe(way) for way in ways)}" if ways else "", "dim")
    hanging = (len(label) or INDENT + 2) if width > 3 * INDENT else 1
    if conflict.type == "contradiction" and width >= SIDE_BY_SIDE_MIN and len(conflict.positions) == 2:
        return [*wrap(line(name, resolved, other), width, hanging)[:4], *_side_by_side(conflict, decision, width)]
    positions = ", ".join(f"{safe(who)} {words(what)}" for who, what in conflict.positions.items())
    return wrap(line(name, f" {positions}  ", resolved, other), width, hanging)[:4]


def _side_by_side(conflict: Conflict, decision: Decision, width: int) -> list[Line]:
    """The two wishes beside each other, with the findings that hold them."""
    half = (width - INDENT - 3) // 2
    numbers = numbers_of(conflict)
    members = [(cluster.id, member) for cluster in decision.clusters if cluster.id in numbers for member in cluster.members]
    rows: list[list[str]] = []
    for who, wish in conflict.positions.items():
        number, title = next(((n, safe(str(m.get("title", "")))) for n, m in members if m.get("provider") == who), (0, ""))
        rows.append([f"{safe(who).upper()} {f'#{number}' if number else ''}: {safe(wish)}", f'"{clip(title, half - 2)}"'])
    return [
        line(" " * INDENT, Cell(fit(left, half), tone), Cell(" │ ", "dim"), Cell(fit(right, half), tone))
        for tone, left, right in (("strong", rows[0][0], rows[1][0]), ("", rows[0][1], rows[1][1]))
    ]


def general_lines(conflicts: Sequence[Conflict], decision: Decision, width: int) -> list[Line]:
    """Conflicts about the whole."""
    label = fit("conflict !", LABEL)
    return [part for conflict in conflicts for part in conflict_lines(conflict, decision, width, label=label)]
