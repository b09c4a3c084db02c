"""Records of jobs as scripts store them (``_work.lua``), read as headers: text to text, decoded when somebody looks.

A record is the fields that change all the time, each followed by a space, then JSON with all others, then the newest
lines of an event's timeline. Whether a job is leased stands elsewhere: the hash of fences has it then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis

from gitbridge_console.store.keys import Keys
from gitbridge_console.store.replies import text_of

FIRST = ("sz", "st", "lane", "state", "dv", "pr", "ms", "rx", "rp")
"""Fields that stand before the JSON, in their order."""
_RECEIVED = FIRST.index("rx")


def header_of(raw: bytes | None, fence: bytes | str | None = None) -> dict[str, str]:
    """The header a record says, empty where there is none; ``fence`` is what the hash of fences has for the job."""
    if not raw:
        return {}
    *values, rest = raw.decode("utf-8", "replace").split(" ", len(FIRST))
    header = {name: value for name, value in zip(FIRST, values, strict=True) if value}
    header.update(json.loads(rest.partition("\n")[0]))
    if fence:
        header["f"], _, counted = text_of(fence).partition(" ")
        header["st"] = "leased"
        header["dv"] = str(int(header["dv"]) + 1)
        if counted:
            header["k"] = counted
        if "rx" not in header:  # of a task: an event says when it came in
            header["state"] = "in_progress"
    return header


def timeline_of(raw: bytes | None) -> list[bytes]:
    """The lines of the timeline that stand in a record, oldest first; older ones are in the event's list."""
    return raw.split(b"\n")[1:] if raw else []


class Header(Mapping[str, str]):
    """The header of a job as it was claimed."""

    __slots__ = ("_fence", "_found", "_raw")

    def __init__(self, raw: bytes, fence: str = "") -> None:
        self._raw = raw
        self._fence = fence
        self._found: dict[str, str] | None = None

    @property
    def _fields(self) -> dict[str, str]:
        if self._found is None:
            self._found = header_of(self._raw, self._fence)
        return self._found

    @property
    def received_ms(self) -> int:
        """When its event came in, or when it last started over; 0 where that is not known."""
        if self._found is not None or b'"since":' in self._raw:
            return int(self._fields.get("since") or self._fields.get("rx") or 0)
        return int(self._raw.split(b" ", _RECEIVED + 1)[_RECEIVED] or 0) if self._raw else 0

    def __getitem__(self, name: str) -> str:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"Header({self._fields!r})"


def ask_headers(pipe: Any, keys: Keys, job_ids: Sequence[str]) -> None:
    """Put into a pipe what :func:`headers_from` reads: two commands, one reply each."""
    # By its name: the method of a Cluster's pipe would take it for one that goes to several nodes, and refuses.
    pipe.execute_command("MGET", *(keys.job(job_id) for job_id in job_ids))
    pipe.hmget(keys.fences, list(job_ids))


def headers_from(records: Sequence[bytes | None], fences: Sequence[bytes | None]) -> list[dict[str, str]]:
    """The headers of jobs by the two replies to :func:`ask_headers`; empty for a job that is not there."""
    return [header_of(raw, fence) for raw, fence in zip(records, fences, strict=True)]


async def read_headers(client: Redis, keys: Keys, job_ids: Sequence[str]) -> list[dict[str, str]]:
    """The headers of jobs of one partition, all of one moment."""
    if not job_ids:
        return []
    async with client.pipeline(transaction=True) as pipe:
        ask_headers(pipe, keys, job_ids)
        return headers_from(*await pipe.execute())


async def read_spread(client: Redis, home: Callable[[str], Keys], job_ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """The headers of jobs wherever ``home`` says they are, by id and in the order asked for; of each partition two commands."""
    spread: dict[str, tuple[Keys, list[str]]] = {}
    for job_id in job_ids:
        keys = home(job_id)
        spread.setdefault(keys.tag, (keys, []))[1].append(job_id)
    pipe = client.pipeline(transaction=False)
    for keys, ids in spread.values():
        ask_headers(pipe, keys, ids)
    replies = await pipe.execute() if spread else []
    found: dict[str, dict[str, str]] = {}
    for n, (_, ids) in enumerate(spread.values()):
        found.update(zip(ids, headers_from(replies[2 * n], replies[2 * n + 1]), strict=True))
    return {job_id: found[job_id] for job_id in job_ids}


async def read_header(client: Redis, keys: Keys, job_id: str) -> dict[str, str]:
    """The header of a job, empty when it is not there."""
    return (await read_headers(client, keys, [job_id]))[0]
