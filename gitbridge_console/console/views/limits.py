"""A provider's rate limits and retry budget, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitbridge_console.console.text import safe
from gitbridge_console.console.views.cells import Cell, Line, clock, line

if TYPE_CHECKING:
    from gitbridge_console.domain.snapshots import ProviderStatus


def limit_lines(provider: ProviderStatus) -> list[Line]:
    """A line for each rate limit that is used up, one for all the others, and one for the retry budget."""
    shut = [(word, limit, at) for word, limit in provider.rate_limits.items() if (at := limit.opens_at)]
    open_ = [(word, limit) for word, limit in provider.rate_limits.items() if not limit.opens_at]
    lines = [
        line(
            Cell("rate limit   ", "dim"),
            f"{short(limit.limit)} {_words(word)} a minute used up, ",
            Cell(f"next call at {clock(at)}", "warn"),
            Cell(f"  ({safe(limit.source)})", "dim"),
        )
        for word, limit, at in shut
    ]
    if open_:
        named = ", ".join(f"{short(limit.limit)} {_words(word)}" for word, limit in open_)
        sources = ", ".join(dict.fromkeys(safe(limit.source) for _, limit in open_))
        lines.append(line(Cell("rate limits  ", "dim"), f"{named} a minute", Cell(f"  ({sources})", "dim")))
    budget = provider.retry_budget
    words = f"{budget.tokens:g} of 10 tokens, {budget.repeats} of {budget.calls} calls repeated in 1 min"
    return [*lines, line(Cell("retry budget ", "dim"), words)]


def short(n: int) -> str:
    """A large number in four or five characters: ``950``, ``60k``, ``1.2M``."""
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if n >= 10 * size:
            return f"{n / size:,.0f}{unit}"
        if n >= size:
            return f"{n / size:.1f}".removesuffix(".0") + unit
    return str(n)


def _words(name: str) -> str:
    return safe(name).replace("_", " ")
