"""What wants the operator: one line each, worst first, with what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gitbridge_console.domain.dead_letters import DeadExports, DeadTrouble
from gitbridge_console.domain.durations import age
from gitbridge_console.domain.events import EventState
from gitbridge_console.domain.provider_health import HealthFinding
from gitbridge_console.domain.snapshots import (
    Alert,
    BudgetStatus,
    EngineStatus,
    LaneStatus,
    LegacyStatus,
    ProviderStatus,
    ReceiverStatus,
    ReconcileStatus,
)
from gitbridge_console.domain.timestamps import iso_from_ms
from gitbridge_console.operations.host_alerts import host_alerts
from gitbridge_console.operations.inbox_status import legacy_alerts, reconcile_alerts
from gitbridge_console.operations.spool_alerts import spool_alerts
from gitbridge_console.router.overload import UNDECIDED, Overload, Step
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.operators import AlertSettings
from gitbridge_console.store.host_board import NOTHING_HELD, Publishing
from gitbridge_console.store.records import QueueStats
from gitbridge_console.store.server_watch import ServerState

FEWEST_CALLS_FOR_A_RATE = 10
STALE_BEAT_S = 10.0
MEMORY_WARNING, MEMORY_CRITICAL = 0.85, 0.95
"""Shares of the server's memory limit."""
SERIOUS = frozenset({"disabled", "open"})


def alerts_of(
    settings: Settings,
    stats: QueueStats,
    lanes: Mapping[str, LaneStatus],
    providers: Mapping[str, ProviderStatus],
    engines: Sequence[EngineStatus],
    server: ServerState,
    quarantined: int,
    dead: tuple[DeadExports | None, DeadTrouble | None],
    overload: Overload,
    at: str,
    *,
    receivers: Sequence[ReceiverStatus] = (),
    legacy: LegacyStatus | None = None,
    reconcile: ReconcileStatus | None = None,
    publishing: Publishing = NOTHING_HELD,
) -> Iterable[Alert]:
    """What wants the operator, worst first."""
    found = [
        *_fleet_alerts(engines, at),
        *spool_alerts(receivers, at),
        *_store_alerts(server, at),
        *_queue_alerts(settings, stats, lanes, quarantined, overload, at),
        *legacy_alerts(legacy, settings.alerts.queue_fill, at),
        *reconcile_alerts(reconcile),
        *_parked_alerts(stats, providers, at),
        *_overload_alerts(settings, stats, overload, at),
        *_dead_letter_alerts(*dead),
        *host_alerts(publishing, lanes, at),
        # What the settings switch off is no trouble.
        *_provider_alerts(settings.alerts, {name: providers[name] for name, own in settings.providers.items() if own.enabled}, at),
    ]
    return sorted(found, key=lambda alert: alert.level != "critical")


def _fleet_alerts(engines: Sequence[EngineStatus], at: str) -> Iterable[Alert]:
    if not any(engine.beat_age_s < STALE_BEAT_S for engine in engines):
        yield Alert(level="critical", code="no_engine", text="no engine is running: start one with gitbridge-console worker", since=at)
    if len({engine.version for engine in engines}) > 1:
        yield Alert(level="warning", code="version_drift", text="engines run different versions", since=at)
    if len({engine.settings for engine in engines}) > 1:
        yield Alert(level="warning", code="settings_drift", text="engines run with different settings", since=at)


def _store_alerts(server: ServerState, at: str) -> Iterable[Alert]:
    used, limit = server.memory_bytes, server.memory_max_bytes
    if limit is not None and used >= limit * MEMORY_WARNING:
        level = "critical" if used >= limit * MEMORY_CRITICAL else "warning"
        share = f"{100 * used / limit:.0f} % full: {used / 2**20:,.0f} of {limit / 2**20:,.0f} MiB"
        text = f"store memory {share}; at its limit new events are refused"
        yield Alert(level=level, code="store_memory", text=text, since=at)
    for line in server.warnings:
        yield Alert(level="warning", code="store_warning", text=f"store: {line}", since=at)


def next_chance(stats: QueueStats, providers: Mapping[str, ProviderStatus]) -> str | None:
    """When the first provider that is shut for a known time can be asked again; it matters only while events are parked."""
    times = [time for provider in providers.values() for time in (provider.gate_until, provider.breaker.next_probe) if time is not None]
    return min(times, default=None) if stats.states.get(EventState.PARKED, 0) else None


def _parked_alerts(stats: QueueStats, providers: Mapping[str, ProviderStatus], at: str) -> Iterable[Alert]:
    if waiting := stats.states.get(EventState.PARKED, 0):
        chance = next_chance(stats, providers)
        text = f"{waiting} parked: no provider can take them now" + (f", next chance {chance}" if chance else "")
        yield Alert(level="warning", code="parked", text=text, since=at, jump="queue")


def _queue_alerts(
    settings: Settings, stats: QueueStats, lanes: Mapping[str, LaneStatus], quarantined: int, overload: Overload, at: str
) -> Iterable[Alert]:
    undecided, room = sum(stats.states.get(state, 0) for state in UNDECIDED), settings.queue.max_waiting
    # The alert of an overload says how full it is; two alerts would look like two faults.
    if undecided >= room * settings.alerts.queue_fill and overload.step is Step.NORMAL:
        level = "critical" if undecided >= room else "warning"
        yield Alert(
            level=level,
            code="queue_full",
            text=f"queue {100 * undecided / room:.0f} % full: {undecided:,} of {room:,}",
            since=at,
            jump="queue",
        )
    for name, lane in lanes.items():
        if lane.paused is None and lane.oldest_age_s is not None and lane.oldest_age_s > settings.alerts.oldest_age_s:
            yield Alert(
                level="warning",
                code="old_work",
                text=f"{name}: oldest has waited {age(lane.oldest_age_s)}",
                since=at,
                jump="queue",
                about=name,
            )
    for name, lane in lanes.items():
        if lane.paused is not None:
            text = f"{name} paused by {lane.paused.by}: {lane.paused.reason} ({lane.depth + lane.waiting} wait)"
            yield Alert(level="warning", code="paused", text=text, since=lane.paused.since, jump="queue", about=name)
        if (drain := lane.draining) is not None:
            text = f"{name} draining by {drain.by}: {drain.reason} ({lane.depth + lane.waiting + lane.leased + lane.held} left)"
            yield Alert(level="warning", code="draining", text=text, since=drain.since, jump="queue", about=name)
    if quarantined:
        yield Alert(
            level="warning", code="quarantine", text=f"{quarantined} in quarantine: could not be read as events", since=at, jump="failures"
        )


def _dead_letter_alerts(exports: DeadExports | None, trouble: DeadTrouble | None) -> Iterable[Alert]:
    if trouble is not None:
        text = f"dead letters could not be exported by {trouble.engine}: {trouble.text}"
        yield Alert(level="warning", code="dead_export_failed", text=text, since=iso_from_ms(trouble.since_ms), jump="failures")
    if exports is not None:
        where = f"{exports.last_file} of {exports.engine}" + (f" and {exports.files - 1} more files" if exports.files > 1 else "")
        text = f"{exports.count:,} dead letters left the store for dead-letters/{where}"
        yield Alert(level="warning", code="dead_exported", text=text, since=iso_from_ms(exports.since_ms), jump="failures")


STEP_TEXTS = {
    Step.SMALLER_PANELS: "panels have a seat fewer",
    Step.SINGLE_SEATS: "low priorities get one seat",
    Step.SHEDDING: "low priorities are shed",
}


def _overload_alerts(settings: Settings, stats: QueueStats, overload: Overload, at: str) -> Iterable[Alert]:
    if overload.step is not Step.NORMAL:
        level = "critical" if overload.step is Step.SHEDDING else "warning"
        text = f"overload, {STEP_TEXTS[overload.step]}: {overload.reason}; queue {100 * overload.fill:.0f} % full"
        yield Alert(level=level, code="overload", text=text, since=at, jump="queue")
    stored, hard = sum(stats.bytes_by_state.values()), settings.queue.memory_hard_bytes
    if hard and stored >= hard:
        text = f"{stored:,} bytes of events stored, queue.memory_hard_bytes is {hard:,}: newcomers are refused"
        yield Alert(level="critical", code="memory_full", text=text, since=at, jump="queue")
    if shed := stats.states.get(EventState.SHED, 0):
        text = f"{shed} shed: replay them with replay 'state=shed' when there is room"
        yield Alert(level="warning", code="shed", text=text, since=at, jump="failures")


def _health_alerts(name: str, finding: HealthFinding) -> Iterable[Alert]:
    if not finding.ok:
        text = f"{name} cannot be reached: {finding.reason}; gitbridge-console health {name} asks again"
        yield Alert(level="critical", code="provider_unreachable", text=text, since=finding.at, jump="providers", about=name)
    elif finding.model == "not_listed":
        yield Alert(
            level="warning", code="model_not_listed", text=f"{name}: {finding.reason}", since=finding.at, jump="providers", about=name
        )


def _budget_alert(name: str, budget: BudgetStatus, at: str) -> Alert:
    money = "" if budget.usd_max is None else f"${budget.usd:.2f} of ${budget.usd_max:.2f}"
    tokens = "" if budget.tokens_max is None else f"{budget.tokens:,} of {budget.tokens_max:,} tokens"
    unknown = f"{budget.unknown_calls} calls of unknown cost" if budget.unknown_calls else ""
    used = ", ".join(filter(None, (money, tokens, unknown)))
    if budget.state == "spent":
        text = f"{name}: budget of the day is spent ({used}): raise budgets.{name}, or it waits for midnight UTC"
        return Alert(level="critical", code="budget_spent", text=text, since=at, jump="providers", about=name)
    return Alert(
        level="warning", code="budget", text=f"{name}: budget of the day is nearly spent ({used})", since=at, jump="providers", about=name
    )


def _provider_alerts(thresholds: AlertSettings, providers: Mapping[str, ProviderStatus], at: str) -> Iterable[Alert]:
    for name, provider in providers.items():
        if provider.state in SERIOUS and provider.reason != "no engine is running":
            text = f"{name} {provider.state}: {provider.reason}"
            yield Alert(
                level="critical", code=f"provider_{provider.state}", text=text, since=provider.since or at, jump="providers", about=name
            )
        if provider.health is not None and provider.state not in SERIOUS:
            yield from _health_alerts(name, provider.health)
        if provider.budget is not None and provider.budget.state != "ok":
            yield _budget_alert(name, provider.budget, at)
        if provider.state == "no_key":
            yield Alert(level="warning", code="provider_no_key", text=f"{name}: {provider.reason}", since=at, jump="providers", about=name)
        if provider.errors.rate > thresholds.error_rate and provider.calls["15m"] >= FEWEST_CALLS_FOR_A_RATE:
            text = f"{name}: {100 * provider.errors.rate:.0f} % of {provider.calls['15m']} calls failed in 15 min"
            yield Alert(level="warning", code="error_rate", text=text, since=at, jump="providers", about=name)
