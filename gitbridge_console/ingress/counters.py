"""What one receiver counts of itself, for ``GET /metrics``; each process has its own numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gitbridge_console.domain.snapshots import SpoolStatus

# Once a counter's beginning is a time series of its own, half of all series say when this process began.
disable_created_metrics()  # type: ignore[no-untyped-call]

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
BYTES = (1e3, 1e4, 1e5, 1e6, 5e6, 1e7, 2.5e7)


class Counters:
    """Every label has a fixed set of values: hosts of the dialects, outcomes, and reasons that stand in the code."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own = self.registry
        ProcessCollector(registry=own)
        self.deliveries = Counter(
            "gitbridge_ingress_deliveries", "Deliveries answered with a 2xx, by what became of them", ["host", "outcome"], registry=own
        )
        self.refused = Counter(
            "gitbridge_ingress_refused", "Deliveries answered with an error, by reason", ["code", "reason"], registry=own
        )
        self.seconds = Histogram(
            "gitbridge_ingress_request_duration_seconds", "From a delivery's headers to its answer", buckets=SECONDS, registry=own
        )
        self.sizes = Histogram("gitbridge_ingress_body_bytes", "Size of bodies that were read whole", buckets=BYTES, registry=own)
        self.spooled = Counter("gitbridge_ingress_spooled", "Deliveries put into the spool, by reason", ["reason"], registry=own)
        self.spool_refused = Counter(
            "gitbridge_ingress_spool_refused", "Deliveries neither stored nor spooled, by reason", ["reason"], registry=own
        )
        self.replayed = Counter(
            "gitbridge_ingress_replayed", "Deliveries that left the spool, by what became of them", ["outcome"], registry=own
        )
        for reason in ("behind", "slow", "refused", "fault"):
            self.spooled.labels(reason)
        for reason in ("full", "failed"):
            self.spool_refused.labels(reason)

    def watch(self, spool: Callable[[], SpoolStatus | None]) -> None:
        """Tell of a spool as well."""
        self.registry.register(_SpoolGauges(spool))

    def exposition(self) -> bytes:
        """All of it in the text format."""
        return generate_latest(self.registry)


class _SpoolGauges(Collector):
    def __init__(self, spool: Callable[[], SpoolStatus | None]) -> None:
        self._spool = spool

    def collect(self) -> Iterable[Metric]:
        status = self._spool()
        if status is None:
            return
        for name, text, value in (
            ("deliveries", "Deliveries in the spool", status.records),
            ("bytes", "Bytes of the spool on disk", status.bytes),
            ("max_bytes", "Bytes the spool may have", status.max_bytes),
            ("oldest_age_seconds", "Age of the oldest delivery in the spool, 0 while it is empty", status.oldest_age_s or 0.0),
            ("failing", "Whether the disk refused the last delivery", float(bool(status.failure))),
        ):
            yield GaugeMetricFamily(f"gitbridge_ingress_spool_{name}", text, value=value)
