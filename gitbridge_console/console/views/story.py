"""The story of one provider: its calls, its breaker, and why it got a seat or none."""

from __future__ import annotations

from gitbridge_console.console.text import fit, safe
from gitbridge_console.console.views.cells import Cell, Line, clock, line, millis, money
from gitbridge_console.console.views.charts import histogram_lines
from gitbridge_console.console.views.tables import short_id
from gitbridge_console.domain.history import BreakerTurn, ProviderHistory, ProviderStory, RecentAttempt
from gitbridge_console.domain.timestamps import iso_from_ms

TURN_TONES = {"opened": "bad", "disabled": "bad", "held open": "warn", "closed": "good", "closed by hand": "good", "reset": "good"}
ATTEMPTS_SHOWN, TURNS_SHOWN, CHOICES_SHOWN = 30, 20, 20


def story_lines(
    story: ProviderStory | None, past: ProviderHistory | None, width: int, *, span: str, ascii_mode: bool = False
) -> list[Line]:
    """What follows the provider's present: distribution, breaker, attempts, choices."""
    lines = [
        line(Cell(f"HOW LONG ANSWERS TOOK, {span}", "head")),
        *histogram_lines(past or ProviderHistory(), width, ascii_mode=ascii_mode),
    ]
    if story is None:
        return [*lines, line(""), line(Cell("the rest is on its way", "dim"))]
    lines += [line(""), line(Cell("BREAKER", "head")), *(turn_line(turn) for turn in story.turns[:TURNS_SHOWN])]
    if not story.turns:
        lines.append(line(Cell("  it has not opened, and nobody said a word to it", "dim")))
    lines += [line(""), line(Cell("LAST CALLS", "head")), *(attempt_line(attempt) for attempt in story.attempts[:ATTEMPTS_SHOWN])]
    if not story.attempts:
        lines.append(line(Cell("  none yet", "dim")))
    lines += [line(""), line(Cell("WHY IT WAS ASKED, OR NOT", "head"))]
    lines += [line(Cell(f"  {short_id(event):<12} ", "dim"), safe(reason)) for event, reason in story.choices[:CHOICES_SHOWN]]
    if not story.choices:
        lines.append(line(Cell("  no event was routed lately", "dim")))
    return lines


def turn_line(turn: BreakerTurn) -> Line:
    """One turn of the breaker."""
    who = f" by {safe(turn.by)}" if turn.by else ""
    return line(
        Cell(f"  {clock(iso_from_ms(turn.at_ms))}  ", "dim"),
        Cell(f"{safe(turn.what)}{who}", TURN_TONES.get(turn.what, "")),
        f"  {safe(turn.why)}",
    )


def attempt_line(attempt: RecentAttempt) -> Line:
    """One call."""
    good = attempt.outcome == "ok"
    first = f" (first token {millis(attempt.ttft_ms)})" if attempt.ttft_ms is not None else ""
    return line(
        Cell(f"  {clock(iso_from_ms(attempt.at_ms))}  ", "dim"),
        fit(short_id(safe(attempt.job)), 12),
        Cell(fit(safe(attempt.outcome).replace("_", " "), 16), "good" if good else "bad"),
        f"{millis(attempt.latency_ms):>7}{first}  {money(attempt.cost_usd)}",
        Cell(f"  {attempt.http_status or ''} {safe(attempt.request_id)}", "dim"),
    )
