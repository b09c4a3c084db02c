"""A provider whose budget is spent is not asked, and said to be so, until the day is over or the budget is raised."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from gitbridge_console.domain.events import Priority
from gitbridge_console.domain.tasks import Attempt
from gitbridge_console.providers.base import ProviderRequest
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.attempt import Outcome
from gitbridge_console.router.budgets import BudgetGuard
from gitbridge_console.router.guards import Question, Refusal
from gitbridge_console.router.prompts import BuiltPrompt
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.routing import BudgetSettings
from gitbridge_console.store.budgets import BudgetStore, Spent
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.trouble import StoreTrouble
from tests.router.conftest import Silent, Weather

pytestmark = pytest.mark.anyio

QUESTION = Question("0000000100.1", "grok", 1_000, 1_000, Priority.NORMAL)
PROMPT = BuiltPrompt(ProviderRequest("", "", {}, "x", 100), "general@1.1", "seed", False)


def outcome(cost_usd: float | None, tokens: int = 100) -> Outcome:
    attempt = Attempt(
        provider="grok",
        model="grok-4.7",
        started_at="2026-11-23T12:00:00Z",
        latency_ms=1.0,
        outcome="transient",
        verdict="retry",
        tokens_in=tokens,
        cost_usd=cost_usd,
    )
    return Outcome(attempt, PROMPT, None, None, 0.0)


class Purse:
    """One engine with a budget for grok, at a dollar for a thousand tokens."""

    def __init__(self, client: Redis, namespace: str, **budget: Any) -> None:
        base = Settings()
        grok = base.providers["grok"].model_copy(update={"price_input_usd_per_mtok": 1000.0, "price_output_usd_per_mtok": 1000.0})
        self.settings = base.model_copy(
            update={"providers": {**base.providers, "grok": grok}, "budgets": {"grok": BudgetSettings(**budget)}}
        )
        self.books = BudgetStore(client, Keys(namespace))
        self.guard = BudgetGuard(self.books, StoreTrouble(), lambda: self.settings)
        self.router = AIRouter(self.settings, {name: Silent() for name in base.providers}, seed=1)
        self.router.hold = self.guard.hold

    async def spent(self) -> Spent:
        return (await self.books.read(["grok"]))["grok"]

    async def call(self, cost_usd: float | None, tokens: int = 100) -> Refusal | None:
        held = await self.guard.reserve(QUESTION)
        if isinstance(held, Refusal):
            return held
        assert held is not None
        await held.settle(outcome(cost_usd, tokens))
        return None


async def test_without_a_budget_nothing_is_asked_of_the_store(exposed: Redis, weather: Weather, namespace: str) -> None:
    weather.breaks(RedisConnectionError)
    guard = BudgetGuard(BudgetStore(exposed, Keys(namespace)), StoreTrouble(), Settings)
    assert await guard.reserve(QUESTION) is None


async def test_calls_go_on_until_the_next_might_overspend_and_then_it_gets_no_seats(client: Redis, namespace: str) -> None:
    purse = Purse(client, namespace, usd_per_day=5.0)
    for _ in range(2):
        assert await purse.call(1.8) is None
    refused = await purse.call(1.8)
    assert refused is not None
    assert refused.retry_in_s is not None
    assert 0 < refused.retry_in_s <= 86_400
    gate = purse.router.gate("grok")
    assert not gate.open
    assert "raise budgets.grok" in gate.reason
    assert purse.router.describe("grok")["state"] == "limited"
    assert "grok" not in purse.router.select(purse.settings.kinds["code_review"]).lanes


async def test_another_engine_learns_of_it_within_a_beat_and_a_raised_budget_opens_it_at_once(client: Redis, namespace: str) -> None:
    one, other = Purse(client, namespace, usd_per_day=5.0), Purse(client, namespace, usd_per_day=5.0)
    assert await one.call(6.0) is None
    await other.guard.look()
    assert not other.router.gate("grok").open
    other.settings = other.settings.model_copy(update={"budgets": {"grok": BudgetSettings(usd_per_day=50.0)}})
    assert other.router.gate("grok").open
    assert await other.call(1.0) is None


async def test_failed_calls_cost_too_and_an_unknown_cost_is_never_nothing(client: Redis, namespace: str) -> None:
    purse = Purse(client, namespace, usd_per_day=50.0, tokens_per_day=10_000)
    await purse.call(0.5)
    await purse.call(None, tokens=700)
    assert await purse.spent() == Spent(0.5, 800, 2, 1, 0.0, 0)


async def test_a_call_that_was_not_made_after_all_is_given_back(client: Redis, namespace: str) -> None:
    purse = Purse(client, namespace, usd_per_day=5.0)
    held = await purse.guard.reserve(QUESTION)
    assert held is not None
    assert not isinstance(held, Refusal)
    await held.settle(None)
    assert await purse.spent() == Spent()


async def test_while_the_store_is_away_calls_go_on_and_are_booked_when_it_is_back(exposed: Redis, weather: Weather, namespace: str) -> None:
    purse = Purse(exposed, namespace, usd_per_day=5.0)
    weather.breaks(RedisConnectionError)
    for _ in range(3):
        assert await purse.call(1.0) is None
    with pytest.raises(RedisConnectionError):
        await purse.guard.look()
    weather.clears()
    await purse.guard.look()
    assert await purse.spent() == Spent(3.0, 300, 3, 0, 0.0, 0)


async def test_a_booking_that_fails_takes_no_other_with_it(exposed: Redis, weather: Weather, namespace: str) -> None:
    purse = Purse(exposed, namespace, usd_per_day=5.0)
    weather.breaks(RedisConnectionError)
    purse.settings = purse.settings.model_copy(
        update={"budgets": dict.fromkeys(("chatgpt", "grok", "claude"), BudgetSettings(usd_per_day=5.0))}
    )
    for name in ("chatgpt", "grok", "claude"):
        await purse.guard.settle(name, None, outcome(1.0))
    with pytest.raises(RedisConnectionError):
        await purse.guard.look()
    weather.clears()
    await purse.guard.look()
    assert {name: spent.usd for name, spent in (await purse.books.read(["claude", "grok", "chatgpt"])).items()} == {
        "claude": 1.0,
        "grok": 1.0,
        "chatgpt": 1.0,
    }
