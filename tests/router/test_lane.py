"""The loop of a lane: it outlives any answer of the store and any fault of its work, and loses no job."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import BusyLoadingError, NoScriptError, OutOfMemoryError, ReadOnlyError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from gitbridge_console.domain.event_views import JobSummary
from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.router import lane as lane_module
from gitbridge_console.router.lane import CLAIM_MAX, Lane
from gitbridge_console.router.leases import LeaseKeeper
from gitbridge_console.settings.model import QueueSettings, RedisSettings
from gitbridge_console.settings.routing import RetrySettings
from gitbridge_console.store.clients import client_of
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.reader import EventReader
from gitbridge_console.store.records import Claim, ClaimedJob, Ending
from gitbridge_console.store.standing_claims import StandingClaims
from gitbridge_console.store.trouble import StoreTrouble
from gitbridge_console.store.wakeups import Wakeups

pytestmark = pytest.mark.anyio

AWAY = [RedisConnectionError, RedisTimeoutError, BusyLoadingError, ReadOnlyError, OutOfMemoryError, OSError]
ANSWERS = [ResponseError, NoScriptError, ValueError]
LOOKS_MAX = 20_000
"""Bound of every wait for a lease of a few milliseconds; each look is a round trip."""

Work = Callable[[ClaimedJob], Awaitable[Ending | None]]
Room = Callable[[int], tuple[int, float]]


class Desk:
    """One lane ``route`` at work on a queue; ``hands`` gets every job that was begun."""

    def __init__(self, queue: RedisEventQueue, work: Work, slots: int = 1, room: Room | None = None) -> None:
        self.trouble = StoreTrouble()
        self.hands: asyncio.Queue[ClaimedJob] = asyncio.Queue()
        self.shut_for_s = 0.0
        self._work = work
        self.leases = LeaseKeeper(queue, self.trouble)
        self.lane = Lane(
            "route",
            self._begin,
            queue=queue,
            leases=self.leases,
            wakeups=Wakeups(queue.client, queue.keys),
            trouble=self.trouble,
            slots=lambda: slots,
            shut_for_s=lambda: self.shut_for_s,
            room=room,
        )
        self.running = asyncio.create_task(self.lane.run())

    async def _begin(self, job: ClaimedJob) -> Ending | None:
        self.hands.put_nowait(job)
        return await self._work(job)

    async def next(self) -> ClaimedJob:
        """The next job it begins to work on."""
        async with asyncio.timeout(20):
            return await self.hands.get()

    async def cancelled(self) -> None:
        """Cancel the lane and wait until it has ended."""
        self.running.cancel()
        await asyncio.wait([self.running], timeout=20)
        assert self.running.cancelled()


@asynccontextmanager
async def at_work(queue: RedisEventQueue, work: Work, slots: int = 1, room: Room | None = None) -> AsyncIterator[Desk]:
    desk = Desk(queue, work, slots, room)
    try:
        yield desk
    finally:
        desk.running.cancel()
        await asyncio.wait([desk.running], timeout=20)
        assert desk.running.done(), "a lane that is cancelled ends"


@pytest.fixture(params=["standing", "hints"])
async def queue(queue: RedisEventQueue, valkey_url: str, request: pytest.FixtureRequest) -> AsyncIterator[RedisEventQueue]:
    """Claims that wait at the server, or hints and claims that come after them."""
    waiting = client_of(valkey_url, RedisSettings(), max_connections=20, socket_timeout_s=None)
    if request.param == "standing":
        queue.standing = StandingClaims(waiting, queue.partitions[0], 4.0)
    yield queue
    await waiting.aclose()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lane that looks again at once."""
    monkeypatch.setattr(lane_module, "LOOK_EVERY_S", 0.01, raising=False)
    monkeypatch.setattr(lane_module, "FAULT_DELAY_S", 0.01, raising=False)


async def submit(queue: RedisEventQueue, delivery: str, priority: Priority | None = None) -> str:
    return (await queue.enqueue(IncomingEvent(delivery, "push", b"{}", "test", priority=priority))).id


async def only_job(reader: EventReader) -> JobSummary:
    (job,) = await reader.list_jobs(["route"])
    return job


async def forever(job: ClaimedJob) -> None:
    await asyncio.Event().wait()


async def test_a_lane_that_is_shut_claims_nothing_until_it_opens(queue: RedisEventQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    claims, looks = 0, asyncio.Event()
    claim = queue.claim

    async def counted(*args: Any, **more: Any) -> Any:
        nonlocal claims
        claims += 1
        return await claim(*args, **more)

    monkeypatch.setattr(queue, "claim", counted)
    async with at_work(queue, forever) as desk:
        desk.shut_for_s = 0.02
        sleep = desk.lane._sleep

        async def sleep_and_tell(seconds: float) -> None:
            if seconds == 0.02:
                looks.set()
            await sleep(seconds)

        monkeypatch.setattr(desk.lane, "_sleep", sleep_and_tell)
        event_id = await submit(queue, "d1")
        for _ in range(3):
            looks.clear()
            await asyncio.wait_for(looks.wait(), 20)
        assert claims == 0, "it looks at its gate, not at the queue"
        desk.shut_for_s = 0.0
        assert (await desk.next()).id == event_id


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", [*AWAY, *ANSWERS])
async def test_whatever_a_claim_is_answered_the_lane_claims_afterwards(
    queue: RedisEventQueue, exposed_queue: RedisEventQueue, weather: Any, fault: type[Exception]
) -> None:
    async def work(job: ClaimedJob) -> None:
        await queue.hand_on(job, "", EventState.RESOLVED)

    async with at_work(exposed_queue, work) as desk:
        before = await submit(queue, "d1")
        assert (await desk.next()).id == before
        weather.breaks(fault)
        await weather.met()
        await weather.met()
        after = await submit(queue, "d2")
        assert not desk.running.done()
        weather.clears()
        assert (await desk.next()).id == after


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", [fault for fault in AWAY if fault is not OutOfMemoryError])
async def test_a_store_that_is_away_is_known_to_be_away_until_it_answers(
    queue: RedisEventQueue, exposed_queue: RedisEventQueue, weather: Any, fault: type[Exception]
) -> None:
    async with at_work(exposed_queue, forever) as desk:
        weather.breaks(fault)
        await weather.met()
        await weather.met()
        assert desk.trouble.away_for_s is not None
        weather.clears()
        await submit(queue, "d1")
        await desk.next()
        assert desk.trouble.away_for_s is None


async def test_a_job_whose_work_raises_waits_a_while_is_counted_and_holds_nobody_up(
    queue: RedisEventQueue, exposed_queue: RedisEventQueue, reader: EventReader
) -> None:
    bad = await submit(queue, "d1", Priority.HIGH)
    good = await submit(queue, "d2")

    async def work(job: ClaimedJob) -> None:
        if job.id == bad:
            raise KeyError("nobody foresaw this")
        await queue.hand_on(job, "", EventState.RESOLVED)

    async with at_work(exposed_queue, work) as desk:
        assert [(await desk.next()).id, (await desk.next()).id] == [bad, good]
        desk.lane.stop()
        await asyncio.wait_for(desk.running, 20)
    job = await only_job(reader)
    assert (job.id, job.place, job.priority, job.tries) == (bad, "waiting", "high", 1)
    assert job.due_in_s is not None
    assert job.due_in_s > 0


@pytest.mark.usefixtures("impatient")
async def test_a_job_whose_work_raised_once_is_done_the_next_time(
    queue: RedisEventQueue, exposed_queue: RedisEventQueue, reader: EventReader
) -> None:
    event_id = await submit(queue, "d1")

    async def work(job: ClaimedJob) -> None:
        if job.number("dv") == 1:
            raise RuntimeError("the first time")
        await queue.hand_on(job, "", EventState.RESOLVED)
        desk.lane.stop()

    async with at_work(exposed_queue, work) as desk:
        await asyncio.wait_for(desk.running, 20)
    event = await reader.event_detail(event_id)
    assert event is not None
    assert event.state == "resolved"


@pytest.mark.usefixtures("impatient")
async def test_a_job_whose_work_always_raises_is_given_up_in_the_end(
    exposed: Redis, namespace: str, reader: EventReader, eventually: Any
) -> None:
    queue = RedisEventQueue(exposed, Keys(namespace), retry=RetrySettings(deliveries_max=2))
    event_id = await submit(queue, "d1")
    begun = 0

    async def work(job: ClaimedJob) -> None:
        nonlocal begun
        begun += 1
        raise RuntimeError("every time")

    async def given_up() -> bool:
        await queue.recover()
        event = await reader.event_detail(event_id)
        return event is not None and event.error is not None and event.error.cls == "poison"

    async def over() -> bool:
        return begun > 4 or await given_up()

    async with at_work(queue, work):
        await eventually(over)
        assert await given_up(), f"begun {begun} times, though two deliveries are the limit"


async def test_a_cancelled_lane_hands_back_at_once_uncounted_with_priority_and_age_kept(
    queue: RedisEventQueue, exposed_queue: RedisEventQueue, reader: EventReader
) -> None:
    ids = [await submit(queue, f"d{n}", priority) for n, priority in enumerate([Priority.LOW, Priority.HIGH, Priority.HIGH])]
    async with at_work(exposed_queue, forever, slots=2) as desk:
        held = [await desk.next(), await desk.next()]
        await desk.cancelled()
    assert [job.id for job in held] == ids[1:]
    jobs = await reader.list_jobs(["route"])
    assert [(job.id, job.place, job.priority) for job in jobs] == [
        (ids[1], "ready", "high"),
        (ids[2], "ready", "high"),
        (ids[0], "ready", "low"),
    ]
    assert [job.number("dv") for job in (await queue.claim("route", 3)).jobs] == [1, 1, 1]


async def test_a_lane_told_to_stop_claims_nothing_more_and_finishes_what_it_has(
    queue: RedisEventQueue, exposed_queue: RedisEventQueue, reader: EventReader
) -> None:
    done, other = await submit(queue, "d1"), await submit(queue, "d2")
    may_end = asyncio.Event()

    async def work(job: ClaimedJob) -> None:
        await may_end.wait()
        await queue.hand_on(job, "", EventState.RESOLVED)

    async with at_work(exposed_queue, work) as desk:
        assert (await desk.next()).id == done
        desk.lane.stop()
        may_end.set()
        await asyncio.wait_for(desk.running, 20)
    assert (await only_job(reader)).id == other
    assert desk.hands.empty()


class Short:
    """Leases so short that they run out within the test."""

    def __init__(self, exposed: Redis, client: Redis, namespace: str) -> None:
        self.exposed = RedisEventQueue(exposed, Keys(namespace), queue=QueueSettings(lease_s=0.001))
        self.clear = RedisEventQueue(client, Keys(namespace))

    async def taken_back(self) -> None:
        for _ in range(LOOKS_MAX):
            if (await self.clear.recover())[0]:
                return
        raise AssertionError("the lease does not run out")


@pytest.fixture
def short(exposed: Redis, client: Redis, namespace: str) -> Short:
    return Short(exposed, client, namespace)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", [RedisConnectionError, ResponseError])
async def test_work_that_raises_while_the_store_is_away_ends_nothing_and_the_lease_runs_out(
    short: Short, weather: Any, fault: type[Exception]
) -> None:
    event_id = await submit(short.clear, "d1")
    gone_wrong = asyncio.Event()

    async def work(job: ClaimedJob) -> None:
        if job.number("dv") == 1:
            weather.breaks(fault)
            gone_wrong.set()
            raise RuntimeError("and nobody can be told")
        await short.clear.hand_on(job, "", EventState.RESOLVED)

    async with at_work(short.exposed, work) as desk:
        await desk.next()
        await gone_wrong.wait()
        await weather.met()
        await weather.met()
        assert not desk.running.done()
        weather.clears()
        await short.taken_back()
        again = await desk.next()
    assert (again.id, again.number("dv")) == (event_id, 2)


@pytest.mark.usefixtures("impatient")
async def test_work_that_cannot_write_its_result_is_done_again_when_its_lease_has_run_out(short: Short, weather: Any) -> None:
    event_id = await submit(short.clear, "d1")

    async def work(job: ClaimedJob) -> None:
        if job.number("dv") == 1:
            weather.breaks(RedisConnectionError)
        await short.exposed.hand_on(job, "", EventState.RESOLVED)

    async with at_work(short.exposed, work) as desk:
        await desk.next()
        await weather.met()
        weather.clears()
        await short.taken_back()
        again = await desk.next()
    assert (again.id, again.number("dv")) == (event_id, 2)


@pytest.mark.parametrize("fault", [RedisConnectionError, ResponseError])
async def test_a_lane_cancelled_while_the_store_is_away_ends_and_the_lease_runs_out(
    short: Short, weather: Any, fault: type[Exception]
) -> None:
    event_id = await submit(short.clear, "d1")
    async with at_work(short.exposed, forever) as desk:
        await desk.next()
        weather.breaks(fault)
        await desk.cancelled()
    await short.taken_back()
    (again,) = (await short.clear.claim("route", 1)).jobs
    assert again.id == event_id


async def test_a_lane_claims_no_more_than_there_is_room_for_and_sleeps_until_it_opens(
    queue: RedisEventQueue, exposed_queue: RedisEventQueue
) -> None:
    """Not until its next turn, and without turning round and round meanwhile."""
    ids = [await submit(queue, f"d{n}") for n in range(4)]
    looks: list[int] = []
    began = time.monotonic()

    def room(in_hand: int) -> tuple[int, float]:
        looks.append(in_hand)
        if in_hand < 2:
            return 2 - in_hand, 0.0
        opens_in_s = began + 0.2 - time.monotonic()
        return (1, 0.0) if in_hand == 2 and opens_in_s <= 0 else (0, opens_in_s if in_hand == 2 else 60.0)

    async with at_work(exposed_queue, forever, slots=8, room=room) as desk:
        assert [(await desk.next()).id for _ in range(3)] == ids[:3]
        waited_s = time.monotonic() - began
        assert desk.lane.active == 3
    assert 0.2 <= waited_s < 0.2 + lane_module.LOOK_EVERY_S / 2
    assert len(looks) < 10


async def test_a_lane_without_room_looks_again_when_it_is_told(queue: RedisEventQueue, exposed_queue: RedisEventQueue) -> None:
    await submit(queue, "d1")
    free = 0
    looked = asyncio.Event()

    def room(in_hand: int) -> tuple[int, float]:
        looked.set()
        return free - in_hand, 60.0

    async with at_work(exposed_queue, forever, room=room) as desk:
        await looked.wait()
        assert desk.hands.empty()
        free = 1
        began = time.monotonic()
        desk.lane.poke()
        await desk.next()
        assert time.monotonic() - began < lane_module.LOOK_EVERY_S / 2


IGNORED = Ending(EventState.IGNORED, "no rule wants it", texts={"rule": "none"})


async def test_events_whose_work_only_says_how_they_end_are_ended_with_it_while_others_are_worked_on(
    queue: RedisEventQueue, exposed_queue: RedisEventQueue, reader: EventReader, eventually: Any
) -> None:
    ids = [await submit(queue, f"d{n}") for n in range(2 * CLAIM_MAX + 5)]
    slow = ids[3]

    async def work(job: ClaimedJob) -> Ending | None:
        if job.id == slow:
            await forever(job)
        return IGNORED if int(job.id[:8], 16) % 2 else Ending(EventState.RESOLVED)

    async def all_but_the_slow_one_ended() -> bool:
        return [job.id for job in await reader.list_jobs(["route"])] == [slow]

    async with at_work(exposed_queue, work, slots=CLAIM_MAX) as desk:
        await eventually(all_but_the_slow_one_ended)
        assert [(await desk.next()).id for _ in ids] == ids
        assert desk.lane.active == 1
    ignored = await reader.event_detail(ids[0])
    assert ignored is not None
    assert ignored.state == "ignored"
    assert ignored.timeline[-1].what == "ignored: no rule wants it"
    assert await queue.client.hgetall(queue.keys.about(ids[0])) == {b"rule": b"none"}


async def test_while_jobs_in_hand_are_not_begun_more_are_claimed_by_whole_claims_only(
    queue: RedisEventQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(8 * CLAIM_MAX):
        await submit(queue, f"d{n}")
    claim, claimed = queue.claim, []

    async def noted(lane: str, most: int, *args: Any, **more: Any) -> Claim:
        found = await claim(lane, most, *args, **more)
        claimed.append(len(found.jobs))
        return found

    async def work(job: ClaimedJob) -> Ending:
        return IGNORED

    monkeypatch.setattr(queue, "claim", noted)
    async with at_work(queue, work, slots=2 * CLAIM_MAX) as desk:
        for _ in range(8 * CLAIM_MAX):
            await desk.next()
    assert [count for count in claimed if count] == [CLAIM_MAX] * 8


async def test_an_end_that_the_store_refuses_keeps_no_other_event_from_its_own(
    queue: RedisEventQueue, exposed_queue: RedisEventQueue, reader: EventReader, eventually: Any
) -> None:
    bad, *good = [await submit(queue, f"d{n}") for n in range(4)]
    await queue.client.set(queue.keys.about(bad), "not a hash")

    async def work(job: ClaimedJob) -> Ending:
        return IGNORED

    async def it_alone_waits() -> bool:
        return list(await queue.client.zrange(queue.keys.waiting("route"), 0, -1)) == [bad.encode()]

    async with at_work(exposed_queue, work, slots=8):
        await eventually(it_alone_waits)
    await queue.client.delete(queue.keys.about(bad))
    assert {event.id for event in await reader.list_events(EventFilter(state="ignored"))} == set(good)


async def test_a_cancelled_lane_writes_the_ends_it_was_told_and_hands_back_what_nobody_began(
    queue: RedisEventQueue, exposed_queue: RedisEventQueue, reader: EventReader
) -> None:
    ids = [await submit(queue, f"d{n}") for n in range(6)]

    async def work(job: ClaimedJob) -> Ending:
        if job.id == ids[2]:
            desk.running.cancel()
        return IGNORED

    async with at_work(exposed_queue, work, slots=6) as desk:
        await asyncio.wait([desk.running], timeout=20)
    assert {event.id for event in await reader.list_events(EventFilter(state="ignored"))} == set(ids)
    assert await reader.list_jobs(["route"]) == []


async def test_what_is_worked_on_next_begins_uncancelled_when_work_made_nothing_of_being_taken_away(
    queue: RedisEventQueue, exposed_queue: RedisEventQueue
) -> None:
    ids = [await submit(queue, f"d{n}") for n in range(4)]
    cancelled, hands = [], []

    async def work(job: ClaimedJob) -> Ending:
        task = asyncio.current_task()
        assert task is not None
        cancelled.append(task.cancelling())
        hands.append(task)
        if job.id == ids[0]:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        return IGNORED

    async with at_work(exposed_queue, work, slots=4) as desk:
        assert [(await desk.next()).id for _ in ids] == ids
        desk.lane.stop()
        await asyncio.wait_for(desk.running, 20)
    assert len(set(hands)) < 4
    assert cancelled == [0] * 4


async def test_work_that_is_taken_away_ends_and_its_lane_goes_on(
    exposed: Redis, namespace: str, queue: RedisEventQueue, reader: EventReader, eventually: Any
) -> None:
    ids = [await submit(queue, f"d{n}") for n in range(3)]

    async def work(job: ClaimedJob) -> Ending:
        if job.id == ids[0]:
            await forever(job)
        return IGNORED

    async def nothing_is_in_hand() -> bool:
        return desk.lane.active == 0

    async with at_work(RedisEventQueue(exposed, Keys(namespace), queue=QueueSettings(lease_s=0.3)), work) as desk:
        keeping = asyncio.create_task(desk.leases.run())
        first = await desk.next()
        assert await queue.cancel([first.id], by="ana")
        assert [(await desk.next()).id for _ in ids[1:]] == ids[1:]
        await eventually(nothing_is_in_hand)
        desk.lane.stop()
        await asyncio.wait_for(desk.running, 20)
        keeping.cancel()
    assert {event.id for event in await reader.list_events(EventFilter(state="ignored"))} == set(ids[1:])


async def stands(queue: RedisEventQueue) -> None:
    """Wait until a claim stands at the server."""
    async with asyncio.timeout(20):
        while not (await queue.client.info("clients"))["blocked_clients"]:
            await asyncio.sleep(0)


@pytest.fixture
def in_no_hurry(queue: RedisEventQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lane whose claims stand at the server, and that does nothing by itself."""
    monkeypatch.setattr(lane_module, "LOOK_EVERY_S", 1000.0)
    assert queue.standing is not None


STANDING = pytest.mark.parametrize("queue", ["standing"], indirect=True)


@STANDING
@pytest.mark.usefixtures("in_no_hurry")
async def test_a_lane_that_stops_while_its_claim_stands_ends_at_once_and_claims_nothing_after(queue: RedisEventQueue) -> None:
    async with at_work(queue, forever) as desk:
        await stands(queue)
        desk.lane.stop()
        await asyncio.wait_for(desk.running, 20)

        event_id = await submit(queue, "d1")
        assert [job.id for job in (await queue.claim("route", 4)).jobs] == [event_id]


@STANDING
@pytest.mark.usefixtures("in_no_hurry")
async def test_what_a_claim_brings_to_a_lane_that_was_shut_while_it_stood_goes_back(
    queue: RedisEventQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = asyncio.Event()
    release = queue.release

    async def released(*args: Any, **more: Any) -> bool:
        done = await release(*args, **more)
        back.set()
        return done

    monkeypatch.setattr(queue, "release", released)
    async with at_work(queue, forever) as desk:
        await stands(queue)
        desk.shut_for_s = 1000.0
        event_id = await submit(queue, "d1")
        await asyncio.wait_for(back.wait(), 20)

        assert desk.hands.empty()
        assert (await only_job(EventReader(queue.client, queue.keys))).tries == 0
        desk.shut_for_s = 0.0
        desk.lane.poke()
        assert (await desk.next()).id == event_id


@STANDING
@pytest.mark.usefixtures("in_no_hurry")
async def test_a_job_that_waits_for_a_time_is_begun_when_that_comes_though_the_claim_could_stand_longer(queue: RedisEventQueue) -> None:
    event_id = await submit(queue, "d1")
    (job,) = (await queue.claim("route", 1)).jobs
    await queue.release(job, delay_s=0.05)

    async with at_work(queue, forever) as desk:
        assert (await desk.next()).id == event_id


@STANDING
@pytest.mark.usefixtures("in_no_hurry")
async def test_room_that_comes_is_used_at_once_though_another_engine_was_told_of_the_work(queue: RedisEventQueue) -> None:
    event_id = await submit(queue, "d1")
    await queue.client.delete(queue.keys.bell("route"))
    answers = iter([(0, 1000.0)])

    async with at_work(queue, forever, room=lambda active: next(answers, (1, 0.0))) as desk:
        assert (await desk.next()).id == event_id


@STANDING
@pytest.mark.usefixtures("in_no_hurry")
async def test_when_all_jobs_in_hand_are_begun_more_are_claimed_though_none_has_ended(queue: RedisEventQueue) -> None:
    for n in range(CLAIM_MAX + 8):
        await submit(queue, f"d{n}")
    async with at_work(queue, forever, slots=2 * CLAIM_MAX) as desk:
        for _ in range(CLAIM_MAX + 8):
            await desk.next()
        event_id = await submit(queue, "one more")
        assert (await desk.next()).id == event_id


@STANDING
@pytest.mark.usefixtures("in_no_hurry")
async def test_a_job_that_is_put_off_for_a_moment_while_a_claim_stands_is_begun_when_its_time_comes(queue: RedisEventQueue) -> None:
    event_id = await submit(queue, "d1")
    (job,) = (await queue.claim("route", 1)).jobs
    await queue.client.delete(queue.keys.bell("route"))

    async with at_work(queue, forever) as desk:
        await stands(queue)
        await queue.release(job, delay_s=0.05)
        assert (await desk.next()).id == event_id


@pytest.mark.parametrize("fault", [ReadOnlyError, ResponseError])
async def test_a_store_that_refuses_claims_at_once_is_not_asked_in_a_circle(
    queue: RedisEventQueue, monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    claims = 0

    async def refused(*_: Any, **__: Any) -> Any:
        nonlocal claims
        claims += 1
        await asyncio.sleep(0)
        raise fault

    monkeypatch.setattr(lane_module, "LOOK_EVERY_S", 1000.0)
    monkeypatch.setattr(lane_module, "FAULT_DELAY_S", 1000.0)
    monkeypatch.setattr(queue, "claim", refused)
    async with at_work(queue, forever):
        for _ in range(200):
            await queue.client.ping()
        assert claims == 1
