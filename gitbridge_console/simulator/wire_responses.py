"""The Responses API of OpenAI and xAI: bodies and events."""

from __future__ import annotations

from typing import Any

from gitbridge_console.simulator.service import Ask, BadAsk, Plan
from gitbridge_console.simulator.wire import model_of, split_messages, sse, whole_number
from gitbridge_console.simulator.wire_openai import OpenAICommon


class ResponsesWire(OpenAICommon):
    """``POST /v1/responses``, streamed or whole."""

    def read(self, body: dict[str, Any]) -> Ask:
        """See Wire."""
        given = body.get("input")
        if isinstance(given, str) and given:
            system, prompt = "", given
        elif given:
            system, prompt = split_messages(given, "input")
        else:
            raise BadAsk("Missing required parameter: 'input'.", param="input")
        form = (body.get("text") or {}).get("format") or {}
        return Ask(
            model=model_of(body),
            system=str(body.get("instructions") or "") or system,
            prompt=prompt,
            schema=form.get("schema"),
            schema_name=str(form.get("name") or ""),
            stream=bool(body.get("stream")),
            max_tokens=whole_number(body, "max_output_tokens", default=32_000),
        )

    def whole(self, plan: Plan) -> dict[str, Any]:
        """See Wire."""
        incomplete = plan.ending == "length"
        return {
            **self._response(plan, "incomplete" if incomplete else "completed"),
            "incomplete_details": {"reason": "max_output_tokens"} if incomplete else None,
            "output": [self._item(plan)],
            "usage": self._usage(plan),
        }

    def opening(self, plan: Plan) -> list[bytes]:
        """See Wire."""
        response = self._response(plan, "in_progress")
        item = {**self._item(plan), "status": "in_progress", "content": []}
        part = {**self._part(plan), ("refusal" if plan.ending == "refusal" else "text"): ""}
        events: list[dict[str, Any]] = [
            {"type": "response.created", "response": response},
            {"type": "response.in_progress", "response": response},
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            {"type": "response.content_part.added", **self._place(plan), "part": part},
        ]
        return [self._event(event, number) for number, event in enumerate(events)]

    def delta(self, plan: Plan, piece: str, index: int) -> bytes:
        """See Wire."""
        event = {"type": f"response.{self._noun(plan)}.delta", **self._place(plan), "delta": piece}
        return self._event(event if plan.ending == "refusal" else {**event, "logprobs": []}, 4 + index)

    def closing(self, plan: Plan, pieces: int) -> list[bytes]:
        """See Wire."""
        done: dict[str, Any] = {"type": f"response.{self._noun(plan)}.done", **self._place(plan)}
        done |= {"refusal": plan.text} if plan.ending == "refusal" else {"text": plan.text, "logprobs": []}
        end = "response.incomplete" if plan.ending == "length" else "response.completed"
        events: list[dict[str, Any]] = [
            done,
            {"type": "response.content_part.done", **self._place(plan), "part": self._part(plan)},
            {"type": "response.output_item.done", "output_index": 0, "item": self._item(plan)},
            {"type": end, "response": self.whole(plan)},
        ]
        return [self._event(event, 4 + pieces + number) for number, event in enumerate(events)]

    def overloaded_event(self, plan: Plan) -> list[bytes]:
        """See Wire."""
        message = "The server is currently overloaded. Please try again later."
        event = {"type": "error", "code": "server_is_overloaded", "message": message, "param": None}
        return [self._event(event, 9_999)]

    def _event(self, event: dict[str, Any], number: int) -> bytes:
        return sse({**event, "sequence_number": number}, event["type"])

    def _noun(self, plan: Plan) -> str:
        return "refusal" if plan.ending == "refusal" else "output_text"

    def _place(self, plan: Plan) -> dict[str, Any]:
        return {"item_id": f"msg_{plan.request_id}", "output_index": 0, "content_index": 0}

    def _part(self, plan: Plan) -> dict[str, Any]:
        if plan.ending == "refusal":
            return {"type": "refusal", "refusal": plan.text}
        return {"type": "output_text", "text": plan.text, "annotations": [], "logprobs": []}

    def _item(self, plan: Plan) -> dict[str, Any]:
        status = "incomplete" if plan.ending == "length" else "completed"
        return {"type": "message", "id": f"msg_{plan.request_id}", "role": "assistant", "status": status, "content": [self._part(plan)]}

    def _response(self, plan: Plan, status: str) -> dict[str, Any]:
        return {
            "id": f"resp_{plan.request_id}",
            "object": "response",
            "created_at": plan.created,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "model": plan.model,
            "output": [],
            "parallel_tool_calls": True,
            "temperature": 1.0,
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "usage": None,
        }

    def _usage(self, plan: Plan) -> dict[str, Any]:
        bill = plan.bill
        return {
            "input_tokens": bill.input_tokens,
            "input_tokens_details": {"cached_tokens": bill.cached_tokens, "cache_write_tokens": 0},
            "output_tokens": bill.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": bill.input_tokens + bill.output_tokens,
            **self.cost(plan),
        }
