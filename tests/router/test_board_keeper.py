"""Two engines over one store: what one learns of a provider, the other knows at its next look."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from gitbridge_console.domain.events import Priority
from gitbridge_console.domain.failures import Failure, FailureClass
from gitbridge_console.domain.snapshots import BreakerWord
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.board_keeper import BoardKeeper, ProbeGuard
from gitbridge_console.router.guards import Question, Refusal
from gitbridge_console.settings.model import Settings
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.provider_board import BoardEntry, ProviderBoard
from gitbridge_console.store.trouble import StoreTrouble
from tests.router.conftest import Clock, Silent, Weather
from tests.store_clock import the_next_millisecond

pytestmark = pytest.mark.anyio

QUESTION = Question("0000000100.1", "grok", 100, 100, Priority.NORMAL)


@dataclass
class OneEngine:
    """What an engine knows, with a clock of its own."""

    board: ProviderBoard
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        settings = Settings()
        self.router = AIRouter(settings, {name: Silent() for name in settings.providers}, clock=self.clock, seed=1)
        self.keeper = BoardKeeper(self.board, self.router, StoreTrouble(), clock=self.clock)
        self.probes = ProbeGuard(self.board, self.router, StoreTrouble(), clock=self.clock)

    def fails(self, cls: FailureClass, times: int = 1, **more: Any) -> None:
        for _ in range(times):
            call = self.router.begin("grok", 50)
            assert call is not None
            self.router.failed(call, Failure(cls, "made up", **more))

    def succeeds(self) -> None:
        call = self.router.begin("grok", 50)
        assert call is not None
        self.router.succeeded(call, 1.0)

    @property
    def open(self) -> bool:
        return self.router.gate("grok").open

    @property
    def breaker(self) -> dict[str, Any]:
        described: dict[str, Any] = self.router.describe("grok")["breaker"]
        return described


@pytest.fixture
def board(client: Redis, namespace: str) -> ProviderBoard:
    return ProviderBoard(client, Keys(namespace))


@pytest.fixture
async def fleet(board: ProviderBoard) -> tuple[OneEngine, OneEngine]:
    one, other = OneEngine(board), OneEngine(board)
    other.clock.now = 5_000.0
    for engine in (one, other):
        await engine.keeper.turn()
    return one, other


async def look_round(*engines: OneEngine) -> None:
    for engine in engines:
        await engine.keeper.turn()


def wait_out(engine: OneEngine) -> None:
    engine.clock.now = engine.router.states["grok"].breaker.open_until


async def test_a_breaker_that_opens_in_one_engine_is_open_in_all_with_its_causes(fleet: tuple[OneEngine, OneEngine]) -> None:
    one, other = fleet
    one.fails(FailureClass.TRANSIENT, 5)
    await look_round(one, other)
    assert not other.open
    assert other.breaker["causes"] == ["transient"] * 5
    assert other.breaker["openings"] == 1
    retry_in_s = other.router.gate("grok").retry_in_s
    assert retry_in_s is not None
    assert 11.0 < retry_in_s <= 18.0


async def test_the_engine_that_probes_with_success_closes_it_for_all(fleet: tuple[OneEngine, OneEngine]) -> None:
    one, other = fleet
    one.fails(FailureClass.TRANSIENT, 5)
    await look_round(one, other)
    wait_out(one)
    one.succeeds()
    await look_round(one, other)
    assert not other.open
    one.succeeds()
    await look_round(one, other)
    assert other.open
    assert other.breaker["share"] == 0.25


async def test_a_probe_that_fails_opens_it_longer_for_all(fleet: tuple[OneEngine, OneEngine]) -> None:
    one, other = fleet
    one.fails(FailureClass.TRANSIENT, 5)
    await look_round(one, other)
    wait_out(one)
    one.fails(FailureClass.TRANSIENT)
    await look_round(one, other)
    assert other.breaker["openings"] == 2
    retry_in_s = other.router.gate("grok").retry_in_s
    assert retry_in_s is not None
    assert retry_in_s > 20.0


async def test_closing_is_not_undone_by_an_engine_that_missed_it(fleet: tuple[OneEngine, OneEngine], board: ProviderBoard) -> None:
    one, other = fleet
    one.fails(FailureClass.TRANSIENT, 5)
    await look_round(one, other)
    wait_out(one)
    for _ in range(2):
        one.succeeds()
    await look_round(one)
    assert await board.closed("grok", 1, 1) == 2, "news of an epoch that is over changes nothing"
    await look_round(other)
    assert one.open
    assert other.open


async def test_an_engine_whose_closing_comes_too_late_takes_over_what_was_opened_since(fleet: tuple[OneEngine, OneEngine]) -> None:
    one, other = fleet
    one.fails(FailureClass.TRANSIENT, 5)
    await look_round(one, other)
    for engine in fleet:
        wait_out(engine)
    other.fails(FailureClass.TRANSIENT)
    for _ in range(2):
        one.succeeds()
    await look_round(other, one)
    assert not other.open
    assert not one.open


async def test_an_operators_word_is_not_undone_by_an_opening_from_before_it(
    fleet: tuple[OneEngine, OneEngine], board: ProviderBoard
) -> None:
    one, other = fleet
    one.fails(FailureClass.TRANSIENT, 5)
    await look_round(one, other)
    await board.say("grok", "close", by="alice", why="it is well")
    await look_round(other)
    wait_out(one)
    one.fails(FailureClass.TRANSIENT)
    await look_round(one, other)
    assert one.open
    assert other.open


async def test_the_fleet_sends_one_probe_at_a_time(fleet: tuple[OneEngine, OneEngine]) -> None:
    one, other = fleet
    one.fails(FailureClass.TRANSIENT, 5)
    await look_round(one, other)
    for engine in fleet:
        wait_out(engine)
    first = await one.probes.reserve(QUESTION)
    assert first is not None
    assert not isinstance(first, Refusal)
    assert isinstance(await other.probes.reserve(QUESTION), Refusal)
    assert isinstance(await one.probes.reserve(QUESTION), Refusal)
    await first.settle(None)
    other.clock.now += 1.0
    second = await other.probes.reserve(QUESTION)
    assert second is not None
    assert not isinstance(second, Refusal)


async def test_while_another_engine_probes_no_seats_are_given_to_see_whether_it_is_back(fleet: tuple[OneEngine, OneEngine]) -> None:
    one, other = fleet
    one.fails(FailureClass.TRANSIENT, 5)
    await look_round(one, other)
    for engine in fleet:
        wait_out(engine)
    await one.probes.reserve(QUESTION)
    assert other.open
    assert isinstance(await other.probes.reserve(QUESTION), Refusal)
    assert not other.open
    other.clock.now += 1.0
    assert other.open, "it asks again whether the other one is through"


async def test_a_probe_whose_engine_died_gives_its_place_back_by_itself(
    fleet: tuple[OneEngine, OneEngine], client: Redis, namespace: str
) -> None:
    one, _ = fleet
    one.fails(FailureClass.TRANSIENT, 5)
    wait_out(one)
    await one.probes.reserve(QUESTION)
    left_ms = await client.pttl(Keys(namespace).provider_probe("grok"))
    assert 0 < left_ms <= 55_000


async def test_a_probe_whose_place_was_given_too_late_to_be_heard_of_gives_it_back(
    fleet: tuple[OneEngine, OneEngine], board: ProviderBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = fleet
    one.fails(FailureClass.TRANSIENT, 5)
    await look_round(one, other)
    for engine in fleet:
        wait_out(engine)
    take = board.take_probe

    async def take_and_say_nothing(name: str, token: str, lease_s: float) -> bool:
        await take(name, token, lease_s)
        raise TimeoutError

    monkeypatch.setattr(board, "take_probe", take_and_say_nothing)
    probe = await one.probes.reserve(QUESTION)
    monkeypatch.undo()
    assert probe is not None
    assert not isinstance(probe, Refusal)
    await probe.settle(None)
    assert not isinstance(await other.probes.reserve(QUESTION), Refusal)


async def test_a_call_that_is_cancelled_while_it_asks_for_the_place_of_the_probe_leaves_it_free(
    fleet: tuple[OneEngine, OneEngine], board: ProviderBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = fleet
    one.fails(FailureClass.TRANSIENT, 5)
    await look_round(one, other)
    for engine in fleet:
        wait_out(engine)
    take, taken = board.take_probe, asyncio.Event()

    async def take_and_hang(name: str, token: str, lease_s: float) -> bool:
        await take(name, token, lease_s)
        taken.set()
        await asyncio.Event().wait()
        return True

    monkeypatch.setattr(board, "take_probe", take_and_hang)
    monkeypatch.setattr("gitbridge_console.router.board_keeper.STORE_S", 20)
    asking = asyncio.create_task(one.probes.reserve(QUESTION))
    await taken.wait()
    asking.cancel()
    await asyncio.wait([asking], timeout=20)
    monkeypatch.undo()
    assert asking.cancelled()
    assert not isinstance(await other.probes.reserve(QUESTION), Refusal)


async def test_a_call_that_is_no_probe_costs_no_round_trip(exposed: Redis, weather: Weather, namespace: str) -> None:
    engine = OneEngine(ProviderBoard(exposed, Keys(namespace)))
    weather.breaks(RedisConnectionError)
    assert await engine.probes.reserve(QUESTION) is None
    assert engine.open


async def test_with_the_store_away_an_engine_goes_by_what_it_knows_and_tells_it_later(
    exposed: Redis, weather: Weather, board: ProviderBoard, namespace: str
) -> None:
    cut_off, other = OneEngine(ProviderBoard(exposed, Keys(namespace))), OneEngine(board)
    await look_round(cut_off, other)
    weather.breaks(RedisConnectionError)
    cut_off.fails(FailureClass.TRANSIENT, 5)
    with pytest.raises(RedisConnectionError):
        await cut_off.keeper.turn()
    assert not cut_off.open
    wait_out(cut_off)
    assert not isinstance(await cut_off.probes.reserve(QUESTION), Refusal), "it probes for itself"
    cut_off.fails(FailureClass.TRANSIENT)
    weather.clears()
    await look_round(cut_off, other)
    assert not other.open
    assert other.breaker["openings"] == 2


async def test_a_rate_gate_closes_everywhere_and_a_shorter_one_never_opens_it_earlier(fleet: tuple[OneEngine, OneEngine]) -> None:
    one, other = fleet
    first, second = one.router.begin("grok", 50), other.router.begin("grok", 50)
    assert first is not None
    assert second is not None
    one.router.failed(first, Failure(FailureClass.RATE_LIMIT, "slow down", retry_after_s=60.0))
    await look_round(one, other)
    other.router.failed(second, Failure(FailureClass.RATE_LIMIT, "slow down", retry_after_s=1.0))
    await look_round(other, one)
    for engine in fleet:
        retry_in_s = engine.router.gate("grok").retry_in_s
        assert retry_in_s is not None
        assert 55.0 < retry_in_s <= 60.0


async def test_a_spent_quota_is_asked_for_by_nobody_again_until_an_operator_resets_it(
    fleet: tuple[OneEngine, OneEngine], board: ProviderBoard
) -> None:
    one, other = fleet
    one.fails(FailureClass.QUOTA)
    await look_round(one, other)
    assert (one.open, other.open) == (False, False)
    assert other.router.describe("grok")["state"] == "disabled"
    assert "quota" in other.router.describe("grok")["reason"]
    assert await board.say("grok", "reset", by="alice", why="paid") == "disabled"
    await look_round(one, other)
    assert (one.open, other.open) == (True, True)


async def test_an_operators_word_is_heard_though_the_clock_of_the_store_was_set_back(
    fleet: tuple[OneEngine, OneEngine], board: ProviderBoard, client: Redis, namespace: str
) -> None:
    one, _ = fleet
    await board.say("grok", "close", by="alice", why="an hour ago, by the clock of then")
    await client.hincrby(Keys(namespace).provider_board("grok"), "word_at", 3_600_000)
    await look_round(one)
    one.fails(FailureClass.QUOTA)
    await look_round(one)
    await board.say("grok", "reset", by="alice", why="paid")
    await look_round(one)
    assert one.open


async def test_a_reset_tells_who_keeps_the_rate_limits(fleet: tuple[OneEngine, OneEngine], board: ProviderBoard) -> None:
    one, _ = fleet
    reopened: list[str] = []
    one.router.reopen = reopened.append
    words: tuple[BreakerWord, ...] = ("close", "reset")
    for word in words:
        await board.say("grok", word, by="alice", why="the provider raised it")
        await look_round(one)
    assert reopened == ["grok"]


async def test_a_reset_is_not_undone_by_news_from_before_it(fleet: tuple[OneEngine, OneEngine], board: ProviderBoard) -> None:
    one, other = fleet
    one.fails(FailureClass.QUOTA)
    await board.say("grok", "reset", by="alice", why="paid")
    await look_round(one, other)
    assert (one.open, other.open) == (True, True)


async def test_what_is_disabled_in_the_millisecond_of_the_first_look_is_heard_of(
    board: ProviderBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh, said = OneEngine(board), BoardEntry()

    async def read(names: Iterable[str]) -> tuple[int, dict[str, BoardEntry]]:
        return 1_000, {"grok": said}

    monkeypatch.setattr(board, "read", read)
    await look_round(fresh)
    said = BoardEntry(disabled="quota: spent", disabled_at_ms=1_000)
    await look_round(fresh)
    assert not fresh.open


async def test_a_key_that_is_refused_is_the_trouble_of_the_engine_that_has_it(fleet: tuple[OneEngine, OneEngine]) -> None:
    one, other = fleet
    one.fails(FailureClass.CREDENTIAL)
    await look_round(one, other)
    assert (one.open, other.open) == (False, True)


async def test_an_engine_that_starts_takes_over_an_open_breaker_but_sees_for_itself_whether_there_is_quota(
    fleet: tuple[OneEngine, OneEngine], board: ProviderBoard, client: Redis
) -> None:
    one, _ = fleet
    one.fails(FailureClass.QUOTA)
    await look_round(one)
    await the_next_millisecond(client)
    fresh = OneEngine(board)
    await look_round(fresh)
    assert fresh.open
    one.router.states["grok"].disabled = ""
    one.fails(FailureClass.TRANSIENT, 5)
    await look_round(one)
    later = OneEngine(board)
    await look_round(later)
    assert not later.open


async def test_an_operator_holds_it_open_in_every_engine_until_it_is_closed(
    fleet: tuple[OneEngine, OneEngine], board: ProviderBoard, client: Redis, namespace: str
) -> None:
    assert await board.say("grok", "open", by="alice", why="bill in dispute") == "closed"
    await board.gated("grok", 0.001)
    assert await client.ttl(Keys(namespace).provider_board("grok")) == -1, "however long nobody writes to it"
    await look_round(*fleet)
    for engine in fleet:
        engine.clock.now += 10_000
        gate = engine.router.gate("grok")
        assert not gate.open
        assert "alice: bill in dispute" in gate.reason
        assert engine.breaker["state"] == "forced_open"
    assert await board.say("grok", "close", by="alice", why="settled") == "held open"
    await the_next_millisecond(client)  # which the provider asked for
    await look_round(*fleet)
    assert all(engine.open for engine in fleet)


async def test_closing_by_an_operator_ends_the_open_time_at_once(fleet: tuple[OneEngine, OneEngine], board: ProviderBoard) -> None:
    one, other = fleet
    one.fails(FailureClass.TRANSIENT, 5)
    await look_round(one, other)
    assert await board.say("grok", "close", by="alice", why="it is back") == "open"
    await look_round(one, other)
    assert (one.open, other.open) == (True, True)
    one.fails(FailureClass.TRANSIENT, 5)
    await look_round(one, other)
    assert (one.open, other.open) == (False, False)


async def test_what_is_no_board_is_passed_over(fleet: tuple[OneEngine, OneEngine], client: Redis, namespace: str) -> None:
    await client.hset(Keys(namespace).provider_board("grok"), mapping={"causes": "{", "until": "soon", "epoch": "-1"})
    await look_round(*fleet)
    assert all(engine.open for engine in fleet)
