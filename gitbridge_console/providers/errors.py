"""From exceptions of SDKs and transport to a classified ``Failure``, by their attributes alone: no SDK is imported here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from gitbridge_console.domain.failures import Failure
from gitbridge_console.providers.classify import READ_CHARS, classify_signal, one_line

DEEPEST_CAUSE = 8
SHORTEST_KEY = 6
HIDDEN = "[key]"
KEY_SHAPES = re.compile(r"(?i)\b(?:sk|xai|gsk|pk)-[\w*.\-]{8,}|\bbearer\s+[\w.~+/=*\-]{6,}")
"""What keys of the known services look like; services like to quote a part of the key they refuse."""

UNTOLD = ("Request timed out", "Connection error", "Cancelled via cancel scope", "Cancelled by cancel scope")
"""How texts begin that stand for a cause without telling it."""

PLAIN_WORDS = {
    "ConnectTimeout": "no connection within the limit",
    "PoolTimeout": "no free connection within the limit",
    "ReadTimeout": "nothing to read within the limit",
    "WriteTimeout": "the request could not be sent within the limit",
}


class MissingKey(ValueError):
    """A provider was to be built without its key; the message is one line that says what to set."""


class EventError(Exception):
    """The service reported an error within a stream that had begun well. ``body`` is the event."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        super().__init__("error within the stream")
        self.body = body


class AnswerTooLarge(Exception):
    """The answer, or one event of it, is larger than any answer we asked for."""


def failure_from_exception(exc: BaseException, *, secrets: tuple[str, ...] = (), streaming: bool = False) -> Failure:
    """Classify an exception of an SDK, of the transport, of JSON or of pydantic.

    Neither ``secrets`` nor the key of the request the exception carries get into the message.
    """
    response = getattr(exc, "response", None)
    headers = _headers(response)
    status = _status(exc, response)
    code, kind, message = error_fields(_body(exc, response))
    if not message:
        message = _own_words(exc, status)
    secrets = (*secrets, *_keys_of(exc))
    return classify_signal(
        exceptions=_names(exc),
        status=status,
        code=redacted(code, secrets) if code else None,
        kind=redacted(kind, secrets) if kind else None,
        message=redacted(f"HTTP {status}: {message}" if status is not None and status >= 300 else message, secrets),
        headers=headers,
        request_id=redacted(headers.get("request-id") or headers.get("x-request-id") or "", secrets),
        streaming=streaming,
    )


def error_fields(body: object) -> tuple[str | None, str | None, str]:
    """Code, type and message of a service's error body, in any of the shapes in use; empty where it has none.

    ``{"error": {"code", "type", "message", "details": {"error_code"}}}`` (Anthropic, OpenAI), the inner object alone,
    ``{"code", "error": "message"}`` (xAI), ``{"error": "message"}`` (Ollama), ``{"detail": "message"}`` (FastAPI).
    """
    if not isinstance(body, Mapping):
        return None, None, ""
    inner = body.get("error")
    if isinstance(inner, str):
        return _word(body.get("code")), _word(body.get("type")), inner
    if not isinstance(inner, Mapping):
        inner = body
    details = inner.get("details")
    code = _word(details.get("error_code")) if isinstance(details, Mapping) else None
    kind = _word(inner.get("type"))
    message = inner.get("message") or inner.get("detail")
    return code or _word(inner.get("code")), None if kind == "error" else kind, message if isinstance(message, str) else ""


def redacted(text: str, secrets: tuple[str, ...]) -> str:
    """The text without the secrets, without recognisable beginnings of them, and without anything shaped like a key."""
    text = text[: 4 * READ_CHARS]
    for secret in secrets:
        if len(secret) < SHORTEST_KEY:  # as a word only, or a key such as "e" would leave nothing to read
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", HIDDEN, text) if secret else text
            continue
        text = text.replace(secret, HIDDEN)
        if len(secret) >= 2 * SHORTEST_KEY:
            text = re.sub(re.escape(secret[:8]) + r"[\w*.…\-]*", HIDDEN, text)
    return KEY_SHAPES.sub(HIDDEN, text)


def _body(exc: BaseException, response: object) -> object:
    body = getattr(exc, "body", None)
    if isinstance(body, Mapping):
        return body
    # The OpenAI SDK keeps only the inner part of an error; where that is a bare message the code beside it is lost.
    try:
        return json.loads(getattr(response, "text", "") or "")
    except (ValueError, RuntimeError, TypeError, RecursionError):  # RuntimeError: the body was never read
        return None


def _own_words(exc: BaseException, status: int | None) -> str:
    if status is not None and 300 <= status < 400:
        return f"redirected to {_target(exc)}; base_url has to be the final address"
    if status is not None and status >= 300:
        text = getattr(getattr(exc, "response", None), "reason_phrase", "")
        return f"{text or 'error'}, without an explanation that could be read"
    told, text = exc, ""
    for link in _chain(exc):
        if type(link).__name__ in ("CancelledError", "TimeoutError"):
            continue
        own = str(link)
        if own and not own.startswith(UNTOLD):
            told, text = link, own
        elif not text:
            told = link
    name = type(told).__name__
    return one_line(f"{name}: {text or PLAIN_WORDS.get(name, '')}".rstrip(": "), READ_CHARS)


def _target(exc: BaseException) -> str:
    location = _headers(getattr(exc, "response", None)).get("location", "")
    try:
        return urlsplit(location).hostname or "another path"
    except ValueError:
        return "an address that is none"


def _names(exc: BaseException) -> list[str]:
    return [cls.__name__ for link in _chain(exc) for cls in type(link).__mro__]


def _chain(exc: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = exc
    for _ in range(DEEPEST_CAUSE):
        if link is None:
            return
        yield link
        link = link.__cause__ or link.__context__


def _status(exc: BaseException, response: object) -> int | None:
    for status in (getattr(exc, "status_code", None), getattr(response, "status_code", None)):
        if isinstance(status, int):
            return status
    return None


def _headers(response: object) -> dict[str, str]:
    headers = getattr(response, "headers", None)
    if not isinstance(headers, Mapping):
        return {}
    return {str(name).lower(): str(value) for name, value in headers.items()}


def _keys_of(exc: BaseException) -> tuple[str, ...]:
    try:
        request = getattr(exc, "request", None)
    except RuntimeError:  # httpx raises where an exception has no request
        return ()
    headers = getattr(request, "headers", None)
    if not isinstance(headers, Mapping):
        return ()
    values = (headers.get("authorization", ""), headers.get("x-api-key", ""))
    return tuple(value.removeprefix("Bearer ").strip() for value in values if value)


def _word(value: object) -> str | None:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None
