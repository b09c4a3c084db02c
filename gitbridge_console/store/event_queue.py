"""``RedisEventQueue``: lanes, leases, fences, delays and dead letters, one method per script.

The promise is *at least once*: a job may run again after its lease ran out, and whoever held it before finds its fence
void. What must happen once (an answer stored, a panel counted down, a state changed) happens inside one script that
checks the fence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import compress
from typing import Any

from gitbridge_console.domain.events import EventState
from gitbridge_console.domain.prompt_choice import PromptChoice
from gitbridge_console.domain.tasks import Attempt, TaskState
from gitbridge_console.store.claims import Request
from gitbridge_console.store.group_commit import TOGETHER_MAX
from gitbridge_console.store.in_pieces import run_over
from gitbridge_console.store.partition import Partition
from gitbridge_console.store.queue_controls import milliseconds, or_unknown
from gitbridge_console.store.queue_entrance import QueueEntrance, as_json, named
from gitbridge_console.store.records import (
    ASKED,
    ASKED_PROMPT,
    Claim,
    ClaimedJob,
    Ending,
    RoutePlan,
    Seat,
)
from gitbridge_console.store.replies import pack, text_of
from gitbridge_console.store.standing_claims import StandingClaim, StandingClaims

PAYLOADS_PER_CLAIM_BYTES = 1 << 20
"""Payloads sent along with one claim; what is larger is fetched by whoever works on it."""


def _flat(pairs: Mapping[str, str]) -> list[str]:
    return [part for pair in pairs.items() for part in pair]


class RedisEventQueue(QueueEntrance):
    """The queue as its workers see it. How events get in is in :class:`QueueEntrance`, what operators do with them in ``QueueControls``."""

    standing: StandingClaims | None = None
    """Set where claims may wait at the server: on one server and with one partition."""

    async def claim(self, lane: str, n: int, lease_s: float | None = None, *, payloads: bool = True, repository_max: int = 0) -> Claim:
        """Claim up to ``n`` jobs of a lane, most urgent and oldest first, unless it is paused; as many as there is time for in one call.

        With ``repository_max`` no more than that many jobs of one repository are leased in the lane at once; the others
        are held apart and do not stand in anybody's way.
        """
        return await self._claimer.claim(self._request(lane, n, lease_s, payloads, repository_max))

    def stand(self, lane: str, n: int, wait_s: float, *, payloads: bool = True, repository_max: int = 0) -> StandingClaim | None:
        """As :meth:`claim`, but waiting at the server for something to claim, ``wait_s`` at most; ``None`` where claims do not stand."""
        if self.standing is None:
            return None
        return self.standing.make(self._request(lane, n, None, payloads, repository_max), wait_s)

    def _request(self, lane: str, n: int, lease_s: float | None, payloads: bool, repository_max: int) -> Request:
        room = PAYLOADS_PER_CLAIM_BYTES if payloads else -1
        return Request(lane, n, milliseconds(lease_s or self.settings.lease_s), room, repository_max)

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
        return sum([sum(await run_over(partition, "hasten", (), own)) for partition, own in self._by_partition(ids)])

    async def unasked(self, lane: str, ids: Sequence[str]) -> set[str]:
        """Those of the tasks that are still to be asked in ``lane``: neither ended nor moved elsewhere."""
        found: set[str] = set()
        for partition, own in self._by_partition(ids):
            found.update(compress(own, await run_over(partition, "unasked", (lane,), own)))
        return found

    def _by_partition(self, ids: Sequence[str]) -> Iterator[tuple[Partition, Sequence[str]]]:
        for partition in self.partitions:
            yield partition, [job_id for job_id in ids if self._of(job_id) is partition]

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
            args += named("h:", header)
        if texts:
            args += named("x:", texts)
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
        texts = as_json(list(_flat(ending.texts))) if ending.texts else ""
        how = (ending.state.value, ending.by, ending.why[:300], texts)
        own: dict[Partition, list[ClaimedJob]] = {}
        for job in jobs:
            own.setdefault(self._of(job.id), []).append(job)
        parts = [(home, some[at : at + TOGETHER_MAX]) for home, some in own.items() for at in range(0, len(some), TOGETHER_MAX)]
        asked = [home.conclude(how, [word for job in part for word in (job.id, job.fence)]) for home, part in parts]
        ended: dict[str, Any] = {}
        found = [await asked[0]] if len(asked) == 1 else await asyncio.gather(*asked)
        for (_, part), replies in zip(parts, found, strict=True):
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
