"""The table from signals to failure classes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.domain.failures import RULES
from gitbridge_console.domain.failures import FailureClass as C
from gitbridge_console.providers.classify import MESSAGE_CHARS, classify_signal, one_line
from gitbridge_console.providers.errors import error_fields, failure_from_exception


@pytest.mark.parametrize(
    ("signal", "expected"),
    [
        ({"status": 429, "code": "insufficient_quota", "kind": "rate_limit_error"}, C.QUOTA),
        ({"status": 429, "kind": "rate_limit_error", "message": "You exceeded your current quota, check your plan"}, C.QUOTA),
        ({"status": 429, "message": "Your team has either used all available credits or reached its monthly spending limit."}, C.QUOTA),
        ({"status": 400, "message": "You have reached your specified API usage limits: usage limit reached"}, C.QUOTA),
        ({"status": 429, "code": "slow_down"}, C.RATE_LIMIT),
        ({"status": 503, "code": "slow_down"}, C.OVERLOADED),
        ({"status": 429, "code": "ramp_limit_exceeded"}, C.RATE_LIMIT),
        ({"status": 500, "kind": "overloaded_error"}, C.OVERLOADED),
        ({"status": 200, "code": "rate_limit_exceeded"}, C.RATE_LIMIT),
        ({"status": 200, "kind": "api_error", "streaming": True}, C.TRANSIENT),
        ({"status": 200, "kind": "error", "streaming": True}, C.TRANSIENT),
        ({"status": 200, "kind": "invalid_request_error", "streaming": True}, C.CALLER_FAULT),
        ({"status": 400, "message": "This model's maximum context length is 128000 tokens"}, C.TOO_LARGE),
        ({"status": 400, "message": "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"}, C.TOO_LARGE),
        ({"status": 400, "message": "This model's maximum prompt length is 131072 but the request contains 200000"}, C.TOO_LARGE),
        ({"status": 400, "message": "the request exceeds the available context size"}, C.TOO_LARGE),
        ({"status": 403, "message": "Content violates usage guidelines."}, C.POLICY),
        ({"status": 400, "message": "Incorrect API key provided: x***y"}, C.CREDENTIAL),
        ({"status": 400, "message": "The model grok-1 does not exist or your team has no access"}, C.MODEL_GONE),
        ({"status": 408}, C.TRANSIENT),
        ({"status": 409}, C.TRANSIENT),
        ({"status": 418}, C.CALLER_FAULT),
        ({"status": 301}, C.INVALID_OUTPUT),
        ({"status": 599}, C.TRANSIENT),
        ({"exceptions": ["APITimeoutError", "APIConnectionError", "ConnectTimeout", "TimeoutError"]}, C.TRANSIENT),
        ({"exceptions": ["APITimeoutError", "APIConnectionError", "ReadTimeout"]}, C.SILENT),
        ({"exceptions": ["RemoteProtocolError"]}, C.TRANSIENT),
        ({"exceptions": ["RemoteProtocolError"], "streaming": True}, C.BROKEN_STREAM),
        ({"exceptions": ["JSONDecodeError", "ValueError"]}, C.INVALID_OUTPUT),
        ({"exceptions": ["JSONDecodeError", "ValueError"], "streaming": True}, C.BROKEN_STREAM),
        ({"exceptions": ["LengthFinishReasonError"]}, C.INVALID_OUTPUT),
        ({"exceptions": ["ContentFilterFinishReasonError"]}, C.POLICY),
        ({"exceptions": ["TypeError"]}, C.CALLER_FAULT),
        ({"exceptions": ["SomethingNew"]}, C.TRANSIENT),
        ({}, C.TRANSIENT),
    ],
)
def test_signals(signal: dict[str, object], expected: C) -> None:
    assert classify_signal(**signal).cls is expected  # type: ignore[arg-type]


def test_a_rate_limit_without_retry_after_waits_for_the_reset() -> None:
    headers = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "12s"}
    assert classify_signal(status=429, headers=headers).retry_after_s == 12.0
    assert classify_signal(status=500, headers=headers).retry_after_s is None


WORDS = st.none() | st.text(max_size=40) | st.sampled_from(["slow_down", "insufficient_quota", "overloaded_error", "tokens"])


@given(
    exceptions=st.lists(st.text(max_size=20) | st.sampled_from(["TimeoutError", "JSONDecodeError", "OSError"])),
    status=st.none() | st.integers(-5, 10_000),
    code=WORDS,
    kind=WORDS,
    message=st.text(max_size=600),
    headers=st.dictionaries(st.sampled_from(["retry-after", "x-ratelimit-remaining-a", "x-ratelimit-reset-a"]), st.text()),
    request_id=st.none() | st.text(),
    streaming=st.booleans(),
)
def test_every_signal_has_a_class_with_consequences_and_one_short_line(**signal: object) -> None:
    failure = classify_signal(**signal)  # type: ignore[arg-type]
    assert failure.cls in RULES
    assert failure.code.startswith("ERR_ROUTING_")
    assert 0 < len(failure.message) <= MESSAGE_CHARS
    assert failure.message.isprintable()
    assert (failure.provider_code or "x").isprintable()
    assert (failure.request_id or "x").isprintable()


@given(st.text(max_size=5000), st.integers(2, 400))
def test_one_line_is_one_line(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert line.isprintable()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "code", "type", "message", "details", "error_code"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(JSON)
def test_any_error_body_can_be_read(body: object) -> None:
    code, kind, message = error_fields(body)
    assert isinstance(message, str)
    assert code is None or isinstance(code, str)
    assert kind is None or isinstance(kind, str)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"error": {"code": "c", "type": "t", "message": "m"}}, ("c", "t", "m")),
        ({"code": "c", "type": "t", "message": "m"}, ("c", "t", "m")),
        ({"type": "error", "error": {"type": "t", "message": "m", "details": {"error_code": "d"}}}, ("d", "t", "m")),
        ({"code": "c", "error": "m"}, ("c", None, "m")),
        ({"error": "m"}, (None, None, "m")),
        ({"detail": "m"}, (None, None, "m")),
        ({"error": {"code": 400, "message": ["m"]}}, ("400", None, "")),
        ("page", (None, None, "")),
    ],
)
def test_error_bodies(body: object, expected: tuple[str | None, str | None, str]) -> None:
    assert error_fields(body) == expected


@pytest.mark.parametrize(
    "error", [ValueError("x"), OSError(5, "y"), KeyError("z"), Exception(), RecursionError(), json.JSONDecodeError("m", "d", 0)]
)
def test_any_exception_becomes_a_failure(error: Exception) -> None:
    error.__cause__ = error  # a loop in the chain ends nowhere
    assert failure_from_exception(error).cls in RULES
