"""An arbiter reads the answers without their names and says which verdict holds: twice, the order turned round in between.

Judging models favour what they read first, so one ruling alone decides nothing.
"""

from __future__ import annotations

import string
from collections.abc import Sequence

from gitbridge_console.consensus.clusters import findings_of
from gitbridge_console.consensus.strategies import CAUTION
from gitbridge_console.domain.decisions import Answer, AnswerStatus, Arbitration, Decision
from gitbridge_console.domain.events import Kind

FINDINGS_MAX = 15
TEXT_MAX = 600


def written_answers(decision: Decision, *, backwards: bool) -> str:
    """The votes as answers A, B, C; in the other order the letters stay in theirs, so no letter means a reviewer."""
    votes = [answer for answer in decision.answers if answer.status is AnswerStatus.OK and answer.payload]
    if backwards:
        votes.reverse()
    lines = [f"Verdicts to choose from: {', '.join(CAUTION[Kind(decision.kind)])}"]
    for letter, vote in zip(string.ascii_uppercase, votes, strict=False):
        lines += [f"Answer {letter}: {vote.verdict}", *_text_of(vote)]
    return "\n".join(lines)


def _text_of(vote: Answer) -> list[str]:
    summary = str((vote.payload or {}).get("summary") or "")[:TEXT_MAX]
    findings = [
        f"- {f.get('severity')} {f.get('path')}:{f.get('start_line', '')} {f.get('title')}" for f in findings_of(vote)[:FINDINGS_MAX]
    ]
    # Indented, on one line each, so that no text passes for one more answer.
    return ["  " + " ".join(text[:TEXT_MAX].split()) for text in (*([summary] if summary else []), *findings)]


def read_arbitration(provider: str, rulings: Sequence[Answer | None]) -> Arbitration:
    """What it said; a ruling that is missing, or is none of the verdicts, decides nothing."""
    verdicts = tuple(ruling.verdict or "" for ruling in rulings if ruling is not None)
    reason = "" if len(verdicts) == 2 else f"{len(verdicts)} of 2 rulings came"
    return Arbitration(provider=provider, verdicts=verdicts, reason=reason)
