"""How a Chat Completions server that does not take a JSON schema is still asked for one."""

from __future__ import annotations

import json

import pytest
from wire import ANSWER, CHAT, QUESTION, Builder, Connection, Received, ScriptedServer, answering

from gitbridge_console.domain.failures import FailureClass
from gitbridge_console.providers.base import ProviderError

pytestmark = pytest.mark.anyio


def _taking(*formats: str) -> object:
    answer = answering(CHAT)

    async def script(connection: Connection, request: Received) -> None:
        form = request.body.get("response_format", {}).get("type", "text")
        if form in formats:
            await answer(connection, request)
        else:
            await connection.json(400, {"error": {"message": f"response_format {form} is not supported", "type": "invalid_request_error"}})

    return script


@pytest.mark.parametrize("taken", ["json_schema", "json_object", "text"])
async def test_a_refused_format_is_remembered(server: ScriptedServer, build: Builder, taken: str) -> None:
    server.script = _taking(taken)  # type: ignore[assignment]
    provider = build(CHAT)
    assert (await provider.ask(QUESTION, timeout_s=10)).text == ANSWER
    tried = len(server.received)
    assert tried == ["json_schema", "json_object", "text"].index(taken) + 1
    await provider.ask(QUESTION, timeout_s=10)
    assert len(server.received) == tried + 1
    system = server.received[-1].body["messages"][0]["content"]
    compact = json.dumps(QUESTION.schema, separators=(",", ":"))
    assert (compact in system) is (taken != "json_schema")


async def test_a_server_that_refuses_everything_is_a_callers_fault(server: ScriptedServer, build: Builder) -> None:
    server.script = _taking()  # type: ignore[assignment]
    with pytest.raises(ProviderError) as caught:
        await build(CHAT).ask(QUESTION, timeout_s=10)
    assert caught.value.failure.cls is FailureClass.CALLER_FAULT
    assert len(server.received) == 3


async def test_a_server_that_quotes_the_question_in_every_refusal_loses_no_format(server: ScriptedServer, build: Builder) -> None:
    async def quoting(connection: Connection, request: Received) -> None:
        message = f"cannot be served now: {json.dumps(request.body)} (json_schema)"
        await connection.json(400, {"error": {"message": message, "type": "invalid_request_error"}})

    server.script = quoting
    provider = build(CHAT)
    with pytest.raises(ProviderError):
        await provider.ask(QUESTION, timeout_s=10)
    server.script = answering(CHAT)
    await provider.ask(QUESTION, timeout_s=10)
    assert server.received[-1].body["response_format"]["type"] == "json_schema"


async def test_other_refusals_change_nothing(server: ScriptedServer, build: Builder) -> None:
    async def script(connection: Connection, request: Received) -> None:
        await connection.json(400, {"error": {"message": "bad temperature", "type": "invalid_request_error"}})

    server.script = script
    with pytest.raises(ProviderError):
        await build(CHAT).ask(QUESTION, timeout_s=10)
    assert len(server.received) == 1
