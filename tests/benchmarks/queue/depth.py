"""``python -m tests.benchmarks.queue.depth [EVENTS]``: what a claim costs in a short and in a long queue, and how long each script takes.

The long one has 1,000,000 events unless told otherwise; that takes some minutes and about 0.7 GB of memory of a server of
its own. The short one is on a server beside it, and the two take turns, so that a machine that changes its pace changes
both. One round is a claim of 32 events, their end, and as many new ones, so that the depth stays.

A call's cost is the CPU time the server took for it, or the time the server itself measured for the script, whichever is
less: the first also counts what the server does beside it (the fork for a rewrite of its file), the second a machine that
is busy elsewhere. A script holds the server up for as long.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.settings.model import QueueSettings, RedisSettings, RetentionSettings
from gitbridge_console.store.connection import make_client
from gitbridge_console.store.embedded_files import find_server_binary
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.partition import MANY_MAX
from gitbridge_console.store.records import Ending
from tests.store.servers import Server

FEW = 1_000
CLAIM = 32
TURNS = 40
ROUNDS_A_TURN = 10
BULK = 200
DONE = Ending(EventState.RESOLVED)

T = TypeVar("T")


class Bench:
    """A queue on a server of its own."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.client = make_client(RedisSettings(url=f"redis://127.0.0.1:{server.port}/0"))
        unbounded = QueueSettings(max_waiting=100_000_000, memory_soft_bytes=0, memory_hard_bytes=0)
        self.queue = RedisEventQueue(self.client, Keys("depth"), queue=unbounded, retention=RetentionSettings(finished_max=FEW))
        self._made = 0
        self.costs: dict[str, list[float]] = {}

    def _events(self, count: int) -> list[IncomingEvent]:
        first, self._made = self._made, self._made + count
        return [IncomingEvent(f"depth-{n}", "push", json.dumps({"n": n}).encode(), "depth") for n in range(first, first + count)]

    def _cpu_us(self) -> float:
        return int(Path(f"/proc/{self.server.process.pid}/schedstat").read_text().split()[0]) / 1e3

    async def _scripts(self) -> tuple[int, float]:
        """Calls of scripts so far, and the µs the server measured for them."""
        stats = (await self.client.info("commandstats")).get("cmdstat_fcall", {"calls": 0, "usec": 0})
        return int(stats["calls"]), float(stats["usec"])

    async def cost(self, what: str, doing: Awaitable[T]) -> T:
        """Note what a call cost, in µs; of what takes several calls their mean."""
        (calls, measured), cpu = await self._scripts(), self._cpu_us()
        found = await doing
        cpu = self._cpu_us() - cpu
        calls_now, measured_now = await self._scripts()
        self.costs.setdefault(what, []).append(min(cpu, measured_now - measured) / max(1, calls_now - calls))
        return found

    async def fill(self, depth: int) -> None:
        """Enqueue until so many wait, and until the server has written its file anew where that made it too long."""
        while (missing := depth - int(await self.client.zcard(self.queue.keys.ready("route")))) > 0:
            await self.cost(f"enqueue {MANY_MAX}", self.queue.enqueue_many(self._events(min(MANY_MAX, missing))))
        while (await self.client.info("persistence"))["aof_rewrite_in_progress"]:
            await asyncio.sleep(0.1)

    async def turn(self) -> float:
        """CPU of the server for a claimed event, in µs, without its end and the event that replaces it; the median of some rounds."""
        for _ in range(ROUNDS_A_TURN):
            claim = await self.cost(f"claim {CLAIM}", self.queue.claim("route", CLAIM))
            await self.cost(f"end {CLAIM}", self.queue.conclude(claim.jobs, DONE))
            await self.queue.enqueue_many(self._events(len(claim.jobs)))
        return statistics.median(self.costs[f"claim {CLAIM}"][-ROUNDS_A_TURN:]) / CLAIM

    async def everything_else(self) -> None:
        """What operators and the upkeep do, with the lane as full as it is."""
        queue = self.queue
        for _ in range(20):
            await self.cost("stats", queue.stats(["route"]))
            await self.cost("recover", queue.recover())
            await self.cost("age", queue.age())
            await self.cost("trim", queue.trim())
            ids = [word.decode() for word in await self.client.zrange(queue.keys.ready("route"), 0, BULK - 1)]
            await self.cost("reprioritize", queue.reprioritize(ids, Priority.HIGH, by="bench"))
            await self.cost("cancel", queue.cancel(ids, by="bench"))
            await self.cost("replay", queue.replay(ids, by="bench"))

    def scripts(self) -> dict[str, dict[str, float]]:
        """Milliseconds of CPU a call, of each kind."""
        found = {}
        for what, spent in self.costs.items():
            ordered = sorted(spent)
            found[what] = {"median_ms": ordered[len(ordered) // 2] / 1e3, "max_ms": ordered[-1] / 1e3}
        return found


async def measure(short: Bench, long: Bench, depth: int) -> dict[str, Any]:
    """Costs at both depths, and of all scripts in the long one."""
    await short.fill(FEW)
    started = time.perf_counter()
    await long.fill(depth)
    seconds = time.perf_counter() - started
    turns = [(await short.turn(), await long.turn()) for _ in range(TURNS)]
    await long.everything_else()
    memory = (await long.client.info("memory"))["used_memory"]
    return {
        "depth": depth,
        "filled_per_s": depth / seconds,
        "bytes_an_event": memory / depth,
        "claim_us_at_1000": statistics.median(few for few, _ in turns),
        "claim_us_at_depth": statistics.median(many for _, many in turns),
        "ratio": statistics.median(many / few for few, many in turns),
        "ratio_quartiles": statistics.quantiles((many / few for few, many in turns), n=4)[::2],
        "scripts": long.scripts(),
    }


async def run(folder: Path, depth: int) -> dict[str, Any]:
    """Measure on two servers of its own."""
    async with AsyncExitStack() as stack:
        benches = []
        for name in ("short", "long"):
            (folder / name).mkdir()
            server = Server(find_server_binary(), folder / name, "--save", "", "--appendonly", "yes", "--appendfsync", "everysec")
            stack.callback(server.kill)
            bench = Bench(server)
            stack.push_async_callback(bench.client.aclose)
            benches.append(bench)
        return await measure(*benches, depth)


def main() -> None:
    """Print the figures as JSON."""
    depth = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(run(Path(folder), depth)), indent=1))


if __name__ == "__main__":
    main()
