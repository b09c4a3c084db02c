"""What the wire formats have in common: the protocol each fulfils, server-sent events, reading of message lists."""

from __future__ import annotations

import json
from typing import Any, Protocol

from gitbridge_console.simulator.service import Ask, BadAsk, Plan


class Wire(Protocol):
    """A wire format: reads requests, writes whole answers, streamed events, errors and headers."""

    def read(self, body: dict[str, Any]) -> Ask:
        """The question in a request body. Raises BadAsk where a real service would answer 400."""
        ...

    def whole(self, plan: Plan) -> dict[str, Any]:
        """The body of an answer that is not streamed."""
        ...

    def opening(self, plan: Plan) -> list[bytes]:
        """Events before the first token."""
        ...

    def delta(self, plan: Plan, piece: str, index: int) -> bytes:
        """The event that carries one piece of text; ``index`` counts pieces from 0."""
        ...

    def closing(self, plan: Plan, pieces: int) -> list[bytes]:
        """Events after the last token."""
        ...

    def overloaded_event(self, plan: Plan) -> list[bytes]:
        """Events by which a stream that began well reports that the service is overloaded."""
        ...

    def error(self, status: int, message: str, *, param: str | None = None, request_id: str = "") -> dict[str, Any]:
        """The vendor's error body for a status."""
        ...

    def headers(self, plan: Plan) -> dict[str, str]:
        """Request id and rate-limit headers, and what a 429 adds."""
        ...

    overloaded_status: int


def sse(data: dict[str, Any], event: str | None = None) -> bytes:
    """One server-sent event."""
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n".encode("utf-8", "replace")


def text_of(content: Any) -> str:
    """The text in a message's content: a string, or a list of parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))


def split_messages(messages: Any, where: str) -> tuple[str, str]:
    """System text and everything else of a list of messages.

    Raises:
        BadAsk: it is not a list of at least one message.
    """
    if not isinstance(messages, list) or not messages or not all(isinstance(item, dict) for item in messages):
        raise BadAsk(f"{where}: at least one message is required", param=where)
    system = [text_of(item.get("content")) for item in messages if item.get("role") in ("system", "developer")]
    rest = [text_of(item.get("content")) for item in messages if item.get("role") not in ("system", "developer")]
    return "\n".join(system), "\n".join(rest)


def model_of(body: dict[str, Any]) -> str:
    """The model a body names.

    Raises:
        BadAsk: it names none.
    """
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise BadAsk("you must provide a model parameter", param="model")
    return model


def whole_number(body: dict[str, Any], *names: str, default: int) -> int:
    """The first of the named numbers that the body has.

    Raises:
        BadAsk: it is there but no positive whole number.
    """
    for name in names:
        value = body.get(name)
        if value is not None:
            if not isinstance(value, int) or value < 1:
                raise BadAsk(f"{name}: must be a positive integer", param=name)
            return value
    return default
