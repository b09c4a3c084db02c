"""One provider in the words of the contract: what its engines say of it, and what the store knows."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gitbridge_console.domain.provider_health import HealthFinding
from gitbridge_console.domain.snapshots import (
    BatchesStatus,
    BatchStatus,
    BreakerStatus,
    BudgetStatus,
    ErrorStatus,
    LaneStatus,
    ProviderStatus,
)
from gitbridge_console.domain.timestamps import iso_from_ms
from gitbridge_console.operations.limit_status import rate_limits, retry_budget
from gitbridge_console.router.budgets import is_spent
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.routing import BudgetSettings, ProviderSettings
from gitbridge_console.store.batches import BatchCounts
from gitbridge_console.store.budgets import Spent
from gitbridge_console.store.fleet import Beat
from gitbridge_console.store.metrics_window import ProviderWindow
from gitbridge_console.store.provider_board import BoardEntry
from gitbridge_console.store.store import Store

WORST_FIRST = ("disabled", "no_key", "open", "half_open", "limited", "slow", "ok")
"""Which engine's view of a provider is shown when they differ."""


@dataclass(frozen=True, slots=True)
class ProviderBooks:
    """What the store itself keeps of one provider, whatever its engines say."""

    spent: Spent = field(default_factory=Spent)
    available: Mapping[str, float | None] = field(default_factory=dict)
    batches: BatchCounts | None = None
    board: BoardEntry = field(default_factory=BoardEntry)


async def read_books(store: Store, settings: Settings) -> dict[str, ProviderBooks]:
    """The books of every configured provider.

    Raises:
        redis.exceptions.RedisError: the store is away.
    """
    names = list(settings.providers)
    spent, available, batches, (_, board) = await asyncio.gather(
        store.budgets.read(settings.budgets),
        store.metrics.availability(names),
        store.batches.read(names),
        store.providers.read(names),
    )
    return {
        name: ProviderBooks(spent.get(name, Spent()), available[name], batches.get(name), board.get(name, BoardEntry())) for name in names
    }


def _newest(views: Sequence[Mapping[str, Any]]) -> HealthFinding | None:
    found = [HealthFinding.model_validate(view["health"]) for view in views if view.get("health")]
    return max(found, key=lambda finding: finding.at, default=None)


def batched_tasks(counts: BatchCounts | None) -> int:
    """Tasks whose question waits for a batch or is with one."""
    return 0 if counts is None else counts.collecting + sum(batch.count for batch in counts.open)


def batches_status(counts: BatchCounts | None) -> BatchesStatus | None:
    """What waits for a batch and what is under way; ``None`` for nothing of either."""
    if counts is None:
        return None
    return BatchesStatus(
        collecting=counts.collecting,
        since=iso_from_ms(counts.since_ms) if counts.since_ms else None,
        open=tuple(
            BatchStatus(id=batch.id, at=iso_from_ms(batch.at_ms), count=batch.count, done=batch.done, problem=batch.problem)
            for batch in counts.open
        ),
    )


def budget_status(budget: BudgetSettings | None, spent: Spent) -> BudgetStatus | None:
    """Where a budget of the day stands; ``None`` where there is none."""
    if budget is None:
        return None
    limits = ((spent.usd, budget.usd_per_day), (spent.tokens, budget.tokens_per_day))
    warned = any(limit is not None and used >= budget.warn_fraction * limit for used, limit in limits)
    return BudgetStatus(
        state="spent" if is_spent(budget, spent) else "warn" if warned else "ok",
        usd=spent.usd,
        usd_max=budget.usd_per_day,
        reserved_usd=spent.reserved_usd,
        tokens=spent.tokens,
        tokens_max=budget.tokens_per_day,
        reserved_tokens=spent.reserved_tokens,
        calls=spent.calls,
        unknown_calls=spent.unknown_calls,
    )


def provider_status(
    name: str,
    own: ProviderSettings,
    window: ProviderWindow,
    beats: Sequence[Beat],
    lane: LaneStatus | None,
    budget: BudgetSettings | None,
    books: ProviderBooks,
) -> ProviderStatus:
    """One provider as its engines and the store see it; where engines differ, as the one that fares worst does."""
    views = [beat.providers[name] for beat in beats if name in beat.providers]
    view: dict[str, Any] = (
        min(views, key=lambda v: WORST_FIRST.index(v["state"])) if views else {"state": "disabled", "reason": "no engine is running"}
    )
    breaker = BreakerStatus(**view["breaker"]) if "breaker" in view else BreakerStatus()
    if (board := books.board).forced_by and not breaker.forced_by:
        # No engine runs, or has heard of it yet.
        breaker = breaker.model_copy(update={"state": "forced_open", "forced_by": board.forced_by, "forced_why": board.forced_why})
        held_since = iso_from_ms(board.forced_at_ms)
        view = view | {
            "state": "open",
            "since": held_since,
            "reason": f"circuit breaker held open by {board.forced_by}: {board.forced_why}",
        }
    pause, drain = (lane.paused, lane.draining) if lane is not None else (None, None)
    state, since, reason = view["state"], view.get("since"), view.get("reason", "")
    if drain is not None:
        beside = "" if state == "ok" else f"; {state}: {reason}"
        state, since, reason = "draining", drain.since, f"draining by {drain.by}: {drain.reason}{beside}"
    if pause is not None:
        state, since, reason = "paused", pause.since, f"paused by {pause.by}: {pause.reason}"
    return ProviderStatus(
        state=state,
        since=since,
        reason=reason,
        model=own.model,
        api=own.api,
        in_flight=sum(v["in_flight"] for v in views),
        limit=sum(v["limit"] for v in views) or own.max_concurrency,
        limit_max=sum(v.get("limit_max", 0) for v in views) or own.max_concurrency,
        rate_limits=rate_limits(views),
        retry_budget=retry_budget(views),
        calls={"1m": window.calls_1m, "15m": window.calls_15m},
        latency_ms=window.latency_ms,
        errors=ErrorStatus(rate=window.error_rate, by_class=dict(window.errors_by_class)),
        availability=window.availability,
        tokens={"in": window.tokens_in, "out": window.tokens_out},
        cost_usd=window.cost_usd,
        gate_until=view.get("gate_until"),
        breaker=breaker,
        budget=budget_status(budget, books.spent),
        batches=batches_status(books.batches),
        health=_newest(views),
        availability_by_window=dict(books.available),
        latency_trend_ms=window.latency_trend_ms,
    )
