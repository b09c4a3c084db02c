"""Random operators, workers and zombies on one queue, and the audit that must hold after each of their steps."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from gitbridge_console.domain.events import FINISHED_STATES, EventState, IncomingEvent, Priority
from gitbridge_console.domain.tasks import TaskState
from gitbridge_console.settings.model import QueueSettings, RetentionSettings
from gitbridge_console.settings.routing import RetrySettings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.keys import BELOW_LONG_MEMBER, Keys
from gitbridge_console.store.records import BackPressure, ClaimedJob, Closure, RoutePlan, Seat
from gitbridge_console.store.replies import text_of
from tests.headers import header

PROVIDERS = ("claude", "grok", "chatgpt")
LANES = ("route", *PROVIDERS, "decide", "act")
AT_REST = sorted({state.value for state in FINISHED_STATES} | {EventState.AWAITING_APPROVAL.value})
ENDS = (EventState.CONSENSUS_PENDING, EventState.RESOLVED, EventState.FAILED, EventState.AWAITING_APPROVAL)
CAP = 2
"""Most leased tasks of one repository in a lane; claims sometimes ask for it and sometimes do not."""

AUDIT = (Path(__file__).parent / "queue_audit.lua").read_text("utf-8")


class QueueModel:
    """One queue under random treatment. Every method is one step; ``audit`` follows each."""

    def __init__(self, client: Redis, namespace: str, seed: int) -> None:
        self.queue = RedisEventQueue(
            client,
            Keys(namespace),
            queue=QueueSettings(max_waiting=25, aging_ms=1, repository_max=CAP),
            retry=RetrySettings(deliveries_max=6),
            retention=RetentionSettings(finished_s=0.001),
        )
        self.random = random.Random(seed)
        self.held: list[ClaimedJob] = []
        self.events: dict[str, None] = {}
        self.completed: set[tuple[str, str]] = set()
        self.forgotten = 0
        self.counts = {"shed": 0, "refused": 0, "superseded": 0, "stale": 0, "claimed": 0, "hedged": 0}
        self._passed_over: dict[tuple[str, str], int] = {}
        self._delivery = 0

    STEPS = (
        *("submit",) * 6,
        *("claim",) * 6,
        *("work",) * 8,
        *("zombie",) * 2,
        *("hedge",) * 2,
        *("cancel", "replay", "priority", "move", "move_on", "pause", "drain", "approve", "expire", "begin", "extend", "age", "trim"),
    )

    async def step(self) -> str:
        """Do something; says what."""
        name = self.random.choice(self.STEPS)
        await getattr(self, name)()
        return name

    def _any_event(self) -> str:
        return self.random.choice(list(self.events)[-40:]) if self.events else "0000000000"

    async def submit(self) -> None:
        """New deliveries mostly, of few repositories; some are seen again."""
        if self.random.random() < 0.8:
            self._delivery += 1
        event = IncomingEvent(f"d{self._delivery}", "push", b"{}", "chaos", priority=self.random.choice([None, *Priority]))
        try:
            found = await self.queue.enqueue(event, repository=f"r{self.random.randrange(3)}")
        except BackPressure:
            self.counts["refused"] += 1
            return
        self.counts["shed"] += found.status == "shed"
        self.events[found.id] = None

    async def claim(self) -> None:
        """Claims come in order, and what stays in the lane is not before them; a paused lane gives nothing."""
        lane, queue = self.random.choice(LANES), self.queue
        capped = lane in PROVIDERS and self.random.random() < 0.5
        claim = await queue.claim(lane, self.random.randint(1, 4), 30, repository_max=CAP if capped else 0)
        places = [int(job.header["pr"]) * 2**43 + int(job.header["ms"]) for job in claim.jobs]
        head = await queue.client.zrange(queue.keys.ready(lane), 0, 0, withscores=True)
        if not capped and places and head:
            assert max(self._aged(place) for place in places) <= head[0][1], f"{lane}: {head[0][0]!r} was passed over"
        assert places == sorted(places) or queue.settings.aging_ms
        self.held.extend(claim.jobs)
        self.counts["claimed"] += len(claim.jobs)
        if capped:
            for job in claim.jobs:
                key = f"{queue.keys.tag}:k:{lane}:{job.header['rp']}"
                assert await queue.client.scard(key) <= CAP, "more of one repository than its cap"

    @staticmethod
    def _aged(place: int) -> int:
        """The least score a job may have stood at: in the class ``high``, once aged."""
        return min(place, int(Priority.HIGH) * 2**43 + place % 2**43)

    async def work(self) -> None:
        """Finish something that was claimed, one way or another."""
        if not self.held:
            return
        job = self.held.pop(self.random.randrange(len(self.held)))
        if self.random.random() < 0.15:
            delay_s = self.random.choice([0, 0, 60])
            await self.queue.release(job, delay_s=delay_s, counted=self.random.random() < 0.5)
        elif job.is_task:
            await self._work_task(job)
        elif job.lane == "route":
            await self._route(job)
        elif job.lane == "decide":
            await self._decide(job)
        else:
            self._once(job, await self.queue.hand_on(job, "", self.random.choice([EventState.RESOLVED, EventState.FAILED])))

    def _once(self, job: ClaimedJob, done: bool) -> None:
        if not done:
            self.counts["stale"] += 1
            return
        assert (job.id, job.fence) not in self.completed, f"{job.id} was completed twice under one fence"
        self.completed.add((job.id, job.fence))

    async def _decide(self, job: ClaimedJob) -> None:
        way = self.random.random()
        if way < 0.2:
            done = await self.queue.widen(job, Seat(self.random.choice(PROVIDERS)), note="one more")
        elif way < 0.4:
            done = await self.queue.hand_on(job, "decide", EventState.PARKED, delay_s=60)
        else:
            ends = [
                ("act", EventState.CONSENSUS_PENDING),
                ("", EventState.RESOLVED),
                ("", EventState.FAILED),
                ("", EventState.AWAITING_APPROVAL),
            ]
            lane, state = self.random.choice(ends)
            done = await self.queue.hand_on(job, lane, state, cancel_waiting_seats=True, decision='{"x": 1}')
        self._once(job, done)

    async def _work_task(self, job: ClaimedJob) -> None:
        way = self.random.random()
        if way < 0.05:
            await self.queue.book_attempt(job, f'{{"cancelled": {self.random.random()}}}')
            self.held.append(job)
        elif way < 0.25:
            await self.queue.retry_task(job, attempt=f'{{"n": {self.random.random()}}}', delay_s=self.random.choice([0, 60]))
        elif way < 0.45:
            others = [name for name in PROVIDERS if name != job.lane]
            if await self.queue.retry_task(job, attempt="{}", candidates=others) == "":
                self.held.append(job)
        else:
            state = self.random.choice([TaskState.SUCCEEDED, TaskState.FAILED])
            self._once(job, await self.queue.settle_task(job, state, answer='{"a": 1}', attempt="{}", vote=self.random.random() < 0.7))

    async def _route(self, job: ClaimedJob) -> None:
        seats = tuple(self.random.sample(PROVIDERS, 2))
        priority = self.random.choice([Priority.NORMAL, Priority.BULK])
        plan = RoutePlan("code_review", priority, seats, quorum=self.random.choice([1, 2]), grace_s=0, deadline_s=60, expires_s=600)
        if self.random.random() < 0.6:
            plan = replace(plan, subject=f"pr:{self.random.randrange(4)}", version=self.random.randrange(1, 9))
        outcome, other = await self.queue.route(job, plan)
        self.counts["superseded"] += outcome == "superseded" or other is not None
        self._once(job, outcome != "lost")

    async def expire(self) -> None:
        """Half of all leases run out at once; what is taken back keeps its priority and place in line."""
        client, keys = self.queue.client, self.queue.keys
        lost: dict[str, tuple[str, str]] = {}
        for lane in LANES:
            for raw in await client.zrangebyscore(keys.leased(lane), "-inf", BELOW_LONG_MEMBER):
                if self.random.random() < 0.5:
                    await client.zadd(keys.leased(lane), {raw: 1})
                    lost[text_of(raw)] = await self._place(text_of(raw))
        await self.queue.recover()
        for job_id, before in lost.items():
            assert await self._place(job_id) == before, f"{job_id} lost its place"

    async def _place(self, job_id: str) -> tuple[str, str]:
        found = await header(self.queue, job_id)
        return found["pr"], found["ms"]

    async def zombie(self) -> None:
        """A worker that lost its lease does its work all the same, and keeps the job for later."""
        kept = list(self.held)
        await self.work()
        self.held = kept[-60:]

    async def begin(self) -> None:
        """Some seats' providers are asked."""
        for job in self.random.sample(self.held, min(3, len(self.held))):
            if job.is_task:
                await self.queue.begin(job)

    async def extend(self) -> None:
        """All leases at once, zombies' too."""
        await self.queue.extend([(job.id, job.fence) for job in self.held])

    async def cancel(self) -> None:
        """Some event, wherever it is."""
        if self.random.random() < 0.3:
            await self.queue.cancel([self._any_event()], by="chaos")

    async def replay(self) -> None:
        """What is replayed keeps its priority."""
        event_id = self._any_event()
        before = (await header(self.queue, event_id)).get("pr")
        await self.queue.replay([event_id], by="chaos")
        assert (await header(self.queue, event_id)).get("pr") == before

    async def priority(self) -> None:
        """Another class, sometimes to its front."""
        await self.queue.reprioritize([self._any_event()], self.random.choice(list(Priority)), front=self.random.random() < 0.3)

    async def move(self) -> None:
        """A failover by hand."""
        source, target = self.random.sample(PROVIDERS, 2)
        await self.queue.move(source, target, by="chaos")

    async def move_on(self) -> None:
        """A lane is shut: some or all of its work goes to who is free, and the rest parks; what moves keeps its place."""
        source, *others = self.random.sample(PROVIDERS, 3)
        able = [(name, -1) for name in others[: self.random.randrange(3)]]
        closure = Closure("shut", self.random.choice([None, 0.0, 60.0]), late_only=self.random.random() < 0.5)
        await self.queue.move_on(source, closure, {"code_review": able}, passed_over=self._passed_over, limit=3)

    async def hedge(self) -> None:
        """A seat in somebody's hand gets a second task, unless it has or is one, in the lane of nobody on its panel."""
        seats = [job for job in self.held if job.is_task]
        if not seats:
            return
        job = self.random.choice(seats)
        others = [name for name in self.random.sample(PROVIDERS, 3) if name != job.lane]
        lane = await self.queue.hedge_task(job, others)
        if lane:
            self.counts["hedged"] += 1
            assert lane in others
            assert await self.queue.hedge_task(job, others) == "", "at most one hedge a seat"

    async def drain(self) -> None:
        """A draining lane still gives out its work."""
        lane = self.random.choice(PROVIDERS)
        await self.queue.drain(lane, by="chaos", reason="x")
        assert lane in (await self.queue.stats()).drains
        assert not (await self.queue.claim(lane, 0)).paused
        await self.queue.resume(lane, by="chaos")

    async def pause(self) -> None:
        """While a lane is paused nothing is claimed from it."""
        lane = self.random.choice(LANES)
        await self.queue.pause(lane, by="chaos", reason="x")
        assert (await self.queue.claim(lane, 5)).jobs == ()
        await self.queue.resume(lane, by="chaos")

    async def approve(self) -> None:
        """An operator's word, wanted or not."""
        await self.queue.approve(self._any_event(), approve=self.random.random() < 0.5, by="chaos")

    async def age(self) -> None:
        """Old work catches up."""
        await self.queue.age(limit=5)

    async def trim(self) -> None:
        """Finished events go now and then."""
        if self.random.random() < 0.2:
            self.forgotten += await self.queue.trim(limit=10)

    async def audit(self) -> None:
        """Every accepted event is in one state, every job in one place that its header names, and every byte is counted."""
        client: Any = self.queue.client
        total, wrong = await client.eval(AUDIT, 1, self.queue.keys.tag, *AT_REST)
        assert not wrong, [text_of(line) for line in wrong]
        assert total + self.forgotten == len(self.events), f"{len(self.events)} accepted, {total} there, {self.forgotten} forgotten"
