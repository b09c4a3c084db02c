"""``python -m tests.benchmarks.selection [--json] [--seeds N]``: how policies of selection do when a service is slow, fails or is limited.

Figures are medians over the seeds; a ratio is to the best policy of the scenario. The run is pure computation in virtual
time, so equal seeds give equal figures on every machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from tests.benchmarks.selection.policies import POLICIES
from tests.benchmarks.selection.world import SCENARIOS, Result, Scenario, run

WITHIN = 1.10
"""Ours is to have the best p99 or be within a tenth of it."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians over the seeds. Seconds; wasted attempts per request; share of the attempts that B got while its fault lasted."""

    p50_s: float
    p95_s: float
    p99_s: float
    wasted: float
    share_b: float


def figures(results: Iterable[Result]) -> Figures:
    """Sum the runs of several seeds up."""
    rows = [_of_one(result) for result in results]
    return Figures(*(statistics.median(column) for column in zip(*rows, strict=True)))


def _of_one(result: Result) -> tuple[float, ...]:
    ordered = sorted(result.latencies_s)
    percentiles = (ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.95, 0.99))
    return (*percentiles, result.wasted, result.share_b)


def compare(scenarios: Sequence[Scenario], seeds: int, policies: Iterable[str] = tuple(POLICIES)) -> dict[str, dict[str, Figures]]:
    """Figures of every policy in every scenario."""
    return {
        scenario.name: {name: figures(run(scenario, POLICIES[name], seed) for seed in range(seeds)) for name in policies}
        for scenario in scenarios
    }


def missed(table: dict[str, dict[str, Figures]]) -> list[str]:
    """Where the goals do not hold for ours, in words."""
    lines = []
    for scenario, rows in table.items():
        ours, others = rows["ours"], [figures for name, figures in rows.items() if name != "ours"]
        best_s, least = min(other.p99_s for other in others), min(other.wasted for other in others)
        if ours.p99_s > WITHIN * best_s:
            lines.append(f"{scenario}: p99 is {ours.p99_s / best_s:.2f}x the best")
        if ours.wasted > least:
            lines.append(f"{scenario}: {ours.wasted:.4f} attempts a request wasted, and {least:.4f} by the best")
    return lines


def shown(table: dict[str, dict[str, Figures]]) -> str:
    """The table for people."""
    lines = []
    for scenario, rows in table.items():
        best_s = min(row.p99_s for row in rows.values())
        lines.append(
            f"{scenario}\n  {'policy':<16} {'p50':>6} {'p95':>6} {'p99':>6}  {'p99 to best':>11} {'wasted/req':>11} {'share of B':>11}"
        )
        lines += [f"  {name:<16} {_cells(row, best_s)}" for name, row in rows.items()]
    misses = missed(table)
    return "\n".join([*lines, "", *(misses or ["ours has the best p99 or is within 10 % of it, and wastes least, everywhere"])])


def _cells(row: Figures, best_s: float) -> str:
    times = f"{row.p50_s:>6.1f} {row.p95_s:>6.1f} {row.p99_s:>6.1f}"
    return f"{times}  {row.p99_s / best_s:>10.2f}x {row.wasted:>11.4f} {row.share_b:>10.0%}"


def main(words: Sequence[str] | None = None) -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.selection")
    parser.add_argument("--seeds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    table = compare(SCENARIOS, options.seeds)
    if options.json:
        plain = {scenario: {name: asdict(row) for name, row in rows.items()} for scenario, rows in table.items()}
        print(json.dumps({"seeds": options.seeds, "scenarios": plain, "missed": missed(table)}, indent=1))
    else:
        print(shown(table))


if __name__ == "__main__":
    main()
