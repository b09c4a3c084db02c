"""What operators name, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from gitbridge_console.domain.event_views import ChangeReport
from gitbridge_console.operations.errors import NotFound, Usage
from gitbridge_console.store.keys import expand_id


def full_ids(words: Sequence[str]) -> list[str]:
    """Ids in full, each once.

    Raises:
        Usage: there is none.
    """
    if not words:
        raise Usage("name at least one id")
    return list(dict.fromkeys(expand_id(word) for word in words))


def change_report(names: Sequence[str], before: Sequence[str], why_not: str) -> ChangeReport:
    """Sort the replies of a script into what changed, what was left alone and what is not there.

    Raises:
        NotFound: none of them is there.
    """
    if not any(before):
        raise NotFound(f"no event {', '.join(names)}")
    changed = tuple(name for name, state in zip(names, before, strict=True) if state and not state.startswith("-"))
    notes = tuple(
        f"{name}: no such event" if not state else f"{name}: is {state[1:]}; {why_not}"
        for name, state in zip(names, before, strict=True)
        if not state or state.startswith("-")
    )
    return ChangeReport(changed=len(changed), unchanged=len(notes), ids=changed, notes=notes)


def held(before: str) -> Any:
    """How a lane was held, as the store describes it: by whom, why and since when, or ``open``."""
    return json.loads(before) if before else "open"


def states(names: Sequence[str], before: Sequence[str]) -> dict[str, str]:
    """The state each of them was in, from the replies of a script; ``unknown`` for what is not there."""
    return {name: state.removeprefix("-") or "unknown" for name, state in zip(names, before, strict=True)}
