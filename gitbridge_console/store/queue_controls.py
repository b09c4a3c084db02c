"""What operators and the engine's maintenance do with the queue, over all its partitions."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError, ResponseError

from gitbridge_console.domain.decisions import Decision
from gitbridge_console.domain.events import EventState, Priority
from gitbridge_console.settings.model import QueueSettings, RetentionSettings, SheddingSettings
from gitbridge_console.settings.routing import RetrySettings
from gitbridge_console.store.claims import Claimer
from gitbridge_console.store.decision_log import DecisionLog
from gitbridge_console.store.durability import DiskWait
from gitbridge_console.store.in_pieces import UPKEEP_CHUNK, run_on, run_over
from gitbridge_console.store.keys import Keys, partition_of
from gitbridge_console.store.partition import Partition
from gitbridge_console.store.queue_stats import add_up, stats_from
from gitbridge_console.store.records import BackPressure, Closure, QueueStats
from gitbridge_console.store.replies import pack, text_of
from gitbridge_console.store.scripts_loader import FIRST_WITH_FLAGS
from gitbridge_console.store.unavailable import full_text

MOVE_MAX = 200
"""Tasks of a closed lane that are looked at in one go, in each place a task can wait in."""
TRIM_MAX = 1_000
"""Finished events forgotten at a time; an engine that trims every ten seconds keeps up with a hundred a second."""


def milliseconds(seconds: float) -> int:
    """Seconds as the scripts want them."""
    return round(seconds * 1000)


def or_unknown(seconds: float | None) -> int:
    """Milliseconds, or -1 where nobody knows, as the scripts want them."""
    return -1 if seconds is None else milliseconds(seconds)


def _digest(decision: str) -> str:
    """A stored decision as scripts tell it from another."""
    return hashlib.sha1(decision.encode(), usedforsecurity=False).hexdigest()


class QueueControls:
    """The partitions of a queue and everything that is not a worker's transition.

    ``client`` must return bytes (``decode_responses=False``) and must not repeat commands by itself: a claim that is
    sent twice takes twice. The settings may be replaced while it works, by :meth:`use`, but for the number of partitions.
    """

    def __init__(
        self,
        client: Redis,
        keys: Keys,
        *,
        queue: QueueSettings | None = None,
        retry: RetrySettings | None = None,
        retention: RetentionSettings | None = None,
        shedding: SheddingSettings | None = None,
        server_major: int = FIRST_WITH_FLAGS,
        disk: DiskWait | None = None,
    ) -> None:
        self.client = client
        self.settings = queue or QueueSettings()
        self.retry_settings = retry or RetrySettings()
        self.retention = retention or RetentionSettings()
        self.shedding = shedding or SheddingSettings()
        names = [Keys(keys.namespace, n) for n in range(self.settings.partitions)]
        self.keys = names[0]
        """Of the first partition, which also holds what is not divided: the quarantine and the store's own marks."""
        self.partitions = tuple(Partition(client, own, server_major, disk) for own in names)
        self._claimer = Claimer(self.partitions)
        self.log = DecisionLog(client, self.partitions, self._log_bounds)
        self._disk = disk or DiskWait()
        self._bounds_known: dict[int, tuple[Any, ...]] = {}

    def use(self, queue: QueueSettings, retry: RetrySettings, retention: RetentionSettings, shedding: SheddingSettings) -> None:
        """Go by new settings from now on; the number of partitions stays what the store was made with."""
        self.settings = queue.model_copy(update={"partitions": len(self.partitions)})
        self.retry_settings, self.retention, self.shedding = retry, retention, shedding
        self._bounds_known = {}

    def _log_bounds(self) -> tuple[int, int]:
        return self._share(self.retention.decision_log_max), self._share(self.retention.decision_log_bytes)

    async def log_record(self, event_id: str, record: Mapping[str, Any]) -> None:
        """Append a record about an event to the log of decisions."""
        await self.log.append(self._of(event_id), record)

    def _of(self, job_id: str) -> Partition:
        return self.partitions[partition_of(job_id, len(self.partitions))]

    def _share(self, limit: int) -> int:
        return math.ceil(limit / len(self.partitions))

    def _bounds(self, home: int) -> tuple[Any, ...]:
        """What a partition's enqueues go by, as the script of that name wants it."""
        known = self._bounds_known.get(home)
        if known is None:
            limits = self.settings
            known = self._bounds_known[home] = (
                milliseconds(self.retention.delivery_ids_s),
                f"{home:02x}",
                self._share(limits.max_waiting),
                self._share(limits.memory_soft_bytes),
                self._share(limits.memory_hard_bytes),
                int(Priority.parse(self.shedding.least_priority)) if self.shedding.enabled else 0,
            )
        return known

    def _limit_text(self, name: str, limit: int) -> str:
        """A limit in words: as it is set, or what of it falls to the one partition an event belongs to."""
        if len(self.partitions) == 1:
            return f"queue.{name} is {limit:,}"
        return f"its partition's share of queue.{name} is {self._share(limit):,} of {limit:,}"

    async def recover(self, limit: int = UPKEEP_CHUNK) -> tuple[int, int]:
        """Take back expired leases, at most ``limit`` a lane in a call, and let go on what a cap no longer holds.

        Returns (recovered, given up as poison).
        """
        args = (limit, self.retry_settings.deliveries_max, self.settings.repository_max)
        sums = [await run_on(partition, "recover", *args) for partition in self.partitions]
        return sum(recovered for recovered, _ in sums), sum(buried for _, buried in sums)

    async def age(self, limit: int = UPKEEP_CHUNK) -> int:
        """Raise work that waited for ``queue.aging_ms`` or longer, at most ``limit`` jobs a class and lane in a call; returns how many."""
        if not self.settings.aging_ms:
            return 0
        return sum([sum(await run_on(partition, "age", self.settings.aging_ms, limit)) for partition in self.partitions])

    async def _each(self, script: str, ids: Sequence[str], *args: Any) -> list[Any]:
        """Run a script over ids wherever they live; the replies stand in the order of the ids."""
        replies: dict[str, Any] = {}
        for partition in dict.fromkeys(map(self._of, ids)):
            own = [job_id for job_id in ids if self._of(job_id) is partition]
            replies |= zip(own, await run_over(partition, script, args, own), strict=True)
        return [replies[job_id] for job_id in ids]

    async def reprioritize(self, ids: Sequence[str], priority: Priority, *, front: bool = False, by: str = "operator") -> list[int]:
        """Give jobs another priority, keeping their age; returns how many jobs changed for each id."""
        return [int(n) for n in await self._each("reprioritize", ids, int(priority), "front" if front else "", by)]

    async def replay(self, ids: Sequence[str], *, by: str, why: str = "") -> list[str]:
        """Run finished events again under their id. Per id: its former state, ``""`` unknown, ``-state`` left alone.

        Raises:
            BackPressure: the server is at its memory limit, or its disk takes no writes.
        """
        try:
            return [text_of(word) for word in await self._each("replay", ids, by, why[:200])]
        except OutOfMemoryError as error:
            raise BackPressure(f"{full_text(error)}; replay when there is room") from error

    async def cancel(self, ids: Sequence[str], *, by: str, why: str = "") -> list[str]:
        """Cancel unfinished events, seats in flight included. Reply as :meth:`replay`."""
        return [text_of(word) for word in await self._each("cancel", ids, by, why[:200])]

    async def approve(self, event_id: str, *, approve: bool, by: str, note: str = "", seen: str | None = None, action: str = "") -> str:
        """An operator's word on an event that awaits it; returns the state it was in, ``"changed"`` where the decision is not ``seen``.

        ``action`` is what is to be published exactly so.
        """
        word, digest = "approve" if approve else "reject", "" if seen is None else _digest(seen)
        return text_of(await self._of(event_id).run("approve", event_id, word, by, note[:200], digest, action))

    async def amend(self, event_id: str, before: str, after: Decision, header: Mapping[str, str], *, only_open: bool, by: str) -> str:
        """Replace an event's decision, if it still is ``before``, and with ``only_open`` if it awaits approval.

        Returns the event's state; ``"none"`` without a decision, ``"changed"`` when it is another by now, ``""`` for an unknown event.
        """
        last = (*after.basis.edits, *after.feedback)[-1:]
        note = " ".join(f"{edit.word} {edit.value} {', '.join(edit.findings)} {edit.note}" for edit in last)
        pairs = [word for pair in header.items() for word in pair]
        args = (_digest(before), after.model_dump_json(), "open" if only_open else "any", by, " ".join(note.split())[:200], *pairs)
        return text_of(await self._of(event_id).run("amend", event_id, *args))

    async def move(self, source: str, target: str, *, by: str, limit: int = 500) -> tuple[int, int]:
        """Move up to ``limit`` unclaimed tasks to another provider's lane; returns (moved, left alone)."""
        moved = kept = 0
        for partition in self.partitions:
            for place in await self._places(partition, source):
                passed_over = 0
                while moved < limit:
                    chunk = min(UPKEEP_CHUNK, limit - moved)
                    args = (source, place, passed_over, chunk, by, -1, "all", "", 0, "*", 1, target, -1)
                    gone, stay, more = map(int, await partition.run("move", *args))
                    moved, passed_over = moved + gone, passed_over + stay
                    if not more:
                        break
                kept += passed_over
        return moved, kept

    async def _places(self, partition: Partition, lane: str) -> list[str]:
        held = [text_of(place).split(" ") for place in await self.client.smembers(partition.keys.held_index)]
        return ["r", "w", *(f"g:{repository}" for its_lane, repository in held if its_lane == lane)]

    async def move_on(
        self,
        source: str,
        closure: Closure,
        targets: Mapping[str, Sequence[tuple[str, int]]],
        *,
        passed_over: dict[tuple[str, str], int],
        limit: int = MOVE_MAX,
    ) -> tuple[int, int]:
        """Give unclaimed seats of a closed lane to others they may still ask, or park their events.

        It looks at no more than ``limit`` in each place a seat can wait in.

        ``targets`` has, for each kind of event, the providers that may take over, best first, and the tokens each can read.
        ``passed_over`` is kept for the caller between calls, so that those who cannot move do not stand before those who can.
        Returns (moved, left alone of those looked at).
        """
        flat: list[Any] = []
        for kind, able in targets.items():
            flat += [kind, len(able), *(part for pair in able for part in pair)]
        late = "late" if closure.late_only else "all"
        most = self.retry_settings.attempts_per_provider_max
        about = ("router", or_unknown(closure.retry_in_s), late, closure.reason[:200], most, *flat)
        moved = kept = 0
        for partition in self.partitions:
            for place in await self._places(partition, source):
                key = (partition.keys.tag, f"{source} {place}")
                looked, start, more = 0, passed_over.pop(key, 0), 1
                while more and looked < limit:
                    chunk = min(UPKEEP_CHUNK, limit - looked)
                    gone, stay, more = map(int, await partition.run("move", source, place, start, chunk, *about))
                    looked, start, moved, kept = looked + gone + stay, start + stay, moved + gone, kept + stay
                if more:
                    passed_over[key] = start
        return moved, kept

    async def pause(self, lane: str, *, by: str, reason: str, for_s: float | None = None) -> str:
        """Hold a lane: nothing is claimed from it until resumed or until the time is over. Returns the pause before."""
        for_ms = 0 if for_s is None else max(1, milliseconds(for_s))
        return await self._switch("pause", lane, for_ms, by, reason[:200])

    async def drain(self, lane: str, *, by: str, reason: str) -> str:
        """Have a provider get no new seats while it finishes what waits in its lane, until resumed. Returns the drain before."""
        return await self._switch("drain", lane, 0, by, reason[:200])

    async def resume(self, lane: str, *, by: str) -> str:
        """Let a lane go on; returns the pause, or else the drain, that was in force."""
        return await self._switch("resume", lane, 0, by, "")

    async def _switch(self, *args: Any) -> str:
        before = [text_of(await partition.run("pause", *args)) for partition in self.partitions]
        return next(filter(None, before), "")

    async def stats(self, lanes: Sequence[str] = ()) -> QueueStats:
        """Count everything once."""
        replies = await asyncio.gather(*(partition.run("stats", *lanes, "|", *EventState) for partition in self.partitions))
        return add_up([stats_from(reply) for reply in replies])

    async def trim(self, limit: int = TRIM_MAX) -> int:
        """Forget finished events beyond retention, oldest first, at most ``limit`` in each partition; returns how many."""
        return sum([await self._trim(partition, limit) for partition in self.partitions])

    async def _trim(self, partition: Partition, limit: int) -> int:
        bounds, gone = self.retention, 0
        most = (self._share(bounds.finished_max), self._share(bounds.finished_bytes))
        while gone < limit:
            chunk = min(UPKEEP_CHUNK, limit - gone)
            args = (milliseconds(bounds.finished_s), *most, chunk, milliseconds(bounds.delivery_ids_s))
            went, more = map(int, await partition.run("trim", *args))
            gone += went
            if went < chunk and not more:
                break
        return gone

    async def quarantine(self, raw: bytes, *, source: str, error: str) -> str:
        """Keep something that could not be read as an event, for an operator to look at; the oldest go first.

        Raises:
            BackPressure: the server refuses it, or it is not confirmed on disk where that is asked for.
        """
        fields: dict[Any, Any] = {
            "source": source[:60],
            "error": error[:300],
            "size": len(raw),
            "raw": pack(raw[: self.settings.payload_max_bytes]),
        }
        async with self.client.pipeline(transaction=False) as pipe:
            pipe.xadd(self.keys.quarantine, fields, maxlen=self.retention.quarantine_max, approximate=True)
            (reply,) = await self._disk.execute(pipe)
        if isinstance(reply, ResponseError):
            raise BackPressure(f"the store refuses to quarantine: {reply}") from reply
        if isinstance(reply, Exception):
            raise reply
        return text_of(reply)
