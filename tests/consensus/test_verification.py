"""A grave finding only one reviewer made is put before the others, without names and among decoys."""

from __future__ import annotations

from typing import Any

import pytest

from gitbridge_console.consensus.conflicts import is_lone
from gitbridge_console.consensus.verification import DECOY, Claim, claims_for, read_verification
from gitbridge_console.domain.decisions import Basis, Decision, Verification
from tests.consensus.panels import decide, finding, vote

LONE = finding("lock on orders during ALTER", "critical", 7, path="db/0042.sql")
FOUND = [finding("roundTax rounds twice", "medium", 8), finding("cart may be None", "low", 31, path="api/cart.py")]


def panel(*verifications: Verification) -> Decision:
    return decide(
        vote("claude", "comment", FOUND),
        vote("grok", "comment", FOUND[:1]),
        vote("chatgpt", "request_changes", [LONE]),
        strategy="policy",
        basis=Basis(verifications=verifications),
    )


def asked(provider: str) -> tuple[Claim, ...]:
    decision = panel()
    return claims_for(provider, decision, [cluster for cluster in decision.clusters if is_lone(cluster)])


def said(claims: tuple[Claim, ...], **words: str) -> dict[str, Any]:
    """Verdicts by the beginning of a claim's name, cannot_tell for the others."""
    rows = []
    for number, claim in enumerate(claims, 1):
        word = next((word for start, word in words.items() if claim.ref.startswith(start)), "cannot_tell")
        rows.append({"claim": number, "verdict": word, "quote": "ALTER TABLE"})
    return {"claims": rows}


def test_only_those_who_did_not_say_it_are_asked_and_never_who_did() -> None:
    assert asked("chatgpt") == ()
    claims = asked("grok")
    assert [claim.title for claim in claims if not claim.ref.startswith(DECOY)] == [LONE["title"]]
    assert not any("chatgpt" in f"{claim.title}{claim.path}" for claim in claims)


def test_decoys_are_real_titles_in_wrong_places_in_an_order_of_each_providers_own() -> None:
    claims = asked("grok")
    decoys = [claim for claim in claims if claim.ref.startswith(DECOY)]
    assert len(decoys) == 2
    places = {(c.title, c.path) for c in panel().clusters}
    assert not places & {(decoy.title, decoy.path) for decoy in decoys}
    assert asked("grok") == claims, "the same question each time it is built"


def test_no_decoy_says_what_somebody_said_of_that_file() -> None:
    """Else whoever honestly calls a claim real would be taken for one who says yes to everything."""
    unlocked = [finding("cache is read without a lock", "critical", 7, path=f"{name}.py") for name in ("cache", "cart")]
    other = finding("locks are missing where the cache is read", "low", 40, path="cart.py")
    for title in (unlocked[1]["title"], "reading the cache lacks its lock"):
        decision = decide(vote("claude", "request_changes", [unlocked[0], unlocked[1] | {"title": title}, other]), vote("grok"))
        claims = claims_for("grok", decision, [cluster for cluster in decision.clusters if is_lone(cluster)])
        assert [claim for claim in claims if claim.ref.startswith(DECOY)] == []
        assert len(claims) == 2


def test_two_of_one_vendor_do_not_vouch_for_each_other() -> None:
    votes = (
        vote("claude", "request_changes", [LONE], vendor="acme"),
        vote("claude-small", "comment", vendor="acme"),
        vote("grok", "comment"),
    )
    decision = decide(*votes, strategy="policy")
    lone = [cluster for cluster in decision.clusters if is_lone(cluster)]
    assert [len(claims_for(vote.provider, decision, lone)) for vote in votes] == [0, 0, 1]


def test_of_a_flood_of_grave_findings_the_most_severe_are_asked_about() -> None:
    words = ("cart", "shop", "tax", "sale", "order", "item")
    high = [finding(f"{word} is None", "high", 20 * n, path=f"{word}.py") for n, word in enumerate(words)]
    votes = (
        vote("claude", "request_changes", [*high, LONE], vendor="acme"),
        vote("claude-small", "request_changes", high, vendor="acme"),
        vote("grok", "comment"),
    )
    decision = decide(*votes)
    claims = claims_for("grok", decision, [cluster for cluster in decision.clusters if is_lone(cluster)])
    assert LONE["title"] in [claim.title for claim in claims if not claim.ref.startswith(DECOY)]


@pytest.mark.parametrize(
    ("word", "verdict", "resolution"),
    [
        ("real", "request_changes", "counts as confirmed"),
        ("not_real", "comment", "shown as unconfirmed"),
        ("cannot_tell", "comment", "shown as unconfirmed"),
    ],
)
def test_what_the_others_make_of_a_critical_finding_decides(word: str, verdict: str, resolution: str) -> None:
    decision = panel(read_verification("grok", asked("grok"), said(asked("grok"), chatgpt=word)))
    (lone,) = [c for c in decision.conflicts if c.type == "lone"]
    assert (decision.verdict, lone.resolution) == (verdict, resolution)
    assert lone.positions["grok"] == word.replace("_", " ")


def test_who_finds_it_real_makes_it_likelier() -> None:
    (before,) = [c for c in panel().clusters if c.title == LONE["title"]]
    (after,) = [
        c for c in panel(read_verification("grok", asked("grok"), said(asked("grok"), chatgpt="real"))).clusters if c.title == LONE["title"]
    ]
    assert (before.k, before.real, after.k, after.real) == (1, 0.16, 1, 0.5)


def test_who_calls_a_decoy_real_is_not_listened_to() -> None:
    fooled = read_verification("grok", asked("grok"), said(asked("grok"), chatgpt="real", decoy="real"))
    assert not fooled.trusted
    assert panel(fooled).verdict == "comment"


def test_a_verification_that_failed_or_names_no_claim_says_nothing() -> None:
    claims = asked("grok")
    assert read_verification("grok", claims, None, "timeout") == Verification(provider="grok", reason="timeout")
    assert read_verification("grok", claims, {"claims": [{"claim": 99, "verdict": "real"}]}).words == {}
