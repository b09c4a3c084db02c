"""Reading a request's body: never more than allowed, never longer than allowed, and what it must turn out to be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, NoReturn, ParamSpec, TypeVar
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request

BUFFERED_MAX_BYTES = 256 * 1024 * 1024
"""Bodies in memory at once, all requests together; beyond it a sender is asked to come again."""
DISCARD_MAX_BYTES = 64 * 1024 * 1024
DISCARD_S = 1.0
WORTH_A_THREAD_BYTES = 256 * 1024
JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"

T = TypeVar("T")
P = ParamSpec("P")


class Rejected(Exception):
    """A request that is answered with an error.

    The message may be shown to the sender, ``detail`` only to the log; ``reason`` is a label of metrics.
    """

    def __init__(self, status: int, message: str, reason: str, *, retry_after_s: int | None = None, detail: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.reason = reason
        self.retry_after_s = retry_after_s
        self.detail = detail


class BodyReader:
    """Reads bodies within limits of size, time and memory shared by all requests of a process."""

    def __init__(self, buffered_max_bytes: int = BUFFERED_MAX_BYTES) -> None:
        self._room = buffered_max_bytes

    async def read(self, request: Request, *, max_bytes: int, timeout_s: float) -> bytes:
        """The raw body. Whoever reads one calls :meth:`release` when done with it.

        Raises:
            Rejected: 413 too large, 408 too slow, 503 too much in memory, 400 cut off.
        """
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and (len(declared) > 12 or int(declared) > max_bytes):
            raise Rejected(413, f"the body is over {max_bytes:,} bytes", "too_large")
        chunks: list[bytes] = []
        size, complete = 0, False
        request.state.body_was_begun = True
        try:
            async with asyncio.timeout(timeout_s):
                async for chunk in request.stream():
                    size += len(chunk)
                    self._room -= len(chunk)
                    if size > max_bytes:
                        raise Rejected(413, f"the body is over {max_bytes:,} bytes", "too_large")
                    if self._room < 0:
                        raise Rejected(503, "too many deliveries at once", "memory", retry_after_s=5)
                    chunks.append(chunk)
            complete = True
        except TimeoutError:
            raise Rejected(408, f"the body did not arrive within {timeout_s:g} s", "slow_body") from None
        except ClientDisconnect:
            raise Rejected(400, "the body was cut off", "cut_off") from None
        finally:
            if not complete:
                self.release(size)
        return b"".join(chunks)

    async def discard(self, request: Request) -> None:
        """Read a refused body and keep nothing of it, within limits: a sender that is still writing would not read the answer."""
        if "expect" in request.headers and not getattr(request.state, "body_was_begun", False):
            return  # it waits to be told to write, and is not
        size = 0
        try:
            async with asyncio.timeout(DISCARD_S):
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > DISCARD_MAX_BYTES:
                        return
        except (TimeoutError, ClientDisconnect, RuntimeError):
            return  # it was read to its end already, or is not worth waiting for

    def release(self, size: int) -> None:
        """Give back the memory of a body that was read."""
        self._room += size


def media_type(content_type: str) -> str:
    """The media type of a header, without parameters.

    Raises:
        Rejected: 415, it is neither of the two that code hosts send.
    """
    found = content_type.partition(";")[0].strip().lower()
    if found not in {JSON_TYPE, FORM_TYPE}:
        raise Rejected(415, f"send {JSON_TYPE}, or {FORM_TYPE} with a payload field", "content_type")
    return found


def read_payload(body: bytes, kind: str) -> tuple[bytes, dict[str, Any]]:
    """The JSON text of a body and the object it is.

    Raises:
        Rejected: 400, it is not one.
    """
    text = _guarded(lambda: _form_field(body), "the form has no payload field") if kind == FORM_TYPE else body
    # The reader of bytes would take UTF-16 and halves of characters as well, which nobody behind it expects.
    parsed = _guarded(lambda: json.loads(text.decode("utf-8-sig"), parse_constant=_refuse_constant), "the payload is not valid JSON")
    if not isinstance(parsed, dict):
        raise Rejected(400, "the payload is not a JSON object", "payload")
    return text, parsed


async def in_thread_if_large(size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What ``work`` returns; what takes longer than the loop should stand still is done beside it."""
    if size < WORTH_A_THREAD_BYTES:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)


def _form_field(body: bytes) -> bytes:
    # Latin-1 both ways carries every byte through unchanged; what the bytes mean is the JSON reader's business.
    fields = parse_qs(body.decode("latin-1"), strict_parsing=True, max_num_fields=16, encoding="latin-1")
    return fields["payload"][0].encode("latin-1")


def _guarded(read: Callable[[], T], message: str) -> T:
    try:
        return read()
    except (ValueError, KeyError, RecursionError):
        raise Rejected(400, message, "payload") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
