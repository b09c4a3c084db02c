"""Whether one more vote could change a verdict: two that agree need no third, two that differ do.

With equal weights, asking the third only then gives exactly what asking all three would have given.
"""

from __future__ import annotations

from dataclasses import replace

from gitbridge_console.consensus.conflicts import is_lone
from gitbridge_console.consensus.strategies import CAUTION, Panel, apply_strategy
from gitbridge_console.domain.decisions import Answer, AnswerStatus
from gitbridge_console.domain.events import Kind


def could_change(strategy: str, panel: Panel, provider: str, vendor: str = "") -> bool:
    """Whether any verdict that ``provider`` might give would lead to another than the panel has now."""
    if not panel.votes:
        return True
    if strategy == "policy" and panel.kind is Kind.CODE_REVIEW and any(is_lone(cluster) for cluster in panel.clusters):
        return len({vote.verdict for vote in panel.votes}) > 1  # it goes by findings: one more may confirm the grave one
    now = apply_strategy(strategy, panel).verdict
    differ = len({vote.verdict for vote in panel.votes}) > 1
    for verdict in CAUTION[panel.kind]:
        plain = Answer(task_id="", provider=provider, vendor=vendor, status=AnswerStatus.OK, verdict=verdict, payload={"verdict": verdict})
        # What it will say of itself is not known either: where votes differ it may be as sure, as cheap and as quick as can be.
        sure = {"verdict": verdict, "findings": [{"confidence": "high"}]}
        strong = plain.model_copy(update={"payload": sure, "cost_usd": 0.0, "latency_ms": 0.0})
        for more in (plain, strong) if differ else (plain,):
            if apply_strategy(strategy, replace(panel, votes=(*panel.votes, more))).verdict != now:
                return True
    return False
