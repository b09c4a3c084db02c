"""Anthropic's Messages API: bodies, events, errors and headers."""

from __future__ import annotations

import datetime as dt
from typing import Any

from gitbridge_console.simulator.service import Ask, BadAsk, Plan
from gitbridge_console.simulator.wire import model_of, split_messages, sse, text_of, whole_number

_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_STOPS = {"stop": "end_turn", "length": "max_tokens", "refusal": "refusal"}


class MessagesWire:
    """``POST /v1/messages``, streamed or whole."""

    overloaded_status = 529

    def read(self, body: dict[str, Any]) -> Ask:
        """See :class:`~gitbridge_console.simulator.wire.Wire`."""
        if "max_tokens" not in body:
            raise BadAsk("max_tokens: Field required", param="max_tokens")
        system, prompt = split_messages(body.get("messages"), "messages")
        form = (body.get("output_config") or {}).get("format") or {}
        return Ask(
            model=model_of(body),
            system=text_of(body.get("system")) or system,
            prompt=prompt,
            schema=form.get("schema"),
            schema_name="",
            stream=bool(body.get("stream")),
            max_tokens=whole_number(body, "max_tokens", default=1024),
        )

    def whole(self, plan: Plan) -> dict[str, Any]:
        """See Wire."""
        message = self._message(plan)
        message["content"] = [{"type": "text", "text": plan.text}]
        message["usage"]["output_tokens"] = plan.bill.output_tokens
        return {**message, **self._stop(plan)}

    def opening(self, plan: Plan) -> list[bytes]:
        """See Wire."""
        block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        start = {"type": "message_start", "message": self._message(plan)}
        return [sse(start, "message_start"), sse(block, "content_block_start"), sse({"type": "ping"}, "ping")]

    def delta(self, plan: Plan, piece: str, index: int) -> bytes:
        """See Wire."""
        return sse({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}, "content_block_delta")

    def closing(self, plan: Plan, pieces: int) -> list[bytes]:
        """See Wire."""
        end = {"type": "message_delta", "delta": self._stop(plan), "usage": {"output_tokens": plan.bill.output_tokens}}
        return [
            sse({"type": "content_block_stop", "index": 0}, "content_block_stop"),
            sse(end, "message_delta"),
            sse({"type": "message_stop"}, "message_stop"),
        ]

    def overloaded_event(self, plan: Plan) -> list[bytes]:
        """See Wire."""
        return [sse(self.error(529, "Overloaded", request_id=plan.request_id), "error")]

    def error(self, status: int, message: str, *, param: str | None = None, request_id: str = "") -> dict[str, Any]:
        """See Wire."""
        inner = {"type": _ERROR_TYPES.get(status, "api_error"), "message": message}
        return {"type": "error", "error": inner, "request_id": f"req_{request_id}" if request_id else None}

    def headers(self, plan: Plan) -> dict[str, str]:
        """See Wire."""
        quota = plan.quota
        reset = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=quota.reset_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
        headers = {"request-id": f"req_{plan.request_id}", "anthropic-organization-id": "00000000-0000-4000-8000-000000000000"}
        for what, limit, left in (
            ("requests", quota.limit, quota.remaining),
            ("tokens", quota.tokens_limit, quota.tokens_remaining),
            ("input-tokens", quota.tokens_limit, quota.tokens_remaining),
            ("output-tokens", quota.tokens_limit // 5, quota.tokens_remaining // 5),
        ):
            headers |= {
                f"anthropic-ratelimit-{what}-limit": str(limit),
                f"anthropic-ratelimit-{what}-remaining": str(left),
                f"anthropic-ratelimit-{what}-reset": reset,
            }
        if plan.fault == "rate_limited":
            headers["retry-after"] = f"{plan.faults.retry_after_s:g}"
        return headers

    def _message(self, plan: Plan) -> dict[str, Any]:
        bill = plan.bill
        return {
            "id": f"msg_{plan.request_id}",
            "type": "message",
            "role": "assistant",
            "model": plan.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {
                "input_tokens": bill.input_tokens - bill.cached_tokens,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": bill.cached_tokens,
                "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
                "output_tokens": 1,
                "service_tier": "standard",
            },
        }

    def _stop(self, plan: Plan) -> dict[str, Any]:
        stop: dict[str, Any] = {"stop_reason": _STOPS[plan.ending], "stop_sequence": None}
        if plan.ending == "refusal":
            stop["stop_details"] = {"type": "refusal", "category": None, "explanation": plan.text}
        return stop


def model_list(models: tuple[str, ...]) -> dict[str, Any]:
    """The body of ``GET /v1/models``."""
    data = [
        {"type": "model", "id": name, "display_name": name, "created_at": "2026-09-01T00:00:00Z", "lifecycle": "active"} for name in models
    ]
    return {"data": data, "has_more": False, "first_id": models[0], "last_id": models[-1]}
