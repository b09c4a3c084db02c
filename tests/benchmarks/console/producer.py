"""Traffic of a fleet without its engines: ``python -m tests.benchmarks.console.producer STATE_DIR RATE SECONDS``.

Events go in through the queue's own scripts, a quarter of them urgent, so that lists move; calls to three providers and finished
events are counted in the metrics as engines count them. What is printed at the end is the rate that was reached.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time

from gitbridge_console.domain.events import IncomingEvent, Priority
from gitbridge_console.operations.session import open_session
from gitbridge_console.settings.model import QueueSettings, Settings
from gitbridge_console.store.records import BackPressure
from gitbridge_console.store.store import Store

TICK_S = 0.05
PROVIDERS = ("claude", "grok", "chatgpt")
ROOM = 4_000_000
ONE_BY_ONE, TOGETHER = 5_000, 1_000


def settings_of(folder: str) -> Settings:
    """Settings of a store that takes in as much as a benchmark wants."""
    return Settings(state_dir=folder, queue=QueueSettings(max_waiting=ROOM, memory_soft_bytes=0, memory_hard_bytes=0))


async def put_in(store: Store, number: int, run: str) -> None:
    """One event that waits."""
    priority = Priority.HIGH if number % 4 == 0 else Priority.NORMAL
    repository = f"acme/{number % 50}"
    event = IncomingEvent(f"{run}{number}", "push", b"{}", "bench")
    await store.queue.enqueue(event, priority=priority, repository=repository, texts={"subject": f"{repository}@main"})


async def produce(folder: str, rate_per_s: float, seconds: float) -> float:
    """Make traffic for so long; events a second that were reached."""
    dice = random.Random(7)
    done, run = 0, f"p{time.time_ns():x}-"
    async with open_session(settings_of(folder), role="cli", engine=False) as session:
        store, began = session.store, time.perf_counter()
        while (now := time.perf_counter() - began) < seconds:
            due = int(now * rate_per_s) - done
            await asyncio.gather(*(put_in(store, done + n, run) for n in range(due)))
            done += due
            store.metrics.count("in", due)
            store.metrics.count("out", due)
            for n in range(due):
                outcome = "ok" if dice.random() < 0.98 else "timeout"
                store.metrics.record_attempt(PROVIDERS[n % 3], outcome, dice.lognormvariate(7.0, 0.4), tokens_in=900, tokens_out=80)
            await asyncio.sleep(TICK_S)
        return done / (time.perf_counter() - began)


async def fill(folder: str, count: int) -> None:
    """So many events that wait, with nobody to work on them.

    The first thousands as traffic has them, and the urgent ones of those are seen first. The depth behind them is put in by the thousand.
    """
    async with open_session(settings_of(folder), role="cli", engine=False) as session:
        for start in range(0, min(count, ONE_BY_ONE), TOGETHER):
            await asyncio.gather(*(put_in(session.store, n, "f") for n in range(start, min(count, start + TOGETHER))))
        for start in range(ONE_BY_ONE, count, TOGETHER):
            events = [IncomingEvent(f"f{n}", "push", b"{}", "bench") for n in range(start, min(count, start + TOGETHER))]
            refused = [one for one in await session.store.queue.enqueue_many(events) if isinstance(one, BackPressure)]
            if refused:
                raise refused[0]


if __name__ == "__main__":
    print(asyncio.run(produce(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))))
