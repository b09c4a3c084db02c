"""A terminal that stops reading: the engine behind it works on, and the screen catches up in one picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.console.stalled import compare

PICTURE_BYTES = 200_000
"""Of one whole picture at 200x60, its predecessor that was stuck, and what the kernel held: far less than of a picture a second."""


def test_an_engine_works_on_behind_a_terminal_that_is_stuck(tmp_path: Path) -> None:
    """Short and coarse, on whatever machine this runs; the measurement is ``python -m tests.benchmarks.console.stalled``."""
    found = compare(tmp_path, seconds=2.0, rounds=1)
    assert found["stalled_calls_per_s"] > 0.5 * found["read_calls_per_s"] > 0
    assert found["recovered_bytes"] < PICTURE_BYTES


@pytest.mark.soak
def test_ten_seconds_cost_the_engine_nothing(tmp_path: Path) -> None:
    found = compare(tmp_path, seconds=10.0, rounds=3)
    assert 0.95 < found["ratio"] < 1.05
    assert found["recovered_bytes"] < PICTURE_BYTES
