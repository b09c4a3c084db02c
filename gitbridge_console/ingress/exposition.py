"""The fleet's state as Prometheus text, for ``GET /metrics``."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gitbridge_console.domain.snapshots import FleetSnapshot, Percentiles

QUANTILES = {"p50": "0.5", "p95": "0.95", "p99": "0.99"}


def exposition(snapshot: FleetSnapshot) -> bytes:
    """The text format of everything in the snapshot; what is unknown is left out, never 0."""
    registry = CollectorRegistry()
    registry.register(_Snapshot(snapshot))
    return generate_latest(registry)


class _Snapshot(Collector):
    def __init__(self, snapshot: FleetSnapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterable[Metric]:
        yield from _fleet(self._snapshot)
        yield from _lanes(self._snapshot)
        yield from _providers(self._snapshot)


def _gauge(name: str, text: str, labels: list[str], rows: Iterable[tuple[list[str], float | None]]) -> Metric:
    family = GaugeMetricFamily(f"gitbridge_{name}", text, labels=labels)
    for values, number in rows:
        if number is not None:
            family.add_metric(values, number)
    return family


def _fleet(snapshot: FleetSnapshot) -> Iterable[Metric]:
    yield _gauge("store_up", "Whether the store answers", [], [([], float(snapshot.store.ok))])
    yield _gauge("store_memory_bytes", "Memory the store uses", [], [([], snapshot.store.memory_bytes)])
    yield _gauge("store_memory_max_bytes", "Memory the store may use", [], [([], snapshot.store.memory_max_bytes)])
    yield _gauge("events", "Events by state", ["state"], (([state], n) for state, n in snapshot.events.items()))
    yield _gauge("engines", "Engines that report", [], [([], len(snapshot.engines))])
    yield _gauge("quarantined", "Entries in quarantine", [], [([], snapshot.quarantined)])
    yield _gauge("alerts", "Alerts by level", ["level"], _by_level(snapshot))
    totals = CounterMetricFamily("gitbridge_events_total", "Events that ever reached a state", labels=["state"])
    for state, n in snapshot.totals.items():
        totals.add_metric([state], n)
    yield totals
    yield CounterMetricFamily("gitbridge_duplicates_total", "Deliveries dropped as duplicates", value=snapshot.duplicates)
    yield _gauge("queue_latency_seconds", "Time a job waits to be claimed", ["quantile"], _quantiles([], snapshot.queue_latency_ms))
    yield _gauge("routing_latency_seconds", "Time routing takes", ["quantile"], _quantiles([], snapshot.routing_latency_ms))


def _by_level(snapshot: FleetSnapshot) -> Iterable[tuple[list[str], float]]:
    for level in ("warning", "critical"):
        yield [level], sum(alert.level == level for alert in snapshot.alerts)


def _quantiles(labels: list[str], measured: Percentiles) -> Iterable[tuple[list[str], float | None]]:
    for name, quantile in QUANTILES.items():
        ms: float | None = getattr(measured, name)
        yield [*labels, quantile], None if ms is None else ms / 1000


def _lanes(snapshot: FleetSnapshot) -> Iterable[Metric]:
    lanes = snapshot.lanes.items()
    yield _gauge(
        "lane_jobs",
        "Jobs of a lane",
        ["lane", "place"],
        (
            ([lane, place], n)
            for lane, status in lanes
            for place, n in (("ready", status.depth), ("waiting", status.waiting), ("leased", status.leased))
        ),
    )
    yield _gauge(
        "lane_oldest_age_seconds", "Age of the oldest ready job", ["lane"], (([lane], status.oldest_age_s) for lane, status in lanes)
    )
    yield _gauge("lane_paused", "Whether a lane is held", ["lane"], (([lane], float(status.paused is not None)) for lane, status in lanes))


def _providers(snapshot: FleetSnapshot) -> Iterable[Metric]:
    rows = snapshot.providers.items()
    yield _gauge("provider_state", "1 for the state a provider is in", ["provider", "state"], (([name, p.state], 1.0) for name, p in rows))
    yield _gauge("provider_in_flight", "Calls being answered", ["provider"], (([name], p.in_flight) for name, p in rows))
    yield _gauge("provider_limit", "Calls allowed at once", ["provider"], (([name], p.limit) for name, p in rows))
    yield _gauge(
        "provider_calls",
        "Calls within a window",
        ["provider", "window"],
        (([name, window], n) for name, p in rows for window, n in p.calls.items()),
    )
    yield _gauge(
        "provider_latency_seconds",
        "Latency of answers over 15 minutes",
        ["provider", "quantile"],
        (row for name, p in rows for row in _quantiles([name], p.latency_ms)),
    )
    yield _gauge(
        "provider_error_ratio", "Share of failed calls over 15 minutes", ["provider"], (([name], p.errors.rate) for name, p in rows)
    )
    yield _gauge(
        "provider_errors",
        "Failed calls over 15 minutes by class",
        ["provider", "class"],
        (([name, cls], n) for name, p in rows for cls, n in p.errors.by_class.items()),
    )
    yield _gauge(
        "provider_availability_ratio",
        "Share of calls the service was there for",
        ["provider"],
        (([name], p.availability) for name, p in rows),
    )
    yield _gauge("provider_cost_usd", "Known cost over 15 minutes", ["provider"], (([name], p.cost_usd) for name, p in rows))
    yield _gauge(
        "provider_tokens",
        "Tokens over 15 minutes",
        ["provider", "direction"],
        (([name, direction], n) for name, p in rows for direction, n in p.tokens.items()),
    )
