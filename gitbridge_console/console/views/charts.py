"""Which charts there are, and the series of each: functions of the fleet's history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from gitbridge_console.console.text import clip
from gitbridge_console.console.views.cells import Cell, Line, line, millis

if TYPE_CHECKING:
    from gitbridge_console.domain.history import History, ProviderHistory, Series

LANES_SHOWN = 4
"""As many markers as can be told apart."""
FEWEST_STEPS = 4
BARS = 14


class ChartView(NamedTuple):
    """A chart: what it is called, and its lines by name."""

    name: str
    title: str
    lines: Callable[[History], Mapping[str, Series]]


def _of_providers(pick: Callable[[ProviderHistory], Series]) -> Callable[[History], Mapping[str, Series]]:
    return lambda history: _known({name: pick(provider) for name, provider in history.providers.items()})


def _known(lines: Mapping[str, Series]) -> dict[str, Series]:
    return {name: values for name, values in lines.items() if any(value is not None for value in values)}


def _share(provider: ProviderHistory) -> Series:
    return tuple(
        None if not calls or failed is None else round(100 * failed / calls, 1)
        for calls, failed in zip(provider.calls, provider.failed, strict=True)
    )


def _depths(history: History) -> Mapping[str, Series]:
    """The fullest lanes; lanes nothing stood in are left out unless all were empty."""
    known = _known(history.fleet.depth)
    fullest = sorted(known, key=lambda lane: max(value or 0 for value in known[lane]), reverse=True)
    busy = [lane for lane in fullest if any(known[lane])] or fullest[:1]
    return {lane: known[lane] for lane in busy[:LANES_SHOWN]}


def _per_minute(history: History, values: Series) -> Series:
    return tuple(None if value is None else value * 60 / history.step_s for value in values)


def _flow(history: History) -> Mapping[str, Series]:
    fleet = history.fleet
    return _known({"in": _per_minute(history, fleet.received), "finished": _per_minute(history, fleet.finished)})


def _completed(history: History) -> Mapping[str, Series]:
    """Of what had come in up to a moment, how much was finished by then."""
    received = finished = 0.0
    shares: list[float | None] = []
    for came, went in zip(history.fleet.received, history.fleet.finished, strict=True):
        received, finished = received + (came or 0), finished + (went or 0)
        shares.append(min(100.0, round(100 * finished / received, 1)) if received else None)
    return _known({"finished": tuple(shares)})


def _stages(history: History) -> Mapping[str, Series]:
    fleet = history.fleet
    return _known({"waiting": fleet.queue_p95_ms, "routing": fleet.routing_p95_ms, "processing": fleet.processing_p95_ms})


def _cost(history: History) -> Mapping[str, Series]:
    return _known(
        {
            name: tuple(None if value is None else value * 3600 / history.step_s for value in provider.cost_usd)
            for name, provider in history.providers.items()
        }
    )


CHARTS: tuple[ChartView, ...] = (
    ChartView("p95", "p95 ms", _of_providers(lambda provider: provider.p95_ms)),
    ChartView("depth", "depth by lane", _depths),
    ChartView("errors", "failed calls %", _of_providers(_share)),
    ChartView("flow", "events a minute", _flow),
    ChartView("stages", "p95 ms of waiting, routing, all", _stages),
    ChartView("cost", "dollars an hour", _cost),
    ChartView("p50", "p50 ms", _of_providers(lambda provider: provider.p50_ms)),
    ChartView("completed", "finished % of what came", _completed),
)
"""In the order they are shown; a screen shows as many as it has room for."""


def steps_known(history: History | None) -> int:
    """Steps in which anything was measured."""
    if history is None:
        return 0
    return max((sum(value is not None for value in values) for values in _all(history)), default=0)


def _all(history: History) -> list[Series]:
    return [history.fleet.received, *history.fleet.depth.values(), *(provider.p95_ms for provider in history.providers.values())]


def latency_lines(name: str, provider: ProviderHistory) -> Mapping[str, Series]:
    """p50 and p95 of one provider."""
    return _known({f"{name} p50": provider.p50_ms, "p95": provider.p95_ms})


def error_lines(provider: ProviderHistory) -> Mapping[str, Series]:
    """Failed calls by class, the most frequent ones."""
    worst = sorted(provider.errors, key=lambda cls: sum(value or 0 for value in provider.errors[cls]), reverse=True)
    return {cls.replace("_", " "): provider.errors[cls] for cls in worst[:LANES_SHOWN]}


def histogram_lines(provider: ProviderHistory, width: int, *, ascii_mode: bool = False) -> list[Line]:
    """How long answers took: a bar for each stretch of time, at most :data:`BARS` of them."""
    counts = list(provider.histogram)
    if not counts:
        return [line(Cell("  no answer in this time", "dim"))]
    per_bar = -(-len(counts) // BARS)
    parts = [counts[n : n + per_bar] for n in range(0, len(counts), per_bar)]
    bars = [(part[-1][0], sum(count for _, count in part)) for part in parts]
    most, room = max(count for _, count in bars), max(8, width - 26)
    sign = "#" if ascii_mode else "█"
    return [
        line(
            Cell(f"  up to {millis(bound) if bound != float('inf') else 'more':>7} ", "dim"),
            clip(sign * max(1 if count else 0, round(room * count / most)), room).ljust(room),
            Cell(f" {count:,}", "strong"),
        )
        for bound, count in bars
    ]
