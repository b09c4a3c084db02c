"""Builds the fleet's snapshot from what the store says: a pure function, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from gitbridge_console.domain.dead_letters import DeadExports, DeadTrouble
from gitbridge_console.domain.events import STAGE_LANES, EventState, Priority
from gitbridge_console.domain.snapshots import (
    CacheStatus,
    EngineStatus,
    FleetSnapshot,
    LaneStatus,
    LogLine,
    OverloadStatus,
    PauseInfo,
    ReceiverStatus,
    StoreStatus,
)
from gitbridge_console.domain.timestamps import iso_from_ms
from gitbridge_console.operations.alerts import alerts_of, next_chance
from gitbridge_console.operations.inbox_status import legacy_status, reconcile_status
from gitbridge_console.operations.provider_status import ProviderBooks, batched_tasks, provider_status
from gitbridge_console.router.overload import Overload, measure
from gitbridge_console.settings.model import Settings
from gitbridge_console.store.fleet import Beat
from gitbridge_console.store.host_board import NOTHING_HELD, Publishing
from gitbridge_console.store.metrics_window import MetricsWindow, ProviderWindow
from gitbridge_console.store.records import LaneCounts, QueueStats
from gitbridge_console.store.server_watch import ServerState


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
    books: Mapping[str, ProviderBooks] = MappingProxyType({}),
    inbox: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    receivers: tuple[ReceiverStatus, ...] = (),
    publishing: Publishing = NOTHING_HELD,
) -> FleetSnapshot:
    """Everything of one moment in the words of the contract."""
    lanes = {
        name: _lane(counts, stats.pauses.get(name), stats.drains.get(name), books.get(name, ProviderBooks()))
        for name, counts in _in_order(stats.lanes, settings)
    }
    providers = {
        name: provider_status(
            name,
            own,
            window.providers.get(name, ProviderWindow()),
            beats,
            lanes.get(name),
            settings.budgets.get(name),
            books.get(name, ProviderBooks()),
        )
        for name, own in settings.providers.items()
    }
    at = iso_from_ms(stats.now_ms)
    legacy, reconcile = legacy_status(settings.legacy, inbox, stats.now_ms), reconcile_status(inbox)
    overload = measure(settings.queue, settings.shedding, stats, window.paces)
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
        receivers=receivers,
        quarantined=quarantined,
        duplicates=stats.counters.get("duplicates", 0),
        refused=stats.counters.get("refused", 0),
        overload=_overload(settings, stats, overload),
        next_chance=next_chance(stats, providers),
        alerts=tuple(
            alerts_of(
                settings,
                stats,
                lanes,
                providers,
                engines,
                server,
                quarantined,
                dead,
                overload,
                at,
                receivers=receivers,
                legacy=legacy,
                reconcile=reconcile,
                publishing=publishing,
            )
        ),
        cache=_cache(window.counts, cached),
        consensus={name: stats.counters.get(f"decided:{name}", 0) for name in ("complete", "partial", "degraded", "failed", "split")},
        log=log,
        max_waiting=settings.queue.max_waiting,
        legacy=legacy,
        reconcile=reconcile,
    )


def _in_order(lanes: Mapping[str, LaneCounts], settings: Settings) -> Iterable[tuple[str, LaneCounts]]:
    order = [*STAGE_LANES[:2], *settings.providers, *STAGE_LANES[2:]]
    rest = sorted(set(lanes) - set(order))
    return ((name, lanes[name]) for name in (*order, *rest) if name in lanes)


def _lane(counts: LaneCounts, pause: Mapping[str, str] | None, drain: Mapping[str, str] | None, books: ProviderBooks) -> LaneStatus:
    return LaneStatus(
        depth=counts.ready,
        by_priority={priority.label: n for priority, n in zip(Priority, counts.by_priority, strict=True)},
        waiting=counts.waiting,
        leased=counts.leased,
        held=counts.held,
        batched=min(batched_tasks(books.batches), counts.waiting),
        oldest_age_s=None if counts.oldest_age_ms is None else round(counts.oldest_age_ms / 1000, 1),
        paused=None if pause is None else _pause(pause),
        draining=None if drain is None else _pause(drain),
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
