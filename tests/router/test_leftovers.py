"""Seats in the lane of a provider that is not in the settings any more move to the reserve of their kind."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from gitbridge_console.domain.events import IncomingEvent, Priority
from gitbridge_console.router import task_processor
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.leftovers import Leftovers
from gitbridge_console.router.task_processor import TaskProcessor
from gitbridge_console.settings.model import KindSettings, Settings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.fleet import Beat, FleetRegistry
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.reader import EventReader
from gitbridge_console.store.records import ClaimedJob, RoutePlan
from gitbridge_console.store.trouble import StoreTrouble

pytestmark = pytest.mark.anyio

PUBLISHED = json.dumps({"action": "published", "repository": {"id": 1, "full_name": "acme/shop"}}).encode()


class House:
    """A queue with seats in the lane of ``old``, which the settings do not know, and a router of those they do."""

    def __init__(self, queue: RedisEventQueue, client: Redis, metrics: Metrics, router: AIRouter) -> None:
        kinds = {
            "general": KindSettings(seats=1, quorum=1, prefer=("grok",)),
            "issue_triage": KindSettings(seats=1, quorum=1, prefer=("chatgpt",)),
        }
        settings = Settings(kinds={**Settings().kinds, **kinds})
        self.queue, self.router, self.reader = queue, router, EventReader(client, queue.keys)
        self.fleet = FleetRegistry(client, queue.keys)
        self.tasks = TaskProcessor(queue, router, metrics, StoreTrouble(), lambda: settings, seed=1)
        self.leftovers = Leftovers(queue, self.fleet, self.tasks.move_on)

    async def seat(self, delivery: str, kind: str = "general", *lanes: str) -> str:
        """An event with a seat in each of the lanes."""
        event_id = (await self.queue.enqueue(IncomingEvent(delivery, "release", PUBLISHED, "test"))).id
        (job,) = (await self.queue.claim("route", 1)).jobs
        await self.queue.route(
            job, RoutePlan(kind, Priority.NORMAL, lanes or ("old",), quorum=1, grace_s=0, deadline_s=120, expires_s=3600)
        )
        return event_id

    async def turn(self) -> None:
        await self.leftovers.turn(await self.queue.stats(), self.router.states)

    async def lanes(self, event_id: str) -> list[str]:
        event = await self.reader.event_detail(event_id)
        assert event is not None
        return [task.provider for task in event.tasks]

    async def state(self, event_id: str) -> str:
        event = await self.reader.event_detail(event_id)
        assert event is not None
        return event.state


@pytest.fixture
def house(queue: RedisEventQueue, client: Redis, metrics: Metrics, router: AIRouter, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr(task_processor, "GATE_LOOK_S", (0.001, 0.001))
    return House(queue, client, metrics, router)


async def test_each_seat_moves_to_a_provider_of_its_kind_as_if_it_had_never_been_claimed(house: House) -> None:
    general, triage = await house.seat("d1"), await house.seat("d2", "issue_triage")
    await house.turn()
    assert await house.lanes(general) == ["grok"]
    assert await house.lanes(triage) == ["chatgpt"]
    (job,) = (await house.queue.claim("grok", 9)).jobs
    assert job.number("dv") == 1


async def test_what_nobody_can_take_waits_is_said_once_and_moves_when_somebody_can(
    house: House, caplog: pytest.LogCaptureFixture, eventually: Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
) -> None:
    house.router.states["grok"].disabled = "no credit"
    ids = [await house.seat("d1"), await house.seat("d2")]

    async def moved() -> bool:
        await house.turn()
        return [await house.lanes(event_id) for event_id in ids] == [["grok"], ["grok"]]

    for _ in range(5):
        assert not await moved()
    assert [await house.state(event_id) for event_id in ids] == ["parked", "parked"], "so it stands in status"
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == ["2 seats wait for old, which is not in the settings any more, until another provider of their kind is free"]
    house.router.states["grok"].disabled = ""
    await eventually(moved)


async def test_a_seat_whose_panel_has_everybody_already_stays(house: House) -> None:
    event_id = await house.seat("d1", "general", "old", "grok")
    await house.turn()
    assert await house.lanes(event_id) == ["old", "grok"]


async def test_a_lane_that_another_engine_serves_or_an_operator_paused_is_left_alone(house: House) -> None:
    event_id = await house.seat("d1")
    other = Beat(id="other", host="h", role="engine", version="1", settings="x", providers={"old": {}})
    await house.fleet.beat(other)
    await house.turn()
    assert await house.lanes(event_id) == ["old"]
    await house.fleet.leave("other")
    await house.queue.pause("old", by="ana", reason="looking")
    await house.turn()
    assert await house.lanes(event_id) == ["old"]
    await house.queue.resume("old", by="ana")
    await house.turn()
    assert await house.lanes(event_id) == ["grok"]


async def test_a_seat_that_cannot_be_moved_by_a_fault_is_handed_back_and_stops_no_other(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    ids = [await house.seat("d1"), await house.seat("d2")]
    real: Any = house.tasks.move_on

    async def move_on(job: ClaimedJob) -> bool:
        if job.event_id == ids[0]:
            raise RuntimeError("nobody foresaw this")
        return bool(await real(job))

    house.leftovers = Leftovers(house.queue, house.fleet, move_on)
    await house.turn()
    assert [await house.lanes(event_id) for event_id in ids] == [["old"], ["grok"]]
    assert (await house.queue.stats()).lanes["old"].leased == 0
    assert "could not be moved on" in caplog.text


async def test_a_claim_that_outlives_its_provider_moves_on(house: House) -> None:
    event_id = await house.seat("d1")
    (job,) = (await house.queue.claim("old", 1)).jobs
    await house.tasks.work(job)
    assert await house.lanes(event_id) == ["grok"]
