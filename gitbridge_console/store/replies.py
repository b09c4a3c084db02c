"""Replies of the server as plain text and tables, whatever shape the protocol gave them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, cast

from redis.asyncio import Redis


def text_of(raw: Any) -> str:
    """Stored bytes as text; what is not UTF-8 is replaced, never raised, and nothing gives ``""``."""
    if raw is None:
        return ""
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)


def table_of(flat: Sequence[Any] | Mapping[Any, Any]) -> dict[str, str]:
    """A stored hash as text to text, from either reply shape (``[k, v, …]`` of scripts, mapping of ``HGETALL``)."""
    names, values = (flat.keys(), flat.values()) if isinstance(flat, Mapping) else (flat[::2], flat[1::2])
    try:
        return dict(zip(map(bytes.decode, names), map(bytes.decode, values), strict=True))
    except (TypeError, UnicodeDecodeError):
        # Numbers of a script, or bytes that are no text: rare, so the common case is not slowed down by looking.
        return {text_of(name): text_of(value) for name, value in zip(names, values, strict=True)}


PLAIN_BELOW = 256
"""Bytes below which deflating costs more than it saves."""
_PLAIN = b"="


def pack(raw: bytes) -> bytes:
    """For storage: deflated at level 1, since time matters more than the last tenth of the size; what is short stays as it is."""
    return _PLAIN + raw if len(raw) < PLAIN_BELOW else zlib.compress(raw, 1)


def unpack(stored: Any) -> bytes:
    """Inverse of :func:`pack`; nothing stored gives nothing.

    Raises:
        zlib.error: it is damaged.
    """
    if not stored:
        return b""
    return bytes(stored[1:]) if stored[:1] == _PLAIN else zlib.decompress(stored)


async def newest_entries(client: Redis, stream: str, count: int) -> list[tuple[str, dict[bytes, bytes]]]:
    """The newest entries of a stream, newest first, as (id, fields)."""
    found = cast("list[tuple[bytes, dict[bytes, bytes]]]", await client.xrevrange(stream, count=count) or [])
    return [(text_of(entry_id), fields) for entry_id, fields in found]


def entry_ms(entry_id: str) -> int:
    """When a stream entry was made, in milliseconds, from its id."""
    return int(entry_id.partition("-")[0])


async def server_now_ms(client: Redis) -> int:
    """The server's clock, the one that decides, in milliseconds."""
    seconds, micros = await client.time()
    return int(seconds) * 1000 + int(micros) // 1000
