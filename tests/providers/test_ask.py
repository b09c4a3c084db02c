"""One attempt against a scripted server, over each wire: good answers, and everything that goes wrong."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import replace

import pytest
from wire import (
    ANSWER,
    ANTHROPIC,
    CHAT,
    KEY,
    PIECES,
    QUESTION,
    RESPONSES,
    Builder,
    Connection,
    Received,
    Script,
    ScriptedServer,
    Wire,
    answering,
    begin,
    refusing,
    sse,
)

from gitbridge_console.domain.failures import FailureClass as C
from gitbridge_console.providers.base import Provider, ProviderError, Spent, Usage
from tests.ports import free_port

pytestmark = pytest.mark.anyio


async def _failure(provider: Provider, timeout_s: float = 10.0) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await provider.ask(QUESTION, timeout_s=timeout_s)
    message = caught.value.failure.message
    assert message
    assert len(message) <= 300
    assert "\n" not in message
    assert KEY not in f"{caught.value!r} {caught.value.failure!r}"
    return caught.value


async def test_a_good_stream_is_a_reply(server: ScriptedServer, build: Builder, wire: Wire) -> None:
    server.script = answering(wire)
    reply = await build(wire).ask(QUESTION, timeout_s=10)
    assert reply.text == ANSWER
    assert reply.stop_reason == wire.good
    assert reply.model == ("claude-sonnet-5-5" if wire is ANTHROPIC else "gpt-6.1-sol")
    assert (reply.usage.input_tokens, reply.usage.output_tokens, reply.usage.cached_tokens) == (1000, 100, 200)
    assert reply.request_id == "req_1"
    assert reply.http_status == 200
    assert 0 < reply.ttft_ms <= reply.latency_ms
    assert list(reply.headers.values()) == ["49"]


async def test_the_request_asks_for_the_schema_and_streams(server: ScriptedServer, build: Builder, wire: Wire) -> None:
    server.script = answering(wire)
    await build(wire).ask(QUESTION, timeout_s=10)
    (request,) = server.received
    assert (request.method, request.path) == ("POST", wire.path)
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.body["stream"] is True
    sent = json.dumps(request.body)
    assert json.dumps(QUESTION.schema) in sent
    assert "json_schema" in sent
    assert "Be brief." in sent
    assert "512" in sent


async def test_a_connection_is_used_again(server: ScriptedServer, build: Builder, wire: Wire) -> None:
    server.script = answering(wire)
    provider = build(wire)
    for _ in range(3):
        await provider.ask(QUESTION, timeout_s=10)
    assert len(server.connections) == 1


async def test_an_answer_in_single_bytes_is_the_same(server: ScriptedServer, build: Builder, wire: Wire) -> None:
    async def script(connection: Connection, request: Received) -> None:
        whole = wire.opening + b"".join(map(wire.delta, PIECES)) + wire.closing(wire.good)
        whole = whole.replace(b"\n", b"\r\n")
        await begin(connection, wire, *(whole[i : i + 1] for i in range(len(whole))), b"")

    server.script = script
    assert (await build(wire).ask(QUESTION, timeout_s=10)).text == ANSWER


async def test_an_answer_is_complete_though_the_connection_stays_open(server: ScriptedServer, build: Builder, wire: Wire) -> None:
    async def script(connection: Connection, request: Received) -> None:
        await begin(connection, wire, wire.opening, wire.delta(ANSWER), wire.closing(wire.good))
        await connection.silence()

    server.script = script
    reply = await build(wire).ask(QUESTION, timeout_s=10)
    assert reply.text == ANSWER


async def test_an_answer_is_complete_though_the_connection_is_reset_after_it(server: ScriptedServer, build: Builder, wire: Wire) -> None:
    async def script(connection: Connection, request: Received) -> None:
        await begin(connection, wire, wire.opening, wire.delta(ANSWER), wire.closing(wire.good))
        connection.writer.close()

    server.script = script
    assert (await build(wire).ask(QUESTION, timeout_s=10)).text == ANSWER


REFUSALS: dict[str, tuple[int, str | None, str, str, C]] = {
    "rate limit": (429, None, "rate_limit_error", "Slow down, please.", C.RATE_LIMIT),
    "quota by code": (429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota.", C.QUOTA),
    "quota by spend limit": (429, "enforced_spend_limit_reached", "rate_limit_error", "Limit reached.", C.QUOTA),
    "quota by message": (400, None, "invalid_request_error", "Your credit balance is too low to access the API.", C.QUOTA),
    "payment": (402, None, "billing_error", "Pay first.", C.QUOTA),
    "server error": (500, None, "api_error", "Internal server error", C.TRANSIENT),
    "unavailable": (503, None, "api_error", "Try later", C.TRANSIENT),
    "unavailable, overloaded": (503, "server_is_overloaded", "server_error", "Overloaded", C.OVERLOADED),
    "overloaded": (529, None, "overloaded_error", "Overloaded", C.OVERLOADED),
    "bad key": (401, "invalid_api_key", "authentication_error", f"Incorrect API key provided: {KEY}.", C.CREDENTIAL),
    "forbidden": (403, None, "permission_error", "Not for you.", C.CREDENTIAL),
    "no such model": (404, "model_not_found", "not_found_error", "The model `x` does not exist", C.MODEL_GONE),
    "too long by code": (400, "context_length_exceeded", "invalid_request_error", "Too long.", C.TOO_LARGE),
    "too long by message": (400, None, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", C.TOO_LARGE),
    "too large": (413, None, "request_too_large", "Request exceeds the maximum size", C.TOO_LARGE),
    "content filter": (400, "content_filter", "invalid_request_error", "The prompt was filtered.", C.POLICY),
    "bad request": (400, None, "invalid_request_error", "temperature: not allowed", C.CALLER_FAULT),
    "unprocessable": (422, None, "invalid_request_error", "schema: too deep", C.CALLER_FAULT),
}


@pytest.mark.parametrize("case", REFUSALS.values(), ids=REFUSALS.keys())
async def test_error_statuses(server: ScriptedServer, build: Builder, wire: Wire, case: tuple[int, str | None, str, str, C]) -> None:
    status, code, kind, message, expected = case
    server.script = refusing(wire, status, code, kind, message)
    error = await _failure(build(wire))
    assert error.failure.cls is expected
    assert error.failure.http_status == status
    assert error.failure.request_id == "req_1"
    assert error.failure.provider_code in (code, kind)
    assert len(server.received) == 1, "the router alone retries"


async def test_what_a_rate_limit_asks_for_is_kept(server: ScriptedServer, build: Builder, wire: Wire) -> None:
    server.script = refusing(wire, 429, None, "rate_limit_error", "Slow down", {"retry-after": "2.5"})
    error = await _failure(build(wire))
    assert error.failure.retry_after_s == 2.5
    assert error.headers["retry-after"] == "2.5"
    assert set(error.headers.values()) == {"2.5", "49"}


async def test_an_error_page_is_an_error(server: ScriptedServer, build: Builder, wire: Wire) -> None:
    async def script(connection: Connection, request: Received) -> None:
        await connection.whole(502, b"<html><h1>Bad gateway</h1></html>", {"content-type": "text/html"})

    server.script = script
    error = await _failure(build(wire))
    assert error.failure.cls is C.TRANSIENT
    assert "<" not in error.failure.message


async def test_xai_and_ollama_error_bodies_are_read(server: ScriptedServer, build: Builder) -> None:
    async def script(connection: Connection, request: Received) -> None:
        await connection.json(400, {"code": "Client specified an invalid argument", "error": f"Incorrect API key provided: {KEY[:9]}***"})

    server.script = script
    error = await _failure(build(RESPONSES, "grok"))
    assert error.failure.cls is C.CREDENTIAL
    assert error.failure.message == "HTTP 400: Incorrect API key provided: [key]"


async def test_a_refused_connection_is_transient(build: Builder, wire: Wire) -> None:
    error = await _failure(build(wire, base_url=f"http://127.0.0.1:{free_port()}{wire.prefix}"))
    assert error.failure.cls is C.TRANSIENT
    assert error.failure.http_status is None


async def test_a_reset_before_the_answer_is_transient(server: ScriptedServer, build: Builder, wire: Wire) -> None:
    async def script(connection: Connection, request: Received) -> None:
        connection.reset()

    server.script = script
    assert (await _failure(build(wire))).failure.cls is C.TRANSIENT


async def _say_nothing(connection: Connection, request: Received) -> None:
    await connection.silence()


async def test_silence_is_given_up_and_the_socket_closed(server: ScriptedServer, build: Builder, wire: Wire) -> None:
    server.script = _say_nothing
    error = await _failure(build(wire, timeout_first_token_s=0.05))
    assert error.failure.cls is C.SILENT
    assert error.ttft_ms is None
    async with asyncio.timeout(2):
        await (await server.first_connection()).client_left.wait()


async def test_signs_of_life_are_no_token(server: ScriptedServer, build: Builder, wire: Wire) -> None:
    async def script(connection: Connection, request: Received) -> None:
        await begin(connection, wire, wire.opening)
        while not connection.reader.at_eof():
            await connection.chunk(wire.ping)
            await asyncio.sleep(0.01)

    server.script = script
    error = await _failure(build(wire, timeout_first_token_s=0.1))
    assert error.failure.cls is C.SILENT
    assert error.failure.message == "no token within 0.1 s"


async def test_a_stall_is_silence_and_what_was_billed_is_booked(server: ScriptedServer, build: Builder, wire: Wire) -> None:
    async def script(connection: Connection, request: Received) -> None:
        await begin(connection, wire, wire.opening, wire.delta(PIECES[0]), wire.ping)
        await connection.silence()

    server.script = script
    error = await _failure(build(wire, timeout_stall_s=0.05))
    assert error.failure.cls is C.SILENT
    assert error.failure.message == "the answer stalled for 0.05 s"
    assert error.failure.request_id == "req_1"
    assert error.ttft_ms is not None
    if wire is ANTHROPIC:
        assert error.usage.input_tokens == 1000
        assert error.usage.cost_usd is not None


async def _drip(connection: Connection, wire: Wire) -> None:
    await begin(connection, wire, wire.opening)
    while not connection.reader.at_eof():
        await connection.chunk(wire.delta("x"))
        await asyncio.sleep(0.01)


async def test_a_slow_drip_ends_at_the_total(server: ScriptedServer, build: Builder, wire: Wire) -> None:
    async def script(connection: Connection, request: Received) -> None:
        await _drip(connection, wire)

    server.script = script
    error = await _failure(build(wire, timeout_total_s=0.15, timeout_first_token_s=0.15))
    assert error.failure.cls is C.SILENT
    assert error.failure.message == "the answer was not complete after 0.15 s"


async def test_the_callers_shorter_time_says_nothing_about_the_provider(server: ScriptedServer, build: Builder, wire: Wire) -> None:
    async def script(connection: Connection, request: Received) -> None:
        await _drip(connection, wire)

    server.script = script
    assert (await _failure(build(wire), timeout_s=0.1)).failure.cls is C.NEUTRAL


async def test_a_connection_that_is_not_taken_ends_at_its_limit(build: Builder, wire: Wire) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        error = await _failure(build(wire, base_url=f"http://127.0.0.1:{address[1]}{wire.prefix}", timeout_connect_s=0.1))
        for filler in fillers:
            filler.close()
    assert error.failure.cls is C.TRANSIENT
    assert "ConnectTimeout" in error.failure.message


def _broken(wire: Wire) -> dict[str, tuple[Script, C]]:
    async def cut(connection: Connection, request: Received) -> None:
        await begin(connection, wire, wire.opening, wire.delta(PIECES[0]))
        connection.writer.close()

    async def reset(connection: Connection, request: Received) -> None:
        await begin(connection, wire, wire.opening, wire.delta(PIECES[0]))
        connection.reset()

    async def no_end(connection: Connection, request: Received) -> None:
        await begin(connection, wire, wire.opening, wire.delta(ANSWER), b"")

    async def nothing(connection: Connection, request: Received) -> None:
        await begin(connection, wire, b"")

    async def half_event(connection: Connection, request: Received) -> None:
        await begin(connection, wire, wire.opening, wire.delta(ANSWER)[:40], b"")

    async def malformed(connection: Connection, request: Received) -> None:
        await begin(connection, wire, wire.opening, wire.delta(PIECES[0]), sse("{not json", "response.output_text.delta"), b"")

    async def wrong_shape(connection: Connection, request: Received) -> None:
        await begin(connection, wire, wire.opening, sse("[1, 2]"), b"")

    async def bad_bytes(connection: Connection, request: Received) -> None:
        await begin(connection, wire, wire.opening, b'data: {"a": "\xff"}\n\n', b"")

    async def overloaded(connection: Connection, request: Received) -> None:
        await begin(connection, wire, wire.opening, wire.delta(PIECES[0]), wire.overloaded, b"")

    async def html(connection: Connection, request: Received) -> None:
        await connection.whole(200, b"<html>Sign in</html>", {"content-type": "text/html; charset=utf-8"})

    async def other_json(connection: Connection, request: Received) -> None:
        await connection.json(200, {"hello": "world"})

    async def json_error(connection: Connection, request: Received) -> None:
        await connection.json(200, wire.error("insufficient_quota", "x", "No money"))

    async def huge(connection: Connection, request: Received) -> None:
        await begin(connection, wire, wire.opening, *[wire.delta("x" * 500_000)] * 9, b"")

    return {
        "cut": (cut, C.BROKEN_STREAM),
        "reset": (reset, C.BROKEN_STREAM),
        "clean end without a reason": (no_end, C.BROKEN_STREAM),
        "nothing": (nothing, C.BROKEN_STREAM),
        "half an event": (half_event, C.BROKEN_STREAM),
        "malformed event": (malformed, C.BROKEN_STREAM),
        "event that is no object": (wrong_shape, C.BROKEN_STREAM),
        "bytes that are no text": (bad_bytes, C.BROKEN_STREAM),
        "overloaded within the stream": (overloaded, C.OVERLOADED),
        "page instead of a stream": (html, C.INVALID_OUTPUT),
        "other document instead of a stream": (other_json, C.INVALID_OUTPUT),
        "error document with status 200": (json_error, C.QUOTA),
        "endless answer": (huge, C.INVALID_OUTPUT),
        "cut at the token limit": (answering(wire, wire.cut), C.INVALID_OUTPUT),
        "empty answer": (answering(wire, pieces=(" ",)), C.INVALID_OUTPUT),
        "odd stop reason": (answering(wire, "tool_use"), C.INVALID_OUTPUT),
        "refused": (answering(wire, wire.filtered), C.POLICY),
    }


@pytest.mark.parametrize("case", _broken(ANTHROPIC))
async def test_streams_that_go_wrong(server: ScriptedServer, build: Builder, wire: Wire, case: str) -> None:
    server.script, expected = _broken(wire)[case]
    error = await _failure(build(wire))
    assert error.failure.cls is expected
    assert error.failure.http_status == 200
    if case in ("cut at the token limit", "refused"):
        assert error.usage.output_tokens == 100, "a failed attempt is billed all the same"


async def test_the_cut_answer_says_what_to_change(server: ScriptedServer, build: Builder, wire: Wire) -> None:
    server.script = answering(wire, wire.cut)
    assert "max_output_tokens" in (await _failure(build(wire))).failure.message


async def test_cancelling_closes_the_socket(server: ScriptedServer, build: Builder, wire: Wire) -> None:
    begun = asyncio.Event()

    async def script(connection: Connection, request: Received) -> None:
        await begin(connection, wire, wire.opening, wire.delta(PIECES[0]))
        begun.set()
        await connection.silence()

    server.script = script
    task = asyncio.create_task(build(wire).ask(QUESTION, timeout_s=10))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(2):
        await server.connections[0].client_left.wait()


async def test_a_cancelled_call_leaves_word_of_what_was_told_so_far(server: ScriptedServer, build: Builder, wire: Wire) -> None:
    told = asyncio.Event()

    async def script(connection: Connection, request: Received) -> None:
        await begin(connection, wire, wire.opening, wire.delta(PIECES[0]))
        await connection.silence()

    server.script = script
    provider, spent = build(wire), Spent()
    collector = provider.collector()  # type: ignore[attr-defined]
    feed = collector.feed

    def feed_and_tell(event: dict[str, object]) -> None:
        feed(event)
        if collector.started:
            told.set()

    collector.feed = feed_and_tell
    provider.collector = lambda: collector  # type: ignore[attr-defined]
    task = asyncio.create_task(provider.ask(replace(QUESTION, spent=spent), timeout_s=10))
    await told.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (spent.sent, spent.http_status, spent.request_id, list(spent.headers.values())) == (True, 200, "req_1", ["49"])
    if wire is ANTHROPIC:
        assert (spent.usage.input_tokens, spent.usage.cached_tokens) == (1000, 200)
        assert spent.usage.cost_usd is not None
    else:
        assert spent.usage == Usage(), "what is not known is not nothing"


async def test_a_call_cancelled_before_its_client_stands_was_never_sent(build: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    provider, spent, reached = build(ANTHROPIC), Spent(), asyncio.Event()

    async def no_client() -> None:
        reached.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(provider, "client", no_client)
    task = asyncio.create_task(provider.ask(replace(QUESTION, spent=spent), timeout_s=10))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert spent == Spent()


async def test_text_that_cannot_be_encoded_is_mended(server: ScriptedServer, build: Builder, wire: Wire) -> None:
    server.script = answering(wire)
    request = type(QUESTION)(
        system="ok", prompt="bad \ud83d\ude00 and \ud800", schema=QUESTION.schema, schema_name="r", max_output_tokens=9
    )
    reply = await build(wire).ask(request, timeout_s=10)
    assert reply.text == ANSWER
    assert "bad 😀 and \ufffd" in json.dumps(server.received[0].body, ensure_ascii=False)


async def test_models_are_listed(server: ScriptedServer, build: Builder, wire: Wire) -> None:
    async def script(connection: Connection, request: Received) -> None:
        await connection.json(200, {"data": [{"id": "a"}, {"id": "b"}, {"no": "id"}]})

    server.script = script
    assert await build(wire).list_models() == ["a", "b"]
    assert server.received[0].path.partition("?")[0] == "/v1/models"


async def test_a_list_of_models_that_fails_is_classified(server: ScriptedServer, build: Builder, wire: Wire) -> None:
    server.script = refusing(wire, 401, None, "authentication_error", "no")
    with pytest.raises(ProviderError) as caught:
        await build(wire).list_models()
    assert caught.value.failure.cls is C.CREDENTIAL
    server.script = _say_nothing
    with pytest.raises(ProviderError) as caught:
        await build(wire).list_models(timeout_s=0.05)
    assert caught.value.failure.cls is C.SILENT

    async def page(connection: Connection, request: Received) -> None:
        await connection.whole(200, b"<html>", {"content-type": "text/html"})

    async def odd(connection: Connection, request: Received) -> None:
        await connection.json(200, ["a"])

    for script in (page, odd):
        server.script = script
        with pytest.raises(ProviderError) as caught:
            await build(wire).list_models()
        assert caught.value.failure.cls is C.INVALID_OUTPUT


async def test_a_chat_server_without_end_mark_is_understood(server: ScriptedServer, build: Builder) -> None:
    async def script(connection: Connection, request: Received) -> None:
        await begin(connection, CHAT, CHAT.delta(ANSWER), CHAT.closing("stop").removesuffix(sse("[DONE]")).rstrip(b"\n"), b"")

    server.script = script
    reply = await build(CHAT).ask(QUESTION, timeout_s=10)
    assert (reply.text, reply.usage.output_tokens) == (ANSWER, 100)
