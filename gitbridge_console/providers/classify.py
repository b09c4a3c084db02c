"""From what is known about a failed attempt to one ``Failure``: pure, and made of tables.

Read in this order: the provider's specific code, the wording of its message (some services put billing and context
length behind a generic code), its generic error type, the HTTP status, the exception's class. Within each, quota comes
before rate limit, since both arrive as 429.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from gitbridge_console.domain.failures import Failure, FailureClass
from gitbridge_console.providers.retry_after import parse_retry_after, reset_after_s

MESSAGE_CHARS = 300
CODE_CHARS = 64
READ_CHARS = 4_000
"""How much of an outside message is looked at."""

C = FailureClass


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


CODES: dict[FailureClass, frozenset[str]] = {
    C.QUOTA: _words(
        "insufficient_quota quota_exhausted credit_balance_exhausted insufficient_credits insufficient_funds insufficient_balance "
        "enforced_spend_limit_reached contract_spend_limit_reached linked_organization_spend_limit_reached "
        "linked_organization_billing_unavailable billing_error billing_hard_limit_reached billing_not_active "
        "payment_required spend_limit_reached"
    ),
    C.OVERLOADED: _words("overloaded_error overloaded server_is_overloaded engine_overloaded model_overloaded"),
    C.RATE_LIMIT: _words("rate_limit_exceeded ramp_limit_exceeded too_many_requests requests_per_minute_limit_exceeded"),
    C.CREDENTIAL: _words(
        "invalid_api_key incorrect_api_key missing_api_key account_deactivated organization_on_hold invalid_organization "
        "ip_not_authorized unsupported_country_region_territory data_residency_mismatch"
    ),
    C.MODEL_GONE: _words("model_not_found model_not_available model_deprecated model_decommissioned unknown_model invalid_model"),
    C.TOO_LARGE: _words(
        "context_length_exceeded context_window_exceeded request_too_large content_too_large string_above_max_length "
        "prompt_too_long exceed_context_size_error"
    ),
    C.POLICY: _words(
        "content_filter content_policy_violation policy_violation moderation_blocked invalid_prompt bio_policy cyber_policy "
        "misalignment_policy_violation responsibleaipolicyviolation refusal"
    ),
    C.TRANSIENT: _words("server_error internal_server_error internal_error service_unavailable gateway_timeout bad_gateway"),
}
"""Codes that name one cause."""

MESSAGES: tuple[tuple[FailureClass, frozenset[int], re.Pattern[str]], ...] = (
    (
        C.QUOTA,
        frozenset({200, 400, 402, 403, 429}),
        re.compile(
            r"exceeded your current quota|credit balance|(spend|spending|billing|usage) (hard )?limit (has been |was )?(reached|exceeded)"
            r"|(reached|exceeded) (your|its|the)( \w+){0,3} (spend|spending|billing|usage) limit|(used|run out of)( \w+){0,3} credits"
            r"|n't have (any|enough) credits|insufficient (credits?|funds|balance|quota)|purchase (more )?credits"
        ),
    ),
    (C.OVERLOADED, frozenset({200, 500, 502, 503}), re.compile(r"\boverloaded\b|(model|server|engine) is (currently )?at capacity")),
    (
        C.TOO_LARGE,
        frozenset({200, 400, 413, 422}),
        re.compile(
            r"(maximum|exceeds?|exceeded|over|larger than)( \S+){0,5} context (length|window|size|limit)"
            r"|context (length|window) (is )?exceeded"
            r"|(prompt|input|request) (is )?too (long|large)|maximum prompt length|too many (input )?tokens"
        ),
    ),
    (
        C.CREDENTIAL,
        frozenset({200, 400, 401, 403}),
        re.compile(r"(incorrect|invalid|missing|expired|revoked|no) (api|x-api)[ -]key"),
    ),
    (
        C.POLICY,
        frozenset({200, 400, 403, 422}),
        re.compile(
            r"usage (guidelines|polic(y|ies))|content (management )?(policy|filter)|(blocked|flagged)( \w+){0,4} (safety|moderation|policy)"
        ),
    ),
    (
        C.MODEL_GONE,
        frozenset({200, 400, 403, 404, 410}),
        re.compile(r"\bmodel\b.{0,120}(does not exist|not found|not exist|been (retired|deprecated|decommissioned|removed))|unknown model"),
    ),
    (C.RATE_LIMIT, frozenset({200, 403, 503}), re.compile(r"rate limit (reached|exceeded)|too many requests")),
)
"""Wording that names a cause, and the statuses it is believed with (200: an error within a stream)."""

TYPES: dict[str, FailureClass] = {
    "rate_limit_error": C.RATE_LIMIT,
    "tokens": C.RATE_LIMIT,
    "requests": C.RATE_LIMIT,
    "authentication_error": C.CREDENTIAL,
    "permission_error": C.CREDENTIAL,
    "permission_denied": C.CREDENTIAL,
    "unauthorized": C.CREDENTIAL,
    "not_found_error": C.MODEL_GONE,
    "timeout_error": C.TRANSIENT,
    "timeout": C.TRANSIENT,
    "api_error": C.TRANSIENT,
    "conflict_error": C.TRANSIENT,
}
"""Broad kinds. ``invalid_request_error`` is left to the status on purpose."""

STATUSES: dict[int, FailureClass] = {
    401: C.CREDENTIAL,
    402: C.QUOTA,
    403: C.CREDENTIAL,
    404: C.MODEL_GONE,
    408: C.TRANSIENT,
    409: C.TRANSIENT,
    410: C.MODEL_GONE,
    413: C.TOO_LARGE,
    425: C.TRANSIENT,
    429: C.RATE_LIMIT,
    451: C.POLICY,
    499: C.TRANSIENT,
    529: C.OVERLOADED,
}
"""Others: a redirect is not followed and so no answer, up to 499 it is the caller's fault, from 500 the service's."""

EXCEPTIONS: tuple[tuple[FailureClass, frozenset[str]], ...] = (
    (C.TRANSIENT, _words("ConnectTimeout PoolTimeout ConnectError ProxyError gaierror ConnectionRefusedError")),
    (C.SILENT, _words("ReadTimeout WriteTimeout APITimeoutError TimeoutException TimeoutError")),
    (C.POLICY, frozenset({"ContentFilterFinishReasonError"})),
    (C.INVALID_OUTPUT, frozenset({"LengthFinishReasonError", "APIResponseValidationError", "ValidationError", "AnswerTooLarge"})),
    (C.CALLER_FAULT, frozenset({"UnsupportedProtocol", "InvalidURL", "LocalProtocolError", "UnicodeEncodeError", "TooManyRedirects"})),
)
"""Exceptions that mean the same before and within a stream; a row holds when any name of the chain is in it."""

TRANSPORT = _words("APIConnectionError TransportError ReadError WriteError RemoteProtocolError DecodingError OSError")
MALFORMED = _words("JSONDecodeError UnicodeDecodeError RecursionError")
OWN_MISTAKE = _words("TypeError ValueError AttributeError KeyError")


def classify_signal(
    *,
    exceptions: Iterable[str] = (),
    status: int | None = None,
    code: str | None = None,
    kind: str | None = None,
    message: str = "",
    headers: Mapping[str, str] | None = None,
    request_id: str | None = None,
    streaming: bool = False,
    now: float | None = None,
) -> Failure:
    """Classify one failed attempt; never raises.

    ``exceptions`` are the class names of the exception, its bases and its causes; ``code`` and ``kind`` the provider's
    error code and error type; ``headers`` those of the response, names in lower case; ``streaming`` whether an answer had
    begun; ``now`` the Unix time that dates in headers are compared with. The message ends up on one line of at most
    ``MESSAGE_CHARS``.
    """
    headers = headers or {}
    names = frozenset(exceptions)
    cls = _of_codes(status, code, kind) or _of_message(status, message) or _of_type(code, kind) or _of_status(status, code, kind)
    cls = cls or _of_exceptions(names, streaming)
    wait_s = parse_retry_after(headers, now)
    if wait_s is None and cls is C.RATE_LIMIT:
        wait_s = reset_after_s(headers, now)
    return Failure(
        cls,
        one_line(message) or _plain_words(cls, status),
        http_status=status,
        provider_code=one_line(code or kind or "", CODE_CHARS) or None,
        request_id=one_line(request_id or "", 128) or None,
        retry_after_s=wait_s,
    )


def one_line(text: str, limit: int = MESSAGE_CHARS) -> str:
    """Printable characters on one line, cut to ``limit``."""
    text = text[: max(READ_CHARS, limit)]
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _of_codes(status: int | None, code: str | None, kind: str | None) -> FailureClass | None:
    given = {word.strip().lower() for word in (code, kind) if word}
    if "slow_down" in given:  # about the speed of ramping up; before it became a 429 it was a 503 without a gate
        return C.OVERLOADED if status == 503 else C.RATE_LIMIT
    for cls, codes in CODES.items():
        if not given.isdisjoint(codes):
            return cls
    return None


def _of_message(status: int | None, message: str) -> FailureClass | None:
    if status is None or not message:
        return None
    wording = message[:READ_CHARS].lower()
    for cls, statuses, pattern in MESSAGES:
        if status in statuses and pattern.search(wording):
            return cls
    return None


def _of_type(code: str | None, kind: str | None) -> FailureClass | None:
    for word in (code, kind):
        found = TYPES.get(word.strip().lower()) if word else None
        if found is not None:
            return found
    return None


def _of_status(status: int | None, code: str | None, kind: str | None) -> FailureClass | None:
    if status is None:
        return None
    if status in STATUSES:
        return STATUSES[status]
    if status < 300:
        if code or kind:  # an error reported within a stream, of a kind not known
            return C.CALLER_FAULT if "invalid_request_error" in (code, kind) else C.TRANSIENT
        return None
    if status < 400:
        return C.INVALID_OUTPUT
    return C.CALLER_FAULT if status < 500 else C.TRANSIENT


def _of_exceptions(names: frozenset[str], streaming: bool) -> FailureClass:
    for cls, row in EXCEPTIONS:
        if not names.isdisjoint(row):
            return cls
    if not names.isdisjoint(MALFORMED):
        return C.BROKEN_STREAM if streaming else C.INVALID_OUTPUT
    if not names.isdisjoint(TRANSPORT):
        return C.BROKEN_STREAM if streaming else C.TRANSIENT
    if not names.isdisjoint(OWN_MISTAKE):
        return C.BROKEN_STREAM if streaming else C.CALLER_FAULT
    return C.BROKEN_STREAM if streaming else C.TRANSIENT


def _plain_words(cls: FailureClass, status: int | None) -> str:
    return f"{cls.value.replace('_', ' ')}" + (f" (HTTP {status})" if status and status >= 300 else "")
