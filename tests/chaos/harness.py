"""Runs one plan: everything is started, troubled, left to settle, looked into, and put away."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from gitbridge_console.domain.events import EventState
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.operations.errors import OperationError, StoreAway
from gitbridge_console.operations.session import Session, open_session
from gitbridge_console.settings.shown import as_toml
from gitbridge_console.simulator.server import ServicesThread
from gitbridge_console.store.replies import text_of
from gitbridge_console.store.trouble import STORE_AWAY
from tests.chaos.evidence import Fault, Followed, audit, misplaced, unfinished
from tests.chaos.plan import Plan, services, settings_for
from tests.chaos.processes import Engines, Server, Stubs, Zombie
from tests.chaos.report import Report
from tests.chaos.submitting import Submitter
from tests.chaos.traffic import Deliveries, deliveries

LOOK_S = 0.2
UNDECIDED = (EventState.RECEIVED, EventState.ROUTED, EventState.PARKED, EventState.CONSENSUS_PENDING)
START_LIMIT_S = 60.0


def run(plan: Plan, say: Callable[[str], None] = lambda _: None) -> Report:
    """Run a plan from nothing to nothing; ``say`` hears how far it is, once in a while."""
    return asyncio.run(_run(plan, say))


async def _run(plan: Plan, say: Callable[[str], None]) -> Report:
    folder = Path(tempfile.mkdtemp(prefix="gb-chaos-"))
    (folder / "store").mkdir()
    server = Server(folder / "store")
    simulated = ServicesThread(plan.seed, services())
    engines: Engines | None = None
    stubs: Stubs | None = None
    zombie: Zombie | None = None
    try:
        settings = settings_for(plan, server.url, simulated.start(), folder)
        config = folder / "chaos.toml"
        config.write_text(as_toml(settings.model_dump(mode="json")), "utf-8")
        server.start()
        await server.answering()
        engines = Engines(folder, server.url, config, plan.engines)
        engines.fill()
        names = list(settings.providers)
        async with open_session(settings, role="cli", engine=False) as session:
            chaos = Chaos(plan, session, server, engines, say)
            await chaos.until(lambda: len(chaos.engines.able()) == plan.engines, START_LIMIT_S, "all engines work")
            stubs = Stubs(folder, server.url, settings.namespace, names, lease_s=plan.lease_s, every_s=plan.stub_every_s)
            zombie = Zombie(folder, config)
            return await chaos.run(stubs, zombie)
    finally:
        if zombie is not None:
            zombie.end()
        if stubs is not None:
            stubs.end()
        if engines is not None:
            engines.end()
        server.end()
        simulated.stop()
        shutil.rmtree(folder, ignore_errors=True)


class Chaos:
    """One run over processes that are there."""

    def __init__(self, plan: Plan, session: Session, server: Server, engines: Engines, say: Callable[[str], None]) -> None:
        self.plan = plan
        self.engines = engines
        self._session = session
        self._server = server
        self._say = say
        self._random = random.Random(plan.seed)
        self._client, self._keys = session.store.client, session.store.keys
        self._deliveries: Deliveries = deliveries(plan.events, plan.seed, plan.duplicates_share)
        self._submitter = Submitter(session.operations, self._deliveries, plan.open_max, self._fault)
        self._followed = Followed()
        self._calm = asyncio.Event()
        self._over = asyncio.Event()
        self._seen: set[str] = set()
        self.report = Report(seed=plan.seed, submitted=plan.events)

    def _fault(self, what: str, about: str, evidence: str) -> None:
        fault = Fault(what, about, evidence)
        if str(fault) not in self._seen:
            self._seen.add(str(fault))
            self.report.faults.append(fault)

    async def until(self, holds: Callable[[], bool], limit_s: float, what: str) -> bool:
        """Wait for a condition; that it did not come to hold is a fault of the run."""
        deadline = time.monotonic() + limit_s
        while not holds():
            if time.monotonic() > deadline:
                self._fault("run", what, f"not within {limit_s:.0f} s")
                return False
            await asyncio.sleep(LOOK_S)
        return True

    async def run(self, stubs: Stubs, zombie: Zombie) -> Report:
        """Trouble it while events come in, let it settle, look into it."""
        started = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for work in (self._follow, self._watch, self._progress):
                group.create_task(work())
            await self._trouble(stubs, zombie)
            self.report.chaos_s = time.monotonic() - started
            await self._settle()
            self.report.settle_s = time.monotonic() - started - self.report.chaos_s
            self._over.set()
        await self._look_into()
        return self.report

    async def _trouble(self, stubs: Stubs, zombie: Zombie) -> None:
        async with asyncio.TaskGroup() as group:
            for work in (self._kill_engines, self._freeze_engines, self._kill_server, self._check_places):
                group.create_task(work())
            await self._submitter.submit_all(self.plan.chaos_limit_s)
            await self.until(lambda: self._enough(stubs, zombie), self.plan.chaos_limit_s, "enough chaos")
            self._calm.set()
        for process in (stubs, zombie):
            if process.trouble:
                self._fault("run", "processes", process.trouble)
            process.end()
        self.report.stubs_killed, self.report.stub_leases = stubs.deaths()
        self.report.late_writes, self.report.late_refused = zombie.late_writes()
        for line in zombie.wrongly_accepted():
            self._fault("contradiction", "a write under a void fence was accepted", line)

    def _enough(self, stubs: Stubs, zombie: Zombie) -> bool:
        plan, engines = self.plan, self.engines
        return (
            engines.killed >= plan.kills_min
            and engines.frozen >= plan.freezes_min
            and self._server.kills >= plan.server_kills
            and (stubs.deaths()[0] >= plan.stubs_min or bool(stubs.trouble))
            and (zombie.late_writes()[1] >= plan.late_writes_min or bool(zombie.trouble))
        )

    @asynccontextmanager
    async def _store_may_be_away(self) -> AsyncIterator[None]:
        try:
            yield
        except (StoreAway, *STORE_AWAY):
            await asyncio.sleep(LOOK_S)

    async def _pause(self, seconds: float) -> bool:
        """Let time pass; false once the chaos is over."""
        try:
            async with asyncio.timeout(seconds):
                await self._calm.wait()
        except TimeoutError:
            return True
        return False

    async def _kill_engines(self) -> None:
        """Only those that work are killed, and never the last one: a slow machine sees fewer kills, each of them real."""
        while await self._pause(self.plan.kill_every_s):
            able = self.engines.able()
            if len(able) > 1:
                self.engines.kill(self._random.choice(able))

    async def _freeze_engines(self) -> None:
        while await self._pause(self.plan.freeze_every_s):
            able = self.engines.able()
            if len(able) < 2:
                continue
            engine = self._random.choice(able)
            self.engines.freeze(engine)
            await asyncio.sleep(self.plan.freeze_for_s)
            self.engines.thaw(engine)

    async def _kill_server(self) -> None:
        """At even distances of the way, so that it happens in the middle of things however fast the machine is."""
        for number in range(1, self.plan.server_kills + 1):
            due = self.plan.events * number / (self.plan.server_kills + 1)
            while len(self._submitter.acknowledged) < due:
                if not await self._pause(LOOK_S):
                    return
            self._server.kill()
            await asyncio.sleep(self.plan.server_down_s)
            self._server.start()
            await self._server.answering()

    async def _check_places(self) -> None:
        lanes = self._session.operations.lanes
        while await self._pause(1.0):
            async with self._store_may_be_away():
                open_events = [
                    event_id for state in UNDECIDED for event_id in map(text_of, await self._client.zrange(self._keys.state(state), 0, -1))
                ]
                for fault in await misplaced(self._client, self._keys, lanes, sorted(set(open_events))):
                    self._fault(fault.what, fault.about, f"under way: {fault.evidence}")
                self.report.looks += 1

    async def _follow(self) -> None:
        while not self._over.is_set():
            async with self._store_may_be_away():
                await self._followed.read(self._client, self._keys)
                counts = await asyncio.gather(*(self._client.zcard(self._keys.state(state)) for state in UNDECIDED))
                self._submitter.open_events = sum(counts)
            await asyncio.sleep(LOOK_S)

    async def _watch(self) -> None:
        while not self._over.is_set():
            for line in self.engines.replace_ended(self._server):
                self._fault("engine", "ended", line)
            await asyncio.sleep(LOOK_S)

    async def _progress(self) -> None:
        while not self._over.is_set():
            self._say(
                f"acknowledged {len(self._submitter.acknowledged)} of {self.plan.events}; killed {self.engines.killed} engines, "
                f"{self._server.kills} servers; froze {self.engines.frozen}; recovered {self._followed.recovered}"
            )
            try:
                async with asyncio.timeout(5.0):
                    await self._over.wait()
            except TimeoutError:
                continue

    async def _settle(self) -> None:
        """Until nothing is open and every lane is empty; an operator approves what awaits it."""
        deadline = time.monotonic() + self.plan.settle_limit_s
        left: dict[str, int] = {"never looked": 1}
        while left and time.monotonic() < deadline:
            async with self._store_may_be_away():
                await self._approve()
                left = await unfinished(self._client, self._keys, self._session.operations.lanes)
            await asyncio.sleep(LOOK_S)
        if left:
            self._fault("run", "settling", f"after {self.plan.settle_limit_s:.0f} s there is still {left}")

    async def _approve(self) -> None:
        for event in await self._session.operations.list_events(EventFilter(state=EventState.AWAITING_APPROVAL), 100):
            try:
                await self._session.operations.approve(event.id, "chaos")
                self.report.approved += 1
            except StoreAway:
                raise
            except OperationError:
                continue  # approved already and on its way, or superseded meanwhile

    async def _look_into(self) -> None:
        report = self.report
        await self._followed.read(self._client, self._keys)
        lanes = self._session.operations.lanes
        faults, details = await audit(self._client, self._keys, self._submitter.acknowledged, self._deliveries.heads, self._followed, lanes)
        report.faults += faults
        bad, report.taken_away = self.engines.logs()
        report.faults += [Fault("engine", "log", line) for line in bad]
        report.duplicates, report.submit_retries = self._submitter.duplicates, self._submitter.retries
        report.acknowledged = len(self._submitter.acknowledged)
        report.engines_killed, report.freezes = self.engines.killed, self.engines.frozen
        report.engines_refused, report.server_kills = self.engines.refused, self._server.kills
        report.recovered_leases = self._followed.recovered
        report.states = Counter(event.state for event in details)
        report.decisions = Counter(event.decision.state.value for event in details if event.decision is not None)
        report.acted = sum(event.action is not None for event in details)
        tasks = [task for event in details for task in event.tasks]
        report.calls = sum(len(task.attempts) for task in tasks)
        good = sum(attempt.outcome == "ok" for task in tasks for attempt in task.attempts)
        report.refused_answers = good - sum(task.state == "succeeded" for task in tasks)
