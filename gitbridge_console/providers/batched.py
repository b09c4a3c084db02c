"""What the batch APIs have in common: asking through the SDK's client, reading lines of results, a price of half."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from gitbridge_console.domain.failures import Failure, FailureClass
from gitbridge_console.providers.base import ProviderError, ProviderReply, Usage
from gitbridge_console.providers.classify import classify_signal, one_line
from gitbridge_console.providers.collector import Collector, table
from gitbridge_console.providers.errors import AnswerTooLarge, EventError, error_fields, failure_from_exception, redacted
from gitbridge_console.providers.prices import cost_usd

if TYPE_CHECKING:
    from gitbridge_console.providers.streamed import StreamedProvider

T = TypeVar("T")

Result = ProviderReply | ProviderError

PRICE = 0.5
"""Of the usual price, at Anthropic and at OpenAI."""

BATCH_CALL_S = 120.0
"""How long handing in a batch or reading its results may take."""

LISTED_MAX = 100
"""Newest batches looked through for one that may have been handed in."""


class Batches:
    """Base of the two batch APIs; shares the provider's client, key and settings."""

    def __init__(self, provider: StreamedProvider) -> None:
        self._provider = provider

    async def _call(self, what: Callable[[Any], Awaitable[T]]) -> T:
        """Do something with the SDK's client, within :data:`BATCH_CALL_S`.

        Raises:
            ProviderError: whatever went wrong, classified.
        """
        client = await self._provider.client()
        try:
            async with asyncio.timeout(BATCH_CALL_S):
                return await what(client.with_options(timeout=BATCH_CALL_S))
        except ProviderError:
            raise
        except Exception as error:  # what an SDK or a hostile answer comes up with, as with a streamed attempt
            raise ProviderError(failure_from_exception(error, secrets=self._provider.secrets)) from None

    async def _json(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        """What the service answers; empty where that is no object.

        Raises:
            ProviderError: as :meth:`_call`; also for an answer that is no JSON.
        """
        import httpx2

        async def ask(client: Any) -> dict[str, Any]:
            return table((await getattr(client, method)(path, cast_to=httpx2.Response, **more)).json())

        return await self._call(ask)

    async def _read(
        self, raw: bytes, result_of: Callable[[dict[str, Any]], ProviderReply | ProviderError]
    ) -> dict[str, ProviderReply | ProviderError]:
        """The results in a file of lines, by custom id; off the loop, for it may be large.

        Raises:
            ProviderError: as :meth:`_call`.
        """

        def read() -> dict[str, Result]:
            return {name: result_of(line) for line in lines_of(raw) if isinstance(name := line.get("custom_id"), str)}

        return await self._call(lambda _: asyncio.to_thread(read))

    def _reply(self, events: Iterable[dict[str, Any]], request_id: str | None) -> ProviderReply | ProviderError:
        """One complete answer, read by the collector that reads streams; ``events`` are what a stream would have said."""
        collector = self._provider.collector()
        try:
            for event in events:
                collector.feed(event)
        except EventError as error:
            return self._refused(error.body, 200, request_id)
        except AnswerTooLarge as error:
            return ProviderError(Failure(FailureClass.INVALID_OUTPUT, str(error), http_status=200, request_id=request_id))
        usage = self._usage(collector)
        ending = collector.ending()
        if ending is not None:
            failure = Failure(ending.cls, one_line(redacted(ending.message, self._provider.secrets)), 200, ending.code, request_id)
            return ProviderError(failure, usage=usage)
        return ProviderReply(
            text=collector.text(),
            model=one_line(collector.model, 100) or self._provider.model,
            stop_reason=one_line(collector.stop_reason, 64),
            usage=usage,
            request_id=request_id,
            http_status=200,
            ttft_ms=0.0,
            latency_ms=0.0,
        )

    def _usage(self, collector: Collector) -> Usage:
        given, made, cached = collector.input_tokens, collector.output_tokens, collector.cached_tokens
        provider = self._provider
        cost = cost_usd(provider.settings, collector.model or provider.model, given, made, cached)
        return Usage(given, made, cached, None if cost is None else cost * PRICE)

    def _refused(self, body: object, status: int | None, request_id: str | None) -> ProviderError:
        """A request of the batch that failed, as the same failure of a single call would be classified."""
        code, kind, message = error_fields(body)
        secrets = self._provider.secrets
        failure = classify_signal(
            status=status,
            code=redacted(code or "", secrets) or None,
            kind=redacted(kind or "", secrets) or None,
            message=redacted(message, secrets) or "a request of a batch failed",
            request_id=request_id,
        )
        return ProviderError(failure)

    def _expired(self, why: str) -> ProviderError:
        return ProviderError(Failure(FailureClass.TRANSIENT, why))


def id_of(given: object) -> str:
    """The id a service gave something; it becomes a part of addresses.

    Raises:
        ProviderError: it is none.
    """
    if isinstance(given, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,128}", given):
        return given
    raise ProviderError(Failure(FailureClass.INVALID_OUTPUT, "the service named no batch or file in its answer"))


def lines_of(raw: bytes) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file of lines; what is none is passed over, a line that was cut off too."""
    for line in raw.split(b"\n"):
        try:
            found = json.loads(line) if line.strip() else None
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            yield table(found)
