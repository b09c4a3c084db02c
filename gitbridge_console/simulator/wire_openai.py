"""What OpenAI's two APIs, and xAI's, share: errors, rate-limit headers, models."""

from __future__ import annotations

from typing import Any

from gitbridge_console.simulator.service import Plan

_ERRORS = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    404: ("invalid_request_error", "model_not_found"),
    413: ("invalid_request_error", "request_too_large"),
    429: ("requests", "rate_limit_exceeded"),
    500: ("server_error", None),
    503: ("server_error", "server_is_overloaded"),
    504: ("server_error", "timeout"),
}
TICKS_PER_USD = 10_000_000_000


class OpenAICommon:
    """Base of the two wire formats. xAI sends limits without reset times, and what the call cost."""

    overloaded_status = 503

    def __init__(self, vendor: str = "openai") -> None:
        self.vendor = vendor

    def error(self, status: int, message: str, *, param: str | None = None, request_id: str = "") -> dict[str, Any]:
        """See Wire."""
        kind, code = _ERRORS.get(status, ("server_error", None))
        return {"error": {"message": message, "type": kind, "param": param, "code": code}}

    def headers(self, plan: Plan) -> dict[str, str]:
        """See Wire."""
        quota = plan.quota
        headers = {
            "x-request-id": f"req_{plan.request_id}",
            "x-ratelimit-limit-requests": str(quota.limit),
            "x-ratelimit-remaining-requests": str(quota.remaining),
            "x-ratelimit-limit-tokens": str(quota.tokens_limit),
            "x-ratelimit-remaining-tokens": str(quota.tokens_remaining),
        }
        if self.vendor == "openai":
            headers["openai-processing-ms"] = str(int(plan.total_s * 1000))
            headers["x-ratelimit-reset-requests"] = headers["x-ratelimit-reset-tokens"] = _go_duration(quota.reset_s)
        if plan.fault == "rate_limited":
            headers["retry-after"] = f"{plan.faults.retry_after_s:g}"
        return headers

    def cost(self, plan: Plan) -> dict[str, Any]:
        """The extra field of xAI's usage: the price in ticks of 1e-10 USD (2, 6 and 0.5 USD per million tokens)."""
        if self.vendor != "xai":
            return {}
        bill = plan.bill
        micro_usd = (bill.input_tokens - bill.cached_tokens) * 2 + bill.output_tokens * 6 + bill.cached_tokens * 0.5
        return {"cost_in_usd_ticks": int(micro_usd * TICKS_PER_USD / 1_000_000)}


def _go_duration(seconds: float) -> str:
    if seconds < 1:
        return f"{int(seconds * 1000)}ms"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def model_list(models: tuple[str, ...], vendor: str) -> dict[str, Any]:
    """The body of ``GET /v1/models``."""
    return {"object": "list", "data": [{"id": name, "object": "model", "created": 1_788_220_800, "owned_by": vendor} for name in models]}
