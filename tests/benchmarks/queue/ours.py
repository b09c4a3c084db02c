"""The queue's speed, by the three commands a comparison of queues asks for.

    produce N                 enqueue N events, print {"rate", "cpu_us"}
    work                      drain them through the engine's own lane loop; the result goes to the file BENCH_OUT
    trickle RATE SECONDS      enqueue at a steady beat, for the latency of pickup

The job does nothing, everything around it is real: one partition, deduplication by delivery id, leases and fences kept,
the event log and the metrics written, claims that stand at the server and no polling. The environment gives BENCH_REDIS (URL),
BENCH_N (jobs to wait for), BENCH_CONC (jobs at once), BENCH_OUT.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from gitbridge_console.domain.events import EventState, IncomingEvent
from gitbridge_console.router.lane import Lane
from gitbridge_console.router.leases import LeaseKeeper
from gitbridge_console.settings.model import QueueSettings, RedisSettings
from gitbridge_console.store.clients import client_of
from gitbridge_console.store.connection import make_client
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.records import ClaimedJob, Ending
from gitbridge_console.store.standing_claims import StandingClaims
from gitbridge_console.store.trouble import StoreTrouble
from gitbridge_console.store.wakeups import Wakeups

URL = os.environ.get("BENCH_REDIS", "redis://127.0.0.1:6399/0")
CONCURRENCY = int(os.environ.get("BENCH_CONC", "100"))
JOBS = int(os.environ.get("BENCH_N", "20000"))
OUT = os.environ.get("BENCH_OUT", "")
WARM_UP = 25
TOGETHER = 1000
"""Events enqueued together."""
DONE = Ending(EventState.RESOLVED)
RUN = f"bench-{time.time_ns():x}"
NUMBERS = count()


@asynccontextmanager
async def open_queue() -> AsyncIterator[RedisEventQueue]:
    """The queue of the benchmark, with bounds it does not reach."""
    client = make_client(RedisSettings(url=URL))
    try:
        yield RedisEventQueue(client, Keys("bench"), queue=QueueSettings(max_waiting=100_000_000, memory_soft_bytes=0, memory_hard_bytes=0))
    finally:
        await client.aclose()


def _event(number: int, at: float) -> IncomingEvent:
    """``at`` is the wall-clock time of its enqueue; 0 marks a warm-up that is not counted."""
    return IncomingEvent(f"{RUN}-{next(NUMBERS)}", "bench", f'{{"i": {number}, "t": {at!r}}}'.encode(), "bench")


async def produce(jobs: int) -> None:
    """Enqueue, a thousand at a time."""
    async with open_queue() as queue:
        await queue.enqueue(_event(0, 0))
        started, cpu = time.perf_counter(), time.process_time()
        for first in range(0, jobs, TOGETHER):
            await queue.enqueue_many([_event(n, time.time()) for n in range(first, min(jobs, first + TOGETHER))])
        seconds = time.perf_counter() - started
        print(json.dumps({"rate": jobs / seconds, "cpu_us": (time.process_time() - cpu) / jobs * 1e6}))


async def trickle(rate: float, seconds: float) -> None:
    """A steady beat on the wall clock, after a warm-up and a pause."""
    async with open_queue() as queue:
        for n in range(WARM_UP):
            await queue.enqueue(_event(n, 0))
        await asyncio.sleep(1.0)
        start = time.time()
        for n in range(int(rate * seconds)):
            if (wait_s := start + n / rate - time.time()) > 0:
                await asyncio.sleep(wait_s)
            await queue.enqueue(_event(n, time.time()))


class Counter:
    """Notes each job's latency; writes the result with the last one."""

    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.first = (0.0, 0.0)

    def hit(self, at: float) -> None:
        """First line of every job."""
        if not at:
            return
        now = time.time()
        self.latencies.append(now - at)
        if len(self.latencies) == 1:
            self.first = (now, time.process_time())
        if len(self.latencies) == JOBS:
            self._finish(now)

    def _finish(self, now: float) -> None:
        ordered = sorted(self.latencies)
        seconds, cpu = now - self.first[0], time.process_time() - self.first[1]

        def percentile(share: float) -> float:
            return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3

        result = {
            "n": len(ordered),
            "secs": seconds,
            "rate": (len(ordered) - 1) / seconds,
            "p50_ms": percentile(0.5),
            "p99_ms": percentile(0.99),
            "max_ms": ordered[-1] * 1e3,
            "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "cpu_us": cpu / len(ordered) * 1e6,
        }
        if not OUT:
            print(json.dumps(result), flush=True)
            return
        with open(f"{OUT}.tmp", "w") as file:
            json.dump(result, file)
        os.rename(f"{OUT}.tmp", OUT)


async def work() -> None:
    """The engine's lane loop, lease keeper, wake-ups and metrics, around a job that does nothing; runs until it is ended."""
    counter = Counter()
    async with open_queue() as queue:
        metrics, trouble = Metrics(queue.client, "bench"), StoreTrouble()
        leases = LeaseKeeper(queue, trouble)
        queue.standing = StandingClaims(client_of(URL, RedisSettings(), max_connections=2, socket_timeout_s=None), queue.partitions[0], 4.0)
        wakeups = Wakeups(make_client(RedisSettings(url=URL, socket_timeout_s=3600)), queue.keys, lanes=False)

        async def noop(job: ClaimedJob) -> Ending:
            counter.hit(json.loads(job.payload)["t"])
            metrics.count("out")
            return DONE

        def note_claim(job: ClaimedJob) -> None:
            metrics.record_value("queue_latency", max(0, job.claimed_ms - job.received_ms))

        async def flush() -> None:
            while True:
                await asyncio.sleep(1.0)
                await metrics.flush()
                await queue.recover()
                await queue.trim()

        lane = Lane(
            "route", noop, queue=queue, leases=leases, wakeups=wakeups, trouble=trouble, slots=lambda: CONCURRENCY, on_claim=note_claim
        )
        async with asyncio.TaskGroup() as group:
            for coroutine in (leases.run(), wakeups.listen(), flush(), lane.run()):
                group.create_task(coroutine)


def _run(main: Coroutine[Any, Any, None]) -> None:
    """On uvloop where it is installed, as the queues that are compared do, unless BENCH_UVLOOP is 0."""
    try:
        if os.environ.get("BENCH_UVLOOP", "1") != "1":
            raise ImportError
        import uvloop
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)


def main() -> None:
    """Run the command of the command line."""
    command, *words = sys.argv[1:]
    if command == "produce":
        _run(produce(int(words[0])))
    elif command == "trickle":
        _run(trickle(float(words[0]), float(words[1])))
    elif command == "work":
        _run(work())
    else:
        raise SystemExit(f"unknown command {command}: produce N, work, trickle RATE SECONDS")


if __name__ == "__main__":
    main()
