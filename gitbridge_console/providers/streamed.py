"""One attempt at a streamed answer: limits, reading, closing, and the classified failure of whatever goes wrong.

The SDKs build the request, sign it and raise on error statuses; the events of the answer are read here, the same way for
all services and without building the SDKs' model objects, which would cost more than everything else per event.
"""

from __future__ import annotations

import asyncio
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from gitbridge_console.domain.failures import Failure, FailureClass
from gitbridge_console.providers.base import ProviderError, ProviderReply, ProviderRequest, Spent, Usage
from gitbridge_console.providers.classify import classify_signal, one_line
from gitbridge_console.providers.clients import unbuildable
from gitbridge_console.providers.collector import Collector
from gitbridge_console.providers.errors import EventError, MissingKey, error_fields, failure_from_exception, redacted
from gitbridge_console.providers.prices import cost_usd
from gitbridge_console.providers.retry_after import rate_limit_headers
from gitbridge_console.providers.sse import EventReader
from gitbridge_console.settings.routing import ProviderSettings

if TYPE_CHECKING:
    import httpx2

logger = logging.getLogger(__name__)

DRAIN_S = 0.1
"""How long the rest of a body is awaited after the answer's end, so that the connection can be used again."""

CLOSE_S = 1.0
CLOCK_GRAIN_S = 0.001
"""A timer of the loop may fire this little early."""

MOST_MODELS = 1_000
MAX_ERROR_BYTES = 65_536


class _Attempt:
    """What is known of one attempt while it runs. Times are the loop's, in seconds."""

    __slots__ = ("collector", "done_at", "end", "end_is_callers", "first_at", "response", "started")

    def __init__(self, collector: Collector, started: float, settings: ProviderSettings, timeout_s: float) -> None:
        self.collector = collector
        self.started = started
        self.end = started + min(timeout_s, settings.timeout_total_s)
        self.end_is_callers = timeout_s < settings.timeout_total_s
        self.first_at: float | None = None
        self.done_at: float | None = None
        self.response: httpx2.Response | None = None

    @property
    def ttft_ms(self) -> float | None:
        return None if self.first_at is None else (self.first_at - self.started) * 1000

    @property
    def headers(self) -> Mapping[str, str]:
        return self.response.headers if self.response is not None else {}


class StreamedProvider(ABC):
    """Base of the providers. The SDK is imported and its client built with the first question."""

    sdk: str
    """The module the client comes from."""

    def __init__(self, name: str, settings: ProviderSettings, key: str) -> None:
        """Raises MissingKey where the key is empty: an SDK would go looking for one by itself."""
        if not key:
            raise MissingKey(f"{name}: no key")
        self.name = name
        self.model = settings.model
        self.settings = settings
        self._key = key
        self._sdk_client: Any = None

    @abstractmethod
    def build_client(self) -> Any:
        """The SDK's client."""

    @abstractmethod
    async def open_stream(self, client: Any, request: ProviderRequest) -> httpx2.Response:
        """Send the question; returns when the headers are there. Raises what the SDK raises."""

    @abstractmethod
    def collector(self) -> Collector:
        """A new collector for one answer."""

    @abstractmethod
    async def fetch_models(self, client: Any) -> httpx2.Response:
        """Ask for the list of models. Raises what the SDK raises."""

    async def ask(self, request: ProviderRequest, *, timeout_s: float) -> ProviderReply:
        """See :class:`~gitbridge_console.providers.base.Provider`.

        A silence longer than the limit on the first token or on a stall is SILENT, and so is an answer that is not complete
        within the provider's own total. Where the caller's shorter time ran out first, that is NEUTRAL.
        """
        client = await self.client()
        loop = asyncio.get_running_loop()
        attempt = _Attempt(self.collector(), loop.time(), self.settings, timeout_s)
        first_token_by = min(attempt.started + self.settings.timeout_first_token_s, attempt.end)
        if request.spent is not None:
            request.spent.sent = True
        try:
            async with asyncio.timeout_at(first_token_by) as timer:
                response = attempt.response = await self.open_stream(client, request)
                try:
                    await self._read(attempt, response, timer, loop)
                finally:
                    if not response.is_closed:
                        await _close(response)
        except ProviderError:
            raise
        except asyncio.CancelledError:
            if request.spent is not None:
                self._leave_word(request.spent, attempt)
            raise
        except Exception as error:  # whatever an SDK or a hostile answer comes up with is a failed attempt
            logger.debug("%s: an attempt ended by %s", self.name, type(error).__name__)
            if not attempt.collector.done:
                failure = self._silence(attempt, loop.time()) if timer.expired() else self._classified(error, attempt)
                raise self._error(attempt, failure, getattr(error, "response", None)) from None
        return self._reply(attempt, loop.time())

    async def list_models(self, *, timeout_s: float = 10.0) -> list[str]:
        """See :class:`~gitbridge_console.providers.base.Provider`."""
        client = await self.client()
        try:
            async with asyncio.timeout(timeout_s) as timer:
                response = await self.fetch_models(client)
                body = json.loads(response.content)
        except Exception as error:  # as in ask
            logger.debug("%s: the list of models ended by %s", self.name, type(error).__name__)
            if timer.expired():
                raise ProviderError(Failure(FailureClass.SILENT, f"no list of models within {timeout_s:g} s")) from None
            raise ProviderError(failure_from_exception(error, secrets=(self._key,))) from None
        entries = body.get("data") if isinstance(body, dict) else None
        if not isinstance(entries, list):
            raise ProviderError(
                Failure(FailureClass.INVALID_OUTPUT, "the list of models has no known shape", http_status=response.status_code)
            )
        names = [entry["id"] for entry in entries[:MOST_MODELS] if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
        return [one_line(name, 100) for name in names]

    async def aclose(self) -> None:
        """See :class:`~gitbridge_console.providers.base.Provider`."""
        client, self._sdk_client = self._sdk_client, None
        if client is not None:
            await client.close()

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be told."""
        return (self._key,)

    async def client(self) -> Any:
        """The SDK's client.

        Raises:
            ProviderError: it cannot be built, because of a proxy or certificate file that the environment names.
        """
        if self._sdk_client is not None:
            return self._sdk_client
        from gitbridge_console.providers.registry import import_sdks, imported

        if not imported(self.settings.api):
            await asyncio.to_thread(import_sdks, (self.settings.api,))
        if self._sdk_client is None:
            try:
                self._sdk_client = self.build_client()
            except Exception as error:  # what a broken environment makes of it is up to the SDK and the HTTP library
                raise ProviderError(Failure(FailureClass.TRANSIENT, unbuildable(error))) from None
        return self._sdk_client

    async def _read(self, attempt: _Attempt, response: httpx2.Response, timer: asyncio.Timeout, loop: asyncio.AbstractEventLoop) -> None:
        """Feed the collector until the body ends, moving the time limit with every sign of progress."""
        await self._refuse_other_bodies(attempt, response)
        collector, reader = attempt.collector, EventReader()
        stall_s, seen = self.settings.timeout_stall_s, 0
        async with aclosing(response.aiter_bytes()) as chunks:
            async for chunk in chunks:
                if attempt.done_at is not None:
                    continue
                for event in reader.feed(chunk):
                    collector.feed(event)
                    if collector.done:
                        break
                if collector.progress != seen:
                    seen, now = collector.progress, loop.time()
                    if collector.done:
                        attempt.done_at = now
                        timer.reschedule(now + DRAIN_S)
                    elif collector.started:
                        if attempt.first_at is None:
                            attempt.first_at = now
                        timer.reschedule(min(now + stall_s, attempt.end))
        if not collector.done:
            for event in reader.finish():
                collector.feed(event)

    async def _refuse_other_bodies(self, attempt: _Attempt, response: httpx2.Response) -> None:
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not kind.endswith(("json", "html")):
            return
        body = bytearray()
        async with aclosing(response.aiter_bytes()) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) > MAX_ERROR_BYTES:
                    break
        try:
            document = json.loads(body) if kind.endswith("json") else None
        except (ValueError, RecursionError):
            document = None
        if isinstance(document, dict) and document.get("error"):
            raise EventError(document)
        what = "an HTML page" if kind.endswith("html") else "a JSON document"
        failure = self._failure(attempt, FailureClass.INVALID_OUTPUT, f"{what} came where a stream of events was expected: check base_url")
        raise self._error(attempt, failure)

    def _reply(self, attempt: _Attempt, now: float) -> ProviderReply:
        collector, response = attempt.collector, attempt.response
        assert response is not None
        ending = collector.ending()
        if ending is not None:
            raise self._error(attempt, self._failure(attempt, ending.cls, ending.message, ending.code))
        latency_ms = ((attempt.done_at or now) - attempt.started) * 1000
        ttft_ms = attempt.ttft_ms
        return ProviderReply(
            text=collector.text(),
            model=one_line(collector.model, 100) or self.model,
            stop_reason=one_line(collector.stop_reason, 64),
            usage=self._usage(collector),
            request_id=self._request_id(attempt),
            http_status=response.status_code,
            ttft_ms=latency_ms if ttft_ms is None else ttft_ms,
            latency_ms=latency_ms,
            headers=rate_limit_headers(response.headers),
        )

    def _usage(self, collector: Collector) -> Usage:
        given, made, cached = collector.input_tokens, collector.output_tokens, collector.cached_tokens
        cost = collector.exact_cost_usd
        if cost is None:
            cost = cost_usd(self.settings, collector.model or self.model, given, made, cached)
        return Usage(given, made, cached, cost)

    def _leave_word(self, spent: Spent, attempt: _Attempt) -> None:
        """For whoever cancelled the attempt: what the service has told of it so far. What it has not told stays unknown."""
        spent.usage = self._usage(attempt.collector)
        spent.ttft_ms = attempt.ttft_ms
        spent.http_status = None if attempt.response is None else attempt.response.status_code
        spent.request_id = self._request_id(attempt)
        spent.headers = rate_limit_headers(attempt.headers)

    def _request_id(self, attempt: _Attempt) -> str | None:
        found = attempt.headers.get("request-id") or attempt.headers.get("x-request-id")
        return redacted(one_line(found, 128), (self._key,)) if found else None

    def _error(self, attempt: _Attempt, failure: Failure, refused: Any = None) -> ProviderError:
        """``refused`` is the response an SDK raised on, which therefore never became the attempt's."""
        headers = rate_limit_headers(attempt.headers or getattr(refused, "headers", {}))
        return ProviderError(failure, usage=self._usage(attempt.collector), ttft_ms=attempt.ttft_ms, headers=headers)

    def _failure(self, attempt: _Attempt, cls: FailureClass, message: str, code: str | None = None) -> Failure:
        return Failure(
            cls,
            one_line(redacted(message, (self._key,))),
            http_status=None if attempt.response is None else attempt.response.status_code,
            provider_code=code,
            request_id=self._request_id(attempt),
        )

    def _silence(self, attempt: _Attempt, now: float) -> Failure:
        settings = self.settings
        if now >= attempt.end - CLOCK_GRAIN_S:
            spent = f"the answer was not complete after {attempt.end - attempt.started:.3g} s"
            if attempt.end_is_callers:
                return self._failure(attempt, FailureClass.NEUTRAL, f"{spent}, all the time this event had left")
            return self._failure(attempt, FailureClass.SILENT, spent)
        if attempt.first_at is not None:
            return self._failure(attempt, FailureClass.SILENT, f"the answer stalled for {settings.timeout_stall_s:g} s")
        what = "no token" if attempt.response is not None else "no response"
        return self._failure(attempt, FailureClass.SILENT, f"{what} within {settings.timeout_first_token_s:g} s")

    def _classified(self, error: Exception, attempt: _Attempt) -> Failure:
        response, secrets = attempt.response, (self._key,)
        if isinstance(error, EventError):
            code, kind, message = error_fields(error.body)
            return classify_signal(
                status=200,
                code=redacted(code or "", secrets) or None,
                kind=redacted(kind or "", secrets) or "error",
                message=redacted(f"error within the stream: {message}" if message else "error within the stream", secrets),
                headers=attempt.headers,
                request_id=self._request_id(attempt),
                streaming=True,
            )
        failure = failure_from_exception(error, secrets=secrets, streaming=response is not None)
        if response is None:
            return failure
        return self._failure(attempt, failure.cls, failure.message, failure.provider_code)


async def _close(response: httpx2.Response) -> None:
    try:
        async with asyncio.timeout(CLOSE_S):
            await response.aclose()
    except TimeoutError:
        logger.warning("a connection did not close within %g s", CLOSE_S)
