"""A provider's rate limits and retry budget, in words."""

from __future__ import annotations

from gitbridge_console.console.text import safe
from gitbridge_console.console.views.cells import Cell, Line, clock, line
from gitbridge_console.domain.snapshots import ProviderStatus


def limit_lines(provider: ProviderStatus) -> list[Line]:
    """One line for each rate limit there is, and one for the retry budget."""
    budget = provider.retry_budget
    return [
        *(
            line(
                Cell("rate limit   ", "dim"),
                f"{limit.limit:,} {safe(word).replace('_', ' ')} a minute, {limit.remaining:,} at once now",
                Cell(f", next call at {clock(limit.opens_at)}" if limit.opens_at else "", "warn"),
                Cell(f"  ({safe(limit.source)})", "dim"),
            )
            for word, limit in provider.rate_limits.items()
        ),
        line(
            Cell("retry budget ", "dim"),
            f"{budget.tokens:g} of 10 tokens, {budget.repeats} of {budget.calls} calls repeated in 1 min",
        ),
    ]
