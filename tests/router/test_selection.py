"""Which of the eligible providers gets a seat, and what is said about it."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.domain.events import Priority
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.selection import Panel, Standing, choose, cost_factor, scored
from gitbridge_console.settings.model import Settings

FAST = Standing("a", "a", True, latency_s=2.0, limit=10, cost_usd=0.02)
PLAIN = Standing("b", "b", True, latency_s=4.0, limit=10, cost_usd=0.02)
POLICY = Settings().kinds["code_review"]
PRICED = {"price_input_usd_per_mtok": 10.0, "price_output_usd_per_mtok": 0.0}


def winner(*standings: Standing, cost_weight: float = 0.0) -> str:
    return scored(standings, cost_weight=cost_weight)[0].standing.name


def panel(standings: list[Standing], seats: int = 1, seed: int = 0, explore: float = 0.0) -> Panel:
    return choose(scored(standings), [], seats, random.Random(seed), explore=explore)


@pytest.mark.parametrize(
    "worse",
    [
        {"latency_s": 4.1},
        {"in_flight": 10, "latency_s": 2.1},
        {"oldest_s": 10.5},
        {"errors": 0.15},
        {"weight": 0.4},
        {"ramp": 0.25},
        {"preferred": False},
        {"wait_s": 2.5},
    ],
    ids=lambda worse: next(iter(worse)),
)
def test_every_factor_can_cost_the_seat(worse: dict[str, Any]) -> None:
    assert winner(FAST, PLAIN) == "a"
    assert winner(replace(FAST, **worse), PLAIN) == "b"


def test_price_counts_as_much_as_it_is_given_weight_and_an_unknown_one_is_neutral() -> None:
    dear = replace(FAST, cost_usd=0.2)
    assert winner(dear, PLAIN) == "a"
    assert winner(dear, PLAIN, cost_weight=2.0) == "b"
    assert winner(replace(FAST, cost_usd=None), PLAIN, cost_weight=2.0) == "a"
    assert cost_factor(None, 1.0, 4.0) == cost_factor(1.0, None, 4.0) == cost_factor(1.0, 1.0, 4.0) == 1.0


def test_a_model_that_costs_nothing_does_not_win_whatever_it_takes() -> None:
    free = replace(PLAIN, cost_usd=0.0, latency_s=200.0)
    assert winner(FAST, free, cost_weight=1.0) == "a"


def test_who_was_never_asked_is_taken_to_be_as_fast_as_the_fastest() -> None:
    new = Standing("new", "new", True, limit=10)
    assert winner(PLAIN, new) == "b"
    assert winner(replace(PLAIN, in_flight=1), new) == "new"
    assert scored([new])[0].assumed_s == 2.0


def test_between_equals_the_order_of_the_settings_decides() -> None:
    assert [winner(FAST, replace(FAST, name="z")), winner(replace(FAST, name="z"), FAST)] == ["a", "z"]


def test_one_vendor_gets_one_seat_and_the_reason_says_so() -> None:
    twin = replace(FAST, name="twin", latency_s=2.5)
    chosen = panel([FAST, twin, PLAIN], seats=2)
    assert set(chosen.chosen) == {"a", "b"}
    assert chosen.reasons["twin"].startswith("not needed, a has a seat: score ")


def test_the_reason_names_every_factor_in_one_short_line() -> None:
    line = scored([replace(FAST, in_flight=3, errors=0.02)])[0].line()
    assert line == "score 0.63 (2.0 s, load 3/10, errors 2 %, $0.020, weight 4)"
    unknown = scored([Standing("x", "x", False, limit=4, ramp=0.5, wait_s=1.5)], cost_limited=True)[0].line()
    assert unknown == (
        "score 7.00 (2.0 s assumed, limits hold it back 1.5 s, load 0/4, errors 0 %, "
        "cost unknown, passes max_cost_usd, weight 1, back at 50 %)"
    )


def test_exploring_gives_every_peer_a_turn_and_says_so() -> None:
    explored = [panel([FAST, PLAIN], seed=seed, explore=0.5) for seed in range(400)]
    other = [one for one in explored if one.chosen == ("b",)]
    assert 60 < len(other) < 140  # half of half of 400
    assert all(one.reasons["b"].startswith("chosen, preferred, to see how it does now: score") for one in other)
    assert all("to see" not in one.reasons["a"] for one in explored)


def test_exploring_gives_no_reserve_the_seat_of_a_preferred_provider() -> None:
    reserve = replace(PLAIN, preferred=False)
    assert {panel([FAST, reserve], seed=seed, explore=1.0).chosen for seed in range(50)} == {("a",)}
    slow = replace(FAST, latency_s=60.0)
    assert {panel([slow, reserve], seed=seed, explore=1.0).chosen for seed in range(50)} == {("a",), ("b",)}


def test_of_many_providers_the_better_of_two_drawn_is_taken_and_never_the_worst() -> None:
    many = [Standing(f"p{n}", f"p{n}", True, latency_s=1.0 + n) for n in range(12)]
    firsts = [panel(many, seed=seed).chosen[0] for seed in range(300)]
    assert len(set(firsts)) > 6
    assert "p11" not in firsts
    assert firsts.count("p0") > firsts.count("p8")
    assert {panel(many[:8], seed=seed).chosen[0] for seed in range(50)} == {"p0"}


@given(
    st.lists(
        st.builds(
            Standing,
            st.sampled_from("abcdefghijkl"),
            st.sampled_from("xyz"),
            st.booleans(),
            latency_s=st.none() | st.floats(0, 1e4),
            in_flight=st.integers(0, 99),
            limit=st.integers(0, 64),
            errors=st.floats(0, 1),
            cost_usd=st.none() | st.floats(0, 100),
            weight=st.floats(0.01, 100),
            ramp=st.floats(0.25, 1),
            barred=st.sampled_from(["", "", "no key"]),
        ),
        max_size=12,
        unique_by=lambda one: one.name,
    ),
    st.integers(0, 8),
    st.integers(0, 99),
    st.floats(0, 1),
)
def test_a_panel_is_full_if_it_can_be_and_has_no_vendor_twice_and_nobody_barred(
    standings: list[Standing], seats: int, seed: int, explore: float
) -> None:
    barred = [one for one in standings if one.barred]
    ranked = scored(standings, cost_weight=1.0)
    chosen = choose(ranked, barred, seats, random.Random(seed), explore=explore)
    vendors = [one.vendor for one in standings if one.name in chosen.chosen]
    open_vendors = {one.vendor for one in standings if not one.barred}
    assert len(vendors) == len(set(vendors)) == min(seats, len(open_vendors))
    assert set(chosen.reasons) == {one.name for one in standings}
    assert all(one.name not in chosen.chosen for one in barred)


def router_with(explore: float, **changes: Any) -> AIRouter:
    settings = Settings()
    priced = {name: own.model_copy(update=PRICED | changes.get(name, {})) for name, own in settings.providers.items()}
    selection = settings.selection.model_copy(update={"explore": explore})
    whole = settings.model_copy(update={"providers": priced, "selection": selection})
    return AIRouter(whole, {name: object() for name in priced}, clock=lambda: 0.0, seed=3)  # type: ignore[misc]


def test_nothing_is_tried_out_on_a_critical_event() -> None:
    router = router_with(0.5)
    policy = POLICY.model_copy(update={"seats": 1, "quorum": 1})
    usual = {router.select(policy).lanes for _ in range(100)}
    critical = {router.select(policy, priority=Priority.CRITICAL).lanes for _ in range(100)}
    assert (usual, critical) == ({("claude",), ("grok",)}, {("claude",)})


def test_a_seat_that_would_cost_too_much_is_not_given_nor_moved_and_an_unknown_price_passes() -> None:
    router = router_with(0.0, claude={"price_input_usd_per_mtok": 40.0}, chatgpt={"api": "chat", "model": "own"} | dict.fromkeys(PRICED))
    policy = POLICY.model_copy(update={"max_cost_usd": 0.5})
    assert router.select(policy, tokens=10_000).lanes == ("claude", "grok")
    selection = router.select(policy, tokens=20_000)
    assert selection.lanes == ("grok", "chatgpt")
    assert selection.reasons[0] == "claude: about $0.800, and a seat may cost $0.500"
    assert "cost unknown, passes max_cost_usd" in selection.reasons[2]
    assert router.candidates(policy, ["grok"], tokens=20_000) == ["chatgpt"]


def test_what_its_rate_limits_hold_back_counts_as_time() -> None:
    router = router_with(0.0)
    router.room = lambda name: (0, 30.0) if name == "claude" else (1, 0.0)
    assert router.select(POLICY).lanes == ("grok", "chatgpt")
