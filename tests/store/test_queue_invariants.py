"""Whatever happens in whatever order: every job is in exactly the place its header says, and open events are in some lane."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from gitbridge_console.domain.events import FINISHED_STATES, EventState, IncomingEvent, Priority
from gitbridge_console.domain.tasks import TaskState
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.records import ClaimedJob, RoutePlan
from gitbridge_console.store.replies import table_of, text_of

pytestmark = pytest.mark.anyio

LANES = ("route", "claude", "grok", "chatgpt", "decide", "act")
PROVIDERS = LANES[1:4]
AT_REST = {state.value for state in FINISHED_STATES} | {EventState.AWAITING_APPROVAL.value}
PLACES = {"ready": "ready", "leased": "leased", "waiting": "waiting"}


class Chaos:
    """Random operators, workers and zombies on one queue."""

    def __init__(self, queue: RedisEventQueue, seed: int) -> None:
        self.queue = queue
        self.random = random.Random(seed)
        self.held: list[ClaimedJob] = []
        self.events: list[str] = []
        self.settled_fences: set[tuple[str, str]] = set()

    async def step(self) -> str:
        name = self.random.choice(
            [
                "submit",
                "submit",
                "claim",
                "claim",
                "claim",
                "work",
                "work",
                "work",
                "expire",
                "zombie",
                "cancel",
                "replay",
                "priority",
                "move",
                "pause",
                "approve",
            ]
        )
        await getattr(self, name)()
        return name

    async def submit(self) -> None:
        delivery = f"d{self.random.randrange(60)}"
        event = IncomingEvent(delivery, "push", b"{}", "chaos", priority=self.random.choice([None, *Priority]))
        found = await self.queue.enqueue(event)
        if found.status == "new":
            self.events.append(found.id)

    async def claim(self) -> None:
        self.held.extend((await self.queue.claim(self.random.choice(LANES), self.random.randint(1, 3), 30)).jobs)

    async def work(self) -> None:
        if not self.held:
            return
        job = self.held.pop(self.random.randrange(len(self.held)))
        if self.random.random() < 0.15:
            await self.queue.release(job, delay_s=self.random.choice([0, 60]), counted=self.random.random() < 0.5)
        elif job.is_task:
            await self._work_task(job)
        elif job.lane == "route":
            await self._route(job)
        elif job.lane == "decide" and self.random.random() < 0.2:
            await self.queue.widen(job, self.random.choice(PROVIDERS), note="one more")
        else:
            lane, state = self.random.choice(
                [
                    ("act", EventState.CONSENSUS_PENDING),
                    ("", EventState.RESOLVED),
                    ("", EventState.FAILED),
                    ("", EventState.AWAITING_APPROVAL),
                ]
            )
            await self.queue.hand_on(job, lane, state, cancel_waiting_seats=True, decision="{}")

    async def _work_task(self, job: ClaimedJob) -> None:
        way = self.random.random()
        if way < 0.25:
            await self.queue.retry_task(job, attempt="{}", delay_s=self.random.choice([0, 60]))
        elif way < 0.45:
            if await self.queue.retry_task(job, attempt="{}", candidates=[name for name in PROVIDERS if name != job.lane]) == "":
                self.held.append(job)
        else:
            done = await self.queue.settle_task(
                job, self.random.choice([TaskState.SUCCEEDED, TaskState.FAILED]), answer="{}", vote=self.random.random() < 0.7
            )
            if done:
                assert (job.id, job.fence) not in self.settled_fences, "settled twice under one fence"
                self.settled_fences.add((job.id, job.fence))

    async def _route(self, job: ClaimedJob) -> None:
        seats = tuple(self.random.sample(PROVIDERS, 2))
        plan = RoutePlan("code_review", Priority.NORMAL, seats, quorum=self.random.choice([1, 2]), grace_s=0, deadline_s=60, expires_s=600)
        if self.random.random() < 0.5:
            plan = replace(plan, subject=f"pr:{self.random.randrange(4)}", version=self.random.randrange(1, 9))
        await self.queue.route(job, plan)

    async def expire(self) -> None:
        """Half of all leases run out at once."""
        for lane in LANES:
            for job_id in await self.queue.client.zrange(self.queue.keys.leased(lane), 0, -1):
                if self.random.random() < 0.5:
                    await self.queue.client.zadd(self.queue.keys.leased(lane), {job_id: 1})
        await self.queue.recover()

    async def zombie(self) -> None:
        """A worker that lost its lease does its work all the same, and keeps the job for later."""
        if self.held:
            kept = list(self.held)
            await self.work()
            self.held = kept

    async def cancel(self) -> None:
        if self.events and self.random.random() < 0.3:
            await self.queue.cancel([self.random.choice(self.events)], by="chaos")

    async def replay(self) -> None:
        if self.events:
            await self.queue.replay([self.random.choice(self.events)], by="chaos")

    async def priority(self) -> None:
        if self.events:
            await self.queue.reprioritize(
                [self.random.choice(self.events)], self.random.choice(list(Priority)), front=self.random.random() < 0.3
            )

    async def move(self) -> None:
        source, target = self.random.sample(PROVIDERS, 2)
        await self.queue.move(source, target, by="chaos")

    async def pause(self) -> None:
        lane = self.random.choice(LANES)
        await self.queue.pause(lane, by="chaos", reason="x")
        assert (await self.queue.claim(lane, 5)).jobs == ()
        await self.queue.resume(lane, by="chaos")

    async def approve(self) -> None:
        if self.events:
            await self.queue.approve(self.random.choice(self.events), approve=self.random.random() < 0.5, by="chaos")

    async def check(self) -> None:
        """The invariant, over everything there is."""
        where: dict[str, list[tuple[str, str]]] = {}
        client, keys = self.queue.client, self.queue.keys
        for lane in LANES:
            for place, key in (("ready", keys.ready(lane)), ("leased", keys.leased(lane)), ("waiting", keys.waiting(lane))):
                for raw in await client.zrange(key, 0, -1):
                    where.setdefault(text_of(raw), []).append((place, lane))
        states = {}
        for state in EventState:
            for raw in await client.zrange(keys.state(state), 0, -1):
                assert text_of(raw) not in states, f"{text_of(raw)} is in two states"
                states[text_of(raw)] = state.value
        assert sorted(states) == sorted(self.events)
        for event_id in self.events:
            header = table_of(await client.hgetall(keys.job(event_id)))
            assert header["state"] == states[event_id]
            places = where.get(event_id, [])
            if header["st"] == "settled":
                assert places == []
                assert header["state"] in AT_REST
            else:
                assert places == [(PLACES[header["st"]], header["lane"])]
                assert header["state"] not in {state.value for state in FINISHED_STATES}
            for n in range(1, int(header["tasks"]) + 1):
                task = table_of(await client.hgetall(keys.job(f"{event_id}.{n}")))
                expected = [] if task["st"] == "settled" else [(PLACES[task["st"]], task["lane"])]
                assert where.get(f"{event_id}.{n}", []) == expected
                current = n >= int(header["first"])
                assert task["st"] == "settled" or current, "a seat of an earlier run is still wanted"


@pytest.mark.parametrize("seed", range(8))
async def test_the_invariant_holds_after_every_step(queue: RedisEventQueue, seed: int) -> None:
    chaos = Chaos(queue, seed)
    done: list[str] = []
    for _ in range(250):
        done.append(await chaos.step())
        try:
            await chaos.check()
        except AssertionError as error:
            raise AssertionError(f"{error} after {done[-6:]}") from error
