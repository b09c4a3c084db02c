"""A provider's rate limits and retry budget as the engines tell of them, put together for the status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gitbridge_console.domain.snapshots import RateLimitStatus, RetryBudgetStatus


def rate_limits(views: Sequence[Mapping[str, Any]]) -> dict[str, RateLimitStatus]:
    """The limits are the fleet's; shown is what the engine says that sees least left."""
    found: dict[str, RateLimitStatus] = {}
    for view in views:
        for name, fields in view.get("rate_limits", {}).items():
            limit = RateLimitStatus(**fields)
            if name not in found or limit.remaining < found[name].remaining:
                found[name] = limit
    return found


def retry_budget(views: Sequence[Mapping[str, Any]]) -> RetryBudgetStatus:
    """Each engine has budgets of its own: shown are the emptiest of a provider, and the repetitions of all."""
    budgets = [RetryBudgetStatus(**view["retry_budget"]) for view in views if "retry_budget" in view]
    return RetryBudgetStatus(
        tokens=min((budget.tokens for budget in budgets), default=RetryBudgetStatus().tokens),
        repeats=sum(budget.repeats for budget in budgets),
        calls=sum(budget.calls for budget in budgets),
    )
