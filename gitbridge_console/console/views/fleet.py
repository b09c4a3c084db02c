"""Header, alerts, lanes and providers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gitbridge_console.console.text import safe
from gitbridge_console.console.views.cells import Cell, Column, Line, Row, clock, line, millis, money, percent, sparkline
from gitbridge_console.domain.durations import age
from gitbridge_console.domain.timestamps import ms_from_iso

if TYPE_CHECKING:
    from gitbridge_console.domain.snapshots import (
        Alert,
        CacheStatus,
        FleetSnapshot,
        LaneStatus,
        LogLine,
        ProviderStatus,
    )

STATE_TONES = {
    "ok": "good",
    "slow": "warn",
    "limited": "warn",
    "half_open": "warn",
    "paused": "accent",
    "draining": "accent",
    "open": "bad",
    "disabled": "bad",
    "no_key": "bad",
}
LEVEL_TONES = {"error": "bad", "critical": "bad", "warning": "warn", "info": "dim"}
STATES_BY_URGENCY = (
    "failed", "parked", "awaiting_approval", "shed", "received", "routed", "consensus_pending",
    "resolved", "ignored", "superseded", "cancelled",
)  # fmt: skip
"""In a narrow line the last ones are cut."""
UNDECIDED = ("received", "routed", "parked", "consensus_pending")

LANE_COLUMNS = (
    Column("LANE", 9),
    Column("STATE", 8),
    Column("QUEUE", 6, right=True),
    Column("WAIT", 5, right=True),
    Column("BUSY", 5, right=True),
    Column("OLDEST", 6, right=True),
    Column("P50", 6, right=True),
    Column("P95", 6, right=True, drop=2),
    Column("ERR", 5, right=True),
    Column("/MIN", 5, right=True, drop=3),
    Column("TREND", 12, flex=True, drop=1),
)
"""Without the calls a minute they fit into 80 columns."""


def lane_rows(snapshot: FleetSnapshot, *, ascii_mode: bool = False) -> list[Row]:
    """Every lane in the order work takes; providers with their health."""
    return [
        _provider_lane(name, lane, snapshot.providers[name], ascii_mode) if name in snapshot.providers else _stage_lane(name, lane)
        for name, lane in snapshot.lanes.items()
    ]


def _common(lane: LaneStatus) -> tuple[Cell, ...]:
    """How much, and since when. What is nothing steps back, so that the eye finds where something is."""
    old = lane.oldest_age_s is not None and lane.oldest_age_s > 60
    return (
        *(Cell(f"{n:,}", "" if n else "dim") for n in (lane.depth, lane.waiting, lane.leased)),
        Cell(age(lane.oldest_age_s), "warn" if old else "" if lane.oldest_age_s is not None else "dim"),
    )


def _stage_lane(name: str, lane: LaneStatus) -> Row:
    state = Cell("PAUSED", "accent") if lane.paused else Cell("stage", "dim")
    why = f"{lane.paused.by}: {lane.paused.reason}" if lane.paused else ""
    return Row(name, (Cell(name), state, *_common(lane), *(Cell("") for _ in range(4)), Cell(safe(why), "dim")))


def _provider_lane(name: str, lane: LaneStatus, provider: ProviderStatus, ascii_mode: bool) -> Row:
    return Row(
        name,
        (
            Cell(name, "strong"),
            state_cell(provider.state),
            *_common(lane),
            Cell(millis(provider.latency_ms.p50)),
            Cell(millis(provider.latency_ms.p95)),
            error_cell(provider),
            Cell(str(provider.calls.get("1m", 0))),
            Cell(sparkline(provider.latency_trend_ms, 12, ascii_mode=ascii_mode), "dim"),
        ),
    )


def state_cell(state: str) -> Cell:
    """A provider's state as a word that can be told without colour: everything but ok in capitals."""
    return Cell("ok" if state == "ok" else state.upper().replace("_", " "), STATE_TONES.get(state, ""))


def error_cell(provider: ProviderStatus) -> Cell:
    """Share of failed calls."""
    if not provider.calls.get("15m"):
        return Cell("-", "dim")
    rate = provider.errors.rate
    return Cell(percent(rate), "bad" if rate >= 0.25 else "warn" if rate >= 0.05 else "")


def flow_point(snapshot: FleetSnapshot) -> tuple[float, int, int]:
    """When, and how many events had come in and been finished by then."""
    finished = sum(snapshot.totals.get(state, 0) for state in ("resolved", "ignored", "failed", "superseded", "cancelled"))
    return ms_from_iso(snapshot.at) / 1000, snapshot.totals.get("received", 0), finished


def flow_rates(first: tuple[float, int, int], last: tuple[float, int, int]) -> tuple[float, float]:
    """Events in and out per second between two such points."""
    seconds = max(0.001, last[0] - first[0])
    return (last[1] - first[1]) / seconds, (last[2] - first[2]) / seconds


def undecided(snapshot: FleetSnapshot) -> int:
    """Events that are not decided yet."""
    return sum(snapshot.events.get(state, 0) for state in UNDECIDED)


def errors_of(snapshot: FleetSnapshot) -> float | None:
    """Share of failed calls of all providers over 15 minutes, ``None`` without calls."""
    calls = sum(p.calls.get("15m", 0) for p in snapshot.providers.values())
    failed = sum(p.errors.rate * p.calls.get("15m", 0) for p in snapshot.providers.values())
    return failed / calls if calls else None


def slowest_p95(snapshot: FleetSnapshot) -> float | None:
    """The greatest p95 of all providers in milliseconds."""
    return max((p.latency_ms.p95 for p in snapshot.providers.values() if p.latency_ms.p95 is not None), default=None)


def alert_lines(snapshot: FleetSnapshot, limit: int) -> list[Line]:
    """What wants the operator, worst first; one calm line when nothing does."""
    if not snapshot.store.ok:
        return [line(Cell(f"! store: {safe(snapshot.store.error or 'does not answer')}", "bad"))]
    if not snapshot.alerts:
        return [line(Cell("all well", "good"))]
    lines = [
        line(
            Cell("!! " if alert.level == "critical" else "!  ", LEVEL_TONES.get(alert.level, "")),
            Cell(safe(alert.text), LEVEL_TONES.get(alert.level, "")),
            *_words_of(alert),
        )
        for alert in snapshot.alerts[:limit]
    ]
    if len(snapshot.alerts) > limit:
        sign, *text = lines[0].parts
        lines[0] = line(sign, Cell(f"1 of {len(snapshot.alerts)}  ", "dim"), *text)
    return lines


def _words_of(alert: Alert) -> Iterable[Cell]:
    """Who has seen it, and that it is silenced."""
    if alert.acked_by:
        yield Cell(f"  (seen by {safe(alert.acked_by)})", "dim")
    if alert.silenced_until:
        yield Cell(f"  (silenced until {clock(alert.silenced_until)} UTC)", "dim")


def first_run_lines(snapshot: FleetSnapshot) -> list[Line]:
    """What to do when no provider has a key; empty otherwise."""
    if not snapshot.providers or any(p.state != "no_key" for p in snapshot.providers.values()):
        return []
    return [
        line(Cell("No provider has a key yet, so events are kept and wait.", "strong")),
        line(""),
        *(line("  ", Cell(f"{safe(name):<10} ", "strong"), Cell(safe(p.reason), "warn")) for name, p in snapshot.providers.items()),
        line(""),
        line("Set one and start again, or see all of it at work without any key:"),
        line("  ", Cell("gitbridge-console demo", "accent")),
    ]


def count_lines(snapshot: FleetSnapshot) -> list[Line]:
    """Events by state, waiting work by priority, decisions by outcome."""
    events = [
        Cell(f"  {state.replace('_', ' ')} {n:,}", "bad" if state == "failed" else "")
        for state in STATES_BY_URGENCY
        if (n := snapshot.events.get(state, 0))
    ]
    totals: dict[str, int] = {}
    for lane in snapshot.lanes.values():
        for name, n in lane.by_priority.items():
            totals[name] = totals.get(name, 0) + n
    queue = [Cell(f"  {name} {n:,}") for name, n in totals.items() if n] or [Cell("  nothing", "dim")]
    made = snapshot.consensus
    decided = sum(made.get(word, 0) for word in ("complete", "partial", "degraded", "failed"))
    outcomes = ("complete", "partial", "degraded", "failed", "split")
    consensus = [Cell(f"  {word} {n:,}", "warn" if word == "failed" else "") for word in outcomes if (n := made.get(word, 0))]
    return [
        line(Cell("EVENTS", "dim"), *(events or [Cell("  none yet")])),
        line(Cell("AGREED", "dim"), *consensus, Cell(f"  of {decided:,}" if decided else "  nothing decided yet", "dim")),
        line(Cell("READY ", "dim"), *queue),
        *_cache_lines(snapshot.cache),
    ]


def _cache_lines(cache: CacheStatus) -> list[Line]:
    if not cache.hits:
        return []
    saved = () if cache.saved_usd is None else (f"  saved {money(cache.saved_usd)}",)
    looked_up = Cell(f"  of {cache.hits + cache.misses:,} questions in 15 min", "dim")
    return [line(Cell("CACHED", "dim"), "  hits ", Cell(f"{cache.hits:,}", "strong"), looked_up, *saved)]


def log_lines(log: tuple[LogLine, ...], limit: int) -> list[Line]:
    """The newest lines of the event log, newest first."""
    return [
        line(
            Cell(f"{clock(entry.at)} ", "dim"),
            Cell(f"{entry.level[:1].upper()} ", LEVEL_TONES.get(entry.level, "")),
            Cell(f"{safe(entry.what):<10} {safe(entry.id).lstrip('0')} {safe(entry.text)}"),
        )
        for entry in reversed(log[-limit:] if limit else ())
    ]


PROVIDER_COLUMNS = (
    Column("PROVIDER", 10),
    Column("STATE", 9),
    Column("MODEL", 18, flex=True, drop=3),
    Column("BUSY", 7, right=True),
    Column("P50", 6, right=True),
    Column("P95", 6, right=True),
    Column("P99", 6, right=True, drop=1),
    Column("ERR", 5, right=True),
    Column("CALLS", 6, right=True),
    Column("COST", 8, right=True, drop=2),
)


def provider_rows(snapshot: FleetSnapshot) -> list[Row]:
    """One row per provider, in the order of the settings."""
    return [
        Row(
            name,
            (
                Cell(safe(name), "strong"),
                state_cell(p.state),
                Cell(safe(p.model), "dim"),
                Cell(f"{p.in_flight}/{p.limit}"),
                Cell(millis(p.latency_ms.p50)),
                Cell(millis(p.latency_ms.p95)),
                Cell(millis(p.latency_ms.p99)),
                error_cell(p),
                Cell(f"{p.calls.get('15m', 0):,}"),
                Cell(money(p.cost_usd) if p.calls.get("15m") else "-"),
            ),
        )
        for name, p in snapshot.providers.items()
    ]
