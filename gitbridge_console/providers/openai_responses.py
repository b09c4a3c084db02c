"""``ChatGPTProvider`` and ``GrokProvider``: the Responses API, which OpenAI and xAI share, through OpenAI's SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitbridge_console.domain.failures import FailureClass
from gitbridge_console.providers.base import ProviderRequest
from gitbridge_console.providers.clients import openai_client
from gitbridge_console.providers.collector import Collector, Ending, count, cut_off, mended, table
from gitbridge_console.providers.errors import EventError
from gitbridge_console.providers.openai_batches import OpenAIBatches
from gitbridge_console.providers.streamed import StreamedProvider

if TYPE_CHECKING:
    import httpx2

ENDS = frozenset({"response.completed", "response.incomplete", "response.cancelled"})
OPENINGS = frozenset({"response.created", "response.in_progress", "response.queued"})


class OpenAIBase(StreamedProvider):
    """What everything behind OpenAI's SDK has in common."""

    sdk = "openai"

    def build_client(self) -> Any:
        """See StreamedProvider."""
        return openai_client(self.settings, self._key)

    async def fetch_models(self, client: Any) -> httpx2.Response:
        """See StreamedProvider."""
        import httpx2

        response: httpx2.Response = await client.get("/models", cast_to=httpx2.Response)
        return response


class ResponsesProvider(OpenAIBase):
    """Asks for an answer in the schema by ``text.format``, streamed, and not stored by the service."""

    async def open_stream(self, client: Any, request: ProviderRequest) -> httpx2.Response:
        """See StreamedProvider."""
        raw = await client.responses.with_raw_response.create(**self.parameters(request), stream=True)
        response: httpx2.Response = raw.http_response
        return response

    def parameters(self, request: ProviderRequest) -> dict[str, Any]:
        """The body of a request for one answer."""
        form = {"type": "json_schema", "name": request.schema_name, "schema": request.schema, "strict": True}
        return {
            "model": self.model,
            "max_output_tokens": request.max_output_tokens,
            "text": {"format": form},
            "store": False,
            **self.question(mended(request.system), mended(request.prompt)),
        }

    def batches(self) -> OpenAIBatches:
        """Its batch API."""
        return OpenAIBatches(self, "/v1/responses")

    def question(self, system: str, prompt: str) -> dict[str, Any]:
        """The parameters that carry the question."""
        return {"instructions": system, "input": prompt} if system else {"input": prompt}

    def collector(self) -> Collector:
        """See StreamedProvider."""
        return ResponseCollector()


class ChatGPTProvider(ResponsesProvider):
    """OpenAI."""


class GrokProvider(ResponsesProvider):
    """xAI, whose Responses API has not always known ``instructions``: the system text goes in as a message."""

    def question(self, system: str, prompt: str) -> dict[str, Any]:
        """See ResponsesProvider."""
        user = {"role": "user", "content": prompt}
        return {"input": [{"role": "system", "content": system}, user] if system else [user]}


class ResponseCollector(Collector):
    """Events of the Responses API."""

    def feed(self, event: dict[str, Any]) -> None:
        """See Collector."""
        given = event.get("type")
        kind = given if isinstance(given, str) else ""
        if kind == "response.output_text.delta":
            self.started = True
            self.progress += 1
            self.add_text(event.get("delta"))
        elif kind == "response.refusal.delta":
            self.started = True
            self.progress += 1
            self.add_refusal(event.get("delta"))
        elif kind in ENDS:
            self.progress += 1
            self.done = True
            self._finish(table(event.get("response")))
        elif kind == "error" or event.get("error"):
            raise EventError(event)
        elif kind == "response.failed":
            response = table(event.get("response"))
            self._note(response)
            raise EventError({"error": table(response.get("error"))})
        elif kind in OPENINGS:
            self._note(table(event.get("response")))
        elif kind.startswith("response."):
            self.progress += 1
            if kind.endswith(".delta"):
                self.started = True

    def ending_of_reason(self, reason: str) -> Ending | None:
        """See Collector."""
        if reason == "completed":
            return None
        if reason == "max_output_tokens":
            return cut_off(reason)
        if reason == "content_filter":
            return Ending(FailureClass.POLICY, "the service's content filter stopped the answer", reason)
        return Ending(FailureClass.INVALID_OUTPUT, f"the answer ended with {reason!r} instead of being complete", reason[:64])

    def _finish(self, response: dict[str, Any]) -> None:
        self._note(response)
        status = response.get("status")
        reason = table(response.get("incomplete_details")).get("reason")
        self.stop_reason = reason if isinstance(reason, str) and reason else status if isinstance(status, str) else ""
        if self.parts or self.refusal:
            return
        # Some servers send the text only with the end.
        items = response.get("output")
        for item in items if isinstance(items, list) else []:
            parts = table(item).get("content")
            for part in parts if isinstance(parts, list) else []:
                self.add_text(table(part).get("text") if table(part).get("type") == "output_text" else None)
                self.add_refusal(table(part).get("refusal"))

    def _note(self, response: dict[str, Any]) -> None:
        self.note_model(response.get("model"))
        usage = table(response.get("usage"))
        if not usage:
            return
        self.input_tokens = count(usage.get("input_tokens"))
        self.output_tokens = count(usage.get("output_tokens"))
        self.cached_tokens = count(table(usage.get("input_tokens_details")).get("cached_tokens"))
        self.note_ticks(usage)
