"""The edges of one attempt: bodies without end, redirects, broken environments, SDKs half imported, talkative loggers."""

from __future__ import annotations

import logging
import subprocess
import sys

import httpx2
import pytest
from wire import ANSWER, ANTHROPIC, CHAT, KEY, PIECES, QUESTION, Builder, Connection, Received, ScriptedServer, Wire, answering, begin, sse

from gitbridge_console.domain.failures import FailureClass as C
from gitbridge_console.providers.base import ProviderError
from gitbridge_console.providers.errors import redacted
from gitbridge_console.providers.transport import MAX_BODY_BYTES, BoundedStream

anyio = pytest.mark.anyio


class Endless(httpx2.AsyncByteStream):
    """A body that never ends; counts what was taken of it."""

    def __init__(self) -> None:
        self.given = 0
        self.closed = False

    async def __aiter__(self):  # type: ignore[no-untyped-def]
        while True:
            self.given += 1000
            yield b"x" * 1000

    async def aclose(self) -> None:
        self.closed = True


@anyio
async def test_a_bounded_stream_ends_at_its_limit() -> None:
    endless = Endless()
    bounded = BoundedStream(endless, 2500)
    taken = [len(chunk) async for chunk in bounded]
    assert taken == [1000, 1000, 500]
    assert endless.given == 3000
    await bounded.aclose()
    assert endless.closed


@anyio
@pytest.mark.parametrize("status", [200, 500])
async def test_a_body_without_end_is_not_read_to_its_end(server: ScriptedServer, build: Builder, wire: Wire, status: int) -> None:
    sent = 0

    async def script(connection: Connection, request: Received) -> None:
        nonlocal sent
        await connection.head(status, {"content-type": "application/json"})
        while sent < 16 * MAX_BODY_BYTES:
            await connection.chunk(b"x" * 262_144)
            sent += 262_144

    server.script = script
    provider = build(wire)
    with pytest.raises(ProviderError) as caught:
        await (provider.ask(QUESTION, timeout_s=10) if status == 500 else provider.list_models())
    assert caught.value.failure.cls is (C.TRANSIENT if status == 500 else C.INVALID_OUTPUT)
    assert sent < 16 * MAX_BODY_BYTES


@anyio
async def test_a_redirect_takes_the_question_nowhere(server: ScriptedServer, build: Builder, wire: Wire) -> None:
    async def script(connection: Connection, request: Received) -> None:
        await connection.whole(307, b"", {"location": f"http://localhost:{server.port}/elsewhere"})

    server.script = script
    with pytest.raises(ProviderError) as caught:
        await build(wire).ask(QUESTION, timeout_s=10)
    assert len(server.received) == 1
    assert caught.value.failure.cls is C.INVALID_OUTPUT
    assert caught.value.failure.message == "HTTP 307: redirected to localhost; base_url has to be the final address"


@anyio
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HTTPS_PROXY", "bogus://bob:hunter2@proxy"),
        ("HTTPS_PROXY", "http://bob:x:hunter2@proxy:hunter2"),
        ("SSL_CERT_FILE", "/nowhere/at/all.pem"),
    ],
)
async def test_a_client_that_cannot_be_built_is_a_classified_failure(
    build: Builder, wire: Wire, variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    provider = build(wire, base_url="https://127.0.0.1:1")
    for question in (provider.ask(QUESTION, timeout_s=1), provider.list_models(timeout_s=1)):
        with pytest.raises(ProviderError) as caught:
            await question
        assert caught.value.failure.cls is C.TRANSIENT
        assert variable in caught.value.failure.message
        assert "hunter2" not in caught.value.failure.message


@anyio
async def test_what_came_before_a_broken_event_of_one_packet_is_booked(server: ScriptedServer, build: Builder) -> None:
    async def script(connection: Connection, request: Received) -> None:
        await begin(connection, ANTHROPIC, ANTHROPIC.opening + ANTHROPIC.delta(PIECES[0]) + sse("{broken"), b"")

    server.script = script
    with pytest.raises(ProviderError) as caught:
        await build(ANTHROPIC).ask(QUESTION, timeout_s=10)
    assert caught.value.failure.cls is C.BROKEN_STREAM
    assert caught.value.usage.input_tokens == 1000


@anyio
async def test_what_follows_the_end_of_an_answer_does_not_matter(server: ScriptedServer, build: Builder, wire: Wire) -> None:
    async def script(connection: Connection, request: Received) -> None:
        await begin(connection, wire, wire.opening + wire.delta(ANSWER) + wire.closing(wire.good) + sse("{broken"), b"")

    server.script = script
    assert (await build(wire).ask(QUESTION, timeout_s=10)).text == ANSWER


@anyio
async def test_a_chat_server_that_neither_ends_nor_closes_has_answered(server: ScriptedServer, build: Builder) -> None:
    async def script(connection: Connection, request: Received) -> None:
        await begin(connection, CHAT, CHAT.opening, CHAT.delta(ANSWER), CHAT.closing("stop").removesuffix(sse("[DONE]")))
        await connection.silence()

    server.script = script
    reply = await build(CHAT).ask(QUESTION, timeout_s=10)
    assert (reply.text, reply.usage.output_tokens) == (ANSWER, 100)
    assert reply.latency_ms < 4000


@anyio
async def test_no_log_holds_the_question_or_the_key(
    server: ScriptedServer, build: Builder, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    server.script = answering(wire)
    with caplog.at_level(logging.DEBUG):
        await build(wire).ask(QUESTION, timeout_s=10)
    assert QUESTION.prompt not in caplog.text
    assert KEY not in caplog.text


def test_an_sdk_that_another_thread_may_still_import_is_not_taken_as_there() -> None:
    code = (
        "import asyncio, sys, openai; from gitbridge_console.providers.base import ProviderError; "
        "from gitbridge_console.providers.registry import build_provider, imported; "
        "from gitbridge_console.settings.model import ProviderSettings as S; "
        "p = build_provider('x', S(api='chat', model='m', base_url='http://127.0.0.1:1/v1'), 'k' * 20)\n"
        "async def main():\n"
        "    print(imported('chat'))\n"
        "    try: await p.list_models()\n"
        "    except ProviderError: print(imported('chat'), imported('anthropic'))\n"
        "asyncio.run(main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "False"]


def test_a_short_key_is_hidden_as_a_word() -> None:
    assert redacted("bad key abc, abcdef stays", ("abc",)) == "bad key [key], abcdef stays"
    assert redacted("nothing to hide", ("",)) == "nothing to hide"
