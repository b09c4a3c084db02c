"""Answers and decisions to test with."""

from __future__ import annotations

from typing import Any

from gitbridge_console.consensus.manager import ConsensusInput, ConsensusManager
from gitbridge_console.domain.decisions import Answer, AnswerStatus, Basis, Decision, Edit, EditWord
from gitbridge_console.domain.events import Kind
from gitbridge_console.settings.routing import KindSettings

VERDICTS = ["approve", "comment", "request_changes"]


def finding(title: str = "roundTax rounds twice", severity: str = "high", line: int = 8, **more: Any) -> dict[str, Any]:
    return {
        "path": "tax.py",
        "start_line": line,
        "end_line": line,
        "category": "bug",
        "title": title,
        "body": "b",
        "evidence": "e",
        "severity": severity,
        "confidence": "medium",
        **more,
    }


def vote(provider: str, verdict: str = "comment", findings: list[dict[str, Any]] | None = None, **more: Any) -> Answer:
    payload = {"findings": findings or [], "summary": f"{provider} says {verdict}", "verdict": verdict, "abstain_reason": None}
    return Answer(task_id=f"e.{provider}", provider=provider, status=AnswerStatus.OK, verdict=verdict, payload=payload, **more)


def no_vote(provider: str, status: AnswerStatus) -> Answer:
    return Answer(
        task_id=f"e.{provider}",
        provider=provider,
        status=status,
        reason="because",
        verdict="approve" if status is AnswerStatus.ABSTAIN else None,
    )


def decide(*answers: Answer, kind: Kind = Kind.CODE_REVIEW, basis: Basis | None = None, **policy: Any) -> Decision:
    settings = KindSettings(**{"seats": max(2, len(answers)), "quorum": min(2, max(2, len(answers))), "strategy": "majority", **policy})
    given = ConsensusInput("e", 1, kind, settings, answers, "2026-11-22T21:00:00Z", "e-1", basis or Basis())
    return ConsensusManager().decide(given)


def edit(word: EditWord, *findings: str, value: str = "", note: str = "") -> Edit:
    return Edit(at="2026-11-22T22:00:00Z", by="ana", word=word, findings=findings, value=value, note=note)
