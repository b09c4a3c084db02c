"""Asking a third only where two differ gives what asking all three would have given."""

from __future__ import annotations

import random

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


def test_a_third_that_outweighs_the_two_is_asked_though_they_agree() -> None:
    two = Panel(Kind.ISSUE_TRIAGE, (said("claude", "triaged"), said("grok", "triaged")), ())
    assert not could_change("weighted", two, "chatgpt")
    trusted = {"chatgpt": (190.0, 10.0), "claude": (20.0, 20.0), "grok": (20.0, 20.0)}
    assert could_change("weighted", Panel(two.kind, two.votes, (), trusted), "chatgpt")


def test_one_more_of_a_vendor_that_spoke_already_changes_nothing() -> None:
    votes = tuple(said(name, "ok").model_copy(update={"vendor": "acme"}) for name in ("a", "b"))
    assert not could_change("majority", Panel(Kind.PUSH_REVIEW, votes, ()), "c", "acme")
