"""How many reviewers a change gets: told by its paths and its size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.domain.events import ChangedFile, EventFacts
from gitbridge_console.router.risk import all_named, policy_for, risk_of
from gitbridge_console.settings.model import SourceSettings
from gitbridge_console.settings.routing import KindSettings
from gitbridge_console.sources.diffs import material_from

POLICY = KindSettings(seats=2, quorum=2, seats_light=1, seats_risky=3)


@pytest.mark.parametrize(
    ("files", "risk"),
    [
        ((), ""),
        ((ChangedFile("shop/cart.py", additions=40),), ""),
        ((ChangedFile("shop/cart.py", additions=3, deletions=2),), "light"),
        ((ChangedFile("docs/intro.md", additions=400), ChangedFile("web/package-lock.json", additions=9_000)), "light"),
        ((ChangedFile("docs/intro.md"), ChangedFile("shop/auth/login.py", additions=1)), "risky"),
        ((ChangedFile("db/migrations/0042.sql", additions=1),), "risky"),
        ((ChangedFile(".github/workflows/ci.yml", additions=1),), "risky"),
    ],
)
def test_the_tier_of_a_change(files: tuple[ChangedFile, ...], risk: str) -> None:
    found, why = risk_of(files, POLICY)
    assert found == risk
    assert bool(why) is bool(risk)


DOCS_FIRST = "".join(
    f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -0,0 +1 @@\n+{'x' * 600}\n"
    for path in ("docs/a.md", "docs/b.md", "shop/cart.py")
)


@pytest.mark.parametrize(
    ("bounds", "changed", "risk"),
    [
        (SourceSettings(), 3, "light"),
        (SourceSettings(max_diff_bytes=1_000), None, ""),
        (SourceSettings(max_files=2), None, ""),
        (SourceSettings(), 4, ""),
        (SourceSettings(max_file_bytes=500), 3, "light"),
    ],
    ids=["whole", "cut", "files left out", "the host gave a part", "long files shortened"],
)
def test_a_change_is_light_only_if_all_of_it_is_known(bounds: SourceSettings, changed: int | None, risk: str) -> None:
    """Else documentation put in front of code would have nobody but one reviewer look at it."""
    facts = EventFacts(type="pull_request", changed_files=changed)
    material = material_from(facts, DOCS_FIRST, bounds)
    assert risk_of(material.files, POLICY, whole=all_named(material, facts))[0] == risk


def test_a_light_change_may_have_one_reviewer_and_then_says_one_answer() -> None:
    light = policy_for(POLICY, "light")
    assert (light.seats, light.quorum) == (1, 1)
    assert (policy_for(POLICY, "risky").seats, policy_for(POLICY, "risky").quorum) == (3, 2)
    assert policy_for(POLICY, "") is POLICY
    assert policy_for(KindSettings(), "risky") == KindSettings(), "nothing set, nothing changes"


@given(
    st.lists(st.builds(ChangedFile, path=st.text(max_size=30), additions=st.integers(0, 99)), max_size=5),
    st.sampled_from(["", "light", "risky"]),
)
def test_whatever_the_paths_a_quorum_can_be_reached(files: list[ChangedFile], risk: str) -> None:
    risk_of(files, POLICY)
    assert 1 <= policy_for(POLICY, risk).quorum <= policy_for(POLICY, risk).seats
