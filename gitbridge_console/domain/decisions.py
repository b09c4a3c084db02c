"""The outcome of consensus: votes, agreement, decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Literal

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
    vendor: str = ""
    """Who stands behind the provider; empty: nobody but itself. Two providers of one vendor are one voice."""


def finding_ref(provider: str, index: int) -> str:
    """Name of one finding of one answer, ``claude#0``: what edits and verifications hold on to, whatever is merged with it."""
    return f"{provider}#{index}"


EditWord = Literal["accept", "dismiss", "restore", "join", "split", "severity", "verdict"]
EDIT_WORDS: tuple[EditWord, ...] = ("accept", "dismiss", "restore", "join", "split", "severity", "verdict")


class Edit(BaseModel):
    """An operator's word on a decision. The later of two on one thing holds."""

    model_config = ConfigDict(frozen=True)

    at: str
    by: str
    word: EditWord
    findings: tuple[str, ...] = ()
    """Names (:func:`finding_ref`) of what it is about; empty for ``verdict``."""
    value: str = ""
    """The severity or the verdict chosen."""
    note: str = ""


VerifyWord = Literal["real", "not_real", "cannot_tell"]


class Verification(BaseModel):
    """What a provider that did not raise a claim made of it, not knowing who did."""

    model_config = ConfigDict(frozen=True)

    provider: str
    words: dict[str, VerifyWord] = {}
    """By the name of the finding asked about."""
    quotes: dict[str, str] = {}
    trusted: bool = True
    """False when it also called a decoy real: then nothing it says counts."""
    reason: str = ""
    """Why there are no words: it failed, it was not in time."""


class Arbitration(BaseModel):
    """Verdicts of an arbiter that saw the answers without names, in one order and in the reverse; two that differ decide nothing."""

    model_config = ConfigDict(frozen=True)

    provider: str
    verdicts: tuple[str, ...] = ()
    reason: str = ""

    @property
    def verdict(self) -> str:
        """What it decided both times; empty where it did not."""
        return self.verdicts[0] if len(self.verdicts) == 2 and len(set(self.verdicts)) == 1 else ""


class Basis(BaseModel):
    """What a decision depends on beside answers and policy, as it stood when it was made; stored with it, so it can be made anew."""

    model_config = ConfigDict(frozen=True)

    checked: bool = False
    """Whether there was a whole diff to hold the findings against."""
    unsupported: dict[str, str] = {}
    """Why a finding has no vote, by its name: its path, line or evidence is not in the diff."""
    places: dict[str, tuple[str, int, int]] = {}
    """Path, first and last line of findings that named their place otherwise than the diff does."""
    outcomes: dict[str, tuple[int, int]] = {}
    """Operators' words on findings so far: by ``k/n``, how many were real of how many judged."""
    usual: tuple[float, float] | None = None
    """Lower and upper quartile of the agreement of this repository's decisions; ``None`` until there are enough."""
    reliability: dict[str, tuple[float, float]] = {}
    """By provider: right and wrong findings for this kind, older ones weighing less."""
    verifications: tuple[Verification, ...] = ()
    arbitration: Arbitration | None = None
    asked_usd: float | None = None
    """What those questions cost, in dollars, where that is known."""
    edits: tuple[Edit, ...] = ()


class Cluster(BaseModel):
    """A finding as the panel sees it: who said it, in whose words. Texts are never blended."""

    model_config = ConfigDict(frozen=True)

    id: int
    tier: str
    """``same``, ``probable``, ``joined`` (by an operator) or ``lone``."""
    k: int
    """Providers whose finding stands; 0 where none of them is supported."""
    n: int
    severity: str
    category: str = ""
    path: str = ""
    line: int = 0
    title: str = ""
    members: tuple[dict[str, Any], ...] = ()
    """``{"provider", "index", "title", "severity", "path", "start_line", "end_line", "body", "evidence"}`` each, and ``unsupported``
    with the reason where it has no vote."""
    vendors: int = 0
    """Vendors behind the ``k`` providers: two voices of one are not a confirmation."""
    real: float = 0.0
    """Chance that it is real, 0 to 1, by how many say so and by what operators said of such ones."""
    supported: bool = True
    word: Literal["", "accepted", "dismissed"] = ""
    """What an operator said of it."""
    verified: dict[str, VerifyWord] = {}
    """What providers that did not raise it made of it."""
    parts: tuple[dict[str, Any], ...] = ()
    """Why its members were taken for the same: ``{"a", "b", "tier", "score", "similarity", "same_path", "gap", "same_category"}``."""

    @property
    def refs(self) -> tuple[str, ...]:
        """Names of its findings."""
        return tuple(finding_ref(str(member["provider"]), int(member["index"])) for member in self.members)

    @property
    def confirmed(self) -> bool:
        """Whether two independent voices say so, or an operator does."""
        return self.word == "accepted" or (self.word != "dismissed" and min(self.k, self.vendors or self.k) >= 2)

    @property
    def stands(self) -> bool:
        """Whether it counts for anything: supported, and not dismissed."""
        return self.word == "accepted" or (self.supported and self.word != "dismissed")


class Conflict(BaseModel):
    """Something the panel does not agree on. ``type`` is one of the nine of the consensus design."""

    model_config = ConfigDict(frozen=True)

    type: str
    subject: str
    positions: dict[str, str]
    resolution: str
    resolved_by: str
    alternatives: tuple[str, ...] = ()
    """What could be done instead."""


CONFLICT_LETTERS: Mapping[str, str] = {
    "verdict": "V",
    "severity": "S",
    "lone": "L",
    "contradiction": "C",
    "verdict_evidence": "E",
    "unsupported": "U",
    "field": "F",
    "missing": "M",
    "stale": "T",
}
"""Letters by which lists name the types of conflicts."""


def conflict_letters(conflicts: Iterable[Conflict]) -> str:
    """Which types there are and how many of each: ``VS2L``."""
    counts = Counter(conflict.type for conflict in conflicts)
    return "".join(f"{letter}{counts[name] if counts[name] > 1 else ''}" for name, letter in CONFLICT_LETTERS.items() if counts[name])


class Agreement(BaseModel):
    """How far the panel agrees, always with its denominator."""

    model_config = ConfigDict(frozen=True)

    verdict_k: int
    verdict_n: int
    findings_confirmed: int = 0
    findings_total: int = 0
    share: float | None = None
    """How far the findings agree, weighed by severity, 0 to 1; ``None`` where there is nobody to agree with."""
    band: Literal["", "low", "usual", "high", "all clear"] = ""
    usual: tuple[float, float] | None = None
    """The quartiles between which agreement is usual."""
    own_history: bool = False
    """Whether these are the repository's own, or those of published reviews."""


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
    flags: tuple[str, ...] = ()
    """What an operator should know before trusting it: the same odd words from several providers, one vendor behind all votes."""
    rules: int = 1
    """Version of the rules that made it."""
    policy: dict[str, Any] = {}
    """The settings of its kind as they stood."""
    basis: Basis = Basis()
    feedback: tuple[Edit, ...] = ()
    """Operators' words on its findings after it was acted on: it stands, and later ones learn from them."""
