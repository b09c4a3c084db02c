"""Answer schemas of each kind, the strict JSON schema every API accepts, and the parse ladder.

Order of fields is the order of generation: findings first, verdict last. Bounds live in the prompt and are enforced
after parsing, since the wire schema may not hold any.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gitbridge_console.domain.events import Ask, Kind

ANSWER_MAX_CHARS = 400_000
FINDINGS_MAX = 15
ITEMS_MAX = 30
LINE_MAX, TEXT_MAX = 400, 6_000
TRIAGE_LABELS = (
    "bug", "feature", "question", "documentation", "security", "performance", "tests", "build", "good first issue", "needs info",
)  # fmt: skip
"""The closed list of labels a triage may name; whatever else an answer names is dropped."""

Severity = Literal["critical", "high", "medium", "low", "nit"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "nit")
Category = Literal["bug", "security", "performance", "concurrency", "api", "test", "docs", "style", "other"]


class AnswerError(ValueError):
    """An answer that cannot be used; the message is one line."""


class AnswerModel(BaseModel):
    """Base of the answer schemas: every field required, nothing else allowed."""

    model_config = ConfigDict(extra="forbid")


class Finding(AnswerModel):
    """One thing that is wrong, in one place."""

    path: str = Field(description="file path exactly as shown; empty if not tied to a file")
    start_line: int = Field(description="first line on the new side; 0 if unknown")
    end_line: int
    category: Category
    title: str = Field(description="one sentence: what is wrong, naming the identifier")
    body: str = Field(description="why it is wrong and how to fix it")
    evidence: str = Field(description="the code line or lines, copied exactly from the change")
    severity: Severity
    confidence: Literal["low", "medium", "high"]


class CodeReviewAnswer(AnswerModel):
    """A review of a pull request."""

    findings: list[Finding] = Field(description="listed before the verdict is chosen; empty if there are none")
    summary: str
    verdict: Literal["approve", "comment", "request_changes", "abstain"]
    abstain_reason: str | None


class PushReviewAnswer(AnswerModel):
    """A look at what was pushed to a branch."""

    findings: list[Finding]
    breaking_change: bool
    release_note: str
    risk: Literal["none", "low", "medium", "high"]
    verdict: Literal["ok", "alert", "abstain"]
    abstain_reason: str | None


class DocEdit(AnswerModel):
    """One place where the documentation needs work."""

    path: str
    section: str
    problem: Literal["outdated", "missing", "wrong", "unclear", "broken_link", "style"]
    title: str
    suggestion: str
    severity: Severity


class DocumentationAnswer(AnswerModel):
    """Whether the documentation is up to date with a change."""

    edits: list[DocEdit]
    summary: str
    verdict: Literal["up_to_date", "needs_update", "abstain"]
    abstain_reason: str | None


class IssueTriageAnswer(AnswerModel):
    """What sort of issue this is and what it needs."""

    kind: Literal["bug", "feature", "question", "docs", "chore", "spam", "unclear"]
    labels: list[str] = Field(description="only from the list of allowed labels")
    components: list[str]
    priority: Literal["p0", "p1", "p2", "p3"]
    duplicate_of: list[int]
    needs_info: list[str]
    suggested_reply: str
    verdict: Literal["triaged", "needs_info", "abstain"]
    abstain_reason: str | None


class GeneralAnswer(AnswerModel):
    """What an event of no special kind means for the maintainers."""

    summary: str
    verdict: Literal["noted", "attention", "abstain"]
    abstain_reason: str | None


class ClaimVerdict(AnswerModel):
    """What a reviewer that did not make a claim makes of it."""

    claim: int = Field(description="number of the claim")
    quote: str = Field(description="the code line that shows it, copied exactly from the change; empty if there is none")
    verdict: Literal["real", "not_real", "cannot_tell"]


class VerificationAnswer(AnswerModel):
    """What a reviewer makes of claims that others, or nobody, made."""

    claims: list[ClaimVerdict]
    verdict: Literal["answered", "abstain"]
    abstain_reason: str | None


class ArbiterAnswer(AnswerModel):
    """Which verdict holds, of several that answers without names came to."""

    reasons: str
    verdict: str = Field(description="one of the verdicts given, or abstain")
    abstain_reason: str | None


MODELS: dict[Kind | Ask, type[AnswerModel]] = {
    Ask.VERIFY: VerificationAnswer,
    Ask.ARBITER: ArbiterAnswer,
    Kind.CODE_REVIEW: CodeReviewAnswer,
    Kind.PUSH_REVIEW: PushReviewAnswer,
    Kind.DOCUMENTATION: DocumentationAnswer,
    Kind.ISSUE_TRIAGE: IssueTriageAnswer,
    Kind.GENERAL: GeneralAnswer,
}

NOT_ON_THE_WIRE = frozenset(
    {"title", "default", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"}
    | {"pattern", "minItems", "maxItems", "uniqueItems", "format"}
)


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """A validated answer. ``repaired`` when the JSON had to be cut out of other text."""

    payload: dict[str, Any]
    verdict: str
    abstained: bool
    reason: str
    repaired: bool


def strict_schema(model: type[BaseModel]) -> dict[str, Any]:
    """JSON schema in the subset that Anthropic, OpenAI and xAI all accept: closed objects, all required, no bounds."""

    def fix(node: Any, names: bool = False) -> Any:
        if isinstance(node, list):
            return [fix(item) for item in node]
        if not isinstance(node, dict):
            return node
        fixed = {key: fix(value, key in ("properties", "$defs")) for key, value in node.items() if names or key not in NOT_ON_THE_WIRE}
        if not names and fixed.get("type") == "object":
            fixed["additionalProperties"] = False
            fixed["required"] = list(fixed.get("properties", {}))
        return fixed

    schema: dict[str, Any] = fix(model.model_json_schema())
    return schema


@cache
def schema_for(kind: Kind | Ask) -> tuple[str, dict[str, Any]]:
    """Name and strict schema of a kind's answer. Treat the schema as read-only."""
    return f"{kind.value}_answer", strict_schema(MODELS[kind])


def parse_answer(kind: Kind | Ask, text: str) -> ParsedAnswer:
    """Read an answer: as it is, else the JSON object inside a code fence or other text; then bound it.

    Raises:
        AnswerError: not JSON, or not of the kind's shape.
    """
    if len(text) > ANSWER_MAX_CHARS:
        raise AnswerError(f"answer of {len(text):,} characters, at most {ANSWER_MAX_CHARS:,} are read")
    model = MODELS[kind]
    first: AnswerError | None = None
    for repaired, candidate in _candidates(text):
        try:
            parsed = model.model_validate_json(candidate)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in problem["loc"])
            first = first or AnswerError(f"answer does not fit the {kind.value} schema: {place or 'JSON'}: {problem['msg']}"[:300])
            continue
        payload = _bounded(parsed.model_dump(mode="json"))
        if kind is Kind.ISSUE_TRIAGE:
            named = {label.strip().lower() for label in payload["labels"]}
            payload["labels"] = [label for label in TRIAGE_LABELS if label in named]
        verdict = str(payload["verdict"])
        return ParsedAnswer(payload, verdict, verdict == "abstain", str(payload.get("abstain_reason") or ""), repaired)
    raise first or AnswerError("the answer is empty")


def _candidates(text: str) -> list[tuple[bool, str]]:
    whole = text.strip()
    found = [(False, whole)] if whole else []
    inner = _first_object(whole)
    if inner is not None and inner != whole:
        found.append((True, inner))
    return found


def _first_object(text: str) -> str | None:
    """The first balanced JSON object in a text."""
    decoder = json.JSONDecoder()
    at = text.find("{")
    for _ in range(20):
        if at < 0:
            return None
        try:
            _, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at = text.find("{", at + 1)
            continue
        return text[at:end]
    return None


def _bounded(payload: dict[str, Any]) -> dict[str, Any]:
    bounded = {key: _bound(value, TEXT_MAX) for key, value in payload.items()}
    for key in ("findings", "edits"):
        if key in bounded:
            ranked = sorted(bounded[key], key=lambda item: SEVERITIES.index(item["severity"]))
            keep = {id(item) for item in ranked[:FINDINGS_MAX]}
            bounded[key] = [item for item in bounded[key] if id(item) in keep]
    return bounded


def _bound(value: Any, limit: int) -> Any:
    if isinstance(value, str):
        return value[:limit]
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return min(max(value, 0), 10_000_000)
    if isinstance(value, list):
        return [_bound(item, LINE_MAX) for item in value[: ITEMS_MAX * 4]]
    if isinstance(value, dict):
        return {key: _bound(item, LINE_MAX if key in ("title", "path", "section") else TEXT_MAX) for key, item in value.items()}
    return value
