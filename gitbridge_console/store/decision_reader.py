"""Read-only views of decisions, over all partitions."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import ValidationError
from redis.asyncio import Redis

from gitbridge_console.domain.decisions import Decision
from gitbridge_console.domain.event_views import DecisionSummary, EventSummary
from gitbridge_console.domain.events import EventState
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.domain.timestamps import iso_from_ms
from gitbridge_console.store.headers import header_of
from gitbridge_console.store.keys import Keys, home_of
from gitbridge_console.store.replies import entry_ms, newest_entries, server_now_ms, text_of

logger = logging.getLogger(__name__)

DECISIONS_LOOKED_AT_MAX = 5_000
AT_ONCE = 200
"""Decisions read in one round trip."""


class DecisionReader:
    """What was decided; base of the reader of all else, which knows how an event is summed up."""

    def __init__(self, client: Redis, *partitions: Keys) -> None:
        self._client = client
        self._partitions = partitions
        self._first = partitions[0]

    def _of(self, job_id: str) -> Keys:
        return home_of(job_id, self._partitions)

    async def _newest(self, streams: Iterable[str], count: int) -> list[tuple[str, dict[bytes, bytes]]]:
        """The newest entries of the partitions' streams, newest first; an entry's id begins with its time."""
        found = [entry for stream in streams for entry in await newest_entries(self._client, stream, count)]
        return sorted(found, key=lambda entry: entry_ms(entry[0]), reverse=True)[:count] if len(self._partitions) > 1 else found

    @abstractmethod
    async def summaries(self, ids: Sequence[str], now: int) -> list[tuple[EventSummary, tuple[str, ...]]]:
        """Rows of these events with the providers of their panels."""

    async def decision(self, event_id: str) -> Decision | None:
        """The newest decision of an event."""
        return read_decision(await self._client.get(self._of(event_id).decision(event_id)))

    async def newest_head(self, event_id: str, subject: str) -> tuple[str, int] | None:
        """Which event brought the newest head of a subject, and its version; ``event_id`` is any of the same partition."""
        event, _, version = text_of(await self._client.get(self._of(event_id).newest_head(subject)) or b"").partition(" ")
        return (event, int(version)) if version.isdecimal() else None

    async def decision_text(self, event_id: str) -> str | None:
        """The newest decision of an event exactly as it is stored, for :meth:`QueueControls.amend`."""
        raw = await self._client.get(self._of(event_id).decision(event_id))
        return None if raw is None else text_of(raw)

    async def list_decisions(self, limit: int = 100, wanted: EventFilter | None = None) -> list[DecisionSummary]:
        """The newest decisions of events that match, newest first, one per event, from what the events' headers keep of them.

        With a filter it looks at no more than :data:`DECISIONS_LOOKED_AT_MAX` decisions.
        """
        entries = await self._newest((keys.decisions for keys in self._partitions), limit if wanted is None else DECISIONS_LOOKED_AT_MAX)
        ids = list(dict.fromkeys(text_of(fields[b"e"]) for _, fields in entries))
        found: list[DecisionSummary] = []
        for start in range(0, len(ids), AT_ONCE):
            chunk = ids[start : start + AT_ONCE]
            if wanted is not None:
                rows = await self.summaries(chunk, await server_now_ms(self._client))
                chunk = [summary.id for summary, providers in rows if wanted.matches(summary, providers)]
            found += await self._decision_rows(chunk)
            if len(found) >= limit:
                break
        return found[:limit]

    async def _decision_rows(self, ids: Sequence[str]) -> list[DecisionSummary]:
        pipe = self._client.pipeline(transaction=False)
        for event_id in ids:
            keys = self._of(event_id)
            pipe.get(keys.job(event_id))
            pipe.hmget(keys.about(event_id), "repository", "subject", "title")
        replies = await pipe.execute() if ids else []
        found = []
        for n, event_id in enumerate(ids):
            header, about = header_of(replies[2 * n]), [text_of(raw) for raw in replies[2 * n + 1]]
            if header.get("decided"):
                found.append(_decision_summary(event_id, header, *about))
        return found


def read_decision(raw: Any) -> Decision | None:
    """A decision as it was stored; ``None`` for none, and for one that cannot be read, which is logged."""
    if not raw:
        return None
    try:
        return Decision.model_validate_json(raw)
    except ValidationError:
        logger.exception("a stored decision cannot be read")
        return None


def _decision_summary(event_id: str, header: dict[str, str], repository: str, subject: str, title: str) -> DecisionSummary:
    return DecisionSummary(
        id=f"{event_id}-{header.get('run', '1')}",
        event_id=event_id,
        created_at=iso_from_ms(int(header.get("decided_ms", 0))),
        kind=header.get("kind", ""),
        repository=repository,
        subject=subject,
        title=title,
        state=header["decided"],
        verdict=header.get("verdict", ""),
        agreement=header.get("agree", ""),
        findings=header.get("findings", ""),
        conflicts=int(header.get("conflicts", 0)),
        conflict_types=header.get("clash", ""),
        band=header.get("band", ""),
        needs_operator=header.get("state") == EventState.AWAITING_APPROVAL,
    )
