"""``RedisEventQueue``: lanes, leases, fences, delays and dead letters, one method per script.

The promise is *at least once*: a job may run again after its lease ran out, and whoever held it before finds its fence
void. What must happen once (an answer stored, a panel counted down, a state changed) happens inside one script that
checks the fence.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError, ResponseError

from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.domain.tasks import TaskState
from gitbridge_console.settings.model import QueueSettings, RetentionSettings, RetrySettings
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.records import BackPressure, Claim, ClaimedJob, Enqueued, LaneCounts, PayloadTooLarge, QueueStats, RoutePlan
from gitbridge_console.store.replies import pack, table_of, text_of, unpack
from gitbridge_console.store.scripts_loader import FIRST_WITH_FLAGS, ScriptRunner


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


class RedisEventQueue:
    """The queue of one partition.

    ``client`` must return bytes (``decode_responses=False``) and must not repeat commands by itself: a claim that is
    sent twice takes twice.
    """

    def __init__(
        self,
        client: Redis,
        keys: Keys,
        *,
        queue: QueueSettings | None = None,
        retry: RetrySettings | None = None,
        retention: RetentionSettings | None = None,
        server_major: int = FIRST_WITH_FLAGS,
    ) -> None:
        self.client = client
        self.keys = keys
        self.settings = queue or QueueSettings()
        self.retry_settings = retry or RetrySettings()
        self.retention = retention or RetentionSettings()
        self._scripts = ScriptRunner(client, keys.tag, server_major)

    async def enqueue(
        self,
        event: IncomingEvent,
        *,
        lane: str = "route",
        priority: Priority = Priority.NORMAL,
        action: str = "",
        texts: Mapping[str, str] | None = None,
    ) -> Enqueued:
        """Accept an event once per delivery id; a delivery whose event failed or was shed runs again.

        Raises:
            PayloadTooLarge: over the configured size.
            BackPressure: ``max_waiting`` undecided events, or the server is at its memory limit.
        """
        if len(event.payload) > self.settings.payload_max_bytes:
            raise PayloadTooLarge(
                f"payload of {len(event.payload):,} bytes is over queue.payload_max_bytes = {self.settings.payload_max_bytes:,}"
            )
        pairs = [part for pair in (texts or {}).items() for part in pair]
        try:
            reply = await self._scripts.run(
                "enqueue",
                event.delivery,
                _ms(self.retention.delivery_ids_s),
                lane,
                int(event.priority or priority),
                event.type[:60],
                action[:60],
                event.source[:60],
                pack(event.payload),
                pack(event.diff.encode("utf-8", "replace")) if event.diff else b"",
                self.settings.max_waiting,
                f"{self.keys.partition:02x}",
                "pin" if event.priority else "",
                *pairs,
            )
        except OutOfMemoryError as error:
            raise BackPressure("the store is at its memory limit; nothing accepted is lost, try again later") from error
        status = text_of(reply[1])
        if status == "backpressure":
            raise BackPressure(
                f"{int(reply[2]):,} events are undecided, queue.max_waiting is {self.settings.max_waiting:,}; try again later"
            )
        return Enqueued(text_of(reply[0]), status)

    async def claim(self, lane: str, n: int, lease_s: float | None = None) -> Claim:
        """Claim up to ``n`` jobs of a lane, most urgent and oldest first, unless it is paused."""
        reply = await self._scripts.run("claim", lane, n, _ms(lease_s or self.settings.lease_s))
        jobs = []
        for job_id, fence, header, payload, diff, event in reply[3:]:
            own = table_of(header)
            jobs.append(
                ClaimedJob(
                    id=text_of(job_id),
                    lane=lane,
                    fence=text_of(fence),
                    header=own,
                    event=table_of(event) or own,
                    payload=unpack(payload),
                    diff=unpack(diff).decode("utf-8", "replace") or None,
                    claimed_ms=int(reply[2]),
                )
            )
        return Claim(tuple(jobs), bool(reply[0]), None if int(reply[1]) < 0 else int(reply[1]) / 1000)

    async def extend(self, held: Sequence[tuple[str, str]], lease_s: float | None = None) -> list[bool]:
        """Prolong leases given as (job id, fence); ``False`` means lost or cancelled: stop working on it."""
        if not held:
            return []
        flat = [part for pair in held for part in pair]
        return [bool(n) for n in await self._scripts.run("extend", _ms(lease_s or self.settings.lease_s), *flat)]

    async def release(self, job: ClaimedJob, *, delay_s: float = 0.0, counted: bool = False, reason: str = "") -> bool:
        """Hand a job back to its lane, by default as if it had never been claimed."""
        how = "counted" if counted else "uncounted"
        return bool(await self._scripts.run("release", job.id, job.fence, _ms(delay_s), how, reason[:200]))

    async def route(self, job: ClaimedJob, plan: RoutePlan) -> tuple[str, str | None]:
        """Hand an event on to its panel. Returns (``routed`` | ``superseded`` | ``lost``, id of the other event if any)."""
        reply = await self._scripts.run(
            "route",
            job.id,
            job.fence,
            plan.kind,
            int(plan.priority),
            plan.quorum,
            _ms(plan.grace_s),
            _ms(plan.deadline_s),
            _ms(plan.expires_s),
            plan.subject,
            plan.version,
            len(plan.lanes),
            *plan.lanes,
            *(part for pair in plan.texts.items() for part in pair),
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
    ) -> bool:
        """Move an event to its next stage, or end it with an empty ``lane``. ``False``: the fence is void, nothing changed."""
        own = header or {}
        return bool(
            await self._scripts.run(
                "hand_on",
                job.id,
                job.fence,
                lane,
                _ms(delay_s),
                state,
                by,
                why[:300],
                "cancel" if cancel_waiting_seats else "keep",
                decision,
                action,
                len(own),
                *(part for pair in own.items() for part in pair),
                *(part for pair in (texts or {}).items() for part in pair),
            )
        )

    async def widen(self, job: ClaimedJob, lane: str, *, note: str) -> bool:
        """Add a seat to the panel of an event held in ``decide``; it waits for it. ``False``: the fence is void."""
        return bool(await self._scripts.run("widen", job.id, job.fence, lane, note[:200]))

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

        Returns the lane it waits in; ``""`` when no candidate was free (the task is still held); ``None``: fence void.
        """
        reply = await self._scripts.run("retry", job.id, job.fence, attempt, _ms(delay_s), verdict, text[:300], *candidates)
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
        return bool(await self._scripts.run("settle", job.id, job.fence, *args))

    async def recover(self, limit: int = 100) -> tuple[int, int]:
        """Take back expired leases; returns (recovered, given up as poison)."""
        recovered, buried = await self._scripts.run("recover", limit, self.retry_settings.deliveries_max)
        return int(recovered), int(buried)

    async def reprioritize(self, ids: Sequence[str], priority: Priority, *, front: bool = False, by: str = "operator") -> list[int]:
        """Give jobs another priority, keeping their age; returns how many jobs changed for each id."""
        return [int(n) for n in await self._scripts.run("reprioritize", int(priority), "front" if front else "", by, *ids)]

    async def replay(self, ids: Sequence[str], *, by: str, why: str = "") -> list[str]:
        """Run finished events again under their id. Per id: its former state, ``""`` unknown, ``-state`` left alone.

        Raises:
            BackPressure: the server is at its memory limit.
        """
        try:
            return [text_of(word) for word in await self._scripts.run("replay", by, why[:200], *ids)]
        except OutOfMemoryError as error:
            raise BackPressure("the store is at its memory limit; replay when there is room") from error

    async def cancel(self, ids: Sequence[str], *, by: str, why: str = "") -> list[str]:
        """Cancel unfinished events, seats in flight included. Reply as :meth:`replay`."""
        return [text_of(word) for word in await self._scripts.run("cancel", by, why[:200], *ids)]

    async def approve(self, event_id: str, *, approve: bool, by: str, note: str = "") -> str:
        """An operator's word on an event that awaits it; returns the state it was in."""
        return text_of(await self._scripts.run("approve", event_id, "approve" if approve else "reject", by, note[:200]))

    async def move(self, source: str, target: str, *, by: str, limit: int = 500) -> tuple[int, int]:
        """Move up to ``limit`` unclaimed tasks to another provider's lane; returns (moved, left alone)."""
        moved, kept = await self._scripts.run("move", source, target, limit, by)
        return int(moved), int(kept)

    async def pause(self, lane: str, *, by: str, reason: str, for_s: float | None = None) -> str:
        """Hold a lane: nothing is claimed from it until resumed or until the time is over. Returns the pause before."""
        return text_of(await self._scripts.run("pause", "pause", lane, _ms(for_s or 0), by, reason[:200]))

    async def resume(self, lane: str, *, by: str) -> str:
        """Let a lane go on; returns the pause that was in force."""
        return text_of(await self._scripts.run("pause", "resume", lane, 0, by, ""))

    async def stats(self, lanes: Sequence[str] = ()) -> QueueStats:
        """Count everything once."""
        now, rows, states, counters, pauses = await self._scripts.run("stats", *lanes, "|", *EventState)
        return QueueStats(
            now_ms=int(now),
            lanes={
                text_of(row[0]): LaneCounts(
                    int(row[1]), int(row[2]), int(row[3]), None if int(row[4]) < 0 else int(row[4]), tuple(map(int, row[5:]))
                )
                for row in rows
            },
            states={text_of(name): int(count) for name, count in states},
            counters={name: int(count) for name, count in table_of(counters).items()},
            pauses={text_of(lane): json.loads(description) for lane, description in pauses},
        )

    async def trim(self, limit: int = 200) -> int:
        """Forget finished events beyond retention, at most ``limit`` of each state; returns how many."""
        return int(await self._scripts.run("trim", _ms(self.retention.finished_s), self.retention.finished_max, limit))

    async def quarantine(self, raw: bytes, *, source: str, error: str) -> str:
        """Keep something that could not be read as an event, for an operator to look at; the oldest go first."""
        fields: dict[Any, Any] = {
            "source": source[:60],
            "error": error[:300],
            "size": len(raw),
            "raw": pack(raw[: self.settings.payload_max_bytes]),
        }
        try:
            return text_of(await self.client.xadd(self.keys.quarantine, fields, maxlen=self.retention.quarantine_max, approximate=True))
        except ResponseError as error:
            raise BackPressure(f"the store refuses to quarantine: {error}") from error
