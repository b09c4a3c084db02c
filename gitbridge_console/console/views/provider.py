"""Everything known of one provider, line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitbridge_console.console.text import safe
from gitbridge_console.console.views.cells import Cell, Line, clock, line, millis, money, percent
from gitbridge_console.console.views.fleet import STATE_TONES, state_cell
from gitbridge_console.console.views.limits import limit_lines
from gitbridge_console.domain.durations import age

if TYPE_CHECKING:
    from gitbridge_console.domain.provider_health import HealthFinding
    from gitbridge_console.domain.snapshots import (
        BatchesStatus,
        BreakerStatus,
        BudgetStatus,
        LaneStatus,
        ProviderStatus,
    )


def availability_text(provider: ProviderStatus) -> str:
    """The share of calls it was there for, over each window with calls."""
    windows = {"15 min": provider.availability} | {
        {"5m": "5 min", "1h": "1 h", "24h": "24 h"}[word]: share for word, share in provider.availability_by_window.items()
    }
    order = ("5 min", "15 min", "1 h", "24 h")
    return "  ".join(f"{100 * share:.1f}% in {word}" for word in order if (share := windows.get(word)) is not None) or "-"


def health_text(finding: HealthFinding) -> str:
    """What the last look at a provider found."""
    word = f"answered in {millis(finding.ms)}" if finding.ok else f"not well: {safe(finding.failure)}"
    return f"{word} at {clock(finding.at)}" + (f", {safe(finding.reason)}" if finding.reason else "")


def budget_text(budget: BudgetStatus) -> str:
    """What a provider's calls took today, of what they may take."""
    parts = []
    if budget.usd_max is not None:
        parts.append(f"{money(budget.usd)} of {money(budget.usd_max)}, {money(budget.reserved_usd)} set aside for calls in flight")
    if budget.tokens_max is not None:
        parts.append(f"{budget.tokens:,} of {budget.tokens_max:,} tokens")
    if budget.unknown_calls:
        parts.append(f"{budget.unknown_calls} of {budget.calls} calls of unknown cost")
    return ", ".join(parts) or "no limit"


def breaker_facts(breaker: BreakerStatus) -> list[str]:
    """What there is to say of a circuit breaker."""
    facts = [f"held open by {safe(breaker.forced_by)}: {safe(breaker.forced_why)}" if breaker.forced_by else safe(breaker.state)]
    if breaker.since:
        facts.append(f"since {clock(breaker.since)}")
    facts.append(f"{breaker.failures} failures")
    if breaker.openings:
        facts.append(f"opened {breaker.openings} times lately")
    if breaker.next_probe:
        facts.append(f"next probe {clock(breaker.next_probe)}")
    if breaker.causes:
        facts.append(f"last causes {', '.join(safe(cause) for cause in breaker.causes)}")
    if breaker.share < 1:
        facts.append(f"coming back, {percent(breaker.share)} of its weight")
    return facts


def _batch_lines(batches: BatchesStatus | None) -> list[Line]:
    if batches is None:
        return []
    waits = f"{batches.collecting:,} questions wait for the next" + (f", the first since {clock(batches.since)}" if batches.since else "")
    under_way = [
        line(
            Cell("batch        ", "dim"),
            f"{safe(batch.id) or 'not handed in yet'}: {batch.done:,} of {batch.count:,} done, since {clock(batch.at)}",
            Cell(f"  {safe(batch.problem)}" if batch.problem else "", "warn"),
        )
        for batch in batches.open
    ]
    return [line(Cell("batches      ", "dim"), waits), *under_way]


def _last_look(finding: HealthFinding | None) -> list[Line]:
    return [] if finding is None else [line(Cell("last look    ", "dim"), Cell(health_text(finding), "" if finding.ok else "bad"))]


def _shut_gate(until: str | None) -> list[Line]:
    return [line(Cell("rate gate    ", "dim"), Cell(f"shut until {clock(until)}", "warn"))] if until else []


def provider_detail(name: str, provider: ProviderStatus, lane: LaneStatus | None) -> list[Line]:
    """Everything known of one provider, in words."""
    errors = ", ".join(f"{safe(word)} {n}" for word, n in sorted(provider.errors.by_class.items(), key=lambda item: -item[1])) or "none"
    lines = [
        line(
            Cell(safe(name), "strong"),
            "  ",
            state_cell(provider.state),
            Cell(f"  since {clock(provider.since)}" if provider.since else "", "dim"),
        ),
    ]
    if provider.reason:
        lines.append(line(Cell(safe(provider.reason), STATE_TONES.get(provider.state, ""))))
    lines += [
        line(Cell("model        ", "dim"), f"{safe(provider.model)} over {safe(provider.api)}"),
        *_last_look(provider.health),
        line(
            Cell("calls        ", "dim"),
            f"{provider.calls.get('1m', 0)} in 1 min, {provider.calls.get('15m', 0)} in 15 min",
            f", {provider.in_flight} of {provider.limit} slots busy",
            f" (up to {provider.limit_max})" if provider.limit_max > provider.limit else "",
        ),
        line(
            Cell("latency      ", "dim"),
            f"p50 {millis(provider.latency_ms.p50)}  p95 {millis(provider.latency_ms.p95)}  p99 {millis(provider.latency_ms.p99)}",
        ),
        line(Cell("errors       ", "dim"), f"{percent(provider.errors.rate)}: {errors}"),
        line(Cell("availability ", "dim"), availability_text(provider)),
        line(Cell("breaker      ", "dim"), ", ".join(breaker_facts(provider.breaker))),
        *_shut_gate(provider.gate_until),
        *limit_lines(provider),
        line(
            Cell("cost         ", "dim"),
            f"{money(provider.cost_usd)} in 15 min for {provider.tokens.get('in', 0):,} tokens in, {provider.tokens.get('out', 0):,} out",
        ),
    ]
    if provider.budget is not None:
        tone = {"spent": "bad", "warn": "warn"}.get(provider.budget.state, "")
        lines.append(line(Cell("budget today ", "dim"), Cell(budget_text(provider.budget), tone)))
    lines += _batch_lines(provider.batches)
    if lane is not None:
        batched = f" ({lane.batched:,} for a batch)" if lane.batched else ""
        words = f"{lane.depth:,} ready, {lane.waiting} waiting{batched}, {lane.leased} leased, oldest {age(lane.oldest_age_s)}"
        lines.append(line(Cell("lane         ", "dim"), words))
    return lines
