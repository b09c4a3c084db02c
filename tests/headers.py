"""Headers as the store keeps them, for tests that need one to say something else."""

from __future__ import annotations

import json

from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.headers import FIRST, read_header

__all__ = ["header", "set_fields"]


async def header(queue: RedisEventQueue, job_id: str) -> dict[str, str]:
    """The header of a job of the first partition, empty when it is not there."""
    return await read_header(queue.client, queue.keys, job_id)


async def set_fields(queue: RedisEventQueue, job_id: str, **fields: str | int) -> None:
    """Write fields into the record of a job."""
    raw = (await queue.client.get(queue.keys.job(job_id))).decode()
    *values, rest = raw.split(" ", len(FIRST))
    text, *timeline = rest.split("\n")
    first, others = dict(zip(FIRST, values, strict=True)), json.loads(text)
    for name, value in fields.items():
        (first if name in FIRST else others)[name] = str(value)
    await queue.client.set(queue.keys.job(job_id), " ".join([*first.values(), "\n".join([json.dumps(others), *timeline])]))
