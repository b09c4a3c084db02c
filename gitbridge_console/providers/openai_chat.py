"""``ChatCompletionsProvider``: any server that speaks OpenAI's Chat Completions (vLLM, Ollama, llama.cpp, gateways)."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from gitbridge_console.domain.failures import FailureClass
from gitbridge_console.providers.base import ProviderRequest
from gitbridge_console.providers.clients import host_of
from gitbridge_console.providers.collector import Collector, Ending, count, cut_off, mended, table
from gitbridge_console.providers.errors import EventError, error_fields
from gitbridge_console.providers.openai_batches import OpenAIBatches
from gitbridge_console.providers.openai_responses import OpenAIBase

if TYPE_CHECKING:
    import httpx2

logger = logging.getLogger(__name__)

FORMATS = ("json_schema", "json_object", "text")
"""Ways to ask for JSON, best first; a server that refuses one is asked the next way from then on."""

STREAMED: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
REFUSED_FORMAT = ("response_format", "json_schema", "json_object", "structured output")
NEW_LIMIT_NAME = frozenset({"api.openai.com", "api.x.ai"})
"""Hosts that want ``max_completion_tokens``; other servers may only know ``max_tokens``."""


class ChatCompletionsProvider(OpenAIBase):
    """Remembers which answer format its server understands."""

    _format = 0

    async def open_stream(self, client: Any, request: ProviderRequest) -> httpx2.Response:
        """See StreamedProvider. A refused answer format is asked for in the next plainer way at once."""
        asked = self._format
        while True:
            try:
                raw = await client.chat.completions.with_raw_response.create(**STREAMED, **self._parameters(request, FORMATS[asked]))
            except Exception as error:  # narrowed by the test; everything else is raised again
                if asked + 1 >= len(FORMATS) or not _names_format(error):
                    raise
                asked += 1
                continue
            if asked > self._format:  # remembered only now: a server may quote the whole question in any refusal
                self._format = asked
                logger.info("%s takes %s and nothing stricter; asking so from now on", self.name, FORMATS[asked])
            response: httpx2.Response = raw.http_response
            return response

    def collector(self) -> Collector:
        """See StreamedProvider."""
        return ChatCollector()

    def parameters(self, request: ProviderRequest) -> dict[str, Any]:
        """The body of a request for one answer, in the answer format its server is known to take."""
        return self._parameters(request, FORMATS[self._format])

    def batches(self) -> OpenAIBatches:
        """Its batch API, where its server has one."""
        return OpenAIBatches(self, "/v1/chat/completions")

    def _parameters(self, request: ProviderRequest, form: str) -> dict[str, Any]:
        system = mended(request.system)
        if form != "json_schema":
            schema = json.dumps(request.schema, ensure_ascii=False, separators=(",", ":"))
            system = f"{system}\n\nAnswer with one JSON object and nothing else. It must fit this JSON schema:\n{schema}".strip()
        messages = [{"role": "system", "content": system}] if system else []
        limit = "max_completion_tokens" if host_of(self.settings.base_url) in NEW_LIMIT_NAME else "max_tokens"
        parameters: dict[str, Any] = {
            "model": self.model,
            "messages": [*messages, {"role": "user", "content": mended(request.prompt)}],
            limit: request.max_output_tokens,
        }
        if form == "json_schema":
            inner = {"name": request.schema_name, "schema": request.schema, "strict": True}
            parameters["response_format"] = {"type": "json_schema", "json_schema": inner}
        elif form == "json_object":
            parameters["response_format"] = {"type": "json_object"}
        return parameters


class ChatCollector(Collector):
    """Chunks of Chat Completions."""

    def feed(self, event: dict[str, Any]) -> None:
        """See Collector."""
        if event.get("type") == "[DONE]":
            self.progress += 1
            self.done = True
            return
        if event.get("error") or event.get("object") == "error":
            raise EventError(event)
        if not self.model:
            self.note_model(event.get("model"))
        usage = event.get("usage")
        if usage:
            self._note_usage(table(usage))
        choices = event.get("choices")
        if isinstance(choices, list) and choices:
            self._note_choice(table(choices[0]))
        elif usage and self.stop_reason:
            # By the specification the last chunk; some servers leave out the end mark and keep the connection open.
            self.progress += 1
            self.done = True

    def ending_of_reason(self, reason: str) -> Ending | None:
        """See Collector."""
        if reason in ("stop", "eos", "end_turn"):
            return None
        if reason == "length":
            return cut_off(reason)
        if reason == "content_filter":
            return Ending(FailureClass.POLICY, "the service's content filter stopped the answer", reason)
        return Ending(FailureClass.INVALID_OUTPUT, f"the answer ended with {reason!r} instead of being complete", reason[:64])

    def _note_choice(self, choice: dict[str, Any]) -> None:
        delta = table(choice.get("delta"))
        text = delta.get("content")
        if text:
            self.started = True
            self.progress += 1
            self.add_text(text)
        elif delta.get("reasoning_content") or delta.get("reasoning"):
            self.started = True
            self.progress += 1
        if delta.get("refusal"):
            self.started = True
            self.progress += 1
            self.add_refusal(delta["refusal"])
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason:
            self.progress += 1
            self.stop_reason = reason

    def _note_usage(self, usage: dict[str, Any]) -> None:
        self.input_tokens = count(usage.get("prompt_tokens"))
        self.output_tokens = count(usage.get("completion_tokens"))
        self.cached_tokens = count(table(usage.get("prompt_tokens_details")).get("cached_tokens"))
        self.note_ticks(usage)


def _names_format(error: Exception) -> bool:
    """Whether the server refused the request for its answer format."""
    if getattr(error, "status_code", None) not in (400, 422):
        return False
    message = error_fields(getattr(error, "body", None))[2] or str(getattr(error, "body", "") or "")
    told = f"{getattr(error, 'param', '') or ''} {message[:2000]}".lower()
    return any(word in told for word in REFUSED_FORMAT)
