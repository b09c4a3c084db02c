"""How events get into the queue: once per delivery id, within its bounds, one by one or many together."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from redis.exceptions import OutOfMemoryError

from gitbridge_console.domain.events import IncomingEvent, Priority
from gitbridge_console.store.keys import partition_of
from gitbridge_console.store.queue_controls import QueueControls
from gitbridge_console.store.records import BackPressure, Enqueued, PayloadTooLarge
from gitbridge_console.store.replies import pack, text_of
from gitbridge_console.store.unavailable import full_text

DELIVERY_INLINE = 64
"""Short, as they are, delivery ids stand in the record of an event; a longer one would make it larger."""


def _is_plain(event: IncomingEvent) -> bool:
    """Whether an event has nothing but delivery and payload of its own, and JSON nothing to escape in its delivery id."""
    name = event.delivery
    if event.diff or event.priority or len(name) > DELIVERY_INLINE:
        return False
    return name.isascii() and name.isprintable() and '"' not in name and "\\" not in name


as_json = json.JSONEncoder(ensure_ascii=False).encode
"""JSON without escapes for what is not ASCII: scripts cannot read that of half a surrogate pair, which is replaced when it is sent."""


def named(kind: str, pairs: Mapping[str, str]) -> list[str]:
    """Fields as pairs of arguments of a script that is told their kind by how they begin."""
    return [part for name, value in pairs.items() for part in (kind + name, value)]


@lru_cache(maxsize=256)
def _lasting(kind: str, action: str, source: str) -> str:
    """What many events have in common of the JSON in their records."""
    fields = {"ty": kind, "ac": action, "src": source} if action else {"ty": kind, "src": source}
    return as_json(fields)[:-1]


def _fields(event: IncomingEvent, action: str, edited_from: str) -> str:
    """The fields of a new event's header that say nothing to the queue, as JSON; every value is text."""
    text = _lasting(event.type[:60], action[:60], event.source[:60])
    if len(event.delivery) <= DELIVERY_INLINE:
        text += f', "dl": {as_json(event.delivery)}'
    if event.priority:
        text += ', "pin": "1"'
    if event.diff:
        text += ', "df": "1"'
    if edited_from:
        text += f', "from": {as_json(edited_from)}'
    return text + "}"


class QueueEntrance(QueueControls):
    """What accepts events; what workers do with them is in :class:`~gitbridge_console.store.event_queue.RedisEventQueue`."""

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
            args += named("x:", texts)
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
