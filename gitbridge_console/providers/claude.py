"""``ClaudeProvider``: Anthropic's Messages API through its own SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitbridge_console.domain.failures import FailureClass
from gitbridge_console.providers.base import ProviderRequest
from gitbridge_console.providers.claude_batches import ClaudeBatches
from gitbridge_console.providers.clients import anthropic_client
from gitbridge_console.providers.collector import Collector, Ending, count, cut_off, mended, table
from gitbridge_console.providers.errors import EventError
from gitbridge_console.providers.streamed import StreamedProvider

if TYPE_CHECKING:
    import httpx2

GOOD_ENDINGS = frozenset({"end_turn", "stop_sequence"})


class ClaudeProvider(StreamedProvider):
    """Asks for an answer in the schema by ``output_config``, streamed."""

    sdk = "anthropic"

    def build_client(self) -> Any:
        """See StreamedProvider."""
        return anthropic_client(self.settings, self._key)

    async def open_stream(self, client: Any, request: ProviderRequest) -> httpx2.Response:
        """See StreamedProvider."""
        raw = await client.messages.with_raw_response.create(**self.parameters(request), stream=True)
        response: httpx2.Response = raw.http_response
        return response

    def parameters(self, request: ProviderRequest) -> dict[str, Any]:
        """The body of a request for one answer."""
        parameters: dict[str, Any] = {
            "model": self.model,
            "max_tokens": request.max_output_tokens,
            "messages": [{"role": "user", "content": mended(request.prompt)}],
            "output_config": {"format": {"type": "json_schema", "schema": request.schema}},
        }
        return parameters | ({"system": mended(request.system)} if request.system else {})

    def batches(self) -> ClaudeBatches:
        """Its batch API."""
        return ClaudeBatches(self)

    def collector(self) -> Collector:
        """See StreamedProvider."""
        return MessageCollector()

    async def fetch_models(self, client: Any) -> httpx2.Response:
        """See StreamedProvider."""
        import httpx2

        response: httpx2.Response = await client.get("/v1/models", cast_to=httpx2.Response, options={"params": {"limit": 1000}})
        return response


class MessageCollector(Collector):
    """Events of the Messages API."""

    def __init__(self) -> None:
        super().__init__()
        self._explanation = ""

    def feed(self, event: dict[str, Any]) -> None:
        """See Collector."""
        kind = event.get("type")
        if kind == "content_block_delta":
            delta = table(event.get("delta"))
            self.started = True
            self.progress += 1
            if delta.get("type") == "text_delta":
                self.add_text(delta.get("text"))
        elif kind == "message_delta":
            self.progress += 1
            self._note_usage(table(event.get("usage")))
            delta = table(event.get("delta"))
            reason = delta.get("stop_reason")
            if isinstance(reason, str):
                self.stop_reason = reason
            explanation = table(delta.get("stop_details")).get("explanation")
            if isinstance(explanation, str):
                self._explanation = explanation
        elif kind == "message_start":
            message = table(event.get("message"))
            self.note_model(message.get("model"))
            self._note_usage(table(message.get("usage")))
        elif kind == "message_stop":
            self.progress += 1
            self.done = True
        elif kind == "error":
            raise EventError(event)
        elif kind != "ping":
            self.progress += 1

    def ending_of_reason(self, reason: str) -> Ending | None:
        """See Collector."""
        if reason in GOOD_ENDINGS:
            return None
        if reason == "refusal":
            why = f": {mended(self._explanation)}" if self._explanation else ""
            return Ending(FailureClass.POLICY, f"the service refused to answer{why}", reason)
        if reason == "max_tokens":
            return cut_off(reason)
        if reason == "model_context_window_exceeded":
            return Ending(FailureClass.TOO_LARGE, "question and answer together do not fit the model's context window", reason)
        return Ending(FailureClass.INVALID_OUTPUT, f"the answer ended with {reason!r} instead of being complete", reason[:64])

    def _note_usage(self, usage: dict[str, Any]) -> None:
        """Anthropic counts fresh, cached and newly cached input apart; a later event may repeat only some of them."""
        fresh, read = count(usage.get("input_tokens")), count(usage.get("cache_read_input_tokens"))
        if fresh is not None:
            self.input_tokens = fresh + (read or 0) + (count(usage.get("cache_creation_input_tokens")) or 0)
        if read is not None:
            self.cached_tokens = read
        made = count(usage.get("output_tokens"))
        if made is not None:
            self.output_tokens = made
