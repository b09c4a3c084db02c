"""Milliseconds since the epoch to and from the UTC ISO 8601 text of JSON output."""

from __future__ import annotations

from datetime import UTC, datetime


def iso_from_ms(ms: float) -> str:
    """``2026-11-22T21:00:00.123Z``."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def ms_from_iso(text: str) -> int:
    """Inverse of :func:`iso_from_ms`; any ISO 8601 text with an offset will do.

    Raises:
        ValueError: not such a text.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset from UTC")
    return round(moment.timestamp() * 1000)
