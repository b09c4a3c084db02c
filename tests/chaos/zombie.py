"""An engine every write of which comes too late: it works on what it claims, and hands on when its lease has long run out.

A frozen engine seldom holds an event in the few milliseconds in which it is routed, decided or acted on; this one always
does. It never prolongs a lease and is told that it holds them all. It prints a JSON line for each late write.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from pathlib import Path
from typing import Any

from gitbridge_console.router.engine import Engine
from gitbridge_console.settings.holder import SettingsHolder
from gitbridge_console.settings.loading import load_settings
from gitbridge_console.settings.model import Settings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.records import ClaimedJob
from gitbridge_console.store.replies import text_of
from gitbridge_console.store.store import open_store

WRITES = ("release", "route", "hand_on", "widen", "retry_task", "settle_task")
"""Every method of the queue that shows a fence, but for ``extend``."""

STAGE_SLOTS, PROVIDER_SLOTS = 2, 1
"""Few, for what it holds waits for its lease to run out."""

LATE_WITHIN_S = 2.5
"""How long after the end of the lease a write may come: others have recovered the job by then, hold it, or are done with it."""

REFUSED = (False, None, "lost")


def make_late(queue: RedisEventQueue, name: str) -> None:
    """Let one write of the queue wait until it is too late, and tell what became of it."""
    write = getattr(queue, name)

    async def late(job: ClaimedJob, *args: Any, **more: Any) -> Any:
        await asyncio.sleep(queue.settings.lease_s + random.uniform(0.0, LATE_WITHIN_S))
        void = await is_void(queue, job)
        result = await write(job, *args, **more)
        refused = (result[0] if isinstance(result, tuple) else result) in REFUSED
        print(json.dumps({"late": name, "job": job.id, "fence": job.fence, "void": void, "refused": refused}), flush=True)
        return result

    setattr(queue, name, late)


async def is_void(queue: RedisEventQueue, job: ClaimedJob) -> bool:
    """Whether the job has another fence by now, or none. Once that is so it stays so."""
    return text_of(await queue.client.hget(queue.keys.fences, job.id)).partition(" ")[0] != job.fence


async def never_prolong(held: list[tuple[str, str]], lease_s: float | None = None) -> list[bool]:
    """Stands in for ``extend``: prolongs nothing and says that all is well."""
    return [True] * len(held)


async def work(settings: Settings) -> None:
    """Run until killed."""
    state_dir = Path(str(settings.state_dir))
    async with open_store(settings, state_dir) as store:
        for name in WRITES:
            make_late(store.queue, name)
        store.queue.extend = never_prolong  # type: ignore[method-assign,assignment]
        await Engine(store, SettingsHolder(settings), state_dir=state_dir, role="zombie").run()


def main() -> None:
    """The process the harness starts."""
    words = argparse.ArgumentParser()
    words.add_argument("--config", required=True)
    given = words.parse_args()
    settings = load_settings(given.config).settings
    fewer = {name: own.model_copy(update={"max_concurrency": PROVIDER_SLOTS}) for name, own in settings.providers.items()}
    queue = settings.queue.model_copy(update={"stage_concurrency": STAGE_SLOTS})
    asyncio.run(work(settings.model_copy(update={"providers": fewer, "queue": queue})))


if __name__ == "__main__":
    main()
