"""A scripted server for each test, and providers that speak to it with short limits."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from wire import KEY, WIRES, Builder, ScriptedServer, Wire, scripted_server

from gitbridge_console.providers.base import Provider
from gitbridge_console.providers.registry import build_provider, import_sdks
from gitbridge_console.settings.routing import ProviderSettings


@pytest.fixture(scope="session", autouse=True)
def _warm() -> None:
    import_sdks()


@pytest.fixture(params=WIRES, ids=[wire.api for wire in WIRES])
def wire(request: pytest.FixtureRequest) -> Wire:
    """Each of the three wire formats in turn."""
    found: Wire = request.param
    return found


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """A server that does what the test scripts."""
    async with scripted_server() as scripted:
        yield scripted


@pytest.fixture
async def build(server: ScriptedServer) -> AsyncIterator[Builder]:
    """Builds providers that speak to the server; they are closed after the test."""
    built: list[Provider] = []

    def builder(wire: Wire, name: str = "tested", **changes: object) -> Provider:
        values: dict[str, object] = {
            "api": wire.api,
            "model": "claude-sonnet-5-5" if wire.api == "anthropic" else "gpt-6.1-sol",
            "base_url": server.origin + wire.prefix,
            "timeout_connect_s": 1.0,
            "timeout_first_token_s": 5.0,
            "timeout_stall_s": 5.0,
            "timeout_total_s": 10.0,
            **changes,
        }
        provider = build_provider(name, ProviderSettings.model_validate(values), KEY)
        built.append(provider)
        return provider

    yield builder
    for provider in built:
        await provider.aclose()
