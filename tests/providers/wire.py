"""A scripted HTTP server on raw sockets, and the three wire formats as bytes written by hand."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

from gitbridge_console.providers.base import Provider, ProviderRequest

Builder = Callable[..., Provider]

SCHEMA = {"type": "object", "properties": {"verdict": {"type": "string"}}, "required": ["verdict"], "additionalProperties": False}
QUESTION = ProviderRequest(system="Be brief.", prompt="Review this.", schema=SCHEMA, schema_name="review", max_output_tokens=512)
KEY = "sk-test-0123456789abcdefghij"
ANSWER = '{"verdict":"approve","summary":"größer & 好"}'
PIECES = (ANSWER[:12], ANSWER[12:25], ANSWER[25:])


@dataclass(frozen=True)
class Received:
    """One request as it came over the wire."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    raw_head: str
    raw_body: bytes = b""


@dataclass
class Connection:
    """What a script writes to. ``client_left`` is set when the other side has closed its end."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    client_left: asyncio.Event = field(default_factory=asyncio.Event)

    async def head(self, status: int, headers: dict[str, str], *, length: int | None = None) -> None:
        """Status line and headers; without ``length`` the body is chunked."""
        framing = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
        lines = [f"HTTP/1.1 {status} X", framing, *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        self.writer.write("\r\n".join(lines).encode())
        await self.writer.drain()

    async def chunk(self, data: bytes) -> None:
        """One chunk of a chunked body; an empty one ends it."""
        self.writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        await self.writer.drain()

    async def whole(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """A complete response."""
        await self.head(status, headers, length=len(body))
        self.writer.write(body)
        await self.writer.drain()

    async def json(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        """A complete JSON response."""
        await self.whole(status, json.dumps(body).encode(), {"content-type": "application/json", **(headers or {})})

    async def silence(self) -> None:
        """Say nothing until the client leaves."""
        await self.reader.read()
        self.client_left.set()

    def reset(self) -> None:
        """Close the socket so that the client gets a TCP reset."""
        self.writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Connection, Received], Awaitable[None]]


class ScriptedServer:
    """Answers every request by the script; keeps what it received."""

    def __init__(self) -> None:
        self.script: Script | None = None
        self.received: list[Received] = []
        self.connections: list[Connection] = []
        self.port = 0

    @property
    def origin(self) -> str:
        """``http://127.0.0.1:port``."""
        return f"http://127.0.0.1:{self.port}"

    async def first_connection(self) -> Connection:
        """The first connection, as soon as it is taken: under load a client may have given up by then."""
        while not self.connections:
            await asyncio.sleep(0)
        return self.connections[0]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it is closed."""
        connection = Connection(reader, writer)
        self.connections.append(connection)
        try:
            while not writer.is_closing():
                request = await _read(reader)
                self.received.append(request)
                assert self.script is not None
                await self.script(connection, request)
        except (ConnectionError, asyncio.IncompleteReadError):
            connection.client_left.set()
        writer.close()


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    raw = await reader.readexactly(int(headers.get("content-length", "0")))
    method, path, _ = first.split(" ")
    is_json = raw and "json" in headers.get("content-type", "json")
    return Received(method, path, headers, json.loads(raw) if is_json else {}, head, raw)


@contextlib.asynccontextmanager
async def scripted_server() -> AsyncIterator[ScriptedServer]:
    """Serve on a free loopback port."""
    scripted = ScriptedServer()
    listener = await asyncio.start_server(scripted.handle, "127.0.0.1", 0)
    scripted.port = listener.sockets[0].getsockname()[1]
    try:
        yield scripted
    finally:
        listener.close()
        for connection in scripted.connections:
            connection.writer.close()


def sse(data: object, event: str | None = None) -> bytes:
    """One server-sent event."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return (f"event: {event}\n" if event else "").encode() + f"data: {text}\n\n".encode()


@dataclass(frozen=True)
class Wire:
    """One wire format. ``opening`` holds no token; ``closing`` takes the reason the answer ended with."""

    api: str
    path: str
    prefix: str
    opening: bytes
    delta: Callable[[str], bytes]
    closing: Callable[[str], bytes]
    good: str
    cut: str
    filtered: str
    error: Callable[[str | None, str, str], dict[str, Any]]
    overloaded: bytes
    ping: bytes
    headers: dict[str, str]


MESSAGE = {"id": "m1", "type": "message", "role": "assistant", "content": [], "model": "claude-sonnet-5-5", "stop_reason": None}
USAGE_IN = {"input_tokens": 800, "cache_read_input_tokens": 200, "cache_creation_input_tokens": 0, "output_tokens": 1}


def _anthropic_error(code: str | None, kind: str, message: str) -> dict[str, Any]:
    details = {"details": {"error_code": code}} if code else {}
    return {"type": "error", "error": {"type": kind, "message": message, **details}, "request_id": "req_body"}


def _openai_error(code: str | None, kind: str, message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _anthropic_delta(text: str) -> bytes:
    return sse({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}, "content_block_delta")


def _anthropic_closing(reason: str) -> bytes:
    end = {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": {"output_tokens": 100}}
    return (
        sse({"type": "content_block_stop", "index": 0}, "content_block_stop")
        + sse(end, "message_delta")
        + sse({"type": "message_stop"}, "message_stop")
    )


ANTHROPIC = Wire(
    api="anthropic",
    path="/v1/messages",
    prefix="",
    opening=sse({"type": "message_start", "message": {**MESSAGE, "usage": USAGE_IN}}, "message_start")
    + sse({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}, "content_block_start")
    + sse({"type": "ping"}, "ping"),
    delta=_anthropic_delta,
    closing=_anthropic_closing,
    good="end_turn",
    cut="max_tokens",
    filtered="refusal",
    error=_anthropic_error,
    overloaded=sse(_anthropic_error(None, "overloaded_error", "Overloaded"), "error"),
    ping=sse({"type": "ping"}, "ping"),
    headers={"request-id": "req_1", "anthropic-ratelimit-requests-remaining": "49"},
)

RESPONSE = {"id": "r1", "object": "response", "model": "gpt-6.1-sol", "status": "in_progress", "output": [], "usage": None}
RESPONSE_USAGE = {
    "input_tokens": 1000,
    "input_tokens_details": {"cached_tokens": 200},
    "output_tokens": 100,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 1100,
}


def _responses_delta(text: str) -> bytes:
    event = {"type": "response.output_text.delta", "item_id": "i", "output_index": 0, "content_index": 0, "delta": text}
    return sse(event, "response.output_text.delta")


def _responses_closing(reason: str) -> bytes:
    good = reason == "completed"
    kind = "response.completed" if good else "response.incomplete"
    response = {
        **RESPONSE,
        "status": "completed" if good else "incomplete",
        "incomplete_details": None if good else {"reason": reason},
        "usage": RESPONSE_USAGE,
    }
    return sse({"type": "response.output_text.done", "text": "…"}, "response.output_text.done") + sse(
        {"type": kind, "response": response}, kind
    )


RESPONSES = Wire(
    api="responses",
    path="/v1/responses",
    prefix="/v1",
    opening=sse({"type": "response.created", "response": RESPONSE}, "response.created")
    + sse({"type": "response.in_progress", "response": RESPONSE}, "response.in_progress"),
    delta=_responses_delta,
    closing=_responses_closing,
    good="completed",
    cut="max_output_tokens",
    filtered="content_filter",
    error=_openai_error,
    overloaded=sse({"type": "error", "code": "server_is_overloaded", "message": "Overloaded", "param": None}, "error"),
    ping=b": keep-alive\n\n",
    headers={"x-request-id": "req_1", "x-ratelimit-remaining-requests": "49"},
)


def _chunk(choices: list[dict[str, Any]], **more: object) -> bytes:
    return sse({"id": "c1", "object": "chat.completion.chunk", "model": "gpt-6.1-sol", "choices": choices, **more})


def _chat_closing(reason: str) -> bytes:
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 200}}
    return _chunk([{"index": 0, "delta": {}, "finish_reason": reason}]) + _chunk([], usage=usage) + sse("[DONE]")


CHAT = Wire(
    api="chat",
    path="/v1/chat/completions",
    prefix="/v1",
    opening=_chunk([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]),
    delta=lambda text: _chunk([{"index": 0, "delta": {"content": text}, "finish_reason": None}]),
    closing=_chat_closing,
    good="stop",
    cut="length",
    filtered="content_filter",
    error=_openai_error,
    overloaded=sse({"error": {"message": "Overloaded", "type": "server_error", "code": "server_is_overloaded"}}),
    ping=b": keep-alive\n\n",
    headers={"x-request-id": "req_1", "x-ratelimit-remaining-requests": "49"},
)

WIRES = (ANTHROPIC, RESPONSES, CHAT)


async def begin(connection: Connection, wire: Wire, *chunks: bytes) -> None:
    """Headers of a stream that is well, then the given chunks."""
    await connection.head(200, {"content-type": "text/event-stream; charset=utf-8", **wire.headers})
    for chunk in chunks:
        await connection.chunk(chunk)


def answering(wire: Wire, reason: str | None = None, pieces: tuple[str, ...] = PIECES) -> Script:
    """A stream without fault that ends with the reason."""

    async def script(connection: Connection, request: Received) -> None:
        await begin(connection, wire, wire.opening, *(wire.delta(piece) for piece in pieces), wire.closing(reason or wire.good), b"")

    return script


def refusing(wire: Wire, status: int, code: str | None, kind: str, message: str, headers: dict[str, str] | None = None) -> Script:
    """An error status with the service's error body."""

    async def script(connection: Connection, request: Received) -> None:
        await connection.json(status, wire.error(code, kind, message), {**wire.headers, **(headers or {})})

    return script
