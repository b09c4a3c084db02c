"""Stores to be backed up, and a comparison of all that is in two of them."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.operations.operations import Operations
from gitbridge_console.store.keys import BELOW_LONG_MEMBER
from gitbridge_console.store.records import RoutePlan
from gitbridge_console.store.replies import text_of
from gitbridge_console.store.store import Store

PARTS = "jxpfnohvat"


def store_of(door: Operations) -> Store:
    return door._store


async def written(door: Operations, path: Path) -> Path:
    with path.open("wb") as file:
        async for piece in door.backup():
            file.write(piece)
    return path


async def contents(door: Operations) -> dict[str, bytes]:
    """What is kept of every event, by key without its namespace, as the server dumps it."""
    store = store_of(door)
    start = f"{{{store.keys.namespace}:"
    found = {}
    async for raw in store.client.scan_iter(f"{start}*", count=1000):
        name = text_of(raw)
        if name.partition("}:")[2].partition(":")[0] in PARTS and ":" in name.partition("}:")[2]:
            found[name.removeprefix(start)] = bytes(await store.client.dump(name) or b"")
    return found


async def filled(door: Operations, count: int) -> list[str]:
    """Events in many states, some of them being worked on, with seats, decisions, pauses and an audit."""
    store, ids = store_of(door), []
    for start in range(0, count, 200):
        events = [
            IncomingEvent(f"b{n}", "push", b'{"repository": {"id": %d}, "n": "%s"}' % (n % 7, b"x" * (n % 300)), "test", diff="diff\n")
            for n in range(start, min(count, start + 200))
        ]
        ids += [made.id for made in await asyncio.gather(*map(door.submit, events))]
        jobs = (await store.queue.claim("route", 64)).jobs
        for n, job in enumerate(jobs):
            if n % 4 == 0:
                await store.queue.hand_on(
                    job, "", EventState.FAILED, why="silent", header={"err": "silent"}, texts={"error": "nobody home"}
                )
            elif n % 4 == 1:
                await store.queue.route(job, RoutePlan("push_review", Priority.NORMAL, ("claude", "grok"), 2, 1.0, 600.0, 600.0))
            elif n % 4 == 2:
                record = {"what": "decided", "event": job.id}
                await store.queue.hand_on(job, "", EventState.RESOLVED, decision="{}", header={"decided": "complete"}, record=record)
    await store.queue.claim("claude", 5)
    await door.pause(["grok"], "a slow night")
    await door.breaker("chatgpt", "open", "it lies")
    await store.queue.quarantine(b"{", source="test", error="no JSON")
    return ids


async def crowd(door: Operations, count: int) -> list[str]:
    """So many events more, in the same states, quickly."""
    store, ids = store_of(door), []
    for start in range(0, count, 1000):
        events = [
            IncomingEvent(f"c{n}", "push", b'{"n": "%s"}' % (b"x" * (n % 300)), "test") for n in range(start, min(count, start + 1000))
        ]
        made = await asyncio.gather(*(store.queue.enqueue(event, repository=f"id{n % 7}") for n, event in enumerate(events)))
        ids += [one.id for one in made]
        jobs = [job for _ in range(8) for job in (await store.queue.claim("route", 64)).jobs]
        plan = RoutePlan("push_review", Priority.NORMAL, ("claude", "grok"), 2, 1.0, 600.0, 600.0)
        failed = {"header": {"err": "silent"}, "texts": {"error": "nobody home"}}
        await asyncio.gather(
            *(store.queue.hand_on(job, "", EventState.FAILED, why="silent", **failed) for job in jobs[0::4]),
            *(store.queue.route(job, plan) for job in jobs[1::4]),
            *(store.queue.hand_on(job, "", EventState.RESOLVED, decision="{}", header={"decided": "complete"}) for job in jobs[2::4]),
        )
    return ids


LEFT_BEHIND = frozenset({"k", "fences", "held", "op", "od", "os"})
"""What a restoration leaves out by intention: leases end with it, bulk operations are not copied."""


LONG_MEMBER = float(BELOW_LONG_MEMBER.removeprefix("("))
"""What stands there is no job; it makes an index of the set."""


async def digests(door: Operations) -> dict[str, tuple[int, int]]:
    """All there is to compare of a namespace: for each sort of key how many there are, and a sum of hashes over names and contents.

    ``DEBUG DIGEST-VALUE`` is of what a key holds, not of how the server keeps it. The jobs of a lane are taken together, wherever they
    stand. Sums need no memory however many events there are.
    """
    store, found = store_of(door), dict[str, tuple[int, int]]()
    client: Any = store.client
    start, names = f"{{{store.keys.namespace}:", list[str]()

    def count(sort: str, *what: Any) -> None:
        digest = hashlib.sha256("\0".join(map(str, what)).encode()).digest()
        number, total = found.get(sort, (0, 0))
        found[sort] = number + 1, (total + int.from_bytes(digest)) % 2**256

    async def look() -> None:
        pipe = client.pipeline(transaction=False)
        for name in names:
            pipe.execute_command("DEBUG", "DIGEST-VALUE", name)
        for name, digest in zip(names, await pipe.execute(), strict=True):
            tag, _, rest = name.removeprefix(start).partition("}:")
            count(rest.partition(":")[0], tag, rest, text_of(digest[0]))
        names.clear()

    async for raw in client.scan_iter(f"{start}*", count=1000):
        name = text_of(raw)
        tag, _, rest = name.removeprefix(start).partition("}:")
        sort, _, lane = rest.partition(":")
        if sort in ("r", "l", "g"):
            async for member, score in client.zscan_iter(name, count=1000):
                if score < LONG_MEMBER:
                    count("jobs", tag, lane.partition(":")[0], text_of(member))
        elif sort == "b":
            for field, size in (await client.hgetall(name)).items():
                if int(size):  # a state nothing is in any more is not made anew
                    count("b", tag, text_of(field), int(size))
        elif sort not in LEFT_BEHIND and not tag.startswith(("ctl", "audit")):
            names.append(name)
        if len(names) >= 500:
            await look()
    await look()
    return found
