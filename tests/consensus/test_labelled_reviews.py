"""On real reviews by ten AI reviewers, labelled by a judge: what two of three say is worth more than what the best one says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.consensus.labelled import measure


def labelled_reviews() -> Path:
    for folder in Path(__file__).resolve().parents:
        path = folder / "shared" / "data" / "consensus" / "martian_crb_opus45.json"
        if path.is_file():
            return path
    pytest.skip("the labelled reviews are not here")


def test_votes_beat_the_best_single_reviewer_and_chances_are_told_rightly() -> None:
    found = measure(labelled_reviews())
    assert found["panels"] == 120
    assert found["pair_f1"] >= 0.78
    assert found["vote_f1"] >= 0.50
    assert found["panels_won"] >= 110
    assert found["brier"] <= 0.165
    assert found["union_recall"] >= 0.68
