"""Builds the fleet's snapshot from what the store says: a pure function, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from gitbridge_console.domain.dead_letters import DeadExports, DeadTrouble
from gitbridge_console.domain.events import STAGE_LANES, EventState, Priority
from gitbridge_console.domain.provider_health import HealthFinding
from gitbridge_console.domain.snapshots import (
    Alert,
    BreakerStatus,
    BudgetStatus,
    CacheStatus,
    EngineStatus,
    ErrorStatus,
    FleetSnapshot,
    LaneStatus,
    LogLine,
    OverloadStatus,
    PauseInfo,
    ProviderStatus,
    StoreStatus,
)
from gitbridge_console.domain.timestamps import iso_from_ms
from gitbridge_console.operations.limit_status import rate_limits, retry_budget
from gitbridge_console.router.budgets import is_spent
from gitbridge_console.router.overload import UNDECIDED, Overload, Step, measure
from gitbridge_console.settings.model import AlertSettings, BudgetSettings, ProviderSettings, Settings
from gitbridge_console.store.budgets import Spent
from gitbridge_console.store.fleet import Beat
from gitbridge_console.store.metrics import MetricsWindow, ProviderWindow
from gitbridge_console.store.records import LaneCounts, QueueStats
from gitbridge_console.store.server_watch import ServerState

WORST_FIRST = ("disabled", "no_key", "open", "half_open", "limited", "slow", "ok")
"""Which engine's view of a provider is shown when they differ."""

FEWEST_CALLS_FOR_A_RATE = 10
STALE_BEAT_S = 10.0
MEMORY_WARNING, MEMORY_CRITICAL = 0.85, 0.95
"""Shares of the server's memory limit."""
SERIOUS = frozenset({"disabled", "open"})


def build_snapshot(
    settings: Settings,
    stats: QueueStats,
    window: MetricsWindow,
    beats: Sequence[Beat],
    log: tuple[LogLine, ...],
    *,
    store_url: str,
    server: ServerState,
    quarantined: int,
    dead: tuple[DeadExports | None, DeadTrouble | None] = (None, None),
    cached: tuple[int, int] = (0, 0),
    spent: Mapping[str, Spent] = MappingProxyType({}),
    available: Mapping[str, dict[str, float | None]] = MappingProxyType({}),
) -> FleetSnapshot:
    """Everything of one moment in the words of the contract."""
    lanes = {name: _lane(counts, stats.pauses.get(name), stats.drains.get(name)) for name, counts in _in_order(stats.lanes, settings)}
    providers = {
        name: _provider(name, own, window.providers.get(name, ProviderWindow()), beats, lanes).model_copy(
            update={"budget": _budget(settings.budgets.get(name), spent.get(name, Spent()))}
            | ({"availability_by_window": available[name]} if name in available else {})
        )
        for name, own in settings.providers.items()
    }
    at = iso_from_ms(stats.now_ms)
    pace = {name: provider.calls_1m / 60 for name, provider in window.providers.items()}
    overload = measure(settings.queue, settings.shedding, stats, pace)
    engines = tuple(
        EngineStatus(
            id=beat.id,
            host=beat.host,
            role=beat.role,
            beat_age_s=round(max(0, stats.now_ms - beat.at_ms) / 1000, 1),
            version=beat.version,
            settings=beat.settings,
        )
        for beat in beats
    )
    return FleetSnapshot(
        at=at,
        namespace=settings.namespace,
        store=StoreStatus(url=store_url, ok=True, memory_bytes=server.memory_bytes, memory_max_bytes=server.memory_max_bytes),
        lanes=lanes,
        providers=providers,
        events={state.value: stats.states.get(state, 0) for state in EventState},
        totals={name.removeprefix("to:"): count for name, count in sorted(stats.counters.items()) if name.startswith("to:")},
        rates={"in_per_s": window.per_second("in"), "out_per_s": window.per_second("out")},
        queue_latency_ms=window.percentiles("queue_latency"),
        routing_latency_ms=window.percentiles("routing_latency"),
        engines=engines,
        quarantined=quarantined,
        duplicates=stats.counters.get("duplicates", 0),
        refused=stats.counters.get("refused", 0),
        overload=_overload(settings, stats, overload),
        next_chance=_next_chance(stats, providers),
        alerts=tuple(_alerts(settings, stats, lanes, providers, engines, server, quarantined, dead, overload, at)),
        cache=_cache(window.counts, cached),
        consensus={name: stats.counters.get(f"decided:{name}", 0) for name in ("complete", "partial", "degraded", "failed", "split")},
        log=log,
        max_waiting=settings.queue.max_waiting,
    )


def _in_order(lanes: Mapping[str, LaneCounts], settings: Settings) -> Iterable[tuple[str, LaneCounts]]:
    order = [*STAGE_LANES[:2], *settings.providers, *STAGE_LANES[2:]]
    rest = sorted(set(lanes) - set(order))
    return ((name, lanes[name]) for name in (*order, *rest) if name in lanes)


def _lane(counts: LaneCounts, pause: Mapping[str, str] | None, drain: Mapping[str, str] | None) -> LaneStatus:
    return LaneStatus(
        depth=counts.ready,
        by_priority={priority.label: n for priority, n in zip(Priority, counts.by_priority, strict=True)},
        waiting=counts.waiting,
        leased=counts.leased,
        held=counts.held,
        oldest_age_s=None if counts.oldest_age_ms is None else round(counts.oldest_age_ms / 1000, 1),
        paused=None if pause is None else _pause(pause),
        draining=None if drain is None else _pause(drain),
    )


def _newest(views: Sequence[Mapping[str, Any]]) -> HealthFinding | None:
    found = [HealthFinding.model_validate(view["health"]) for view in views if view.get("health")]
    return max(found, key=lambda finding: finding.at, default=None)


def _budget(budget: BudgetSettings | None, spent: Spent) -> BudgetStatus | None:
    if budget is None:
        return None
    limits = ((spent.usd, budget.usd_per_day), (spent.tokens, budget.tokens_per_day))
    warned = any(limit is not None and used >= budget.warn_fraction * limit for used, limit in limits)
    return BudgetStatus(
        state="spent" if is_spent(budget, spent) else "warn" if warned else "ok",
        usd=spent.usd,
        usd_max=budget.usd_per_day,
        reserved_usd=spent.reserved_usd,
        tokens=spent.tokens,
        tokens_max=budget.tokens_per_day,
        reserved_tokens=spent.reserved_tokens,
        calls=spent.calls,
        unknown_calls=spent.unknown_calls,
    )


def _cache(counts: Mapping[str, int], kept: tuple[int, int]) -> CacheStatus:
    hits, misses = counts.get("cache_hits", 0), counts.get("cache_misses", 0)
    saved = counts.get("cache_saved_usd_millionths")
    return CacheStatus(
        hits=hits,
        misses=misses,
        waits=counts.get("cache_shared", 0),
        hit_rate=round(hits / (hits + misses), 4) if hits + misses else None,
        saved_usd=None if saved is None else saved / 1_000_000,
        answers=kept[0],
        bytes=kept[1],
    )


def _overload(settings: Settings, stats: QueueStats, overload: Overload) -> OverloadStatus:
    return OverloadStatus(
        step=overload.step.label,
        reason=overload.reason,
        fill=overload.fill,
        waits_s=dict(overload.waits_s),
        stored_bytes=sum(stats.bytes_by_state.values()),
        soft_bytes=settings.queue.memory_soft_bytes,
        hard_bytes=settings.queue.memory_hard_bytes,
    )


def _pause(pause: Mapping[str, str]) -> PauseInfo:
    until = pause.get("until", "0")
    return PauseInfo(
        by=pause["by"],
        reason=pause["reason"],
        since=iso_from_ms(int(pause["since"])),
        until=None if until == "0" else iso_from_ms(int(until)),
    )


def _provider(
    name: str, own: ProviderSettings, window: ProviderWindow, beats: Sequence[Beat], lanes: Mapping[str, LaneStatus]
) -> ProviderStatus:
    views = [beat.providers[name] for beat in beats if name in beat.providers]
    view: dict[str, Any] = (
        min(views, key=lambda v: WORST_FIRST.index(v["state"])) if views else {"state": "disabled", "reason": "no engine is running"}
    )
    pause, drain = (lanes[name].paused, lanes[name].draining) if name in lanes else (None, None)
    state, since, reason = view["state"], view.get("since"), view.get("reason", "")
    if drain is not None:
        beside = "" if state == "ok" else f"; {state}: {reason}"
        state, since, reason = "draining", drain.since, f"draining by {drain.by}: {drain.reason}{beside}"
    if pause is not None:
        state, since, reason = "paused", pause.since, f"paused by {pause.by}: {pause.reason}"
    return ProviderStatus(
        state=state,
        since=since,
        reason=reason,
        model=own.model,
        api=own.api,
        in_flight=sum(v["in_flight"] for v in views),
        limit=sum(v["limit"] for v in views) or own.max_concurrency,
        limit_max=sum(v.get("limit_max", 0) for v in views) or own.max_concurrency,
        rate_limits=rate_limits(views),
        retry_budget=retry_budget(views),
        calls={"1m": window.calls_1m, "15m": window.calls_15m},
        latency_ms=window.latency_ms,
        errors=ErrorStatus(rate=window.error_rate, by_class=dict(window.errors_by_class)),
        availability=window.availability,
        tokens={"in": window.tokens_in, "out": window.tokens_out},
        cost_usd=window.cost_usd,
        gate_until=view.get("gate_until"),
        breaker=BreakerStatus(**view["breaker"]) if "breaker" in view else BreakerStatus(),
        health=_newest(views),
        latency_trend_ms=window.latency_trend_ms,
    )


def _alerts(
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
) -> Iterable[Alert]:
    """What wants the operator, worst first."""
    found = [
        *_fleet_alerts(engines, at),
        *_store_alerts(server, at),
        *_queue_alerts(settings, stats, lanes, quarantined, overload, at),
        *_parked_alerts(stats, providers, at),
        *_overload_alerts(settings, stats, overload, at),
        *_dead_letter_alerts(*dead),
        *_provider_alerts(settings.alerts, providers, at),
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


def _next_chance(stats: QueueStats, providers: Mapping[str, ProviderStatus]) -> str | None:
    """When the first provider that is shut for a known time can be asked again; it matters only while events are parked."""
    times = [time for provider in providers.values() for time in (provider.gate_until, provider.breaker.next_probe) if time is not None]
    return min(times, default=None) if stats.states.get(EventState.PARKED, 0) else None


def _parked_alerts(stats: QueueStats, providers: Mapping[str, ProviderStatus], at: str) -> Iterable[Alert]:
    if waiting := stats.states.get(EventState.PARKED, 0):
        chance = _next_chance(stats, providers)
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
                level="warning", code="old_work", text=f"{name}: oldest has waited {lane.oldest_age_s:.0f} s", since=at, jump="queue"
            )
    for name, lane in lanes.items():
        if lane.paused is not None:
            text = f"{name} paused by {lane.paused.by}: {lane.paused.reason} ({lane.depth + lane.waiting} wait)"
            yield Alert(level="warning", code="paused", text=text, since=lane.paused.since, jump="queue")
        if (drain := lane.draining) is not None:
            text = f"{name} draining by {drain.by}: {drain.reason} ({lane.depth + lane.waiting + lane.leased + lane.held} left)"
            yield Alert(level="warning", code="draining", text=text, since=drain.since, jump="queue")
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
        yield Alert(level="critical", code="provider_unreachable", text=text, since=finding.at, jump="providers")
    elif finding.model == "not_listed":
        yield Alert(level="warning", code="model_not_listed", text=f"{name}: {finding.reason}", since=finding.at, jump="providers")


def _budget_alert(name: str, budget: BudgetStatus, at: str) -> Alert:
    money = "" if budget.usd_max is None else f"${budget.usd:.2f} of ${budget.usd_max:.2f}"
    tokens = "" if budget.tokens_max is None else f"{budget.tokens:,} of {budget.tokens_max:,} tokens"
    unknown = f"{budget.unknown_calls} calls of unknown cost" if budget.unknown_calls else ""
    used = ", ".join(filter(None, (money, tokens, unknown)))
    if budget.state == "spent":
        text = f"{name}: budget of the day is spent ({used}): raise budgets.{name}, or it waits for midnight UTC"
        return Alert(level="critical", code="budget_spent", text=text, since=at, jump="providers")
    return Alert(level="warning", code="budget", text=f"{name}: budget of the day is nearly spent ({used})", since=at, jump="providers")


def _provider_alerts(thresholds: AlertSettings, providers: Mapping[str, ProviderStatus], at: str) -> Iterable[Alert]:
    for name, provider in providers.items():
        if provider.state in SERIOUS and provider.reason != "no engine is running":
            text = f"{name} {provider.state}: {provider.reason}"
            yield Alert(level="critical", code=f"provider_{provider.state}", text=text, since=provider.since or at, jump="providers")
        if provider.health is not None and provider.state not in SERIOUS:
            yield from _health_alerts(name, provider.health)
        if provider.budget is not None and provider.budget.state != "ok":
            yield _budget_alert(name, provider.budget, at)
        if provider.state == "no_key":
            yield Alert(level="warning", code="provider_no_key", text=f"{name}: {provider.reason}", since=at, jump="providers")
        if provider.errors.rate > thresholds.error_rate and provider.calls["15m"] >= FEWEST_CALLS_FOR_A_RATE:
            text = f"{name}: {100 * provider.errors.rate:.0f} % of {provider.calls['15m']} calls failed in 15 min"
            yield Alert(level="warning", code="error_rate", text=text, since=at, jump="providers")
