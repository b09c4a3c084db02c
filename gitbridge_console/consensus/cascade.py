"""Whether one more vote could change a verdict: two that agree need no third, two that differ do.

With equal weights, asking the third only then gives exactly what asking all three would have given.
"""

from __future__ import annotations

from dataclasses import replace

from gitbridge_console.consensus.strategies import CAUTION, Panel, apply_strategy
from gitbridge_console.domain.decisions import Answer, AnswerStatus


def could_change(strategy: str, panel: Panel, provider: str, vendor: str = "") -> bool:
    """Whether any verdict that ``provider`` might give would lead to another than the panel has now."""
    if not panel.votes:
        return True
    now = apply_strategy(strategy, panel).verdict
    for verdict in CAUTION[panel.kind]:
        payload = {"verdict": verdict}
        more = Answer(task_id="", provider=provider, vendor=vendor, status=AnswerStatus.OK, verdict=verdict, payload=payload)
        if apply_strategy(strategy, replace(panel, votes=(*panel.votes, more))).verdict != now:
            return True
    return False
