"""Store or spool: what is answered is kept, in its order, and a stuck store keeps nobody waiting."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.ingress import keeper as keeper_module
from gitbridge_console.ingress.body import Rejected
from gitbridge_console.ingress.counters import Counters
from gitbridge_console.ingress.keeper import Keeper
from gitbridge_console.ingress.spool import Spool
from gitbridge_console.settings.ingress import IngressSettings
from gitbridge_console.store.records import BackPressure


def event(name: str) -> IncomingEvent:
    return IncomingEvent(delivery=name, type="push", payload=b"{}", source="webhook")


@dataclass(frozen=True, slots=True)
class Result:
    id: str
    status: str


@dataclass
class Shop:
    """A store that stores, refuses, or never answers; and what it was asked."""

    stored: list[str] = field(default_factory=list)
    duplicates: int = 0
    failure: Callable[[IncomingEvent], Exception | None] = lambda event: None
    stuck: asyncio.Event | None = None

    async def submit(self, event: IncomingEvent) -> Result:
        if self.stuck is not None:
            await self.stuck.wait()
        if (failure := self.failure(event)) is not None:
            raise failure
        if event.delivery in self.stored:
            self.duplicates += 1
            return Result("1", "duplicate")
        self.stored.append(event.delivery)
        return Result("1", "new")

    def away(self) -> None:
        self.failure = lambda event: RedisConnectionError("Connection refused")

    def back(self) -> None:
        self.failure = lambda event: None


@asynccontextmanager
async def keeping(folder: Path, shop: Shop, max_bytes: int = 1_000_000, patience_s: float = 0.05) -> AsyncIterator[Keeper]:
    spool = Spool(folder, max_bytes)
    spool.open()
    settings, stop = IngressSettings(store_patience_s=patience_s), asyncio.Event()
    keeper = Keeper(shop.submit, lambda: settings, Counters(), spool=spool)
    replaying = asyncio.create_task(keeper.replay(stop))
    try:
        yield keeper
    finally:
        stop.set()
        await replaying
        await spool.aclose()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def emptied(keeper: Keeper) -> Callable[[], bool]:
    return lambda: keeper.spool is not None and not keeper.spool.in_use


@pytest.mark.anyio
async def test_a_store_that_answers_is_all_it_takes(tmp_path: Path) -> None:
    shop = Shop()
    async with keeping(tmp_path, shop) as keeper:
        assert (await keeper.keep(event("a"))).status == "new"
        assert (await keeper.keep(event("a"))).status == "duplicate"
        assert not keeper.spool.in_use


@pytest.mark.anyio
@pytest.mark.parametrize("failure", [RedisConnectionError("refused"), BackPressure("10,000 events are undecided")])
async def test_a_store_that_takes_nothing_costs_nobody_an_answer(
    tmp_path: Path, failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    shop = Shop(failure=lambda event: failure)
    async with keeping(tmp_path, shop) as keeper:
        kept = [await keeper.keep(event(f"d{n}")) for n in range(50)]
        assert {one.status for one in kept} == {"spooled"}
        shop.back()
        await until(emptied(keeper))
        assert (await keeper.keep(event("last"))).status == "new"
    assert shop.stored == [*(f"d{n}" for n in range(50)), "last"]
    assert shop.duplicates == 0
    said = [record.message for record in caplog.records if "spool" in record.message]
    assert str(failure) in said[0]
    assert said[-1].startswith("the spool is empty again: 50 deliveries were stored from it within")
    assert len(said) <= 3, "said when it begins and when it ends, not for every delivery"


@pytest.mark.anyio
async def test_a_store_that_does_not_answer_is_waited_for_once(tmp_path: Path) -> None:
    """The first delivery finds out; those behind it are spooled at once. What the store did all the same is a duplicate later."""
    shop = Shop(stuck=asyncio.Event())
    async with keeping(tmp_path, shop, patience_s=0.2) as keeper:
        began = time.perf_counter()
        assert (await keeper.keep(event("d0"))).status == "spooled"
        assert time.perf_counter() - began < 1
        waited = shop.stuck
        for n in range(1, 20):
            await keeper.keep(event(f"d{n}"))
        shop.stored.append("d0")
        waited.set()
        await until(emptied(keeper))
    assert shop.stored == [f"d{n}" for n in range(20)]
    assert shop.duplicates == 1


@pytest.mark.anyio
async def test_a_store_that_takes_some_of_a_batch_gets_each_once(tmp_path: Path) -> None:
    shop = Shop()
    shop.away()
    async with keeping(tmp_path, shop) as keeper:
        for n in range(30):
            await keeper.keep(event(f"d{n}"))
        refusals = {"d7": 2, "d20": 3}

        def failure(one: IncomingEvent) -> Exception | None:
            if refusals.get(one.delivery):
                refusals[one.delivery] -= 1
                return BackPressure("full")
            return None

        shop.failure = failure
        await until(emptied(keeper))
    assert sorted(shop.stored, key=lambda name: int(name[1:])) == [f"d{n}" for n in range(30)]


@pytest.mark.anyio
async def test_when_the_spool_is_full_the_sender_is_told_to_come_again(tmp_path: Path) -> None:
    shop = Shop()
    shop.away()
    async with keeping(tmp_path, shop, max_bytes=300) as keeper:
        for name in ("d0", "d1", "d2"):
            await keeper.keep(event(name))
        with pytest.raises(Rejected) as refused:
            await keeper.keep(event("d3"))
        assert (refused.value.status, refused.value.retry_after_s, refused.value.reason) == (503, 10, "spool")
        assert "the spool is full" in refused.value.detail
        assert keeper.spool.records == 3
        shop.back()
        await until(emptied(keeper))
        assert (await keeper.keep(event("again"))).status == "new"


@pytest.mark.anyio
async def test_one_that_nobody_foresaw_does_not_keep_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_module, "PAUSE_FIRST_S", 0.01)
    monkeypatch.setattr(keeper_module, "PAUSE_MAX_S", 0.01)
    shop = Shop()
    shop.away()
    async with keeping(tmp_path, shop) as keeper:
        for name in ("poison", "good"):
            await keeper.keep(event(name))
        shop.failure = lambda one: KeyError("boom") if one.delivery == "poison" else None
        await until(emptied(keeper))
    assert shop.stored == ["good"]
    assert [name for name in os.listdir(tmp_path) if name.endswith(".rejected")]
    assert "delivery poison could not be stored 5 times and is set aside in" in caplog.text


@pytest.mark.anyio
async def test_what_is_spooled_when_it_stops_is_stored_by_the_next_run(tmp_path: Path) -> None:
    shop = Shop()
    shop.away()
    async with keeping(tmp_path, shop) as keeper:
        for n in range(5):
            await keeper.keep(event(f"d{n}"))
    shop.back()
    async with keeping(tmp_path, shop) as keeper:
        kept = await keeper.keep(event("d5"))
        assert kept.status == "spooled", "behind those of the run before"
        await until(emptied(keeper))
    assert shop.stored == [f"d{n}" for n in range(6)]


@pytest.mark.anyio
async def test_an_error_nobody_foresaw_costs_no_delivery(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shop = Shop(failure=lambda one: KeyError("boom"))
    async with keeping(tmp_path, shop) as keeper:
        assert (await keeper.keep(event("a"))).status == "spooled"
        shop.back()
        await until(emptied(keeper))
    assert shop.stored == ["a"]
    assert "Traceback" in caplog.text


@pytest.mark.anyio
async def test_a_call_that_is_cancelled_under_it_does_not_end_the_replay(tmp_path: Path) -> None:
    shop = Shop()
    shop.away()
    async with keeping(tmp_path, shop) as keeper:
        await keeper.keep(event("a"))
        cancelled = [1, 2]

        async def submit(one: IncomingEvent) -> Result:
            if cancelled:
                cancelled.pop()
                raise asyncio.CancelledError
            return await Shop.submit(shop, one)

        keeper._submit = submit
        shop.back()
        await until(emptied(keeper))
    assert (shop.stored, cancelled) == (["a"], [])


@pytest.mark.anyio
async def test_a_closed_receiver_takes_nothing(tmp_path: Path) -> None:
    shop = Shop()
    keeper = Keeper(shop.submit, IngressSettings, Counters(), closed=lambda: "this receiver is read-only")
    with pytest.raises(Rejected, match="read-only"):
        await keeper.keep(event("a"))
    assert not shop.stored
