"""What selection does with services that are slow, fail or are limited, in the simulation of the benchmark, cut short."""

from __future__ import annotations

from tests.benchmarks.selection.policies import POLICIES
from tests.benchmarks.selection.world import SCENARIOS, Result, run

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


def runs(scenario: str, policy: str = "ours") -> list[Result]:
    return [run(BY_NAME[scenario], POLICIES[policy], seed) for seed in range(2)]


def test_a_service_that_fails_fast_gets_next_to_nothing_and_wastes_next_to_nothing() -> None:
    assert all(result.share_b < 0.05 and result.wasted < 0.01 for result in runs("fast-failing B, 3/s"))
    assert all(result.wasted > 0.05 for result in runs("fast-failing B, 3/s", "least in flight"))


def test_a_service_that_became_slow_gets_a_tenth_at_most() -> None:
    assert all(result.share_b < 0.1 for result in runs("slow B, 3/s"))


def test_a_service_that_recovered_is_used_again_and_every_request_is_answered() -> None:
    (slow, healthy) = (run(BY_NAME[name], POLICIES["ours"], 1) for name in ("slow B, 0.3/s", "no fault, 3/s"))
    assert healthy.share_b > 0.5
    assert len(slow.latencies_s) > 400


def test_equal_seeds_give_equal_runs() -> None:
    assert run(BY_NAME["slow B, 0.3/s"], POLICIES["ours"], 4) == run(BY_NAME["slow B, 0.3/s"], POLICIES["ours"], 4)
