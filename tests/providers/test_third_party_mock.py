"""Against servers that are not ours: llmock speaks the three wire formats by its own reading of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from llmock.testing import LLMockServer
from wire import QUESTION

from gitbridge_console.domain.failures import FailureClass
from gitbridge_console.providers.base import ProviderError
from gitbridge_console.providers.registry import build_provider
from gitbridge_console.settings.routing import ProviderSettings

pytestmark = pytest.mark.anyio

SERVICES = [("anthropic", "anthropic", "claude-sonnet-5-5"), ("responses", "openai", "gpt-6.1-sol"), ("chat", "xai", "grok-4.7")]


@pytest.fixture(scope="module")
def mock() -> Iterator[LLMockServer]:
    with LLMockServer() as server:
        yield server


@pytest.mark.parametrize(("api", "service", "model"), SERVICES)
async def test_llmock_is_understood(mock: LLMockServer, api: str, service: str, model: str) -> None:
    settings = ProviderSettings.model_validate({"api": api, "model": model, "base_url": mock.base_url(service)})
    provider = build_provider("mocked", settings, "test-key-0123456789")
    reply = await provider.ask(QUESTION, timeout_s=10)
    assert reply.text
    assert reply.usage.input_tokens
    assert reply.usage.output_tokens
    assert await provider.list_models()
    await provider.aclose()


async def test_llmock_without_the_route_is_a_missing_model(mock: LLMockServer) -> None:
    settings = ProviderSettings.model_validate({"api": "responses", "model": "grok-4.7", "base_url": mock.base_url("xai")})
    provider = build_provider("grok", settings, "test-key-0123456789")
    with pytest.raises(ProviderError) as caught:
        await provider.ask(QUESTION, timeout_s=10)
    assert caught.value.failure.cls is FailureClass.MODEL_GONE
    await provider.aclose()
