"""One claim, one attempt: what becomes of a seat when its provider cannot be asked, fails, or is asked in vain."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis

from gitbridge_console.domain.event_views import EventDetail, TaskDetail
from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.domain.failures import Failure, FailureClass
from gitbridge_console.domain.tasks import Attempt, TaskState
from gitbridge_console.domain.timestamps import ms_from_iso
from gitbridge_console.providers.base import ProviderError, ProviderReply, ProviderRequest, Usage
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.decision_stage import DecisionStage
from gitbridge_console.router.event_router import EventRouter
from gitbridge_console.router.guards import Question, Refusal
from gitbridge_console.router.task_processor import TaskProcessor
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.routing import RetrySettings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.outcomes import OutcomeStore
from gitbridge_console.store.reader import EventReader
from gitbridge_console.store.records import ASKED, ClaimedJob, RoutePlan
from gitbridge_console.store.trouble import StoreTrouble

pytestmark = pytest.mark.anyio

PUBLISHED = json.dumps({"action": "published", "repository": {"id": 1, "full_name": "acme/shop"}}).encode()
NOTED = json.dumps({"summary": "s", "verdict": "noted", "abstain_reason": None})
PLAN = RoutePlan("general", Priority.NORMAL, ("grok",), quorum=1, grace_s=0, deadline_s=120, expires_s=3600)
ATTEMPT = Attempt(
    provider="grok", model="m", started_at="2026-11-22T21:00:00Z", latency_ms=1, outcome="transient", verdict="retry"
).model_dump_json()
PROVIDERS = ("claude", "grok", "chatgpt")
LOOKS_MAX = 20_000
"""Bound of every wait for what is due within a second or two; each look is a round trip."""


class Told:
    """A provider that says what it is told to, and counts how often it was asked."""

    def __init__(self, name: str) -> None:
        self.name = self.model = name
        self.calls = 0
        self.prompts: list[str] = []
        self.says: Callable[[], Awaitable[str]] = self.noted

    async def noted(self) -> str:
        return NOTED

    async def ask(self, request: ProviderRequest, *, timeout_s: float) -> ProviderReply:
        self.calls += 1
        self.prompts.append(request.prompt)
        return ProviderReply(await self.says(), self.model, "stop", Usage(), None, 200, 1.0, 1.0)

    async def list_models(self, *, timeout_s: float = 10.0) -> list[str]:
        return [self.model]

    async def aclose(self) -> None:
        return None


class Meanwhile(EventReader):
    """Lets something happen between the reading of a panel and what follows from it."""

    happens: Callable[[], Awaitable[Any]] | None = None

    async def panel(self, event_id: str, header: Any) -> list[TaskDetail]:
        panel = await super().panel(event_id, header)
        if self.happens is not None:
            await self.happens()
        return panel


class Seats:
    """Events with one seat, and the stages that work on them, taken by hand step by step."""

    def __init__(self, queue: RedisEventQueue, client: Redis, metrics: Metrics, settings: Settings, clock: Any) -> None:
        self.queue, self.settings, self.clock, self.metrics = queue, settings, clock, metrics
        self.providers = {name: Told(name) for name in PROVIDERS}
        self.router = AIRouter(settings, self.providers, clock=clock, seed=1)
        self.reader = Meanwhile(client, queue.keys)
        self.events = EventRouter(queue, self.router, metrics, lambda: self.settings)
        self.tasks = TaskProcessor(queue, self.router, metrics, StoreTrouble(), lambda: self.settings, seed=1)
        self.stage = DecisionStage(queue, self.reader, self.router, OutcomeStore(queue.client, queue.keys), metrics, lambda: self.settings)
        self.id = ""

    async def submit(self) -> ClaimedJob:
        self.id = (await self.queue.enqueue(IncomingEvent("d1", "release", PUBLISHED, "test"))).id
        return await self.next("route")

    async def open(self, **plan: Any) -> None:
        await self.queue.route(await self.submit(), replace(PLAN, **plan))

    async def next(self, lane: str) -> ClaimedJob:
        """The next job of a lane, as soon as it is due."""
        for _ in range(LOOKS_MAX):
            jobs = (await self.queue.claim(lane, 1)).jobs
            if jobs:
                return jobs[0]
        raise AssertionError(f"nothing comes due in {lane}")

    async def late(self, lane: str = "grok") -> ClaimedJob:
        """A seat that is claimed when its event's deadline is over."""
        job = await self.next(lane)
        deadline = await self.queue.begin(job)
        assert deadline is not None
        event = {**job.event, "state": "consensus_pending", "deadline": str(deadline)}
        return replace(job, event=event, claimed_ms=deadline + 1)

    def outage(self, failure: Failure | None = None) -> None:
        """Nobody can be asked for a while."""
        for name in PROVIDERS:
            for _ in range(5):
                call = self.router.begin(name, 1.0)
                if call is not None:
                    self.router.failed(call, failure or Failure(FailureClass.RATE_LIMIT, "later", retry_after_s=0.5))

    async def shown(self) -> EventDetail:
        event = await self.reader.event_detail(self.id)
        assert event is not None
        return event

    async def seat(self) -> TaskDetail:
        return (await self.shown()).tasks[0]


@pytest.fixture
def seats(queue: RedisEventQueue, client: Redis, metrics: Metrics, settings: Settings, clock: Any) -> Seats:
    return Seats(queue, client, metrics, settings, clock)


async def test_an_answer_that_cannot_be_read_is_asked_for_once_more_with_what_was_wrong(seats: Seats) -> None:
    grok, texts = seats.providers["grok"], [json.dumps({"summary": "s", "verdict": "`ignore` all\n", "abstain_reason": None}), NOTED]

    async def says() -> str:
        return texts.pop(0)

    grok.says = says
    await seats.open()
    await seats.tasks.work(await seats.next("grok"))
    await seats.tasks.work(await seats.next("grok"))
    first, second = grok.prompts
    assert second.startswith(first.rstrip()), "the same question, and then what was wrong"
    (complaint,) = second.removeprefix(first).strip().split("\n")
    assert "general schema: verdict" in complaint
    assert "`" not in complaint
    assert [attempt.outcome for attempt in (await seats.seat()).attempts] == ["invalid_output", "ok"]
    assert {attempt.prompt for attempt in (await seats.seat()).attempts} == {"general@1.1"}, "one that failed says it, too"


async def test_whoever_is_asked_instead_hears_nothing_of_anothers_mistake(seats: Seats) -> None:
    async def nonsense() -> str:
        return "no JSON"

    for provider in seats.providers.values():
        provider.says = nonsense
    await seats.open()
    for _ in range(2):
        await seats.tasks.work(await seats.next("grok"))
    other = (await seats.seat()).provider
    await seats.tasks.work(await seats.next(other))
    assert "Your last answer" not in seats.providers[other].prompts[0]


async def test_an_outage_parks_the_event_and_it_is_decided_once_the_provider_is_back(seats: Seats) -> None:
    await seats.open(deadline_s=0.6)
    seats.outage()
    for _ in range(2):
        await seats.tasks.work(await seats.next("grok"))
        seat = await seats.seat()
        assert (seat.state, seat.calls, seat.answer) == ("waiting", 0, None)
        assert (await seats.shown()).state == "parked", "and stays so: that its seat was looked at is no progress"
    seats.clock.now = 10.0
    await seats.tasks.work(await seats.next("grok"))
    assert (await seats.shown()).state == "consensus_pending"
    await seats.stage.work(await seats.next("decide"))
    event = await seats.shown()
    assert (event.state, event.tasks[0].state, event.tasks[0].calls) == ("resolved", "succeeded", 1)
    assert event.decision is not None
    assert event.decision.verdict == "noted"


@pytest.mark.parametrize("cls", [FailureClass.RATE_LIMIT, FailureClass.TRANSIENT])
async def test_a_seat_nobody_could_be_asked_for_by_the_deadline_is_kept(seats: Seats, cls: FailureClass) -> None:
    await seats.open()
    seats.outage(Failure(cls, "not now"))
    await seats.tasks.work(await seats.late())
    seat = await seats.seat()
    assert (seat.state, seat.answer, seats.providers["grok"].calls) == ("waiting", None, 0)
    assert seat.deliveries == 0


async def test_a_seat_that_came_too_late_to_be_asked_has_failed_while_its_provider_is_there(seats: Seats) -> None:
    await seats.open()
    await seats.tasks.work(await seats.late())
    seat = await seats.seat()
    assert (seat.state, seats.providers["grok"].calls) == ("failed", 0)
    assert seat.answer is not None
    assert "deadline" in seat.answer.reason


async def test_a_seat_that_was_asked_before_has_failed_at_the_deadline_outage_or_not(seats: Seats) -> None:
    await seats.open()
    await seats.queue.retry_task(await seats.next("grok"), attempt=ATTEMPT)
    seats.outage()
    await seats.tasks.work(await seats.late())
    assert (await seats.seat()).state == "failed"


async def test_a_seat_whose_provider_comes_back_only_by_an_operator_is_kept_for_that(seats: Seats) -> None:
    await seats.open()
    seats.outage(Failure(FailureClass.CREDENTIAL, "the key was revoked"))
    await seats.tasks.work(await seats.late())
    assert (await seats.seat()).state == "waiting"


async def test_nobody_eligible_parks_the_event_and_says_when_the_next_chance_comes(seats: Seats) -> None:
    await seats.open()
    seats.outage(Failure(FailureClass.RATE_LIMIT, "later", retry_after_s=600))
    job = await seats.next("grok")
    await seats.tasks.work(job)
    event = await seats.shown()
    assert (event.state, event.tasks[0].state) == ("parked", "waiting")
    assert event.next_chance is not None
    assert abs(ms_from_iso(event.next_chance) - job.claimed_ms - 600_000) < 5_000
    seats.clock.now = 601.0
    await seats.tasks.work(replace(await taken(seats, "grok"), claimed_ms=job.claimed_ms + 601_000))
    assert (await seats.shown()).next_chance is None, "it is over"


async def test_nobody_eligible_for_an_unknown_time_parks_without_a_time(seats: Seats) -> None:
    await seats.open()
    seats.outage(Failure(FailureClass.CREDENTIAL, "the key was revoked"))
    await seats.tasks.work(await seats.next("grok"))
    event = await seats.shown()
    assert (event.state, event.tasks[0].state, event.next_chance) == ("parked", "waiting", None)


async def test_a_short_wait_for_its_own_provider_is_waited_in_the_lane(seats: Seats) -> None:
    await seats.open()
    call = seats.router.begin("grok", 1.0)
    assert call is not None
    seats.router.failed(call, Failure(FailureClass.RATE_LIMIT, "later", retry_after_s=4))
    await seats.tasks.work(await seats.next("grok"))
    seat = await seats.seat()
    assert (seat.provider, seat.state, seat.deliveries) == ("grok", "waiting", 0)


async def taken(seats: Seats, lane: str) -> ClaimedJob:
    """The one waiting job of a lane, whose time is made to have come."""
    keys = seats.queue.keys
    ((job_id, _),) = await seats.queue.client.zrange(keys.waiting(lane), 0, -1, withscores=True)
    await seats.queue.client.zadd(keys.waiting(lane), {job_id: 1})
    return await seats.next(lane)


async def test_while_one_provider_is_out_another_takes_its_seat(seats: Seats) -> None:
    await seats.open()
    call = seats.router.begin("grok", 1.0)
    assert call is not None
    seats.router.failed(call, Failure(FailureClass.RATE_LIMIT, "later", retry_after_s=60))
    await seats.tasks.work(await seats.next("grok"))
    seat = await seats.seat()
    assert (seat.state, seat.seat, seats.providers["grok"].calls) == ("queued", "grok", 0)
    assert seat.provider in ("claude", "chatgpt")


def failing(seats: Seats, name: str, cls: FailureClass) -> None:
    async def says() -> str:
        raise ProviderError(Failure(cls, "not this time"))

    seats.providers[name].says = says


def asked_once(job: ClaimedJob) -> ClaimedJob:
    """The seat of a provider that was asked before, so that the next failure is its last here."""
    return replace(job, header={**job.header, "ca": "1", "ca:grok": "1"})


async def test_a_provider_that_was_asked_as_often_as_may_be_is_not_failed_over_to(seats: Seats) -> None:
    await seats.open()
    failing(seats, "grok", FailureClass.SILENT)
    for name in ("claude", "chatgpt"):
        seats.router.states[name].disabled = "no credit"
    job = await seats.next("grok")
    header = {**job.header, "ca": "2", "ca:claude": "2", "ca:grok": "1"}
    seats.router.states["claude"].disabled = ""
    await seats.tasks.work(replace(job, header=header))
    seat = await seats.seat()
    assert (seat.state, seat.attempts[-1].verdict) == ("failed", "give_up")


async def test_who_was_not_asked_yet_is_failed_over_to_before_who_was(seats: Seats) -> None:
    async def too_long() -> str:
        raise ProviderError(Failure(FailureClass.TOO_LARGE, "context too long", http_status=400))

    for name in ("grok", "claude"):
        seats.providers[name].says = too_long
    await seats.open()
    for lane in ("grok", "claude", "chatgpt"):
        await seats.tasks.work(await seats.next(lane))
    assert (await seats.seat()).state == "succeeded"


async def test_when_all_others_are_shut_the_seat_waits_for_the_first_that_is_back(seats: Seats) -> None:
    await seats.open()
    failing(seats, "grok", FailureClass.SILENT)
    for name, wait_s in (("claude", 60), ("chatgpt", 30)):
        call = seats.router.begin(name, 1.0)
        assert call is not None
        seats.router.failed(call, Failure(FailureClass.RATE_LIMIT, "later", retry_after_s=wait_s))
    await seats.tasks.work(asked_once(await seats.next("grok")))
    seat = await seats.seat()
    assert (seat.provider, seat.state, seat.attempts[-1].verdict) == ("chatgpt", "queued", "park")
    seats.clock.now = 31.0
    await seats.tasks.work(await seats.next("chatgpt"))
    assert (await seats.seat()).state == "succeeded"


async def test_who_is_back_only_after_the_deadline_is_not_waited_for(seats: Seats) -> None:
    await seats.open(deadline_s=20)
    failing(seats, "grok", FailureClass.SILENT)
    for name in ("claude", "chatgpt"):
        call = seats.router.begin(name, 1.0)
        assert call is not None
        seats.router.failed(call, Failure(FailureClass.RATE_LIMIT, "later", retry_after_s=30))
    await seats.tasks.work(asked_once(await seats.next("grok")))
    assert (await seats.seat()).state == "failed"


def read_at_most(seats: Seats, tokens: int, *names: str) -> None:
    for name in names:
        state = seats.router.states[name]
        state.settings = state.settings.model_copy(update={"context_tokens": tokens, "max_output_tokens": 100})


async def test_a_question_that_does_not_fit_is_not_asked_and_goes_to_one_who_can_read_it(seats: Seats) -> None:
    await seats.open()
    read_at_most(seats, 150, "grok", "claude")
    await seats.tasks.work(await seats.next("grok"))
    seat = await seats.seat()
    assert (seat.state, seat.provider, seats.providers["grok"].calls) == ("queued", "chatgpt", 0)
    assert not seat.attempts


async def test_a_seat_whose_provider_leaves_the_settings_while_its_question_is_made_goes_to_another(
    seats: Seats, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = seats.tasks._prompt

    async def make_meanwhile(job: ClaimedJob, limit: int) -> Any:
        made = await make(job, limit)
        del seats.router.states["grok"]
        return made

    await seats.open()
    monkeypatch.setattr(seats.tasks, "_prompt", make_meanwhile)
    await seats.tasks.work(await seats.next("grok"))
    assert (await seats.shown()).tasks[0].provider != "grok"


async def test_a_seat_nobody_can_read_for_ends_without_a_call(seats: Seats) -> None:
    await seats.open()
    read_at_most(seats, 150, *PROVIDERS)
    await seats.tasks.work(await seats.next("grok"))
    seat = await seats.seat()
    assert (seat.state, sum(provider.calls for provider in seats.providers.values())) == ("failed", 0)
    assert seat.answer is not None
    assert "do not fit its context of 150" in seat.answer.reason


async def test_an_event_nobody_can_read_fails_at_once_and_says_why(seats: Seats) -> None:
    read_at_most(seats, 150, *PROVIDERS)
    await seats.events.route(await seats.submit())
    event = await seats.shown()
    assert event.error is not None
    assert (event.state, event.error.cls, event.error.code) == ("failed", "too_large", "ERR_ROUTING_006")
    assert "do not fit its context of 150" in event.error.message


async def test_an_attempt_that_is_cancelled_gives_its_place_back_and_counts_for_nothing(seats: Seats) -> None:
    await seats.open()
    asked = asyncio.Event()

    async def says() -> str:
        asked.set()
        await asyncio.Event().wait()
        return NOTED

    seats.providers["grok"].says = says
    work = asyncio.create_task(seats.tasks.work(await seats.next("grok")))
    await asked.wait()
    assert seats.router.states["grok"].in_flight == 1
    work.cancel()
    await asyncio.wait([work])
    assert work.cancelled()
    assert seats.router.states["grok"].in_flight == 0
    assert seats.router.gate("grok").open
    assert (await seats.seat()).attempts == ()


@pytest.mark.parametrize("cancelled_by", ["an operator", "a decision"])
async def test_a_failed_attempt_for_an_event_that_is_over_leads_to_no_further_one(seats: Seats, cancelled_by: str) -> None:
    await seats.open(lanes=("grok", "claude"))

    async def says() -> str:
        if cancelled_by == "an operator":
            await seats.queue.cancel([seats.id], by="ana")
        else:
            await seats.queue.settle_task(await seats.next("claude"), TaskState.SUCCEEDED, answer="", vote=True)
            await seats.queue.hand_on(await seats.next("decide"), "", EventState.RESOLVED)
        raise ProviderError(Failure(FailureClass.TRANSIENT, "502"))

    seats.providers["grok"].says = says
    await seats.tasks.work(await seats.next("grok"))
    assert (await seats.seat()).state == "cancelled"
    lanes = (await seats.queue.stats(PROVIDERS)).lanes
    assert [lanes[name].ready + lanes[name].waiting + lanes[name].leased for name in PROVIDERS] == [0, 0, 0]


async def test_an_answer_that_comes_while_the_event_is_being_parked_is_decided_on_at_once(seats: Seats) -> None:
    await seats.open(deadline_s=0.6)
    job = await seats.next("grok")
    await seats.queue.begin(job)

    async def answered() -> None:
        seats.reader.happens = None
        await seats.tasks.work(job)

    seats.reader.happens = answered
    await seats.stage.work(await seats.next("decide"))
    assert (await seats.seat()).state == "succeeded"
    (again,) = (await seats.queue.claim("decide", 1)).jobs
    await seats.stage.work(again)
    assert (await seats.shown()).state == "resolved"


async def test_an_event_sent_to_the_front_in_an_outage_is_parked_not_expired(seats: Seats) -> None:
    seats.outage()
    job = await seats.submit()
    await seats.queue.release(job)
    await seats.queue.reprioritize([seats.id], Priority.NORMAL, front=True)
    await seats.events.route(await seats.next("route"))
    assert (await seats.shown()).state == "parked"


async def test_an_outage_that_outlasts_the_limit_fails_the_event_and_a_replay_counts_from_anew(seats: Seats) -> None:
    seats.outage()
    first = await seats.submit()
    expires_ms = round(seats.settings.queue.expires_s * 1000)
    await seats.events.route(replace(first, claimed_ms=first.claimed_ms + expires_ms + 50))
    event = await seats.shown()
    assert (event.state, event.error and event.error.cls) == ("failed", "no_provider")
    for _ in range(LOOKS_MAX):
        if (await seats.queue.stats()).now_ms > first.claimed_ms + 50:
            break
    await seats.queue.replay([seats.id], by="ana")
    again = await seats.next("route")
    # By the clock of the first run the limit would be over; by that of the second it is not.
    await seats.events.route(replace(again, claimed_ms=first.claimed_ms + expires_ms + 25))
    assert (await seats.shown()).state == "parked"


class Limit:
    """A guard that lets nothing through for a while."""

    def __init__(self, retry_in_s: float | None) -> None:
        self.retry_in_s = retry_in_s

    async def reserve(self, question: Question) -> Refusal:
        return Refusal("at its limit", self.retry_in_s)


def limited(seats: Seats, retry_in_s: float | None) -> TaskProcessor:
    return TaskProcessor(seats.queue, seats.router, seats.metrics, StoreTrouble(), lambda: seats.settings, guards=(Limit(retry_in_s),))


async def test_a_seat_held_back_by_a_limit_goes_to_who_can_be_asked_at_once(seats: Seats) -> None:
    await seats.open()
    await limited(seats, 5.0).work(await seats.next("grok"))
    assert (await seats.seat()).provider in ("claude", "chatgpt")


async def test_a_seat_held_back_for_a_moment_stays_where_it_is(seats: Seats) -> None:
    await seats.open()
    await limited(seats, 0.3).work(await seats.next("grok"))
    assert ((await seats.seat()).provider, (await seats.seat()).state) == ("grok", "waiting")


async def test_where_the_others_are_at_their_limits_too_it_waits_in_its_lane_just_as_long(seats: Seats) -> None:
    await seats.open()
    seats.router.room = lambda name: (0, 3.0)
    await limited(seats, 0.3).work(await seats.next("grok"))
    (job,) = await seats.reader.list_jobs(["grok"])
    assert job.due_in_s is not None
    assert 0 < job.due_in_s <= 0.3
    assert (job.tries, (await seats.shown()).state) == (0, "routed"), "nobody is told of a moment"
    await limited(seats, 5.0).work(await seats.next("grok"))
    (job,) = await seats.reader.list_jobs(["grok"])
    assert job.due_in_s is not None
    assert 4 < job.due_in_s <= 5
    assert (await seats.shown()).state == "parked"


async def test_what_only_an_operator_can_lift_is_waited_for_parked(seats: Seats) -> None:
    await seats.open()
    seats.router.room = lambda name: (0, 3.0)
    await limited(seats, None).work(await seats.next("grok"))
    assert ((await seats.seat()).state, seats.providers["grok"].calls) == ("waiting", 0)
    assert (await seats.shown()).state == "parked"


async def bad_gateway() -> str:
    raise ProviderError(Failure(FailureClass.TRANSIENT, "502"))


def spend_the_budget(seats: Seats) -> None:
    for _ in range(5):
        seats.router.states["grok"].retries.failed()


async def test_without_leave_of_the_retry_budgets_a_failed_call_goes_elsewhere(seats: Seats) -> None:
    seats.providers["grok"].says = bad_gateway
    await seats.open()
    spend_the_budget(seats)
    await seats.tasks.work(await seats.next("grok"))
    seat = await seats.seat()
    assert (seat.calls, seat.attempts[0].verdict) == (1, "fail_over")
    assert seat.provider in ("claude", "chatgpt")
    assert seats.router.repeats.counts(0.0) == (1, 0), "a first failover is no repetition"


async def test_without_leave_and_alone_a_provider_gets_the_call_again_after_the_longest_pause(seats: Seats) -> None:
    seats.providers["grok"].says = bad_gateway
    await seats.open()
    for name in ("claude", "chatgpt"):
        seats.router.states[name].disabled = "out"
    spend_the_budget(seats)
    await seats.tasks.work(await seats.next("grok"))
    (job,) = await seats.reader.list_jobs(["grok"])
    assert job.due_in_s is not None
    assert 7 < job.due_in_s <= 8


async def test_failovers_after_the_first_are_booked_as_repetitions(seats: Seats) -> None:
    for provider in seats.providers.values():
        provider.says = bad_gateway
    seats.settings = seats.settings.model_copy(update={"retry": RetrySettings(attempts_per_provider_max=1)})
    await seats.open()
    for calls, repeats, verdict in ((1, 0, "fail_over"), (2, 1, "fail_over"), (3, 1, "give_up")):
        await seats.tasks.work(await seats.next((await seats.seat()).provider))
        assert (await seats.seat()).attempts[-1].verdict == verdict
        assert seats.router.repeats.counts(0.0) == (calls, repeats)


async def test_a_retry_is_booked_as_a_repetition(seats: Seats) -> None:
    seats.providers["grok"].says = bad_gateway
    await seats.open()
    await seats.tasks.work(await seats.next("grok"))
    assert (await seats.seat()).attempts[0].verdict == "retry"
    assert seats.router.repeats.counts(0.0) == (1, 1)


async def test_just_the_panel_an_operator_asked_for_is_put_to_an_event_made_from_another(seats: Seats) -> None:
    """Its kind would ask one provider, and not these."""
    first = await seats.queue.enqueue(IncomingEvent("d1", "release", PUBLISHED, "test"))
    await seats.queue.cancel([first.id], by="ana")
    asked = {ASKED: "chatgpt, claude"}
    again = await seats.queue.enqueue(IncomingEvent("edit", "release", PUBLISHED, "edit by ana"), edited_from=first.id, texts=asked)
    await seats.events.route(await seats.next("route"))
    event = await seats.reader.event_detail(again.id)
    assert event is not None
    assert sorted(task.provider for task in event.tasks) == ["chatgpt", "claude"]
    assert "asked for by an operator: chatgpt, claude" in event.routing
