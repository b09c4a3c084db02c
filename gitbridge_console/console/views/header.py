"""The top of every screen: who, how much, how bad, and where the operator is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from gitbridge_console.console.text import safe, width_of
from gitbridge_console.console.views.cells import Cell, Line, clock, line, millis, percent
from gitbridge_console.console.views.fleet import errors_of, slowest_p95, undecided
from gitbridge_console.domain.durations import age

if TYPE_CHECKING:
    from gitbridge_console.domain.snapshots import FleetSnapshot

MODES = ("pulse", "queue", "providers", "failures", "consensus", "log", "fleet", "docs")
SHORT = {"providers": "Prov", "failures": "Fail", "consensus": "Cons"}
"""Names where there is little room."""
STALE_S = 5.0
"""A picture older than this is called old in the header."""
NEARLY_FULL = 0.8


class HeaderState(NamedTuple):
    """What the header says beside the picture. ``rates`` are events in and out per second, ``None`` before they are known."""

    mode: str
    demo: bool = False
    read_only: bool = False
    frozen: bool = False
    age_s: float = 0.0
    refresh_s: float = 1.0
    rates: tuple[float, float] | None = None
    role: str = ""
    """The operator's role, where the settings give roles at all."""


def header_line(snapshot: FleetSnapshot | None, state: HeaderState, width: int) -> Line:
    """The vital numbers; what matters least is left out where there is no room."""
    words = (("DEMO", state.demo), (state.role.upper(), state.role), ("READ-ONLY", state.read_only), ("FROZEN", state.frozen))
    flags = [Cell(f" {word} ", "head") for word, on in words if on]
    if snapshot is None:
        return line(Cell("GitBridge", "head"), *flags, Cell("  starting…", "dim"))
    if not snapshot.store.ok:
        flags.append(Cell(f"  STORE AWAY, picture is {age(state.age_s)} old", "bad"))
    elif state.age_s > STALE_S + state.refresh_s and not state.frozen:
        flags.append(Cell(f"  picture is {age(state.age_s)} old", "warn"))
    waiting = undecided(snapshot)
    full = bool(snapshot.max_waiting) and waiting >= NEARLY_FULL * snapshot.max_waiting
    into, out = state.rates or (snapshot.rates.get("in_per_s", 0.0), snapshot.rates.get("out_per_s", 0.0))
    parts: list[tuple[Cell, ...]] = [
        (Cell("   open ", "dim"), Cell(f"{waiting:,}", "bad" if full else "strong")),
        (Cell("   err ", "dim"), Cell(percent(errors_of(snapshot)), "strong")),
        (Cell("   p95 ", "dim"), Cell(millis(slowest_p95(snapshot)), "strong")),
        (Cell("   in ", "dim"), Cell(f"{into:.1f}/s", "strong"), Cell("  out ", "dim"), Cell(f"{out:.1f}/s", "strong")),
        (Cell(f"   {clock(snapshot.at)} UTC", "dim"),),
        (Cell(f"   every {state.refresh_s:g}s", "dim"),),
    ]
    shown = [Cell(f"GitBridge {safe(snapshot.namespace)}", "head"), *flags]
    for group in parts:
        if sum(width_of(cell.text) for cell in (*shown, *group)) > width:
            break
        shown += group
    return line(*shown)


def tabs_line(snapshot: FleetSnapshot | None, mode: str, width: int = 200) -> Line:
    """The modes and their keys; the one in front stands in brackets, and what waits for the operator is counted."""
    counts = {"failures": snapshot.events.get("failed", 0), "consensus": snapshot.events.get("awaiting_approval", 0)} if snapshot else {}
    names = {name: name.capitalize() for name in MODES}
    whole = _tabs(names, counts, mode)
    if sum(width_of(cell.text) for cell in whole) > width:
        whole = _tabs(names | SHORT, counts, mode)
    return line(*whole)


def _tabs(names: Mapping[str, str], counts: Mapping[str, int], mode: str) -> list[Cell]:
    parts: list[Cell] = []
    for n, (name, title) in enumerate(names.items(), 1):
        count = counts.get(name, 0)
        word = f"{n} {title}{f' {count:,}' if count else ''}"
        here = name == mode
        tone = "head" if here else "bad" if count and name == "failures" else "accent" if count else "dim"
        parts.append(Cell(f"[{word}]" if here else f" {word} ", tone))
    return parts
