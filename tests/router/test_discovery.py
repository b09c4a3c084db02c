"""Providers are looked at when they are new, and while nobody asks them anything: once for the whole fleet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from wire import ANTHROPIC, Connection, Received, ScriptedServer, answering, refusing, scripted_server

from gitbridge_console.domain.failures import Failure, FailureClass
from gitbridge_console.domain.provider_health import offers
from gitbridge_console.providers.base import ProviderError, ProviderRequest
from gitbridge_console.providers.registry import build_provider, import_sdks
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.breaker import BreakerState
from gitbridge_console.router.discovery import Discovery
from gitbridge_console.router.health import look_at
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.routing import HealthSettings, ProviderSettings
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.provider_board import ProviderBoard
from gitbridge_console.store.trouble import StoreTrouble
from tests.router.conftest import Clock, Weather

MODEL = "claude-sonnet-5-5"


class Listed:
    """A provider that gives its list of models, or fails as it is told, and counts how often it was looked at."""

    name = model = MODEL

    def __init__(self) -> None:
        self.looks = 0
        self.failure: Failure | None = None
        self.models = [MODEL, "claude-opus-5-5"]

    async def ask(self, request: ProviderRequest, *, timeout_s: float) -> Any:
        raise AssertionError("nobody asks it a question")

    async def list_models(self, *, timeout_s: float = 10.0) -> list[str]:
        self.looks += 1
        if self.failure is not None:
            raise ProviderError(self.failure)
        return self.models

    async def aclose(self) -> None:
        return None


class Looker:
    """As much of an engine as looks at providers."""

    def __init__(self, client: Redis, namespace: str) -> None:
        base = Settings()
        kinds = {"general": base.kinds["general"].model_copy(update={"prefer": ("claude",), "reserve": ()})}
        self.settings = base.model_copy(update={"providers": {"claude": base.providers["claude"]}, "kinds": kinds})
        self.provider, self.clock, self.health = Listed(), Clock(), HealthSettings()
        self.router = AIRouter(self.settings, {"claude": self.provider}, clock=self.clock, seed=1)
        board = ProviderBoard(client, Keys(namespace))
        self.discovery = Discovery(self.router, board, StoreTrouble(), lambda: self.health, clock=self.clock, seed=1)
        self._client, self._key = client, Keys(namespace).provider_look("claude")

    async def turn(self, later_s: float = 0.0) -> int:
        self.clock.now += later_s
        await self.discovery.turn()
        return self.provider.looks

    async def the_turn_is_free(self) -> None:
        """The fleet's own clock went on too."""
        await self._client.delete(self._key)

    @property
    def state(self) -> dict[str, Any]:
        return self.router.describe("claude")


@pytest.fixture
def looker(client: Redis, namespace: str) -> Looker:
    return Looker(client, namespace)


@pytest.mark.anyio
async def test_a_provider_is_looked_at_at_the_start_and_then_while_it_is_idle(looker: Looker) -> None:
    assert await looker.turn() == 1
    assert looker.state["health"]["model"] == "offered"
    assert await looker.turn(later_s=30) == 1
    assert await looker.turn(later_s=45) == 2


@pytest.mark.anyio
async def test_a_provider_that_is_asked_questions_needs_no_looking_at(looker: Looker) -> None:
    await looker.turn()
    for _ in range(10):
        call = looker.router.begin("claude", 50)
        assert call is not None
        looker.clock.now += 20
        looker.router.succeeded(call, 1.0)
        assert await looker.turn() == 1


@pytest.mark.anyio
async def test_of_a_fleet_one_engine_looks(client: Redis, namespace: str) -> None:
    fleet = [Looker(client, namespace) for _ in range(3)]
    for looker in fleet:
        assert await looker.turn() == 1, "at the start each looks for itself: its key and its way there are its own"
    for looker in fleet:
        await looker.turn(later_s=100)
    assert sum(looker.provider.looks for looker in fleet) == 4


@pytest.mark.anyio
async def test_new_settings_of_a_provider_are_looked_at_at_once(looker: Looker) -> None:
    await looker.turn()
    other = looker.settings.providers["claude"].model_copy(update={"model": "claude-opus-5"})
    new = looker.settings.model_copy(update={"providers": {"claude": other}})
    await looker.router.apply(new, looker.settings, lambda name, own: looker.provider)
    await looker.turn()
    assert looker.state["health"]["model"] == "not_listed"
    assert looker.state["health"]["nearest"][0] == "claude-opus-5-5"


@pytest.mark.anyio
async def test_a_paused_provider_and_one_without_a_key_are_left_alone(looker: Looker) -> None:
    await looker.turn()
    looker.router.paused = frozenset({"claude"})
    assert await looker.turn(later_s=500) == 1
    looker.router.paused = frozenset()
    looker.router.states["claude"].provider = None
    assert await looker.turn(later_s=500) == 1


@pytest.mark.anyio
async def test_switched_off_nobody_is_looked_at(looker: Looker) -> None:
    looker.health = HealthSettings(enabled=False)
    assert await looker.turn() == 0


@pytest.mark.anyio
async def test_a_wrong_key_disables_as_a_call_would(looker: Looker) -> None:
    looker.provider.failure = Failure(FailureClass.CREDENTIAL, "invalid x-api-key", http_status=401)
    await looker.turn()
    assert looker.state["state"] == "disabled"
    assert "invalid x-api-key" in looker.state["reason"]


@pytest.mark.anyio
@pytest.mark.parametrize("status", [403, 404, 405])
async def test_a_list_that_is_not_there_or_not_for_this_key_is_no_fault(looker: Looker, status: int) -> None:
    looker.provider.failure = Failure(FailureClass.CREDENTIAL, "no", http_status=status)
    await looker.turn()
    assert looker.state["state"] == "ok"
    assert looker.state["health"]["ok"]
    assert looker.state["health"]["model"] == "unknown"


@pytest.mark.anyio
async def test_one_that_cannot_be_reached_is_said_and_each_look_counts_as_one_failed_call(looker: Looker) -> None:
    looker.provider.failure = Failure(FailureClass.TRANSIENT, "connection refused")
    for looks in range(1, 5):
        assert await looker.turn(later_s=100) == looks
        assert looker.state["breaker"]["failures"] == looks
        await looker.the_turn_is_free()
    found = looker.state["health"]
    assert (found["ok"], found["failure"], found["reason"]) == (False, "transient", "connection refused")
    await looker.turn(later_s=100)
    assert looker.state["state"] == "open"


@pytest.mark.anyio
async def test_a_good_answer_ends_what_an_earlier_look_found(looker: Looker) -> None:
    looker.provider.failure = Failure(FailureClass.TRANSIENT, "connection refused")
    await looker.turn()
    call = looker.router.begin("claude", 50)
    assert call is not None
    looker.router.succeeded(call, 1.0)
    assert looker.state["health"] is None


@pytest.mark.anyio
async def test_a_disabled_provider_is_not_asked_again_with_the_same_key(looker: Looker) -> None:
    looker.provider.failure = Failure(FailureClass.CREDENTIAL, "invalid x-api-key", http_status=401)
    for _ in range(5):
        await looker.turn(later_s=500)
        await looker.the_turn_is_free()
    assert looker.provider.looks == 1


@pytest.mark.anyio
async def test_a_key_file_that_is_replaced_is_noticed_and_the_provider_looked_at(looker: Looker, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("sk-old")
    own = looker.settings.providers["claude"].model_copy(update={"api_key_env": None, "api_key_file": str(file)})
    settings = looker.settings.model_copy(update={"providers": {"claude": own}})
    await looker.router.apply(settings, looker.settings, lambda name, own: looker.provider)
    looker.provider.failure = Failure(FailureClass.CREDENTIAL, "invalid x-api-key", http_status=401)
    await looker.turn()
    assert looker.state["state"] == "disabled"
    assert await looker.router.renew_keys(settings, lambda name, own: looker.provider) == []
    file.write_text("sk-new-and-longer")
    looker.provider.failure = None
    assert await looker.router.renew_keys(settings, lambda name, own: looker.provider) == ["claude"]
    await looker.turn()
    assert looker.state["state"] == "ok"


@pytest.mark.anyio
async def test_a_good_look_neither_closes_a_breaker_nor_is_its_probe(looker: Looker) -> None:
    for _ in range(5):
        call = looker.router.begin("claude", 50)
        assert call is not None
        looker.router.failed(call, Failure(FailureClass.TRANSIENT, "x"))
    assert await looker.turn(later_s=100) == 1
    assert looker.router.states["claude"].breaker.state is BreakerState.OPEN
    assert looker.router.states["claude"].breaker.probing(looker.clock.now)


@pytest.mark.anyio
async def test_with_the_store_away_each_engine_looks_for_itself(exposed: Redis, weather: Weather, namespace: str) -> None:
    looker = Looker(exposed, namespace)
    await looker.turn()
    weather.breaks(RedisConnectionError)
    assert await looker.turn(later_s=100) == 2


@pytest.fixture
async def service() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as server:
        yield server


@pytest.mark.anyio
async def test_the_first_question_uses_the_connection_of_the_look(service: ScriptedServer) -> None:
    import_sdks()

    async def script(connection: Connection, request: Received) -> None:
        if request.method == "GET":
            await connection.json(200, {"data": [{"id": MODEL, "type": "model"}], "has_more": False, "first_id": None, "last_id": None})
        else:
            await answering(ANTHROPIC)(connection, request)

    service.script = script
    own = ProviderSettings(api="anthropic", model=MODEL, base_url=service.origin)
    provider = build_provider("claude", own, "sk-test-0123456789")
    try:
        finding, failure = await look_at(provider, MODEL, timeout_s=5)
        assert (finding.ok, finding.model, failure) == (True, "offered", None)
        await provider.ask(ProviderRequest("s", "p", {"type": "object"}, "review", 100), timeout_s=5)
    finally:
        await provider.aclose()
    assert [request.method for request in service.received] == ["GET", "POST"]
    assert len(service.connections) == 1


@pytest.mark.anyio
async def test_two_hundred_changes_of_settings_leave_no_connection_open(service: ScriptedServer) -> None:
    import_sdks()
    service.script = answering(ANTHROPIC)
    base = Settings()

    def settings(n: int) -> Settings:
        own = ProviderSettings(api="anthropic", model=MODEL, base_url=service.origin, weight=1 + n / 1000)
        kinds = {"general": base.kinds["general"].model_copy(update={"prefer": ("claude",), "reserve": ()})}
        return base.model_copy(update={"providers": {"claude": own}, "kinds": kinds})

    def build(name: str, own: ProviderSettings) -> Any:
        return build_provider(name, own, "sk-test-0123456789")

    now = settings(0)
    router = AIRouter(now, {"claude": build("claude", now.providers["claude"])}, seed=1)
    for n in range(1, 201):
        provider = router.states["claude"].provider
        assert provider is not None
        if n % 20 == 0:
            await provider.ask(ProviderRequest("s", "p", {"type": "object"}, "review", 100), timeout_s=5)
        new = settings(n)
        await router.apply(new, now, build)
        now = new
    await router.aclose()
    async with asyncio.timeout(10):
        while not all(connection.reader.at_eof() for connection in service.connections):
            await asyncio.sleep(0.01)
    assert len(service.connections) == 10


@pytest.mark.anyio
async def test_what_a_service_says_of_its_trouble_is_told_without_the_key(service: ScriptedServer) -> None:
    import_sdks()
    key = "sk-test-0123456789abcdefghij"
    service.script = refusing(ANTHROPIC, 401, None, "authentication_error", f"invalid x-api-key {key}")
    provider = build_provider("claude", ProviderSettings(api="anthropic", model=MODEL, base_url=service.origin), key)
    try:
        finding, failure = await look_at(provider, MODEL, timeout_s=5)
    finally:
        await provider.aclose()
    assert failure is not None
    assert failure.cls is FailureClass.CREDENTIAL
    assert key not in finding.reason


@given(st.text(max_size=30), st.lists(st.text(max_size=30), max_size=20))
def test_a_model_is_offered_only_when_it_is_listed(model: str, listed: list[str]) -> None:
    word, nearest = offers(model, listed)
    assert word == ("unknown" if not listed else "offered" if model in listed else "not_listed")
    assert set(nearest) <= set(listed)
    assert len(nearest) <= 3
