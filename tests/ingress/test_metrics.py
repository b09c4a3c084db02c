"""What ``/metrics`` exposes, by Prometheus' conventions, and the dashboard that asks for it."""

from __future__ import annotations

import json
import re
from importlib import resources

from prometheus_client.parser import text_string_to_metric_families

from gitbridge_console.domain.snapshots import (
    Alert,
    EngineStatus,
    ErrorStatus,
    FleetSnapshot,
    LaneStatus,
    Percentiles,
    ProviderStatus,
    SpoolStatus,
    StoreStatus,
)
from gitbridge_console.ingress.counters import Counters
from gitbridge_console.ingress.exposition import exposition

QUERIED = re.compile(r"\b((?:gitbridge|process)_[a-z0-9_]+)\b")
LATENCY = Percentiles(p50=1.0, p95=2.0, p99=3.0)


def everything() -> str:
    """Both parts of ``/metrics``, nothing left out because it is unknown."""
    counters = Counters()
    counters.watch(lambda: SpoolStatus(records=1, bytes=100, max_bytes=1000, oldest_age_s=2.5))
    counters.deliveries.labels("github", "new").inc()
    counters.refused.labels("401", "unsigned").inc()
    counters.replayed.labels("new").inc()
    counters.seconds.observe(0.1)
    counters.sizes.observe(1000)
    snapshot = FleetSnapshot(
        at="2026-11-22T21:00:00Z",
        namespace="gitbridge",
        store=StoreStatus(url="unix", ok=True, memory_bytes=1, memory_max_bytes=2),
        lanes={"claude": LaneStatus(depth=1, oldest_age_s=1.0)},
        providers={
            "claude": ProviderStatus(
                state="ok", latency_ms=LATENCY, errors=ErrorStatus(by_class={"timeout": 1}), availability=1.0, cost_usd=1.0
            )
        },
        events={"resolved": 3},
        totals={"resolved": 9},
        queue_latency_ms=LATENCY,
        routing_latency_ms=LATENCY,
        engines=(EngineStatus(id="a", host="b", role="worker", beat_age_s=0.1),),
        alerts=(Alert(level="critical", code="x", text="y", since="z"),),
    )
    return counters.exposition().decode() + exposition(snapshot).decode()


def test_the_two_parts_are_one_document_with_each_name_once() -> None:
    names = re.findall(r"^# TYPE (\S+)", everything(), re.M)
    assert len(names) == len(set(names))
    families = list(text_string_to_metric_families(everything()))
    assert all(family.documentation for family in families)


def test_names_and_units_are_as_prometheus_wants_them() -> None:
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)", everything(), re.M):
        assert re.fullmatch(r"(gitbridge|process)_[a-z][a-z0-9_]*", name)
        assert name.endswith("_total") == (kind == "counter"), name
        assert not re.search(r"_(ms|minutes|kb|mb|percent)(_|$)", name), name


def test_a_process_that_just_began_shows_its_counters_at_zero() -> None:
    lines = Counters().exposition().decode().splitlines()
    assert 'gitbridge_ingress_spooled_total{reason="slow"} 0.0' in lines
    assert 'gitbridge_ingress_spool_refused_total{reason="full"} 0.0' in lines
    assert not any("_created" in line for line in lines)


def dashboard() -> dict:
    return json.loads((resources.files("gitbridge_console") / "docs" / "grafana.json").read_text("utf-8"))


def test_every_metric_the_dashboard_asks_for_is_exposed() -> None:
    exposed = {line.partition("{")[0].partition(" ")[0] for line in everything().splitlines() if not line.startswith("#")}
    asked = [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", ())]
    asked += [variable["query"]["query"] for variable in dashboard()["templating"]["list"] if variable["type"] == "query"]
    assert len(asked) > 20
    for expression in asked:
        names = QUERIED.findall(expression)
        assert names, expression
        assert set(names) <= exposed, expression


def test_labels_of_the_dashboard_are_those_of_the_metric() -> None:
    labels = {name: set(re.findall(r'(\w+)="', given)) for name, given in re.findall(r"^(\w+)\{([^}]*)\}", everything(), re.M)}
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            (name, *_) = QUERIED.findall(target["expr"])
            grouped = {word.strip() for group in re.findall(r"by \(([^)]*)\)", target["expr"]) for word in group.split(",")}
            assert grouped <= labels.get(name, set()) | {"instance", "job"}, target["expr"]


def test_the_dashboard_has_no_two_panels_in_one_place() -> None:
    taken: set[tuple[int, int]] = set()
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
