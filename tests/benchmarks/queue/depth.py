"""``python -m tests.benchmarks.queue.depth [EVENTS [libc]]``: what a claim costs in a short and in a long queue, and how long scripts take.

The long one has 1,000,000 events unless told otherwise; that takes some minutes and about 0.7 GB of memory of a server of
its own. The short one is on a server beside it, and the two take turns, so that a machine that changes its pace changes
both. One round is a claim of one event or of 32, their end, and as many new ones, so that the depth stays.

What a claim costs is the CPU time the server takes for it, from its socket to its socket. How long a script takes is that
too, or the time the server measured for the call, whichever is less: the first also counts what the server does beside it, the
second a machine that is busy elsewhere. So calls are made one at a time. Those made while the server writes its file anew are
told apart: after its fork each page it writes to is copied first. In a second pass it does so again and again.

The servers take their memory as an embedded one does, from jemalloc where the machine has it; with ``libc`` from the C library.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.domain.tasks import TaskState
from gitbridge_console.settings.model import QueueSettings, RedisSettings, RetentionSettings
from gitbridge_console.store import partition
from gitbridge_console.store.allocator import C_LIBRARY, memory_environment
from gitbridge_console.store.connection import make_client
from gitbridge_console.store.embedded_files import find_server_binary
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.partition import MANY_MAX
from gitbridge_console.store.records import ClaimedJob, Ending, RoutePlan
from gitbridge_console.store.scripts_loader import ScriptRunner
from tests.store.servers import Server

FEW = 1_000
CLAIMS = (1, 32)
TURNS = 40
ROUNDS_A_TURN = 10
ROUNDS = 20
BULK = 200
DONE = Ending(EventState.RESOLVED)
TOGETHER = 32
PANEL, SPARE = ("claude", "grok"), "chatgpt"
PAYLOAD = json.dumps({"action": "opened", "number": 165, "body": "What it does, and why. " * 80}).encode()
DIFF = "diff --git a/tax.py b/tax.py\n" + "+    total += round(line.net * rate, 2)\n" * 50
ANSWER = json.dumps({"verdict": "comment", "findings": ["The rate is looked up for each line again. " * 10] * 5})
ATTEMPT = json.dumps({"provider": "claude", "model": "claude-sonnet-5-5", "status": 200, "ms": 1_240, "tokens_in": 900, "tokens_out": 410})

T = TypeVar("T")


class Bench:
    """A queue on a server of its own."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.client = make_client(RedisSettings(url=f"redis://127.0.0.1:{server.port}/0"))
        unbounded = QueueSettings(max_waiting=100_000_000, memory_soft_bytes=0, memory_hard_bytes=0, aging_ms=1)
        with patch.object(partition, "ScriptRunner", partial(MeteredRunner, self)):
            self.queue = RedisEventQueue(self.client, Keys("depth"), queue=unbounded, retention=RetentionSettings(finished_max=FEW))
        self._made = 0
        self.forks = False
        """Whether the server is to write its file anew whenever something is measured."""
        self._one_at_a_time = asyncio.Lock()
        self._calls: list[tuple[float, float]] = []
        self.costs: dict[str, list[float]] = {}
        self.lasted: dict[str, list[float]] = {}

    def _events(self, count: int) -> list[IncomingEvent]:
        first, self._made = self._made, self._made + count
        return [IncomingEvent(f"depth-{n}", "push", json.dumps({"n": n}).encode(), "depth") for n in range(first, first + count)]

    def _cpu_us(self) -> float:
        return int(Path(f"/proc/{self.server.process.pid}/schedstat").read_text().split()[0]) / 1e3

    async def _is_written_anew(self) -> bool:
        return bool((await self.client.info("persistence"))["aof_rewrite_in_progress"])

    async def _measured_us(self) -> float:
        """What the server measured for all calls of scripts so far."""
        return float((await self.client.info("commandstats")).get("cmdstat_fcall", {"usec": 0})["usec"])

    async def metered(self, call: Coroutine[Any, Any, T]) -> T:
        """Have a script run while no other does, and note its CPU and how long it took, in µs."""
        async with self._one_at_a_time:
            measured, cpu = await self._measured_us(), self._cpu_us()
            try:
                return await call
            finally:
                cpu = self._cpu_us() - cpu
                self._calls.append((cpu, min(cpu, await self._measured_us() - measured)))

    async def at_rest(self) -> None:
        """Wait until the server does not write its file anew."""
        while await self._is_written_anew():
            await asyncio.sleep(0.1)

    async def cost(self, what: str, doing: Callable[[], Awaitable[T]]) -> T:
        """Note what its calls cost, as :meth:`metered` does, under a name."""
        rewrites = await self._is_written_anew()
        if self.forks and not rewrites:
            await self.client.execute_command("BGREWRITEAOF")
            rewrites = True
        self._calls.clear()
        found = await doing()
        cpu, lasted = zip(*self._calls, strict=True)
        self.costs.setdefault(what, []).append(statistics.mean(cpu))
        named = f"{what}, while the file is written anew" if rewrites or await self._is_written_anew() else what
        self.lasted.setdefault(named, []).extend(lasted)
        return found

    async def fill(self, depth: int) -> None:
        """Enqueue until so many wait, and until the server has written its file anew where that made it too long."""
        while (missing := depth - int(await self.client.zcard(self.queue.keys.ready("route")))) > 0:
            await self.cost(f"enqueue {MANY_MAX}", partial(self.queue.enqueue_many, self._events(min(MANY_MAX, missing))))
        await self.at_rest()

    async def turn(self, together: int) -> float:
        """CPU of the server for a claimed event, in µs, without its end and the event that replaces it; the median of some rounds."""
        what = f"claim {together}"
        for _ in range(ROUNDS_A_TURN):
            claim = await self.cost(what, partial(self.queue.claim, "route", together))
            await self.cost(f"end {together}", partial(self.queue.conclude, claim.jobs, DONE))
            await self.queue.enqueue_many(self._events(len(claim.jobs)))
        return statistics.median(self.costs[what][-ROUNDS_A_TURN:]) / together

    async def upkeep(self) -> None:
        """What operators and the upkeep do, with the lane as full as it is."""
        queue = self.queue
        for _ in range(ROUNDS):
            for doing in (queue.stats, queue.recover, queue.age, queue.trim):
                await self.cost(doing.__name__, doing)
            ids = [word.decode() for word in await self.client.zrange(queue.keys.ready("route"), 0, BULK - 1)]
            await self.cost("reprioritize", partial(queue.reprioritize, ids, Priority.HIGH, by="bench"))
            await self.cost("cancel", partial(queue.cancel, ids, by="bench"))
            await self.cost("replay", partial(queue.replay, ids, by="bench"))

    async def lives(self) -> None:
        """Thirty-two reviews of pull requests side by side, as the transitions of concurrent tasks share a call."""
        queue, texts = self.queue, {"title": "Round the tax of each line"}
        plan = RoutePlan("code_review", Priority.CRITICAL, PANEL, 2, 15, 600, 3600, tokens=900, texts={"reason": "a new pull request"})
        for _ in range(ROUNDS):
            events = [replace(event, payload=PAYLOAD, diff=DIFF) for event in self._events(TOGETHER)]
            entering = {"priority": Priority.CRITICAL, "repository": "harbour/billing", "texts": texts}
            await self.each("enqueue", [partial(queue.enqueue, event, **entering) for event in events])
            await self.each("route", [partial(queue.route, job, plan) for job in await self.claimed("route")])
            answer = {"attempt": ATTEMPT, "answer": ANSWER, "vote": True}
            seats = await self.claimed(PANEL[0])
            await self.each("settle_task", [partial(queue.settle_task, seat, TaskState.SUCCEEDED, **answer) for seat in seats])
            moved = await self.cost("move", partial(queue.move, PANEL[1], SPARE, by="bench"))
            assert moved == (TOGETHER, 0)
            seats = await self.claimed(SPARE)
            await self.each("settle_task", [partial(queue.settle_task, seat, TaskState.SUCCEEDED, **answer) for seat in seats])
            decided = {"decision": ANSWER, "action": ATTEMPT}
            on = partial(queue.hand_on, lane="act", state=EventState.CONSENSUS_PENDING, **decided)
            await self.each("hand_on", [partial(on, job) for job in await self.claimed("decide")])
            await self.cost("end", partial(queue.conclude, await self.claimed("act"), DONE))

    async def each(self, what: str, doing: Sequence[Callable[[], Awaitable[Any]]]) -> None:
        """The cost of what many callers do at the same time."""

        async def together() -> None:
            await asyncio.gather(*(one() for one in doing))

        await self.cost(f"{what}, of many callers", together)

    async def claimed(self, lane: str) -> list[ClaimedJob]:
        """All that :data:`TOGETHER` events have in a lane."""
        jobs: list[ClaimedJob] = []
        while len(jobs) < TOGETHER:
            claim = await self.cost("claim of them", partial(self.queue.claim, lane, TOGETHER - len(jobs)))
            assert claim.jobs
            jobs += claim.jobs
        return jobs

    def scripts(self) -> dict[str, dict[str, float]]:
        """Milliseconds of CPU a call, of each kind."""
        found = {}
        for what, spent in self.lasted.items():
            found[what] = {"calls": len(spent), "median_ms": statistics.median(spent) / 1e3, "max_ms": max(spent) / 1e3}
        return found


class MeteredRunner(ScriptRunner):
    """Notes with its bench what each script costs."""

    def __init__(self, bench: Bench, *args: Any) -> None:
        super().__init__(*args)
        self._bench = bench

    async def run(self, name: str, *args: Any) -> Any:
        """One script."""
        return await self._bench.metered(super().run(name, *args))

    async def run_group(self, name: str, *args: Any) -> list[Any]:
        """One group."""
        return await self._bench.metered(super().run_group(name, *args))

    async def run_in_turn(self, name: str, next_group: Callable[[], Sequence[bytes] | None], *args: Any) -> AsyncGenerator[Any, None]:
        """One group after the other."""
        while (group := next_group()) is not None:
            yield await self._bench.metered(self._answer(name, group, None))


async def measure(short: Bench, long: Bench, depth: int) -> dict[str, Any]:
    """Costs at both depths, and of all scripts in the long one."""
    await short.fill(FEW)
    started = time.perf_counter()
    await long.fill(depth)
    seconds = time.perf_counter() - started
    claims = {f"claim {together}": await compare(short, long, together) for together in CLAIMS}
    for long.forks in (False, True):
        await long.lives()
        await long.upkeep()
    memory = (await long.client.info("memory"))["used_memory"]
    return {
        "depth": depth,
        "filled_per_s": depth / seconds,
        "bytes_an_event": memory / depth,
        "claims": claims,
        "scripts": long.scripts(),
    }


async def compare(short: Bench, long: Bench, together: int) -> dict[str, float | list[float]]:
    """What a claimed event costs at both depths, when so many are claimed at once."""
    turns = [(await short.turn(together), await long.turn(together)) for _ in range(TURNS)]
    ratios = [many / few for few, many in turns]
    return {
        "us_at_1000": statistics.median(few for few, _ in turns),
        "us_at_depth": statistics.median(many for _, many in turns),
        "ratio": statistics.median(ratios),
        "ratio_quartiles": statistics.quantiles(ratios, n=4)[::2],
    }


async def run(folder: Path, depth: int, memory: dict[str, str]) -> dict[str, Any]:
    """Measure on two servers of its own."""
    async with AsyncExitStack() as stack:
        benches = []
        for name in ("short", "long"):
            (folder / name).mkdir()
            options = ("--save", "", "--appendonly", "yes", "--appendfsync", "everysec")
            server = Server(find_server_binary(), folder / name, *options, env=memory)
            stack.callback(server.kill)
            bench = Bench(server)
            stack.push_async_callback(bench.client.aclose)
            benches.append(bench)
        return await measure(*benches, depth)


def main() -> None:
    """Print the figures as JSON."""
    depth = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    memory = C_LIBRARY if sys.argv[2:] == ["libc"] else memory_environment(find_server_binary())
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps({**memory, **asyncio.run(run(Path(folder), depth, memory))}, indent=1))


if __name__ == "__main__":
    main()
