"""What waits for a provider that cannot be asked soon enough moves to another one of its kind, lane by lane, or parks."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from gitbridge_console.domain.event_views import EventDetail
from gitbridge_console.domain.events import Ask, IncomingEvent, Priority
from gitbridge_console.domain.failures import Failure, FailureClass
from gitbridge_console.domain.tasks import Attempt, TaskState
from gitbridge_console.domain.timestamps import ms_from_iso
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.lane_failover import LaneFailover, closure_by_pause, no_new_seats, too_long
from gitbridge_console.router.task_processor import TaskProcessor
from gitbridge_console.settings.model import QueueSettings, Settings
from gitbridge_console.settings.routing import KindSettings, RetrySettings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.fleet import Beat, FleetRegistry
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.reader import EventReader
from gitbridge_console.store.records import RoutePlan, Seat
from gitbridge_console.store.trouble import StoreTrouble
from tests.headers import set_fields

pytestmark = pytest.mark.anyio

PUBLISHED = json.dumps({"action": "published", "repository": {"id": 1, "full_name": "acme/shop"}}).encode()
ATTEMPT = Attempt(
    provider="claude", model="m", started_at="2026-11-22T21:00:00Z", latency_ms=1, outcome="transient", verdict="retry"
).model_dump_json()


class House:
    """A queue with seats in provider lanes, and an engine's eye on them. ``old`` is a provider the settings do not know."""

    def __init__(self, queue: RedisEventQueue, client: Redis, metrics: Metrics, router: AIRouter, clock: Any) -> None:
        kinds = {
            "general": KindSettings(seats=1, quorum=1, prefer=("grok",), reserve=("claude",)),
            "issue_triage": KindSettings(seats=1, quorum=1, prefer=("chatgpt",), reserve=("claude",)),
        }
        self.settings = Settings(kinds={**Settings().kinds, **kinds})
        self.queue, self.router, self.reader, self.clock = queue, router, EventReader(client, queue.keys), clock
        self.fleet = FleetRegistry(client, queue.keys)
        self.tasks = TaskProcessor(queue, router, metrics, StoreTrouble(), lambda: self.settings, seed=1)
        self.failover = LaneFailover(queue, self.fleet, router, lambda: self.settings, engine="me", clock=clock)

    async def seat(
        self, delivery: str, *lanes: str, kind: str = "general", priority: Priority = Priority.NORMAL, tokens: int = 0, **more: Any
    ) -> str:
        """An event with a seat in each of the lanes, by default that of ``claude``."""
        event_id = (await self.queue.enqueue(IncomingEvent(delivery, "release", PUBLISHED, "test"), **more)).id
        (job,) = (await self.queue.claim("route", 1)).jobs
        await self.queue.route(
            job, RoutePlan(kind, priority, lanes or ("claude",), quorum=1, grace_s=0, deadline_s=120, expires_s=3600, tokens=tokens)
        )
        return event_id

    async def turn(self) -> None:
        await self.failover.turn(await self.queue.stats())

    async def shown(self, event_id: str) -> EventDetail:
        event = await self.reader.event_detail(event_id)
        assert event is not None
        return event

    async def lanes(self, event_id: str) -> list[str]:
        return [task.provider for task in (await self.shown(event_id)).tasks]

    def shut(self, name: str, retry_in_s: float = 600) -> None:
        """Rate limited for so long."""
        call = self.router.begin(name, 1.0)
        assert call is not None
        self.router.failed(call, Failure(FailureClass.RATE_LIMIT, "later", retry_after_s=retry_in_s))


@pytest.fixture
def house(queue: RedisEventQueue, client: Redis, metrics: Metrics, router: AIRouter, clock: Any) -> House:
    return House(queue, client, metrics, router, clock)


@given(st.one_of(st.none(), st.floats(0, 1e6)), st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1e6))
def test_who_has_waited_longer_never_waits_on_where_another_would_move(
    retry_in_s: float | None, shut_for_s: float, more_s: float, hold_s: float
) -> None:
    if too_long(retry_in_s, shut_for_s, hold_s):
        assert too_long(retry_in_s, shut_for_s + more_s, hold_s)
    elif retry_in_s is not None:
        assert retry_in_s <= hold_s


async def test_each_seat_of_a_shut_lane_moves_to_a_provider_of_its_kind_untouched_by_a_claim(house: House) -> None:
    general, triage = await house.seat("d1"), await house.seat("d2", kind="issue_triage")
    house.shut("claude")
    await house.turn()
    assert await house.lanes(general) == ["grok"]
    assert await house.lanes(triage) == ["chatgpt"]
    (job,) = (await house.queue.claim("grok", 9)).jobs
    assert job.number("dv") == 1, "this claim is the first"
    assert any("rate limited" in entry.what for entry in (await house.shown(general)).timeline)
    (said,) = [line for line in await house.reader.log() if line.what == "failover"]
    assert said.id == "claude"
    assert said.text.startswith("2 seats moved: claude: rate limited")


async def test_priority_and_age_survive_and_delays_of_the_old_provider_do_not(house: House) -> None:
    ids = [await house.seat("d1", priority=Priority.LOW), await house.seat("d2"), await house.seat("d3", priority=Priority.CRITICAL)]
    (job,) = (await house.queue.claim("claude", 1)).jobs
    await house.queue.retry_task(job, attempt=ATTEMPT, delay_s=600)
    house.shut("claude")
    await house.turn()
    claimed = (await house.queue.claim("grok", 9)).jobs
    assert [job.event_id for job in claimed] == [ids[2], ids[1], ids[0]]


async def test_a_short_wait_is_waited_and_what_was_shut_for_long_is_not_waited_for_again_and_again(house: House) -> None:
    event_id = await house.seat("d1")
    house.shut("claude", 4.0)
    await house.turn()
    assert await house.lanes(event_id) == ["claude"]
    house.clock.now = 3.0
    house.router.states["claude"].gate_until = 7.0
    await house.turn()
    assert await house.lanes(event_id) == ["grok"], "four seconds more would be seven in all"


async def test_a_lane_that_opened_in_between_begins_to_wait_anew(house: House) -> None:
    event_id = await house.seat("d1")
    for at in (0.0, 10.0):
        house.clock.now = at
        house.shut("claude", 4.0)
        await house.turn()
        house.clock.now = at + 4.5
        await house.turn()
    assert await house.lanes(event_id) == ["claude"]


async def test_a_lane_that_was_empty_when_it_opened_begins_to_wait_anew_too(house: House) -> None:
    await house.seat("d1")
    house.shut("claude", 4.0)
    await house.turn()
    house.clock.now = 4.5
    assert len((await house.queue.claim("claude", 1)).jobs) == 1
    await house.turn()
    house.clock.now = 3600.0
    event_id = await house.seat("d2")
    house.shut("claude", 4.0)
    await house.turn()
    assert await house.lanes(event_id) == ["claude"]


async def test_a_question_of_the_second_round_waits_for_whom_it_was_made(house: House) -> None:
    kinds = {**house.settings.kinds, "general": KindSettings(seats=1, quorum=1, prefer=("grok",), reserve=("claude", "chatgpt"))}
    house.settings = house.settings.model_copy(update={"kinds": kinds})
    event_id = await house.seat("d1", "grok")
    (seat,) = (await house.queue.claim("grok", 1)).jobs
    await house.queue.settle_task(seat, TaskState.SUCCEEDED, vote=True)
    (deciding,) = (await house.queue.claim("decide", 1)).jobs
    await house.queue.widen(deciding, Seat("claude", Ask.VERIFY, "[]"), note="is it real?")
    house.shut("claude")
    await house.turn()
    assert await house.lanes(event_id) == ["grok", "claude"]


async def test_what_would_be_too_late_moves_though_the_others_wait(house: House) -> None:
    ids = [await house.seat("d1", "claude", "chatgpt"), await house.seat("d2")]
    (job,) = (await house.queue.claim("chatgpt", 1)).jobs
    await house.queue.begin(job)
    house.settings = house.settings.model_copy(update={"retry": RetrySettings(lane_hold_s=3600)})
    house.shut("claude", 600)
    await house.turn()
    assert [(await house.lanes(event_id))[0] for event_id in ids] == ["grok", "claude"], "the first is decided in two minutes"


async def test_a_disabled_provider_loses_its_lane_at_once(house: House) -> None:
    event_id = await house.seat("d1")
    house.settings = house.settings.model_copy(update={"retry": RetrySettings(lane_hold_s=3600)})
    house.router.states["claude"].disabled = "credential: revoked"
    await house.turn()
    assert await house.lanes(event_id) == ["grok"]


async def test_a_seat_goes_past_a_provider_that_sits_on_its_panel_or_cannot_read_the_question(house: House) -> None:
    house.settings = house.settings.model_copy(
        update={"kinds": {**house.settings.kinds, "general": KindSettings(seats=2, prefer=("grok", "chatgpt"), reserve=("claude",))}}
    )
    sits = await house.seat("d1", "claude", "grok")
    large = await house.seat("d2", tokens=50_000)
    own = house.router.states["grok"].settings
    house.router.states["grok"].settings = own.model_copy(update={"context_tokens": 40_000})
    house.shut("claude")
    await house.turn()
    assert await house.lanes(sits) == ["chatgpt", "grok"]
    assert await house.lanes(large) == ["chatgpt"]


async def test_a_seat_does_not_go_back_to_a_provider_that_was_asked_as_often_as_may_be(house: House) -> None:
    event_id = await house.seat("d1")
    (job,) = (await house.queue.claim("claude", 1)).jobs
    await set_fields(house.queue, job.id, **{"ca:grok": 2})
    await house.queue.release(job)
    house.shut("claude")
    await house.turn()
    assert await house.lanes(event_id) == ["claude"]


async def test_what_nobody_can_take_is_parked_with_the_time_of_its_next_chance_and_said_once(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    ids = [await house.seat("d1"), await house.seat("d2")]
    house.shut("grok", 600)
    house.shut("claude", 300)
    now_ms = (await house.queue.stats()).now_ms
    for _ in range(3):
        await house.turn()
    for event_id in ids:
        event = await house.shown(event_id)
        assert (event.state, event.tasks[0].state, event.tasks[0].provider) == ("parked", "queued", "claude")
        assert event.next_chance is not None
        assert abs(ms_from_iso(event.next_chance) - now_ms - 300_000) < 5_000
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1
    assert await house.reader.nothing_due(["claude", "grok", "chatgpt", "decide"], 30.0), "nobody who drains waits for them"
    house.clock.now = 601.0
    house.shut("claude", 600)
    await house.turn()
    assert [await house.lanes(event_id) for event_id in ids] == [["grok"], ["grok"]]


async def test_a_lane_is_worked_through_a_bounded_number_at_a_time_and_the_unmovable_stand_in_nobodys_way(house: House) -> None:
    stuck = [await house.seat(f"s{n}", kind="general") for n in range(3)]
    free = await house.seat("d9", kind="issue_triage")
    house.shut("grok")
    house.shut("claude")
    targets = {"issue_triage": [("chatgpt", -1)]}
    closure = house.failover._closure("claude", await house.queue.stats())
    assert closure is not None
    passed_over: dict[tuple[str, str], int] = {}
    looks = [await house.queue.move_on("claude", closure, targets, passed_over=passed_over, limit=2) for _ in range(3)]
    assert looks == [(0, 2), (1, 1), (0, 0)]
    assert await house.lanes(free) == ["chatgpt"]
    assert [await house.lanes(event_id) for event_id in stuck] == [["claude"]] * 3
    assert await house.queue.move_on("claude", closure, targets, passed_over=passed_over, limit=2) == (0, 2), "and from the head again"


async def test_a_pause_holds_its_work_until_pause_hold_s(house: House) -> None:
    event_id = await house.seat("d1")
    await house.queue.pause("claude", by="ana", reason="looking")
    await house.turn()
    assert await house.lanes(event_id) == ["claude"]
    house.settings = house.settings.model_copy(update={"queue": QueueSettings(pause_hold_s=0.0001)})
    await house.turn()
    assert await house.lanes(event_id) == ["grok"]


@pytest.mark.parametrize(("hold_s", "age_s", "moves"), [(0, 1e6, False), (60, 59, False), (60, 60, True)])
def test_a_hold_of_nothing_means_never(hold_s: float, age_s: float, moves: bool) -> None:
    pause = {"by": "ana", "reason": "x", "since": "1000000", "until": "0"}
    assert (closure_by_pause("claude", pause, 1_000_000 + round(age_s * 1000), hold_s) is not None) is moves


async def test_a_draining_provider_finishes_what_waits_and_gets_nothing_new(house: House) -> None:
    event_id = await house.seat("d1")
    await house.queue.drain("claude", by="ana", reason="retired")
    stats = await house.queue.stats()
    house.router.no_new_seats = no_new_seats(stats, 0.0)
    await house.turn()
    assert await house.lanes(event_id) == ["claude"]
    assert len((await house.queue.claim("claude", 1)).jobs) == 1
    policy = KindSettings(seats=2, quorum=1, prefer=("claude", "grok"), reserve=("chatgpt",))
    selection = house.router.select(policy)
    assert selection.lanes == ("grok", "chatgpt")
    assert "claude: draining by ana: retired" in selection.reasons
    assert house.router.candidates(policy, exclude=["grok"]) == ["chatgpt"]
    assert await house.queue.resume("claude", by="ana") != ""
    assert (await house.queue.stats()).drains == {}


async def test_a_draining_provider_that_cannot_be_asked_gives_its_work_away(house: House) -> None:
    event_id = await house.seat("d1")
    await house.queue.drain("claude", by="ana", reason="retired")
    house.shut("claude")
    await house.turn()
    assert await house.lanes(event_id) == ["grok"]


async def test_the_lane_of_a_provider_that_left_the_settings_is_cleared_unless_another_engine_serves_it(house: House) -> None:
    event_id = await house.seat("d1", "old")
    other = Beat(id="other", host="h", role="engine", version="1", settings="x", providers={"old": {"state": "ok"}})
    await house.fleet.beat(other)
    await house.turn()
    assert await house.lanes(event_id) == ["old"]
    await house.fleet.beat(Beat(id="other", host="h", role="engine", version="1", settings="x", providers={"old": {"state": "open"}}))
    await house.turn()
    assert await house.lanes(event_id) == ["grok"], "the other engine cannot ask it either"


async def test_an_engine_does_not_wait_for_itself(house: House) -> None:
    event_id = await house.seat("d1")
    await house.fleet.beat(Beat(id="me", host="h", role="engine", version="1", settings="x", providers={"claude": {"state": "ok"}}))
    house.shut("claude")
    await house.turn()
    assert await house.lanes(event_id) == ["grok"], "its last word is a beat old"


async def test_a_claim_that_outlives_its_provider_moves_on(house: House) -> None:
    event_id = await house.seat("d1", "old")
    (job,) = (await house.queue.claim("old", 1)).jobs
    await house.tasks.work(job)
    await house.turn()
    assert await house.lanes(event_id) == ["grok"]
    (again,) = (await house.queue.claim("grok", 1)).jobs
    assert again.number("dv") == 1


async def test_work_is_not_moved_back_by_force(house: House) -> None:
    event_id = await house.seat("d1")
    house.shut("claude")
    await house.turn()
    house.clock.now = 601.0
    await house.turn()
    assert await house.lanes(event_id) == ["grok"]


async def test_seats_held_back_for_their_repository_move_too(house: House) -> None:
    ids = [await house.seat(f"d{n}", repository="acme/shop") for n in range(2)]
    (job,) = (await house.queue.claim("claude", 2, repository_max=1)).jobs
    house.shut("claude")
    await house.turn()
    held = next(event_id for event_id in ids if event_id != job.event_id)
    assert await house.lanes(held) == ["grok"]
