"""The quarantine: what came in and could not be read as an event, entry by entry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from redis.asyncio import Redis

from gitbridge_console.domain.event_views import QuarantineEntry
from gitbridge_console.domain.timestamps import iso_from_ms
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.replies import entry_ms, newest_entries, table_of, text_of, unpack

ENTRY_ID = re.compile(r"(\d{1,19})-(\d{1,19})")
SAMPLE_BYTES = 2000


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One entry with all of its bytes. ``type`` and ``delivery`` are empty where the door that refused it did not know them."""

    entry: QuarantineEntry
    raw: bytes
    type: str = ""
    delivery: str = ""

    @property
    def whole(self) -> bool:
        """Whether all that came in was kept."""
        return len(self.raw) == self.entry.size


class QuarantineStore:
    """Entries of one partition."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._key = keys.quarantine

    async def newest(self, limit: int = 100) -> list[QuarantineEntry]:
        """The entries, newest first."""
        return [_read(entry_id, fields).entry for entry_id, fields in await newest_entries(self._client, self._key, limit)]

    async def find(self, entry_id: str) -> Quarantined | None:
        """One entry, ``None`` when there is none of that id."""
        if ENTRY_ID.fullmatch(entry_id) is None:
            return None
        found = cast("list[tuple[bytes, dict[bytes, bytes]]]", await self._client.xrange(self._key, entry_id, entry_id, count=1))
        return _read(text_of(found[0][0]), found[0][1]) if found else None

    async def drop(self, entry_id: str) -> bool:
        """Remove one entry; ``False``: there was none of that id."""
        if ENTRY_ID.fullmatch(entry_id) is None:
            return False
        return bool(await self._client.xdel(self._key, entry_id))


def _read(entry_id: str, fields: Mapping[bytes, Any]) -> Quarantined:
    own, raw = table_of({key: value for key, value in fields.items() if key != b"raw"}), unpack(fields.get(b"raw"))
    entry = QuarantineEntry(
        id=entry_id,
        at=iso_from_ms(entry_ms(entry_id)),
        source=own.get("source", ""),
        error=own.get("error", ""),
        size=int(own.get("size", 0)),
        sample=raw[:SAMPLE_BYTES].decode("utf-8", "replace"),
    )
    return Quarantined(entry, raw, own.get("type", ""), own.get("delivery", ""))
