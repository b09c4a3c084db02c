"""Keeps what is spent on a provider within its budget of the day, over the whole fleet."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gitbridge_console.providers.base import Usage
from gitbridge_console.providers.prices import cost_usd
from gitbridge_console.router.ai_router import Gate
from gitbridge_console.router.attempt import Outcome
from gitbridge_console.router.guards import Question, Refusal
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.routing import BudgetSettings
from gitbridge_console.store.budgets import BudgetStore, Reserved, Spent
from gitbridge_console.store.trouble import STORE_AWAY, StoreTrouble

logger = logging.getLogger(__name__)

STORE_S = 0.25
"""How long the books are waited for; without them calls go on, and are booked later."""

EXPIRY_MARGIN_S = 30.0
"""A reservation is taken as spent so long after its attempt must have ended."""

IN_FLIGHT_LOOK_S = 1.0


@dataclass(slots=True)
class _Bill:
    """What could not be booked while the store was away."""

    usd: float = 0.0
    tokens: int = 0
    calls: int = 0
    unknown_calls: int = 0


@dataclass(frozen=True, slots=True)
class _Stop:
    """A provider whose budget is spent, until the day is over or its budget is changed."""

    budget: BudgetSettings
    until: float


class BudgetGuard:
    """Sets aside the most a call may cost, and books what it did cost. Without a budget nothing is asked or kept."""

    def __init__(
        self,
        store: BudgetStore,
        trouble: StoreTrouble,
        settings: Callable[[], Settings],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._trouble = trouble
        self._settings = settings
        self._clock = clock
        self._stops: dict[str, _Stop] = {}
        self._bills: dict[str, _Bill] = {}

    def hold(self, name: str) -> Gate | None:
        """The closed gate of a provider whose budget is spent; ``None`` while it is not known to be."""
        stop = self._stops.get(name)
        if stop is None:
            return None
        left_s = stop.until - self._clock()
        if left_s <= 0 or self._settings().budgets.get(name) != stop.budget:
            del self._stops[name]
            return None
        return Gate(False, f"its budget of the day is spent: raise budgets.{name}, or wait {left_s / 3600:.1f} h", left_s)

    async def reserve(self, question: Question) -> _Booking | Refusal | None:
        """Set aside what the call may cost; with the store away the call is made, and booked when it is back."""
        name, settings = question.provider, self._settings()
        budget, own = settings.budgets.get(name), settings.providers.get(name)
        if budget is None or own is None:
            return None
        expires_s = own.timeout_total_s + EXPIRY_MARGIN_S
        try:
            async with asyncio.timeout(STORE_S):
                found = await self.set_aside(name, question.tokens_in, question.tokens_out, price=1.0, expires_s=expires_s)
        except STORE_AWAY as error:
            self._trouble.report(error)
            return _Booking(self, name, None)
        if isinstance(found, Reserved):
            return _Booking(self, name, found)
        if found is not None and (wait_s := found.retry_in_s or 0.0) > IN_FLIGHT_LOOK_S:
            self._stop(name, budget, wait_s)
        return found

    async def set_aside(self, name: str, tokens_in: int, tokens_out: int, *, price: float, expires_s: float) -> Reserved | Refusal | None:
        """What calls of so many tokens may cost at ``price`` times the usual price; ``None`` without a budget.

        Raises:
            redis.exceptions.RedisError: the store is away.
        """
        settings = self._settings()
        budget, own = settings.budgets.get(name), settings.providers.get(name)
        if budget is None or own is None or (budget.usd_per_day is None and budget.tokens_per_day is None):
            return None
        if (held := self.hold(name)) is not None:
            return Refusal(held.reason, held.retry_in_s)
        found = await self._store.reserve(
            name,
            usd=price * (cost_usd(own, own.model, tokens_in, tokens_out, None) or 0.0),
            tokens=tokens_in + tokens_out,
            usd_max=budget.usd_per_day,
            tokens_max=budget.tokens_per_day,
            expires_s=expires_s,
        )
        if isinstance(found, Reserved):
            return found
        if not found:
            return Refusal("calls in flight may use up its budget of the day", IN_FLIGHT_LOOK_S)
        return Refusal("its budget of the day would be overspent", found)

    async def book_once(self, name: str, once: str, reserved: Reserved | None, usages: Sequence[Usage]) -> bool:
        """Book what calls took, whoever comes to do so first; false: it was booked before.

        Raises:
            redis.exceptions.RedisError: the store is away, and nothing is known to be booked.
        """
        return await self._store.settle(
            name,
            reserved,
            usd=sum(usage.cost_usd or 0.0 for usage in usages),
            tokens=sum((usage.input_tokens or 0) + (usage.output_tokens or 0) for usage in usages),
            calls=len(usages),
            unknown_calls=sum(usage.cost_usd is None for usage in usages),
            once=once,
        )

    async def settle(self, name: str, reserved: Reserved | None, outcome: Outcome | None) -> None:
        """Book a call; a cost that is not known is counted as such, its tokens all the same."""
        bill = _Bill()
        if outcome is not None:
            attempt = outcome.attempt
            tokens = (attempt.tokens_in or 0) + (attempt.tokens_out or 0)
            bill = _Bill(attempt.cost_usd or 0.0, tokens, 1, int(attempt.cost_usd is None))
        try:
            async with asyncio.timeout(STORE_S):
                await self._book(name, reserved, bill)
        except STORE_AWAY as error:
            self._trouble.report(error)
            if reserved is None:
                self._keep(name, bill)
            # What was set aside expires as spent: never too little is booked.

    async def look(self) -> None:
        """Book what is still to be booked, and see who has spent all of it.

        Raises:
            redis.exceptions.RedisError: the store is away.
        """
        for name in tuple(self._bills):
            bill = self._bills.pop(name)
            try:
                await self._book(name, None, bill)
            except BaseException:
                self._keep(name, bill)
                raise
        budgets = self._settings().budgets
        for name, spent in (await self._store.read(budgets)).items():
            if is_spent(budgets[name], spent):
                self._stop(name, budgets[name], 86_400 - time.time() % 86_400)

    def _stop(self, name: str, budget: BudgetSettings, for_s: float) -> None:
        if self.hold(name) is None:
            logger.warning("%s: its budget of the day is spent; it is asked again in %.1f h", name, for_s / 3600)
        self._stops[name] = _Stop(budget, self._clock() + for_s)

    def _keep(self, name: str, bill: _Bill) -> None:
        kept = self._bills.setdefault(name, _Bill())
        kept.usd += bill.usd
        kept.tokens += bill.tokens
        kept.calls += bill.calls
        kept.unknown_calls += bill.unknown_calls

    async def _book(self, name: str, reserved: Reserved | None, bill: _Bill) -> None:
        await self._store.settle(name, reserved, usd=bill.usd, tokens=bill.tokens, calls=bill.calls, unknown_calls=bill.unknown_calls)


def is_spent(budget: BudgetSettings, spent: Spent) -> bool:
    """Whether nothing is left of it."""
    money, tokens = budget.usd_per_day, budget.tokens_per_day
    return (money is not None and spent.usd >= money) or (tokens is not None and spent.tokens >= tokens)


@dataclass(frozen=True, slots=True)
class _Booking:
    guard: BudgetGuard
    name: str
    reserved: Reserved | None

    async def settle(self, outcome: Outcome | None) -> None:
        """Book what it cost, or give back what was set aside."""
        await self.guard.settle(self.name, self.reserved, outcome)
