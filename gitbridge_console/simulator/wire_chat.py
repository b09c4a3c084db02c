"""The Chat Completions API of OpenAI and everything compatible with it: bodies and chunks."""

from __future__ import annotations

from typing import Any

from gitbridge_console.simulator.service import Ask, Plan
from gitbridge_console.simulator.wire import model_of, split_messages, sse, whole_number
from gitbridge_console.simulator.wire_openai import OpenAICommon

_DONE = b"data: [DONE]\n\n"


class ChatWire(OpenAICommon):
    """``POST /v1/chat/completions``, streamed or whole."""

    def read(self, body: dict[str, Any]) -> Ask:
        """See Wire."""
        system, prompt = split_messages(body.get("messages"), "messages")
        form = (body.get("response_format") or {}).get("json_schema") or {}
        return Ask(
            model=model_of(body),
            system=system,
            prompt=prompt,
            schema=form.get("schema"),
            schema_name=str(form.get("name") or ""),
            stream=bool(body.get("stream")),
            max_tokens=whole_number(body, "max_completion_tokens", "max_tokens", default=32_000),
            include_usage=bool((body.get("stream_options") or {}).get("include_usage")),
        )

    def whole(self, plan: Plan) -> dict[str, Any]:
        """See Wire."""
        refused = plan.ending == "refusal"
        message = {"role": "assistant", "content": None if refused else plan.text, "refusal": plan.text if refused else None}
        choice = {"index": 0, "message": message, "finish_reason": self._finish(plan), "logprobs": None}
        return {**self._head(plan, "chat.completion"), "choices": [choice], "usage": self._usage(plan)}

    def opening(self, plan: Plan) -> list[bytes]:
        """See Wire."""
        return [self._chunk(plan, {"role": "assistant", "content": "", "refusal": None})]

    def delta(self, plan: Plan, piece: str, index: int) -> bytes:
        """See Wire."""
        return self._chunk(plan, {"refusal": piece} if plan.ending == "refusal" else {"content": piece})

    def closing(self, plan: Plan, pieces: int) -> list[bytes]:
        """See Wire."""
        events = [self._chunk(plan, {}, self._finish(plan))]
        if plan.include_usage:
            events.append(sse({**self._head(plan, "chat.completion.chunk"), "choices": [], "usage": self._usage(plan)}))
        return [*events, _DONE]

    def overloaded_event(self, plan: Plan) -> list[bytes]:
        """See Wire."""
        return [sse(self.error(503, "The server is currently overloaded. Please try again later."))]

    def _chunk(self, plan: Plan, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return sse({**self._head(plan, "chat.completion.chunk"), "choices": [choice], **({"usage": None} if plan.include_usage else {})})

    def _head(self, plan: Plan, kind: str) -> dict[str, Any]:
        return {"id": f"chatcmpl-{plan.request_id}", "object": kind, "created": plan.created, "model": plan.model}

    def _finish(self, plan: Plan) -> str:
        return "length" if plan.ending == "length" else "stop"

    def _usage(self, plan: Plan) -> dict[str, Any]:
        bill = plan.bill
        return {
            "prompt_tokens": bill.input_tokens,
            "completion_tokens": bill.output_tokens,
            "total_tokens": bill.input_tokens + bill.output_tokens,
            "prompt_tokens_details": {"cached_tokens": bill.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": 0},
            **self.cost(plan),
        }
