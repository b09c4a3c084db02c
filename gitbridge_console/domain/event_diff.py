"""Two events beside each other: what differs in what they are, what came of them, and their payloads line by line."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from contextlib import suppress

from gitbridge_console.domain.event_views import EventDetail

CONTEXT = 3
LINES_MAX = 20_000
"""Lines of one side that are compared; a payload beyond is cut there, and that is said."""


def differences(before: EventDetail, after: EventDetail) -> Iterator[str]:
    """Lines of a unified diff, facts first; nothing where nothing differs."""
    for name, old, new in _facts(before, after):
        if old != new:
            yield f"-{name}: {old}"
            yield f"+{name}: {new}"
    old_lines, new_lines = _lines(before.payload_text or ""), _lines(after.payload_text or "")
    yield from difflib.unified_diff(old_lines, new_lines, f"payload {before.id}", f"payload {after.id}", n=CONTEXT, lineterm="")


def _facts(before: EventDetail, after: EventDetail) -> Iterator[tuple[str, str, str]]:
    for name in ("type", "repository", "subject", "title", "kind", "priority", "state", "reason"):
        yield name, str(getattr(before, name)), str(getattr(after, name))
    yield "panel", _panel(before), _panel(after)
    yield "prompt", _prompt(before), _prompt(after)
    yield "verdict", _verdict(before), _verdict(after)
    yield "error", _error(before), _error(after)


def _verdict(event: EventDetail) -> str:
    return event.decision.verdict if event.decision is not None else "-"


def _error(event: EventDetail) -> str:
    return event.error.cls if event.error is not None else "-"


def _panel(event: EventDetail) -> str:
    return ", ".join(dict.fromkeys(task.seat for task in event.tasks)) or "-"


def _prompt(event: EventDetail) -> str:
    """What the panel was asked, where it was asked."""
    return ", ".join(dict.fromkeys(made.prompt for task in event.tasks if not task.asks for made in task.attempts if made.prompt)) or "-"


def _lines(text: str) -> list[str]:
    """The payload with one value a line, so that a change is a line; what is no JSON as it came."""
    with suppress(ValueError, RecursionError):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    lines = text.splitlines()
    return lines if len(lines) <= LINES_MAX else [*lines[:LINES_MAX], f"... {len(lines) - LINES_MAX} more lines are not compared"]
