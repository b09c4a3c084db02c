"""The panel of a decision: each provider's verdict, time, cost and findings, the consensus beside them, and how far to trust it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from gitbridge_console.consensus.clusters import findings_of
from gitbridge_console.console.text import clip, fit, safe
from gitbridge_console.console.views.cells import Cell, Line, line, millis, money, wrap
from gitbridge_console.domain.decisions import Answer, AnswerStatus, Decision, DecisionState
from gitbridge_console.domain.durations import age

LABEL = 12
COLUMN_MIN, COLUMN_MAX = 14, 16
OUTCOME = 24
"""Cells the column of the consensus needs: ``REQUEST CHANGES 2/3``, ``policy, rules 2  $0.0777``."""

STATE_TONES = {"complete": "good", "partial": "warn", "degraded": "bad", "failed": "bad"}
ORDINALS = ("", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
STATUS_TONES = {AnswerStatus.OK: "", AnswerStatus.PENDING: "accent", AnswerStatus.ABSTAIN: "dim", AnswerStatus.REFUSED: "warn"}


def words(name: str) -> str:
    """A name of ours or of a provider's with spaces, made harmless."""
    return safe(name).replace("_", " ")


def decimal(value: float) -> str:
    """``.35``: two places, without the zero in front."""
    return f"{value:.2f}".removeprefix("0")


@dataclass(frozen=True, slots=True)
class Head:
    """What the top of a provider's column says."""

    name: str
    verdict: Cell
    cost: str
    """Time and cost; while it is out, how long already."""
    findings: str


def head_of(answer: Answer) -> Head:
    """The head of one seat."""
    name = safe(answer.provider).upper()
    if answer.status is AnswerStatus.PENDING:
        spent = f"… {age(answer.latency_ms / 1000)}" if answer.latency_ms else "…"
        return Head(name, Cell("still out", "accent"), spent, "")
    time = millis(answer.latency_ms) if answer.latency_ms else "-"
    cost = f"{time} {money(answer.cost_usd) if answer.cost_usd is not None else '$?'}"
    if answer.status is AnswerStatus.OK:
        verdict = Cell("late", "warn") if answer.late else Cell(words(answer.verdict or "no verdict"))
        return Head(name, verdict, cost, str(len(findings_of(answer))))
    return Head(name, Cell(words(answer.status.value), STATUS_TONES.get(answer.status, "bad")), cost, "-")


def state_cell(decision: Decision, *, preview: bool = False) -> Cell:
    """How much of the panel stands behind it: ``COMPLETE 3/3``, ``PARTIAL 2 of 2, third missing``."""
    votes, seats = decision.agreement.verdict_n, decision.seats
    if preview:
        return Cell(f"SO FAR, NOT DECIDED  {decision.answered} of {seats} answered", "accent")
    tone, missing = STATE_TONES[decision.state.value], seats - votes
    if decision.state is DecisionState.COMPLETE:
        return Cell(f"COMPLETE {decision.answered}/{seats}", tone)
    if decision.state is DecisionState.PARTIAL:
        gone = f"{ORDINALS[seats]} missing" if missing == 1 and seats < len(ORDINALS) else f"{missing} missing"
        return Cell(f"PARTIAL {votes} of {votes}, {gone}", tone)
    return Cell(f"DEGRADED {votes} of {decision.quorum} votes needed" if votes else f"FAILED 0/{seats}", tone)


def verdict_text(decision: Decision) -> str:
    """``REQUEST CHANGES 2/3``."""
    if not decision.agreement.verdict_n:
        return "NO VOTE"
    return f"{words(decision.verdict).upper()} {decision.agreement.verdict_k}/{decision.agreement.verdict_n}"


def confirmed_text(decision: Decision) -> str:
    """``3 of 8 confirmed``."""
    found = decision.agreement
    if not found.verdict_n:
        return ""
    return f"{found.findings_confirmed} of {found.findings_total} confirmed" if found.findings_total else "nothing found"


def strategy_text(decision: Decision) -> str:
    """Strategy and version of the rules."""
    return f"{safe(decision.strategy)}, rules {decision.rules}"


def agreement_text(decision: Decision) -> str:
    """``verdict 2/3 · findings high for this repo (A .35, usual .08–.29)``; never one bare percentage."""
    found = decision.agreement
    text = f"verdict {found.verdict_k}/{found.verdict_n}"
    if not found.band or found.share is None:
        return text
    if found.band == "all clear":
        return f"{text} · all clear, nobody found anything"
    whose = "this repo" if found.own_history else "reviews"
    usual = f", usual {decimal(found.usual[0])}–{decimal(found.usual[1])}" if found.usual else ""
    return f"{text} · findings {found.band} for {whose} (A {decimal(found.share)}{usual})"


def title_line(subject: str, title: str, head_sha: str, state: Cell, width: int) -> Line:
    """What it is about, at which head, and how much of the panel stands behind it. The state is never cut for the title."""
    head = f"head {safe(head_sha)[:7]}  " if head_sha else ""
    right = cell_len(head) + cell_len(state.text)
    left = width - right - 2
    if left < 20:
        return line(Cell(clip(safe(subject), max(0, width - cell_len(state.text) - 1)), "strong"), " ", state)
    name = clip(safe(subject), left)
    about = clip(safe(title), left - cell_len(name) - 2)
    space = " " * (width - cell_len(name) - cell_len(about) - 2 - right)
    return line(Cell(name, "strong"), f"  {about}{space}", Cell(head, "dim"), state)


def columns_fit(seats: int, width: int) -> bool:
    """Whether each provider can have a column of its own with the consensus beside them."""
    return seats > 0 and (width - LABEL - OUTCOME) // seats >= COLUMN_MIN


def table_lines(decision: Decision, width: int, *, preview: bool = False) -> list[Line]:
    """Verdict, time and cost, findings: a column each with the consensus last; a line each where there is no room for that."""
    heads = [head_of(answer) for answer in decision.answers]
    if not columns_fit(len(heads), width):
        return _rows(decision, heads, width, preview)
    column = min(COLUMN_MAX, (width - LABEL - OUTCOME) // len(heads))
    disputed = "!" if any(conflict.type == "verdict" for conflict in decision.conflicts) else ""
    outcome = "SO FAR" if preview else "CONSENSUS" if decision.seats > 1 else "ONE ANSWER"
    return [
        line(" " * LABEL, *(Cell(_cell(head.name, column), "head") for head in heads), Cell(outcome, "head")),
        line(
            Cell(fit(f"verdict {disputed}", LABEL), "dim"),
            *(Cell(_cell(_short(head.verdict.text, column), column), head.verdict.tone) for head in heads),
            Cell(verdict_text(decision), "strong"),
        ),
        line(
            Cell(fit("time cost", LABEL), "dim"),
            *(_cell(head.cost, column) for head in heads),
            Cell(f"{strategy_text(decision)}  {money(decision.cost_usd) if decision.cost_usd is not None else ''}", "dim"),
        ),
        line(Cell(fit("findings", LABEL), "dim"), *(_cell(head.findings, column) for head in heads), confirmed_text(decision)),
    ]


def _cell(text: str, column: int) -> str:
    return fit(text, column - 1) + " "


def _short(verdict: str, column: int) -> str:
    return verdict if cell_len(verdict) < column else verdict.replace("request ", "req ")


def _rows(decision: Decision, heads: Sequence[Head], width: int, preview: bool) -> list[Line]:
    name = "so far" if preview else "consensus" if decision.seats > 1 else "one answer"
    first = line(
        Cell(f"{name.upper()} ", "head"), Cell(verdict_text(decision), "strong"), f"  {confirmed_text(decision)}  ", strategy_text(decision)
    )
    return [
        *wrap(first, width),
        *(
            line(
                Cell(f"  {fit(head.name, 11)} ", "strong"),
                Cell(f"{fit(head.verdict.text, 16)} ", head.verdict.tone),
                Cell(f"{fit(head.cost, 15)} ", "dim"),
                f"{head.findings} found" if head.findings.isdigit() else "",
            )
            for head in heads
        ),
    ]


def grid_heads(decision: Decision, left: int, column: int, *, preview: bool = False) -> list[Line]:
    """The same as tops of columns, the consensus left; ``column`` is the room beside the separator."""
    heads = [head_of(answer) for answer in decision.answers]
    name = "SO FAR" if preview else "CONSENSUS" if decision.seats > 1 else "ONE ANSWER"
    disputed = " !" if any(conflict.type == "verdict" for conflict in decision.conflicts) else ""
    found = [f"{head.findings} found" if head.findings.isdigit() else "" for head in heads]
    costs = [f"{head.cost}  {text}".rstrip() for head, text in zip(heads, found, strict=True)]
    in_one = all(cell_len(text) <= column for text in costs)
    rows: list[tuple[list[Cell], list[Cell]]] = [
        ([Cell(f" {name}  ", "head"), Cell(verdict_text(decision) + disputed, "strong")], [Cell(head.name, "head") for head in heads]),
        ([Cell(f" {confirmed_text(decision)}")], [Cell(_short(head.verdict.text, column), head.verdict.tone) for head in heads]),
        (
            [Cell(f" {strategy_text(decision)}, quorum {decision.quorum}  {money(decision.cost_usd)}", "dim")],
            [Cell(text if in_one else head.cost, "dim") for head, text in zip(heads, costs, strict=True)],
        ),
    ]
    if not in_one:
        rows.append(([], [Cell(text, "dim") for text in found]))
    return [grid_line(own, cells, left, column) for own, cells in rows]


def grid_line(own: Sequence[Cell], cells: Sequence[Cell], left: int, column: int) -> Line:
    """One line of the grid: what is ours in ``left`` cells, then each provider's behind a separator."""
    room, shown = left, []
    for cell in own:
        shown.append(Cell(clip(cell.text, room), cell.tone))
        room -= cell_len(shown[-1].text)
    parts = [part for cell in cells for part in (Cell("│ ", "dim"), Cell(fit(cell.text, column), cell.tone))]
    return line(*shown, " " * room, *parts)


def grid_rule(left: int, column: int, seats: int) -> Line:
    """A line across the grid."""
    return line(Cell("─" * left + ("┼" + "─" * (column + 1)) * seats, "dim"))


def trust_lines(decision: Decision, width: int, *, preview: bool = False) -> list[Line]:
    """How far they agree, and who is missing and why."""
    lines = [line(Cell(fit("agreement", LABEL), "dim"), agreement_text(decision))] if decision.agreement.verdict_n else []
    lines += [
        line(Cell(fit("missing x", LABEL), "warn"), f"{safe(conflict.subject)}: ", Cell(safe(conflict.resolved_by), "warn"))
        for conflict in decision.conflicts
        if conflict.type == "missing" and not (preview and conflict.positions.get(conflict.subject) == AnswerStatus.PENDING)
    ]
    return _wrapped(lines, width)


def why_lines(decision: Decision, width: int, *, preview: bool = False) -> list[Line]:
    """Why it came out so, decided fields, dissent."""
    lines = []
    if decision.rationale and not preview:
        lines.append(line(Cell(fit("why", LABEL), "dim"), safe("; ".join(decision.rationale[:6]))))
    if decision.fields:
        shown = "  ".join(f"{words(name)}: {_value(value)}" for name, value in list(decision.fields.items())[:8])
        lines.append(line(Cell(fit("decided", LABEL), "dim"), shown))
    lines += [
        line(Cell(fit("dissent", LABEL), "dim"), f"{safe(vote.get('provider', ''))}: {words(vote.get('verdict', ''))}  ", _why(vote))
        for vote in decision.dissent[:8]
        if not preview
    ]
    return _wrapped(lines, width)


def _wrapped(lines: Sequence[Line], width: int) -> list[Line]:
    return [part for whole in lines for part in wrap(whole, width, LABEL if width > 2 * LABEL else 2)[:3]]


def _why(vote: dict[str, str]) -> Cell:
    text = safe(vote.get("why", ""))
    return Cell(f'"{clip(text, 160)}"' if text else "", "dim")


def _value(value: object) -> str:
    parts = value if isinstance(value, list | tuple) else [value]
    return safe(", ".join(str(part) for part in parts[:12])) or "-"


def warning_lines(decision: Decision, width: int, *, preview: bool = False) -> list[Line]:
    """What an operator should know or do first, at the top."""
    lines = [line(Cell(f"! {safe(flag)}", "warn")) for flag in decision.flags[:6]]
    if decision.needs_operator and not preview:
        lines.insert(0, line(Cell("! an operator decides: O approve and post, V choose a verdict, N reject", "accent")))
    return [part for whole in lines for part in wrap(whole, width, 2)[:3]]
