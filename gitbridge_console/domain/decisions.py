"""The outcome of consensus: votes, agreement, decision."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict


class AnswerStatus(StrEnum):
    """What a seat contributed. Only ``ok`` carries a vote; ``abstain`` and ``refused`` count as answered."""

    OK = "ok"
    ABSTAIN = "abstain"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    RATE_LIMITED = "rate_limited"
    INVALID = "invalid"
    ERROR = "error"
    PENDING = "pending"
    CANCELLED = "cancelled"


class DecisionState(StrEnum):
    """How much of the panel stands behind a decision."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    DEGRADED = "degraded"
    FAILED = "failed"


class Answer(BaseModel):
    """One seat's answer as consensus sees it. ``payload`` is the validated answer of the kind's schema, or ``None``."""

    model_config = ConfigDict(frozen=True)

    task_id: str
    provider: str
    model: str = ""
    status: AnswerStatus
    verdict: str | None = None
    payload: dict[str, Any] | None = None
    reason: str = ""
    """Why there is no vote: the abstain reason, the failure message."""
    latency_ms: float = 0.0
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_usd: float | None = None
    late: bool = False
    prompt: str = ""
    """Template and version the question was asked with, for example ``code_review@1``."""
    order_seed: str = ""


class Cluster(BaseModel):
    """A finding as the panel sees it: who said it, in whose words. Texts are never blended."""

    model_config = ConfigDict(frozen=True)

    id: int
    tier: str
    """``same``, ``probable`` or ``lone``."""
    k: int
    n: int
    severity: str
    category: str = ""
    path: str = ""
    line: int = 0
    title: str = ""
    members: tuple[dict[str, Any], ...] = ()
    """``{"provider", "index", "title", "severity", "path", "start_line", "end_line", "body", "evidence"}`` each."""


class Conflict(BaseModel):
    """Something the panel does not agree on. ``type`` is one of the nine of the consensus design."""

    model_config = ConfigDict(frozen=True)

    type: str
    subject: str
    positions: dict[str, str]
    resolution: str
    resolved_by: str


class Agreement(BaseModel):
    """How far the panel agrees, always with its denominator."""

    model_config = ConfigDict(frozen=True)

    verdict_k: int
    verdict_n: int
    findings_confirmed: int = 0
    findings_total: int = 0


class Decision(BaseModel):
    """What was decided, by which strategy, from which answers. Recomputable from the stored answers."""

    model_config = ConfigDict(frozen=True)

    id: str
    event_id: str
    run: int
    created_at: str
    kind: str
    state: DecisionState
    strategy: str
    verdict: str
    """The decided verdict, or ``"none"`` when nothing could be decided."""
    seats: int
    quorum: int
    answered: int
    agreement: Agreement
    clusters: tuple[Cluster, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    dissent: tuple[dict[str, str], ...] = ()
    """``{"provider", "verdict", "why"}`` of each vote against the outcome."""
    rationale: tuple[str, ...] = ()
    answers: tuple[Answer, ...] = ()
    fields: dict[str, Any] = {}
    """Decided free fields of the kind (labels, priority, risk …)."""
    summary: str = ""
    needs_operator: bool = False
    cost_usd: float | None = None
