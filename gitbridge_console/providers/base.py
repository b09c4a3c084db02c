"""The small protocol every AI service stands behind."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from gitbridge_console.domain.failures import Failure


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as billed. ``input_tokens`` includes cached ones; ``cost_usd`` is ``None`` where the price is unknown."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cost_usd: float | None = None


@dataclass(slots=True)
class Spent:
    """What a call had come to when it was cancelled, filled in by the provider: a cancellation carries no error that could say it."""

    sent: bool = False
    """Whether the service may have seen the question, and so bill it."""
    usage: Usage = field(default_factory=Usage)
    ttft_ms: float | None = None
    http_status: int | None = None
    request_id: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    """Only rate-limit headers, lower-cased."""


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """One question. ``schema`` is a strict JSON schema; ``schema_name`` names it for APIs that want a name."""

    system: str
    prompt: str
    schema: dict[str, Any]
    schema_name: str
    max_output_tokens: int
    spent: Spent | None = field(default=None, compare=False, repr=False)
    """Where the provider leaves word of a call that is cancelled; no part of the question."""


@dataclass(frozen=True, slots=True)
class ProviderReply:
    """A complete answer: the stream ended with a stop reason. ``text`` is the raw JSON text, not yet validated."""

    text: str
    model: str
    stop_reason: str
    usage: Usage
    request_id: str | None
    http_status: int
    ttft_ms: float
    latency_ms: float
    headers: dict[str, str] = field(default_factory=dict)
    """Only rate-limit headers, lower-cased."""


class ProviderError(Exception):
    """An attempt failed; everything known about it is on the classified ``failure``. Tokens already billed are in ``usage``."""

    def __init__(
        self,
        failure: Failure,
        *,
        usage: Usage | None = None,
        ttft_ms: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.usage = usage or Usage()
        self.ttft_ms = ttft_ms
        self.headers = headers or {}


@dataclass(frozen=True, slots=True)
class BatchState:
    """Where a batch stands at its service. ``ended``: its results can be read, expired and failed requests among them."""

    id: str
    ended: bool
    total: int
    done: int


class BatchProvider(Protocol):
    """The batch API of a service: many questions at once, at half price, answered within a day.

    Everything raises :class:`ProviderError`, classified, for whatever goes wrong. A request's ``custom_id`` has letters, digits, ``-``
    and ``_`` only, 64 at most.
    """

    keeps_marks: bool
    """Whether what :meth:`find` finds is ours for sure."""

    async def submit(self, mark: str, requests: Mapping[str, ProviderRequest]) -> str:
        """Hand in the requests, by custom id; returns the service's id. ``mark`` names the batch for :meth:`find`."""
        ...

    async def find(self, mark: str, names: Collection[str], since_s: float, known: Collection[str] = ()) -> str | None:
        """The id of a batch handed in with ``mark``, by whoever; ``None``: there is none.

        Where a service keeps no mark it is looked for by its custom ids (``names``), among batches made after ``since_s`` (seconds since
        the epoch) that are not ``known`` to be others.
        """
        ...

    async def state(self, batch_id: str) -> BatchState:
        """How far it is."""
        ...

    async def results(self, batch_id: str) -> dict[str, ProviderReply | ProviderError]:
        """What became of each request of a batch that has ended, by custom id."""
        ...

    async def cancel(self, batch_id: str) -> None:
        """Ask the service to end it; what is done by then is paid for and can be read."""
        ...


class Provider(Protocol):
    """An AI service. One attempt per call; retries belong to the router alone."""

    name: str
    model: str

    async def ask(self, request: ProviderRequest, *, timeout_s: float) -> ProviderReply:
        """Send one question and read the whole streamed answer within ``timeout_s`` (further limits from settings).

        Raises:
            ProviderError: whatever went wrong, classified. ``asyncio.CancelledError`` passes through, with word of what was
            spent left in ``request.spent``.
        """
        ...

    async def list_models(self, *, timeout_s: float = 10.0) -> list[str]:
        """Model ids the service offers; the cheap, key-safe health question.

        Raises:
            ProviderError: whatever went wrong, classified.
        """
        ...

    async def aclose(self) -> None:
        """Close the connection pool."""
        ...
