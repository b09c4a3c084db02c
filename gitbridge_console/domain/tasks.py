"""A task is one seat of an event's panel; an attempt is one call to a provider within it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class TaskState(StrEnum):
    """Where a task stands."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Attempt(BaseModel):
    """One request sent to a provider, kept whatever came of it. Times are UTC ISO 8601 or milliseconds as named.

    ``outcome`` is ``"ok"`` or a :class:`~gitbridge_console.domain.failures.FailureClass` value; ``cost_usd`` is
    ``None`` where the price is unknown, never 0 for that reason. ``cached``: nobody was asked, the answer was known.
    ``batch``: it came with a batch, ``latency_ms`` after that was closed.
    """

    model_config = ConfigDict(frozen=True)

    provider: str
    model: str
    started_at: str
    latency_ms: float
    ttft_ms: float | None = None
    outcome: str
    verdict: str
    message: str = ""
    http_status: int | None = None
    request_id: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    cost_usd: float | None = None
    cached: bool = False
    batch: bool = False
    prompt: str = ""
    """Kind and versions of the question, ``code_review@1.1``; empty in attempts from before it was kept."""
