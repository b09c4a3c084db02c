"""What is learned of how long models take."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.domain.failures import Failure, FailureClass
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.latency import LatencyTable
from gitbridge_console.settings.model import Settings

SERVICE = ("claude", "m")


def expected_s(table: LatencyTable, kind: str = "general") -> float:
    known = table.of(SERVICE, kind)
    assert known is not None
    return known.expected_s


def test_it_rises_faster_than_it_falls() -> None:
    table = LatencyTable()
    for latency_s, expected in [(4.0, 4.0), (8.0, 5.2), (1.2, 4.4)]:
        table.learn(SERVICE, "general", latency_s)
        assert expected_s(table) == pytest.approx(expected)


def test_a_long_answer_does_not_make_a_model_look_slow() -> None:
    table, plain = LatencyTable(), LatencyTable()
    for latency_s, tokens in [(3.0, 100), (21.0, 1000)]:
        table.learn(SERVICE, "general", latency_s, 1.0, tokens)
        plain.learn(SERVICE, "general", latency_s)
    assert expected_s(table) == pytest.approx(4.8)  # 1 s, and 0.02 s for each of 190 tokens
    assert expected_s(plain) == pytest.approx(8.4)


def test_kinds_are_apart_and_one_that_was_never_asked_is_judged_by_the_others() -> None:
    table = LatencyTable()
    table.learn(SERVICE, "code_review", 30.0)
    table.learn(SERVICE, "issue_triage", 2.0)
    assert (expected_s(table, "code_review"), expected_s(table, "issue_triage")) == (30.0, 2.0)
    assert 2.0 < expected_s(table, "documentation") < 30.0
    assert table.of(("claude", "another model"), "code_review") is None


@given(st.lists(st.tuples(st.floats(0, 1e4), st.none() | st.floats(0, 2e4), st.none() | st.integers(0, 10**6)), min_size=1, max_size=30))
def test_whatever_it_is_told_it_stays_a_time(answers: list[tuple[float, float | None, int | None]]) -> None:
    table = LatencyTable()
    for answer in answers:
        table.learn(SERVICE, "general", *answer)
    assert 0 <= expected_s(table) < 1e12


def test_only_good_answers_are_learned_from_and_nothing_is_forgotten_while_nobody_asks(router: AIRouter, clock: Any) -> None:
    policy = Settings().kinds["general"]
    call = router.begin("grok", 50)
    assert call is not None
    router.succeeded(call, 20.0, kind="general")
    after_answer = router.score("grok", policy, kind="general")
    call = router.begin("grok", 50)
    assert call is not None
    router.failed(call, Failure(FailureClass.TRANSIENT, "x"))
    clock.now = 86_400.0
    assert router.score("grok", policy, kind="general") == pytest.approx(after_answer)


@pytest.mark.anyio
async def test_many_changes_of_settings_leave_only_what_is_configured(router: AIRouter, settings: Settings) -> None:
    table, old = router._standings.latencies, settings
    for number in range(20):
        own = settings.providers["grok"].model_copy(update={"model": f"m{number}"})
        new = settings.model_copy(update={"providers": {**settings.providers, "grok": own}})
        await router.apply(new, old, lambda name, own: "no key")
        for name in ("claude", "grok"):
            table.learn(router.states[name].service, "general", 1.0)
        old = new
    weighted = {name: own.model_copy(update={"weight": 2.0}) for name, own in old.providers.items()}
    await router.apply(old.model_copy(update={"providers": weighted}), old, lambda name, own: "no key")
    assert len(table) == 4  # two models, for this kind and for any
    assert table.of(("grok", "m19"), "general") is not None
