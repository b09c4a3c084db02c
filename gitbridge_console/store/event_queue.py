"""``RedisEventQueue``: lanes, leases, fences, delays and dead letters, one method per script.

The promise is *at least once*: a job may run again after its lease ran out, and whoever held it before finds its fence
void. What must happen once (an answer stored, a panel counted down, a state changed) happens inside one script that
checks the fence.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from redis.exceptions import OutOfMemoryError

from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.domain.prompt_choice import PromptChoice
from gitbridge_console.domain.tasks import Attempt, TaskState
from gitbridge_console.store.claims import Request
from gitbridge_console.store.group_commit import TOGETHER_MAX
from gitbridge_console.store.keys import partition_of
from gitbridge_console.store.partition import Partition
from gitbridge_console.store.queue_controls import QueueControls, milliseconds, or_unknown
from gitbridge_console.store.records import (
    ASKED,
    ASKED_PROMPT,
    BackPressure,
    Claim,
    ClaimedJob,
    Ending,
    Enqueued,
    PayloadTooLarge,
    RoutePlan,
    Seat,
)
from gitbridge_console.store.replies import pack, text_of
from gitbridge_console.store.unavailable import full_text

PAYLOADS_PER_CLAIM_BYTES = 1 << 20
"""Payloads sent along with one claim; what is larger is fetched by whoever works on it."""


AT_ONCE = 500
"""Tasks looked at by one script, when many are called back."""


DELIVERY_INLINE = 64
"""Short, as they are, delivery ids stand in the record of an event; a longer one would make it larger."""


def _flat(pairs: Mapping[str, str]) -> list[str]:
    return [part for pair in pairs.items() for part in pair]


def _named(kind: str, pairs: Mapping[str, str]) -> list[str]:
    return [part for name, value in pairs.items() for part in (kind + name, value)]


def _is_plain(event: IncomingEvent) -> bool:
    """Whether an event has nothing but delivery and payload of its own, and JSON nothing to escape in its delivery id."""
    name = event.delivery
    if event.diff or event.priority or len(name) > DELIVERY_INLINE:
        return False
    return name.isascii() and name.isprintable() and '"' not in name and "\\" not in name


def _json(value: Any) -> str:
    """JSON without escapes for what is not ASCII: scripts cannot read that of half a surrogate pair, which is replaced when it is sent."""
    return json.dumps(value, ensure_ascii=False)


@lru_cache(maxsize=256)
def _lasting(kind: str, action: str, source: str) -> str:
    """What many events have in common of the JSON in their records."""
    fields = {"ty": kind, "ac": action, "src": source} if action else {"ty": kind, "src": source}
    return _json(fields)[:-1]


def _fields(event: IncomingEvent, action: str, edited_from: str) -> str:
    """The fields of a new event's header that say nothing to the queue, as JSON; every value is text."""
    text = _lasting(event.type[:60], action[:60], event.source[:60])
    if len(event.delivery) <= DELIVERY_INLINE:
        text += f', "dl": {_json(event.delivery)}'
    if event.priority:
        text += ', "pin": "1"'
    if event.diff:
        text += ', "df": "1"'
    if edited_from:
        text += f', "from": {_json(edited_from)}'
    return text + "}"


class RedisEventQueue(QueueControls):
    """The queue as its workers see it; what operators do with it is in :class:`QueueControls`."""

    async def enqueue(
        self,
        event: IncomingEvent,
        *,
        lane: str = "route",
        priority: Priority = Priority.NORMAL,
        action: str = "",
        repository: str = "",
        edited_from: str = "",
        texts: Mapping[str, str] | None = None,
    ) -> Enqueued:
        """Accept an event once per delivery id; a delivery whose event failed or was shed runs again.

        ``priority`` is provisional, one of the event itself stays. ``repository`` decides on the partition and what a
        cap counts. ``edited_from`` names the event whose payload was edited; both then know of each other.

        Raises:
            PayloadTooLarge: over the configured size.
            BackPressure: too much is undecided or stored and nothing may be shed for it, or the server is at its memory limit.
        """
        home, args = self._handed_in(event, lane, priority, action, repository, edited_from, texts)
        try:
            reply = await self.partitions[home].accept(self._bounds(home), args)
        except OutOfMemoryError as error:
            reply = error
        outcome = self._outcome(reply)
        if isinstance(outcome, BackPressure):
            raise outcome from reply if isinstance(reply, Exception) else None
        return outcome

    async def enqueue_many(
        self, events: Sequence[IncomingEvent], *, lane: str = "route", priority: Priority = Priority.NORMAL
    ) -> list[Enqueued | BackPressure]:
        """Accept many events with few round trips, in their order: for each what :meth:`enqueue` would have returned or refused it with.

        Raises:
            PayloadTooLarge: one is over the configured size; nothing was stored.
            redis.exceptions.RedisError: the store is away; some may be stored. All may be handed in again: ids are accepted once.
        """
        for event in events:
            self._check_size(event)
        # One by one, as they are sent: meanwhile the server works on those before.
        handed_in = (self._handed_in_plainly(event, lane, priority) for event in events)
        # Without a repository all of them belong to the first partition.
        replies = await self.partitions[0].accept_many(self._bounds(0), handed_in)
        return [Enqueued(reply.decode(), "new") if type(reply) is bytes else self._outcome(reply) for reply in replies]

    def _handed_in_plainly(self, event: IncomingEvent, lane: str, priority: Priority) -> Sequence[Any]:
        """What it has in common with others apart, where that is all it has."""
        if not _is_plain(event):
            return self._handed_in(event, lane, priority, "", "", "", None)[1]
        common = (lane, str(int(priority)), "", _lasting(event.type[:60], "", event.source[:60]) + ', "dl": "')
        return common, event.delivery, pack(event.payload)

    def _check_size(self, event: IncomingEvent) -> None:
        if len(event.payload) > self.settings.payload_max_bytes:
            limit = f"queue.payload_max_bytes = {self.settings.payload_max_bytes:,}"
            raise PayloadTooLarge(f"payload of {len(event.payload):,} bytes is over {limit}")

    def _handed_in(
        self,
        event: IncomingEvent,
        lane: str,
        priority: Priority,
        action: str,
        repository: str,
        edited_from: str,
        texts: Mapping[str, str] | None,
    ) -> tuple[int, list[Any]]:
        """The partition an event belongs to and the arguments of its script."""
        self._check_size(event)
        count = len(self.partitions)
        key = f"{zlib.crc32(repository.encode('utf-8', 'replace')):08x}" if repository else ""
        home = partition_of(edited_from, count) if edited_from else int(key or "0", 16) % count
        fields = _fields(event, action, edited_from)
        args = [event.delivery, lane, str(int(event.priority or priority)), key, fields, pack(event.payload)]
        if event.diff:
            args += ["diff", pack(event.diff.encode("utf-8", "replace"))]
        if edited_from:
            args += ["from", edited_from]
        if len(event.delivery) > DELIVERY_INLINE:
            args += ["x:delivery", event.delivery]
        if texts:
            args += _named("x:", texts)
        return home, args

    def _outcome(self, reply: Any) -> Enqueued | BackPressure:
        """The reply of the script for one event; what is no answer of it is raised."""
        if isinstance(reply, OutOfMemoryError):
            return BackPressure(f"{full_text(reply)}; nothing accepted is lost, try again later")
        if isinstance(reply, Exception):
            raise reply
        status = text_of(reply[1])
        if status == "full":
            limit = self._limit_text("max_waiting", self.settings.max_waiting)
            return BackPressure(f"{int(reply[2]):,} events are undecided, {limit}; try again later")
        if status == "over budget":
            limit = self._limit_text("memory_hard_bytes", self.settings.memory_hard_bytes)
            return BackPressure(f"{int(reply[2]):,} bytes are stored, {limit}; try again later")
        return Enqueued(text_of(reply[0]), status)

    async def claim(self, lane: str, n: int, lease_s: float | None = None, *, payloads: bool = True, repository_max: int = 0) -> Claim:
        """Claim up to ``n`` jobs of a lane, most urgent and oldest first, unless it is paused.

        With ``repository_max`` no more than that many jobs of one repository are leased in the lane at once; the others
        are held apart and do not stand in anybody's way.
        """
        room = PAYLOADS_PER_CLAIM_BYTES if payloads else -1
        return await self._claimer.claim(Request(lane, n, milliseconds(lease_s or self.settings.lease_s), room, repository_max))

    async def load(self, job: ClaimedJob) -> ClaimedJob:
        """The job with its payload, fetched if it was too large to be sent along."""
        if job.packed_payload:
            return job
        keys = self._of(job.id).keys
        found: list[Any] = await self.client.mget(keys.payload(job.event_id), keys.diff(job.event_id))
        payload, diff = found
        return replace(job, packed_payload=payload or b"", packed_diff=diff or b"")

    async def begin(self, job: ClaimedJob) -> int | None:
        """Say that a seat's provider is about to be asked: the event's deadline runs from the first time.

        Returns the deadline in milliseconds of the server's clock; ``None`` when the fence is void or nobody wants the
        answer any more.
        """
        return int(await self._of(job.id).commit("begin", job.id, job.fence)) or None

    async def book_attempt(self, job: ClaimedJob, attempt: str) -> bool:
        """Record an attempt that was cancelled, whoever holds the task by now. ``False``: the task is gone, or it was recorded before."""
        return bool(await self._of(job.id).commit("record", job.id, attempt))

    async def extend(self, held: Sequence[tuple[str, str]], lease_s: float | None = None) -> list[bool]:
        """Prolong leases given as (job id, fence); ``False`` means lost or cancelled: stop working on it."""
        lease_ms, found = milliseconds(lease_s or self.settings.lease_s), [False] * len(held)
        groups: dict[Partition, list[int]] = {}
        for place, (job_id, _) in enumerate(held):
            groups.setdefault(self._of(job_id), []).append(place)
        for partition, places in groups.items():
            flat = [part for place in places for part in held[place]]
            for place, kept in zip(places, await partition.commit("extend", lease_ms, *flat), strict=True):
                found[place] = bool(kept)
        return found

    async def release(
        self,
        job: ClaimedJob,
        *,
        delay_s: float = 0.0,
        counted: bool = False,
        parked: bool = False,
        batched: bool = False,
        reason: str = "",
        chance_s: float | None = None,
    ) -> bool:
        """Hand a job back to its lane, by default as if it had never been claimed.

        ``parked`` says that a seat's provider cannot be asked now: an event none of whose seats was asked is parked then, and shows
        ``chance_s``, the time until somebody can, where that is known.
        ``batched`` says that its question goes with a batch: only :meth:`hasten`, a person or the end of the delay brings it back.
        A counted release of a job that was delivered ``retry.deliveries_max`` times gives it up as poison.
        """
        how = "counted" if counted else "parked" if parked else "batched" if batched else "uncounted"
        most = self.retry_settings.deliveries_max
        args = (milliseconds(delay_s), how, reason[:200], most, or_unknown(chance_s))
        return bool(await self._of(job.id).commit("release", job.id, job.fence, *args))

    async def hasten(self, ids: Sequence[str]) -> int:
        """Make tasks that wait for a batch claimable now; returns how many did."""
        return sum([int(await partition.run("hasten", *own)) for partition, own in self._by_partition(ids)])

    async def unasked(self, lane: str, ids: Sequence[str]) -> set[str]:
        """Those of the tasks that are still to be asked in ``lane``: neither ended nor moved elsewhere."""
        return {text_of(one) for partition, own in self._by_partition(ids) for one in await partition.run("unasked", lane, *own)}

    def _by_partition(self, ids: Sequence[str]) -> Iterator[tuple[Partition, Sequence[str]]]:
        for partition in self.partitions:
            own = [job_id for job_id in ids if self._of(job_id) is partition]
            yield from ((partition, own[start : start + AT_ONCE]) for start in range(0, len(own), AT_ONCE))

    async def route(self, job: ClaimedJob, plan: RoutePlan) -> tuple[str, str | None]:
        """Hand an event on to its panel. Returns (``routed`` | ``superseded`` | ``lost``, id of the other event if any)."""
        reply = await self._of(job.id).commit(
            "route",
            job.id,
            job.fence,
            plan.kind,
            int(plan.priority),
            plan.quorum,
            milliseconds(plan.grace_s),
            milliseconds(plan.deadline_s),
            milliseconds(plan.expires_s),
            plan.subject,
            plan.version,
            plan.tokens,
            plan.risk,
            len(plan.lanes),
            *plan.lanes,
            *_flat(plan.texts),
        )
        return text_of(reply[0]), text_of(reply[1]) if len(reply) > 1 else None

    async def hand_on(
        self,
        job: ClaimedJob,
        lane: str,
        state: EventState,
        *,
        by: str = "router",
        why: str = "",
        delay_s: float = 0.0,
        cancel_waiting_seats: bool = False,
        decision: str = "",
        action: str = "",
        header: Mapping[str, str] | None = None,
        texts: Mapping[str, str] | None = None,
        record: Mapping[str, Any] | None = None,
    ) -> bool:
        """Move an event to its next stage, or end it with an empty ``lane``. ``False``: the fence is void, nothing changed.

        ``record`` is appended to the log of decisions by the same script: once, or not at all.
        """
        if not (lane or delay_s or cancel_waiting_seats or decision or action or header or record):
            return (await self.conclude([job], Ending(state, why, by, texts or {})))[0]
        partition = self._of(job.id)
        args: list[Any] = [job.id, job.fence, lane, state.value, by]
        if why:
            args += ["why", why[:300]]
        if delay_s > 0:
            args += ["delay", milliseconds(delay_s)]
        if cancel_waiting_seats:
            args += ["cancel", "1"]
        if decision:
            args += ["decision", decision]
        if action:
            args += ["action", action]
        if header:
            args += _named("h:", header)
        if texts:
            args += _named("x:", texts)
        if record is None:
            return bool(await partition.commit("hand_on", *args))

        def write(prev: str, digest: str, text: str | bytes, entries: int, size: int) -> Awaitable[Any]:
            link = ("prev", prev, "hash", digest, "record", text, "entries", entries, "bytes", size)
            return partition.commit("hand_on", *args, *link)

        return bool(await self.log.with_record(partition, record, write))

    async def conclude(self, jobs: Sequence[ClaimedJob], ending: Ending) -> list[bool]:
        """End events alike. ``False`` for each whose fence is void; nothing changed there.

        Raises:
            redis.exceptions.RedisError: what the server answered for one of them, which is still held; or it is away.
        """
        texts = _json(list(_flat(ending.texts))) if ending.texts else ""
        how = (ending.state.value, ending.by, ending.why[:300], texts)
        own: dict[Partition, list[ClaimedJob]] = {}
        for job in jobs:
            own.setdefault(self._of(job.id), []).append(job)
        parts = [(home, some[at : at + TOGETHER_MAX]) for home, some in own.items() for at in range(0, len(some), TOGETHER_MAX)]
        asked = [home.conclude(how, [word for job in part for word in (job.id, job.fence)]) for home, part in parts]
        ended: dict[str, Any] = {}
        for (_, part), replies in zip(parts, await asyncio.gather(*asked), strict=True):
            ended.update(zip([job.id for job in part], replies, strict=True))
        if refused := [done for done in ended.values() if isinstance(done, Exception)]:
            raise refused[0]
        return [bool(ended[job.id]) for job in jobs]

    async def attach(self, job: ClaimedJob, diff: str) -> bool:
        """Keep the diff that was fetched for an event with it, as if it had come along. ``False``: the fence is void."""
        return bool(await self._of(job.id).run("attach", job.id, job.fence, pack(diff.encode("utf-8", "replace"))))

    async def widen(self, job: ClaimedJob, *seats: Seat, note: str, most_s: float = 0.0) -> bool:
        """Add seats to the panel of an event held in ``decide``; it waits for them, ``most_s`` at most (0: to its deadline).

        ``False``: the fence is void.
        """
        own = [word for seat in seats for word in (seat.lane, seat.asks, seat.about)]
        return bool(await self._of(job.id).commit("widen", job.id, job.fence, note[:200], milliseconds(most_s), *own))

    async def question(self, job: ClaimedJob) -> str:
        """What a task of the second round is about, as :meth:`widen` was given it; empty where that is gone."""
        return text_of(await self.client.hget(self._of(job.id).keys.about(job.event_id), f"ask:{job.id}") or b"")

    async def asked_panel(self, job: ClaimedJob) -> tuple[str, ...]:
        """The providers an operator asked for when the event was made from another one; nobody for all others."""
        found = await self.client.hget(self._of(job.id).keys.about(job.event_id), ASKED) if job.event.get("from") else None
        return tuple(name for name in text_of(found).split(", ") if name)

    async def asked_prompt(self, job: ClaimedJob) -> PromptChoice | None:
        """The version of the question an operator chose when the event was made from another one; none for all others."""
        if not job.event.get("from"):
            return None
        return PromptChoice.read(text_of(await self.client.hget(self._of(job.id).keys.about(job.event_id), ASKED_PROMPT)))

    async def last_attempt(self, job: ClaimedJob) -> Attempt | None:
        """The newest attempt made for a task."""
        raw = await self.client.lindex(self._of(job.id).keys.attempts(job.id), -1)
        return None if raw is None else Attempt.model_validate_json(raw)

    async def retry_task(
        self,
        job: ClaimedJob,
        *,
        attempt: str = "",
        delay_s: float = 0.0,
        verdict: str = "retry",
        text: str = "",
        candidates: Sequence[str] = (),
    ) -> str | None:
        """Put a task back after a failed attempt, or move it to the first free one of ``candidates``.

        Without an attempt the claim does not count as a delivery. Returns the lane it waits in; ``""`` when no candidate
        was free (the task is still held); ``None``: fence void. May be repeated: an attempt is booked once.
        """
        args = (attempt, milliseconds(delay_s), verdict, text[:300], *candidates)
        reply = await self._of(job.id).commit("retry", job.id, job.fence, *args)
        return None if reply is None else text_of(reply)

    async def hedge_task(self, job: ClaimedJob, candidates: Sequence[str]) -> str | None:
        """Have another provider asked for the same seat while its own takes long: the first of the two that succeeds ends the seat.

        Returns the lane of the second task; ``""`` when nobody was free, or the seat has or is a hedge; ``None``: the fence is void
        or nobody wants the answer.
        """
        reply = await self._of(job.id).commit("hedge", job.id, job.fence, *candidates)
        return None if reply is None else text_of(reply)

    async def settle_task(
        self,
        job: ClaimedJob,
        state: TaskState,
        *,
        attempt: str = "",
        answer: str = "",
        error_class: str = "",
        vote: bool = False,
        text: str = "",
    ) -> bool:
        """End a task and count its panel down, storing answer and attempt with it. ``False``: the fence is void."""
        args = (state, attempt, answer, error_class, "vote" if vote else "none", text[:300])
        return bool(await self._of(job.id).commit("settle", job.id, job.fence, *args))
