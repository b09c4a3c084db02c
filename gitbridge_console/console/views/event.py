"""One event down to its attempts, answers and the differences between them."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence

from gitbridge_console.console.text import clip, fit, safe
from gitbridge_console.console.views.cells import Cell, Line, clock, line, millis, money, wrap
from gitbridge_console.console.views.tables import DECISION_TONES, STATE_TONES, short_id
from gitbridge_console.domain.decisions import Answer, AnswerStatus, Cluster, Decision
from gitbridge_console.domain.event_views import EventDetail, TaskDetail

SIDE_BY_SIDE_WIDTH = 100
SEVERITY_TONES = {"critical": "bad", "high": "bad", "medium": "warn", "low": "", "nit": "dim"}
PAYLOAD_LINES_MAX = 400


def event_lines(event: EventDetail, width: int) -> list[Line]:
    """The whole page, section by section."""
    sections = [head_lines(event)]
    if event.decision is not None:
        sections.append(decision_lines(event.decision, width))
    sections.append(task_lines(event.tasks))
    if event.decision is not None and any(answer.payload for answer in event.decision.answers):
        sections.append(answer_lines(event.decision.answers, width))
    if event.action is not None:
        sections.append(action_lines(event))
    sections.append(
        [
            line(Cell("TIMELINE", "head")),
            *(line(Cell(f"{clock(entry.at)}  ", "dim"), f"{safe(entry.what)}  ", Cell(safe(entry.by), "dim")) for entry in event.timeline),
        ]
    )
    if event.routing:
        sections.append([line(Cell("WHO WAS ASKED, AND WHY", "head")), *(line(f"  {safe(text)}") for text in event.routing)])
    if event.payload_text is not None:
        sections.append(payload_lines(event.payload_text))
    return [part for section in sections for row in (*section, line("")) for part in wrap(row, width)]


def head_lines(event: EventDetail) -> list[Line]:
    """What it is and where it stands."""
    lines = [
        line(Cell(safe(event.subject) or safe(event.type), "strong"), f"  {safe(event.title)}"),
        line(
            Cell(event.state.replace("_", " "), STATE_TONES.get(event.state, "")),
            f"  {'.'.join(part for part in (event.type, safe(event.action_name)) if part)}  {event.kind.replace('_', ' ')}",
            f"  priority {event.priority}  run {event.run}",
            Cell(f"  id {short_id(event.id)}  by {safe(event.author)}  received {clock(event.received_at)}", "dim"),
        ),
    ]
    if event.error is not None:
        lines.append(line(Cell(f"{event.error.code} {event.error.cls}: {safe(event.error.message)}", "bad")))
    if event.reason:
        lines.append(line(Cell(safe(event.reason), "dim")))
    if event.next_chance is not None:
        lines.append(line(Cell(f"next chance {clock(event.next_chance)}", "warn")))
    if event.material_note:
        lines.append(line(Cell(f"reviewers saw: {safe(event.material_note)}", "warn")))
    return lines


def decision_lines(decision: Decision, width: int) -> list[Line]:
    """The consensus and the differences: providers are columns, findings are rows."""
    agreement = decision.agreement
    word = "CONSENSUS" if decision.seats > 1 else "ONE ANSWER"
    lines = [
        line(
            Cell(f"{word} ", "head"),
            Cell(f"{decision.verdict.replace('_', ' ')} {agreement.verdict_k}/{agreement.verdict_n}  ", "strong"),
            Cell(decision.state.value.upper(), DECISION_TONES.get(decision.state.value, "")),
            f"  {decision.strategy}, quorum {decision.quorum}, {decision.answered} of {decision.seats} answered",
            f"  {agreement.findings_confirmed} of {agreement.findings_total} findings confirmed" if agreement.findings_total else "",
            Cell(f"  {money(decision.cost_usd)}", "dim"),
        ),
        *(line(Cell("  why: ", "dim"), safe(reason)) for reason in decision.rationale),
    ]
    if decision.needs_operator:
        lines.append(line(Cell("  waits for an operator: O approve, D reject", "accent")))
    lines += verdict_lines(decision.answers, width)
    lines += side_by_side(decision, width) if width >= SIDE_BY_SIDE_WIDTH else unified(decision, width)
    for conflict in decision.conflicts:
        positions = ", ".join(f"{safe(who)}: {safe(what)}" for who, what in conflict.positions.items())
        lines.append(
            line(
                Cell(f"  ! {conflict.type} {safe(conflict.subject)}  ", "warn"),
                positions,
                Cell(f"  → {safe(conflict.resolution)} ({safe(conflict.resolved_by)})", "dim"),
            )
        )
    return lines


def verdict_lines(answers: Sequence[Answer], width: int) -> list[Line]:
    """Each seat's verdict, time and cost."""
    return [
        line(
            "  ",
            Cell(fit(safe(answer.provider), 12), "strong"),
            fit((answer.verdict or answer.status.value).replace("_", " "), 18),
            Cell(fit(millis(answer.latency_ms) if answer.latency_ms else "-", 8, right=True), "dim"),
            Cell(fit(money(answer.cost_usd), 10, right=True), "dim"),
            Cell(f"  {clip(safe(answer.reason), max(0, width - 54))}" if answer.status is not AnswerStatus.OK else "", "warn"),
        )
        for answer in answers
    ]


def mark(cluster: Cluster, answer: Answer) -> str:
    """``●`` said it, ``~`` probably the same, ``·`` silent, ``?`` abstained, ``x`` failed."""
    if answer.status is AnswerStatus.OK:
        said = any(member.get("provider") == answer.provider for member in cluster.members)
        return "·" if not said else "~" if cluster.tier == "probable" else "●"
    return "?" if answer.status in (AnswerStatus.ABSTAIN, AnswerStatus.REFUSED) else "x"


def initials(providers: Sequence[str]) -> dict[str, str]:
    """The shortest beginnings, of one length, that tell the providers of a panel apart: ``Cl``, ``Ch``, ``Gr``."""
    names = {name: safe(name) for name in providers}
    longest = max((len(name) for name in names.values()), default=1)
    length = next((n for n in range(1, longest) if len({name[:n].lower() for name in names.values()}) == len(names)), longest)
    return {name: shown[:length].capitalize() for name, shown in names.items()}


def cluster_head(cluster: Cluster, answers: Sequence[Answer]) -> tuple[str | Cell, ...]:
    """Number, severity, k of n and who."""
    short = initials([answer.provider for answer in answers])
    marks = " ".join(f"{short[answer.provider]}{mark(cluster, answer)}" for answer in answers)
    return (
        f" {cluster.id:>2} ",
        Cell(fit(cluster.severity.upper(), 9), SEVERITY_TONES.get(cluster.severity, "")),
        f"{cluster.k}/{cluster.n}  {marks}  ",
    )


def unified(decision: Decision, width: int) -> list[Line]:
    """Below 100 columns: each finding, then who said it in which words."""
    lines: list[Line] = []
    said_by = [str(member["provider"]) for cluster in decision.clusters for member in cluster.members]
    short = initials([*(answer.provider for answer in decision.answers), *said_by])
    for cluster in decision.clusters:
        place = f"{safe(cluster.path)}:{cluster.line}" if cluster.path else "no file"
        lines.append(line(*cluster_head(cluster, decision.answers), Cell(f"{place}  ", "dim"), safe(cluster.title)))
        if cluster.k > 1:
            lines += [
                line(
                    Cell(f"        {short[str(m['provider'])]}: ", "dim"),
                    f"{safe(str(m.get('severity', '')))} {m.get('start_line', '')} {safe(str(m.get('title', '')))}",
                )
                for m in cluster.members
            ]
    return lines


def side_by_side(decision: Decision, width: int) -> list[Line]:
    """From 100 columns: one column per provider."""
    if not decision.clusters:
        return []
    left = min(50, width // 3)
    column = max(12, (width - left - 2) // max(1, len(decision.answers)) - 2)
    heads = [Cell(f"│ {fit(safe(answer.provider).upper(), column)}", "head") for answer in decision.answers]
    lines = [line(Cell(fit(" FINDINGS", left), "head"), *heads)]
    for cluster in decision.clusters:
        place = f"{safe(cluster.path)}:{cluster.line}" if cluster.path else "no file"
        head = f" {cluster.id:>2} {fit(cluster.severity.upper(), 8)} {cluster.k}/{cluster.n} {place}"
        said = [Cell(f"│ {fit(_words(cluster, answer), column)}") for answer in decision.answers]
        lines.append(line(Cell(fit(clip(head, left), left), SEVERITY_TONES.get(cluster.severity, "")), *said))
        lines.append(line(Cell(fit(f"    {safe(cluster.title)}", left)), *(Cell(f"│ {' ' * column}") for _ in decision.answers)))
    return lines


def _words(cluster: Cluster, answer: Answer) -> str:
    for member in cluster.members:
        if member.get("provider") == answer.provider:
            sign = "~" if cluster.tier == "probable" else "="
            return f"{sign} {safe(str(member.get('severity', '')))} {member.get('start_line', '')} {safe(str(member.get('title', '')))}"
    return mark(cluster, answer)


def task_lines(tasks: Sequence[TaskDetail]) -> list[Line]:
    """Seats and every attempt made for them."""
    lines = [line(Cell("TASKS", "head"))] if tasks else [line(Cell("no tasks yet", "dim"))]
    for task in tasks:
        moved = f" (seat of {safe(task.seat)})" if task.seat != task.provider else ""
        if task.hedge_of:
            moved = f" (hedge of {short_id(task.hedge_of)})"
        tone = {"succeeded": "good", "failed": "bad"}.get(task.state, "warn")
        lines.append(
            line(
                "  ",
                Cell(fit(short_id(task.id), 9), "dim"),
                Cell(f"{safe(task.provider)}{moved} ", "strong"),
                Cell(task.state.replace("_", " "), tone),
                Cell(f"  calls {task.calls}, deliveries {task.deliveries}", "dim"),
            )
        )
        for attempt in task.attempts:
            tokens = f"{_tokens(attempt.tokens_in)}+{_tokens(attempt.tokens_out)} tokens"
            lines.append(
                line(
                    Cell(f"      {clock(attempt.started_at)} ", "dim"),
                    f"{safe(attempt.provider)} {safe(attempt.model)}  ",
                    Cell(
                        f"{attempt.outcome.replace('_', ' ')} → {attempt.verdict.replace('_', ' ')}",
                        "good" if attempt.outcome == "ok" else "bad",
                    ),
                    f"  {attempt.http_status or ''}  {millis(attempt.latency_ms)}  {tokens}  {money(attempt.cost_usd)}",
                    Cell(f"  {safe(attempt.message)}", "warn"),
                )
            )
    return lines


def _tokens(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"


def answer_lines(answers: Sequence[Answer], width: int) -> list[Line]:
    """The original answers, unblended."""
    lines = [line(Cell("ANSWERS", "head"))]
    for answer in answers:
        payload = answer.payload or {}
        lines.append(
            line(
                "  ",
                Cell(safe(answer.provider), "strong"),
                f"  {(answer.verdict or '').replace('_', ' ')}  ",
                Cell(f"{safe(answer.model)}  prompt {safe(answer.prompt)}", "dim"),
            )
        )
        for key in ("summary", "suggested_reply", "release_note"):
            if text := payload.get(key):
                lines += _wrapped(safe(str(text), lines=True), width - 4)
        for finding in [*payload.get("findings", []), *payload.get("edits", [])]:
            place = f"{finding.get('path', '')}:{finding.get('start_line', finding.get('section', ''))}"
            lines.append(
                line(
                    "    ",
                    Cell(f"{safe(str(finding.get('severity', '')))} ", SEVERITY_TONES.get(str(finding.get("severity")), "")),
                    Cell(f"{safe(place)}  ", "dim"),
                    safe(str(finding.get("title", ""))),
                )
            )
    return lines


def action_lines(event: EventDetail) -> list[Line]:
    """What was, or in a dry run would be, sent."""
    action = event.action or {}
    note = "dry run: this is what would be sent" if action.get("dry_run") else "sent"
    lines = [
        line(Cell("ACTION ", "head"), f"{safe(str(action.get('type', '')))}  ", Cell(safe(str(action.get("reason") or note)), "accent"))
    ]
    for request in action.get("requests", []):
        lines.append(line("  ", Cell(f"{safe(str(request.get('method', '')))} {safe(str(request.get('path', '')))}", "strong")))
        lines += [
            line(f"    {safe(text)}")
            for text in json.dumps(request.get("body"), indent=2, ensure_ascii=False).split("\n")[:PAYLOAD_LINES_MAX]
        ]
    return lines


def payload_lines(text: str) -> list[Line]:
    """The payload, indented where it is JSON."""
    try:
        shown = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        shown = text
    rows = shown.split("\n")
    lines = [line(Cell("PAYLOAD", "head")), *(line(f"  {safe(row)}") for row in rows[:PAYLOAD_LINES_MAX])]
    if len(rows) > PAYLOAD_LINES_MAX:
        lines.append(line(Cell(f"  … {len(rows) - PAYLOAD_LINES_MAX:,} more lines: events show --json has them", "dim")))
    return lines


def _wrapped(text: str, width: int) -> list[Line]:
    return [line(f"    {row}") for paragraph in text.split("\n")[:40] for row in textwrap.wrap(paragraph, max(20, width))[:40]]
