"""What is meant for one service does not reach another, and no key reaches a message."""

from __future__ import annotations

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire import KEY, QUESTION, Builder, ScriptedServer, Wire, answering, refusing

from gitbridge_console.providers.base import ProviderError
from gitbridge_console.providers.clients import openai_client
from gitbridge_console.providers.errors import failure_from_exception, redacted
from gitbridge_console.settings.routing import ProviderSettings

LEAKS = {
    "OPENAI_API_KEY": "leak-openai-key",
    "OPENAI_ADMIN_KEY": "leak-admin-key",
    "OPENAI_ORG_ID": "leak-organisation",
    "OPENAI_PROJECT_ID": "leak-project",
    "OPENAI_WEBHOOK_SECRET": "leak-hook",
    "OPENAI_BASE_URL": "http://127.0.0.1:9/leak",
    "OPENAI_CUSTOM_HEADERS": "X-Custom: leak-custom\nAuthorization: Bearer leak-authorization\nOpenAI-Organization: leak-header",
    "ANTHROPIC_API_KEY": "leak-anthropic-key",
    "ANTHROPIC_AUTH_TOKEN": "leak-token",
    "ANTHROPIC_BASE_URL": "http://127.0.0.1:9/leak",
    "ANTHROPIC_CUSTOM_HEADERS": "X-Custom: leak-custom\nAuthorization: Bearer leak-authorization\nx-api-key: leak-header",
    "ANTHROPIC_PROFILE": "leak-profile",
}


@pytest.mark.anyio
async def test_nothing_of_the_environment_is_sent(
    server: ScriptedServer, build: Builder, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in LEAKS.items():
        monkeypatch.setenv(name, value)
    server.script = answering(wire)
    await build(wire).ask(QUESTION, timeout_s=10)
    (request,) = server.received
    assert "leak" not in request.raw_head.lower() + str(request.body)
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert "openai-organization" not in request.headers
    assert "openai-project" not in request.headers


@pytest.mark.anyio
async def test_a_server_without_a_key_gets_a_dummy(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from wire import CHAT

    from gitbridge_console.providers.registry import build_provider, resolve_key

    monkeypatch.setenv("OPENAI_API_KEY", "leak-openai-key")
    server.script = answering(CHAT)
    settings = ProviderSettings(api="chat", model="local", base_url=f"{server.origin}/v1")
    provider = build_provider("local", settings, resolve_key(settings))
    await provider.ask(QUESTION, timeout_s=10)
    await provider.aclose()
    assert "leak" not in server.received[0].raw_head


@pytest.mark.anyio
@pytest.mark.parametrize(("host", "told"), [("api.openai.com", True), ("api.x.ai", False), ("api.openai.com.evil.example", False)])
async def test_only_openai_is_told_the_organisation(host: str, told: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "acme")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "reviews")
    client = openai_client(ProviderSettings(api="responses", model="m", base_url=f"https://{host}/v1"), KEY)
    assert isinstance(client.default_headers["OpenAI-Organization"], str) is told
    assert isinstance(client.default_headers["OpenAI-Project"], str) is told
    assert client.max_retries == 0
    assert isinstance(client.timeout, httpx2.Timeout)
    assert (client.timeout.connect, client.timeout.pool) == (5.0, 5.0)
    await client.close()


@pytest.mark.anyio
@pytest.mark.parametrize("echo", [KEY, f"Bearer {KEY}", f"{KEY[:9]}****wxyz", f"x{KEY}x", f"{KEY}\n{KEY}"])
async def test_an_error_that_quotes_the_key_is_told_without_it(server: ScriptedServer, build: Builder, wire: Wire, echo: str) -> None:
    server.script = refusing(
        wire, 401, f"code {echo}", echo, f"Incorrect API key provided: {echo}", {"request-id": KEY, "x-request-id": KEY}
    )
    with pytest.raises(ProviderError) as caught:
        await build(wire).ask(QUESTION, timeout_s=10)
    told = f"{caught.value!r} {caught.value.failure!r}"
    assert KEY[:9] not in told
    assert caught.value.__cause__ is None


def test_the_key_of_the_request_is_left_out_without_being_told() -> None:
    request = httpx2.Request("POST", "http://localhost", headers={"authorization": "Bearer my-odd-secret-key"})
    failure = failure_from_exception(httpx2.ConnectError("refused for my-odd-secret-key", request=request))
    assert failure.message == "ConnectError: refused for [key]"


@given(st.text(max_size=80), st.from_regex(r"[A-Za-z0-9_\-]{12,60}", fullmatch=True), st.text(max_size=80))
def test_no_text_around_a_key_brings_it_through(before: str, key: str, after: str) -> None:
    assert key not in redacted(f"{before}{key}{after}", (key,)).replace("[key]", "")
