"""Findings held against the diff: what is not there has no vote, and what is a little off is put right."""

from __future__ import annotations

from typing import Any

import pytest

from gitbridge_console.consensus.support import check, find_path
from gitbridge_console.domain.decisions import Basis
from gitbridge_console.domain.events import ChangedFile, Material
from tests.consensus.panels import decide, edit, finding, vote

PATCH = "\n".join(
    [
        "@@ -1,4 +1,5 @@ def total(items):",
        " def total(items):",
        "-    return sum(items)",
        "+    tax = round(items.tax, 2)",
        "+    return round(sum(items) + tax, 2)",
        " ",
        "@@ -40,2 +41,2 @@",
        " def empty(cart):",
        "+    return not cart.items",
    ]
)
DIFF = Material((ChangedFile("shop/tax.py", patch=PATCH), ChangedFile("logo.png")), "diff")


def look(material: Material = DIFF, **said: Any) -> tuple[str | None, tuple[str, int, int] | None]:
    """Why a finding has no vote, and its place where that was put right."""
    support = check([vote("claude", findings=[finding(**({"path": "shop/tax.py", "line": 2, "evidence": ""} | said))])], material)
    return support.unsupported.get("claude#0"), support.places.get("claude#0")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, None),
        ({"evidence": "return round(sum(items) + tax, 2)"}, None),
        ({"evidence": "+    return round( sum(items)+tax, 2 )"}, None),
        ({"evidence": "    3 |+    return round(sum(items) + tax, 2)"}, None),
        ({"evidence": "return sum(items)"}, None),
        ({"evidence": "return floor(sum(items))"}, "its evidence is not in that file's diff"),
        ({"path": "shop/cart.py"}, "its path is not in the diff"),
        ({"line": 400, "evidence": ""}, "line 400 is not in the diff"),
        ({"line": 7, "evidence": ""}, None),
        ({"line": 0, "evidence": ""}, None),
        ({"path": "", "evidence": "return floor(sum(items))"}, None),
        ({"path": "logo.png", "line": 7, "evidence": "anything"}, None),
        ({"evidence": "}"}, None),
    ],
)
def test_what_the_diff_does_not_have_has_no_vote(said: dict[str, Any], why: str | None) -> None:
    assert look(**said)[0] == why


def test_without_a_path_evidence_is_looked_for_everywhere_if_all_was_shown() -> None:
    shown = Material((ChangedFile("shop/tax.py", patch=PATCH),), "diff")
    assert look(shown, path="", line=0, evidence="return floor(sum(items))")[0] == "its evidence is nowhere in the diff"


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ({"path": "b/shop/tax.py"}, ("shop/tax.py", 2, 2)),
        ({"path": "tax.py"}, ("shop/tax.py", 2, 2)),
        ({"line": 90, "evidence": "return not cart.items"}, ("shop/tax.py", 42, 42)),
        ({"line": 3, "evidence": "return round(sum(items) + tax, 2)"}, None),
    ],
)
def test_a_place_that_is_a_little_off_is_put_right(said: dict[str, Any], place: tuple[str, int, int] | None) -> None:
    assert look(**said) == (None, place)


@pytest.mark.parametrize(
    "material", [Material(DIFF.files, "diff", truncated=True), Material(DIFF.files, "payload"), Material((ChangedFile("x"),), "diff")]
)
def test_a_diff_that_is_cut_or_missing_disproves_nothing(material: Material) -> None:
    support = check([vote("claude", findings=[finding(path="elsewhere.py")])], material)
    assert (support.checked, support.unsupported) == (False, {})


def test_the_end_of_a_path_is_enough_if_only_one_file_ends_so() -> None:
    assert find_path("tax.py", ["api/tax.py", "web/tax.py"]) is None
    assert find_path("src/shop/tax.py", ["shop/tax.py"]) == "shop/tax.py"
    assert find_path("x.py", ["shop/tax.py"]) is None


def test_an_unsupported_finding_is_shown_and_does_not_count() -> None:
    both = [vote(name, "request_changes", [finding(severity="critical")]) for name in ("claude", "grok")]
    alone = decide(*both, strategy="policy", basis=Basis(checked=True, unsupported={"grok#0": "its path is not in the diff"}))
    (cluster,) = alone.clusters
    assert (cluster.k, cluster.supported, cluster.confirmed, alone.verdict) == (1, True, False, "comment")
    assert [(c.subject, c.positions, c.resolution) for c in alone.conflicts if c.type == "unsupported"] == [
        ("#1", {"grok": "its path is not in the diff"}, "that vote is left out")
    ]
    nothing = Basis(checked=True, unsupported={"grok#0": "its path is not in the diff", "claude#0": "its path is not in the diff"})
    none = decide(*both, strategy="policy", basis=nothing)
    assert (none.clusters[0].k, none.clusters[0].supported, none.agreement.findings_total) == (0, False, 0)
    assert none.verdict == "comment"
    restored = decide(*both, strategy="policy", basis=nothing.model_copy(update={"edits": (edit("accept", "claude#0"),)}))
    assert restored.verdict == "request_changes"
