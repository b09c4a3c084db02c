"""Opposite wishes about one place are found; different words for one wish are not."""

from __future__ import annotations

from typing import Any

import pytest

from gitbridge_console.consensus.contradictions import Asked, opposite
from tests.consensus.panels import decide, finding, vote


@pytest.mark.parametrize(
    ("one", "other", "wishes"),
    [
        ("Remove the lock in roundTax", "Add a lock around roundTax", ("remove lock", "add lock")),
        ("The lock should be removed", "A lock must be added here", ("remove lock", "add lock")),
        ("Increase the retry timeout", "The retry timeout should be decreased", ("increase retry", "decrease retry")),
        ("Disabling the cache is wrong: enable the cache", "Disable the cache", None),
        ("Add a lock", "Add a lock around it", None),
        ("Remove the print statement", "Add a test for empty carts", None),
        ("Remove the lock and add a mutex", "Add a lock", None),
    ],
)
def test_opposite_wishes(one: str, other: str, wishes: tuple[str, str] | None) -> None:
    assert opposite(Asked.of(one, ""), Asked.of(other, "")) == wishes


def said(title: str, line: int = 8, **more: Any) -> list[dict[str, Any]]:
    return [finding(title, "medium", line, **more)]


def contradictions(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> list[tuple[str, dict[str, str]]]:
    decision = decide(vote("claude", findings=first), vote("grok", findings=second))
    return [(c.subject, c.positions) for c in decision.conflicts if c.type == "contradiction"]


def test_two_reviewers_who_want_opposite_things_of_one_place() -> None:
    wishes = {"claude": "remove lock", "grok": "add lock"}
    remove = said("Remove the lock in roundTax")
    assert contradictions(remove, said("Add a lock in roundTax")) == [("#1", wishes)], "taken for one finding, and still opposite"
    ((subject, positions),) = contradictions(remove, said("Concurrent writers corrupt order totals without mutual exclusion: add lock", 9))
    assert (subject, positions) == ("#1 and #2", wishes)


def test_elsewhere_or_without_a_place_they_do_not_meet() -> None:
    remove = said("Remove the lock in roundTax")
    assert contradictions(remove, said("Add a lock in roundTax", 200)) == []
    assert contradictions(remove, said("Add a lock in roundTax", path="other.py")) == []
    assert contradictions(remove, said("Add a lock in roundTax", 0)) == []
