"""One event: the consensus first, then everything down to its attempts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from gitbridge_console.console.text import fit, safe
from gitbridge_console.console.views.cells import Cell, Line, clock, cut, line, millis, money, wrap
from gitbridge_console.console.views.consensus import Look, Picture, consensus_picture
from gitbridge_console.console.views.tables import STATE_TONES, short_id
from gitbridge_console.domain.action_words import how_far
from gitbridge_console.domain.decisions import Decision
from gitbridge_console.domain.event_views import EventDetail, TaskDetail

PAYLOAD_LINES_MAX = 400


def event_lines(event: EventDetail, width: int) -> list[Line]:
    """The whole page, section by section."""
    return list(event_picture(event, event.decision, width, Look()).lines)


def event_picture(event: EventDetail, decision: Decision | None, width: int, look: Look) -> Picture:
    """The whole page, and where on it each finding stands. ``decision`` is the event's own or what it would be so far."""
    about = head_lines(event)
    if decision is None:
        return Picture(tuple([*(part for row in about for part in wrap(row, width)), line(""), *rest_lines(event, width)]), {})
    before = [cut(about[1], width), *(part for row in about[2:] for part in wrap(row, width))]
    named = replace(look, subject=event.subject or event.type, title=event.title, head_sha=event.head_sha)
    picture = consensus_picture(decision, width, named)
    # What it is comes with the decision's state in one line; how it stands follows, then the rest of the consensus.
    top, shift = picture.lines[:1], len(before)
    lines = [*top, *before, *picture.lines[1:], line(""), *rest_lines(event, width)]
    return Picture(tuple(lines), {number: at + shift for number, at in picture.places.items()})


def rest_lines(event: EventDetail, width: int) -> list[Line]:
    """What follows the consensus: tasks and attempts, the action, the timeline, why who was asked, the payload."""
    sections = [task_lines(event.tasks)]
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


def task_lines(tasks: Sequence[TaskDetail]) -> list[Line]:
    """Seats and every attempt made for them."""
    lines = [line(Cell("TASKS", "head"))] if tasks else [line(Cell("no tasks yet", "dim"))]
    for task in tasks:
        moved = f" (seat of {safe(task.seat)})" if task.seat != task.provider else ""
        if task.hedge_of:
            moved = f" (hedge of {short_id(task.hedge_of)})"
        if task.asks:
            moved = f" ({safe(task.asks)}, about the answers)"
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


def action_lines(event: EventDetail) -> list[Line]:
    """What was, or in a dry run would be, sent."""
    action = event.action or {}
    told = how_far(action) + (": O approves, e edits the text" if action.get("draft") and not action.get("reason") else "")
    lines = [line(Cell("ACTION ", "head"), f"{safe(str(action.get('type', '')))}  ", Cell(safe(told), "accent"))]
    if conflict := action.get("conflict"):
        ways = ", ".join(safe(str(way)) for way in conflict.get("alternatives", ()))
        name = Cell(f"  ! {safe(str(conflict.get('type', '')))} ", "warn")
        lines.append(line(name, f"→ {safe(str(conflict.get('resolution', '')))}", Cell(f"  or: {ways}" if ways else "", "dim")))
    for request in action.get("requests", []):
        lines.append(line("  ", Cell(f"{safe(str(request.get('method', '')))} {safe(str(request.get('path', '')))}", "strong")))
        body = request.get("body")
        if action.get("draft") and isinstance(body, dict) and isinstance(body.get("body"), str):
            # What an operator is to approve is read as it will stand there.
            lines += [line(Cell("    │ ", "dim"), safe(text)) for text in body["body"].split("\n")[:PAYLOAD_LINES_MAX]]
            body = {name: value for name, value in body.items() if name != "body"}
        lines += [line(f"    {safe(text)}") for text in json.dumps(body, indent=2, ensure_ascii=False).split("\n")[:PAYLOAD_LINES_MAX]]
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
