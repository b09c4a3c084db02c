"""Asking a third only where two differ gives what asking all three would have given."""

from __future__ import annotations

import random

import pytest

from gitbridge_console.consensus.cascade import could_change
from gitbridge_console.consensus.strategies import CAUTION, Panel, apply_strategy
from gitbridge_console.domain.decisions import Answer, AnswerStatus
from gitbridge_console.domain.events import Kind

ROUNDS = 10_000


def said(provider: str, verdict: str) -> Answer:
    return Answer(task_id=provider, provider=provider, status=AnswerStatus.OK, verdict=verdict, payload={"verdict": verdict})


def test_the_cascade_is_the_majority_of_three_on_ten_thousand_random_panels() -> None:
    order = random.Random(5)
    calls = 0
    for _ in range(ROUNDS):
        kind = order.choice([kind for kind in Kind if kind is not Kind.GENERAL])
        votes = tuple(said(name, order.choice(CAUTION[kind])) for name in ("claude", "grok", "chatgpt"))
        two = Panel(kind, votes[:2], ())
        asked = could_change("majority", two, "chatgpt")
        calls += 2 + asked
        verdict = apply_strategy("majority", Panel(kind, votes, ()) if asked else two).verdict
        assert verdict == apply_strategy("majority", Panel(kind, votes, ())).verdict
    assert calls < 3 * ROUNDS


@pytest.mark.parametrize("strategy", ["confidence", "cost_aware", "latency_aware", "hybrid", "strictest", "unanimous", "policy"])
def test_where_votes_differ_whoever_is_not_asked_could_not_have_changed_the_verdict(strategy: str) -> None:
    """Whatever it would have said of itself: how sure it is, what it cost, how long it took."""
    order = random.Random(7)

    def weighed(provider: str, kind: Kind) -> Answer:
        answer = said(provider, order.choice(CAUTION[kind]))
        findings = [{"confidence": order.choice(["low", "medium", "high"])} for _ in range(order.randrange(3))]
        own = {"payload": {"findings": findings}, "cost_usd": order.choice([None, 0.01, 0.05]), "latency_ms": order.choice([9.0, 90.0])}
        return answer.model_copy(update=own)

    for _ in range(4_000):
        kind = order.choice([Kind.CODE_REVIEW, Kind.PUSH_REVIEW])
        votes = tuple(weighed(f"p{n}", kind) for n in range(order.choice([2, 3])))
        panel, wider = Panel(kind, votes, ()), Panel(kind, (*votes, weighed("z", kind)), ())
        if len({vote.verdict for vote in votes}) > 1 and not could_change(strategy, panel, "z"):
            assert apply_strategy(strategy, wider).verdict == apply_strategy(strategy, panel).verdict


def test_a_third_that_outweighs_the_two_is_asked_though_they_agree() -> None:
    two = Panel(Kind.ISSUE_TRIAGE, (said("claude", "triaged"), said("grok", "triaged")), ())
    assert not could_change("weighted", two, "chatgpt")
    trusted = {"chatgpt": (190.0, 10.0), "claude": (20.0, 20.0), "grok": (20.0, 20.0)}
    assert could_change("weighted", Panel(two.kind, two.votes, (), trusted), "chatgpt")


def test_one_more_of_a_vendor_that_spoke_already_changes_nothing() -> None:
    votes = tuple(said(name, "ok").model_copy(update={"vendor": "acme"}) for name in ("a", "b"))
    assert not could_change("majority", Panel(Kind.PUSH_REVIEW, votes, ()), "c", "acme")
