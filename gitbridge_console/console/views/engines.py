"""The fleet's processes, its store, and what is kept where."""

from __future__ import annotations

from gitbridge_console.console.text import safe
from gitbridge_console.console.views.cells import Cell, Column, Line, Row, line, percent
from gitbridge_console.console.views.sizes import mebibytes
from gitbridge_console.console.views.ways_in import ways_in_lines
from gitbridge_console.domain.durations import age
from gitbridge_console.domain.snapshots import FleetSnapshot

LATE_S = 5.0
"""Seconds without a sign of life after which an engine is called late."""

ENGINE_COLUMNS = (
    Column("ENGINE", 14),
    Column("HOST", 16, flex=True),
    Column("ROLE", 8),
    Column("STATE", 9),
    Column("BEAT", 6, right=True),
    Column("VERSION", 9, drop=1),
    Column("SETTINGS", 12, drop=2),
)


def engine_rows(snapshot: FleetSnapshot) -> list[Row]:
    """One row per process; settings that differ from most others' stand out."""
    prints = [engine.settings for engine in snapshot.engines if engine.settings]
    usual = max(set(prints), key=prints.count) if prints else ""
    rows = []
    for engine in snapshot.engines:
        late, drifted = engine.beat_age_s > LATE_S, bool(engine.settings) and engine.settings != usual
        rows.append(
            Row(
                engine.id,
                (
                    Cell(safe(engine.id), "strong"),
                    Cell(safe(engine.host)),
                    Cell(engine.role),
                    Cell("LATE" if late else "DRIFTED" if drifted else "ok", "bad" if late else "warn" if drifted else "good"),
                    Cell(age(engine.beat_age_s), "bad" if late else "dim"),
                    Cell(safe(engine.version), "dim"),
                    Cell(safe(engine.settings)[:12], "warn" if drifted else "dim"),
                ),
            )
        )
    return rows


def store_lines(snapshot: FleetSnapshot) -> list[Line]:
    """The store and what it holds."""
    store, cache, overload = snapshot.store, snapshot.cache, snapshot.overload
    memory = "-" if store.memory_bytes is None else mebibytes(store.memory_bytes)
    limit = "no limit of its own" if store.memory_max_bytes is None else f"of {mebibytes(store.memory_max_bytes)}"
    budget = f", shed above {mebibytes(overload.soft_bytes)}" if overload.soft_bytes else ""
    budget += f", refused above {mebibytes(overload.hard_bytes)}" if overload.hard_bytes else ""
    state = Cell("answers", "good") if store.ok else Cell(f"AWAY: {safe(store.error or 'no answer')}", "bad")
    return [
        line(Cell("STORE", "head")),
        line("  ", state, f"  {safe(store.url)}  namespace {snapshot.namespace}", Cell(f"  picture {store.age_s:.1f} s old", "dim")),
        line(f"  memory {memory}, {limit}"),
        line(f"  events {mebibytes(overload.stored_bytes)}{budget}"),
        line(""),
        line(Cell("OVERLOAD", "head")),
        line(
            "  ",
            Cell(overload.step.replace("_", " "), "good" if overload.step == "normal" else "warn"),
            f"  queue {percent(overload.fill)} of {snapshot.max_waiting:,}",
            Cell(f"  {safe(overload.reason)}", "dim"),
        ),
        line(""),
        *ways_in_lines(snapshot),
        line(Cell("KEPT", "head")),
        line(f"  answers cached {cache.answers:,} ({mebibytes(cache.bytes)}), hit rate {percent(cache.hit_rate)} in 15 min"),
        line(f"  quarantined {snapshot.quarantined:,}   duplicates {snapshot.duplicates:,}   refused {snapshot.refused:,}"),
    ]
