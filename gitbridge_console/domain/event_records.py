"""An event as one line of JSON, outside the store: all there is to look at, and all it takes to hand it in again."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from gitbridge_console.domain.event_views import EventDetail
from gitbridge_console.domain.events import IncomingEvent, Priority
from gitbridge_console.domain.timestamps import iso_from_ms

FORMAT = "gitbridge-event/1"


class RecordError(ValueError):
    """A line is no record, or not the one that was expected; the message says why in one line."""


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One event with its raw bytes. ``pinned``: its priority was asked for, routing leaves it."""

    detail: EventDetail
    source: str
    payload: bytes
    diff: bytes | None = None
    pinned: bool = False

    def incoming(self) -> IncomingEvent:
        """The event as it stood at the door, to be handed in once more under its delivery id."""
        return IncomingEvent(
            delivery=self.detail.delivery,
            type=self.detail.type,
            payload=self.payload,
            source=self.source,
            priority=Priority.parse(self.detail.priority) if self.pinned else None,
            diff=None if self.diff is None else self.diff.decode("utf-8", "replace"),
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a written line must be found to be: digests are SHA-256 of the line, and of the raw bytes as they were read."""

    event_id: str
    run: int
    line: bytes
    payload: bytes
    diff: bytes | None


def encode(record: EventRecord, *, at_ms: int, by: str) -> bytes:
    """The line, newline included; ASCII only, so no terminal is steered by it."""
    document = {
        "format": FORMAT,
        "written_at": iso_from_ms(at_ms),
        "written_by": by,
        "event": record.detail.model_dump(mode="json", by_alias=True, exclude={"payload_text"}),
        "source": record.source,
        "pinned": record.pinned,
        "payload": _body(record.payload),
        "diff": None if record.diff is None else _body(record.diff),
    }
    return json.dumps(document, separators=(",", ":")).encode("ascii") + b"\n"


def decode(line: bytes) -> EventRecord:
    """Inverse of :func:`encode`; the digests inside must fit.

    Raises:
        RecordError: it is no such line.
    """
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"not JSON: {error}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise RecordError(f"no record of the format {FORMAT}")
    try:
        diff = document["diff"]
        return EventRecord(
            detail=EventDetail.model_validate(document["event"]),
            source=str(document["source"]),
            payload=_bytes(document["payload"], "payload"),
            diff=None if diff is None else _bytes(diff, "diff"),
            pinned=document["pinned"] is True,
        )
    except ValidationError as error:
        raise RecordError(f"the event cannot be read: {error.error_count()} fields are wrong") from None
    except (KeyError, TypeError) as error:
        raise RecordError(f"a part is missing or of the wrong kind: {error}") from None


def receipt(record: EventRecord, line: bytes) -> Receipt:
    """What :func:`verify` will hold the written line against."""
    return Receipt(record.detail.id, record.detail.run, _digest(line), _digest(record.payload), record.diff and _digest(record.diff))


def verify(lines: Iterable[bytes], receipts: Sequence[Receipt]) -> None:
    """Check that ``lines`` are exactly what the receipts say, in their order; looks at one line at a time.

    Raises:
        RecordError: they are not; nothing of the original may be removed.
    """
    count = 0
    for count, line in enumerate(lines, 1):
        if count > len(receipts):
            raise RecordError(f"more than the {len(receipts)} lines that were written")
        wanted = receipts[count - 1]
        record = decode(line)
        if (record.detail.id, record.detail.run) != (wanted.event_id, wanted.run):
            raise RecordError(f"line {count} is event {record.detail.id}, not {wanted.event_id}")
        if receipt(record, line) != wanted:
            raise RecordError(f"line {count}, event {wanted.event_id}: the digest differs from what was written")
    if count != len(receipts):
        raise RecordError(f"{count} of {len(receipts)} lines are there")


def _digest(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()


def _body(raw: bytes) -> dict[str, Any]:
    try:
        encoding, body = "text", raw.decode("utf-8")
    except UnicodeDecodeError:
        encoding, body = "base64", base64.b64encode(raw).decode("ascii")
    return {"encoding": encoding, "sha256": hashlib.sha256(raw).hexdigest(), "body": body}


def _bytes(part: dict[str, Any], name: str) -> bytes:
    try:
        raw = part["body"].encode("utf-8") if part["encoding"] == "text" else base64.b64decode(part["body"], validate=True)
    except (AttributeError, UnicodeEncodeError, binascii.Error) as error:
        raise RecordError(f"the {name} cannot be read: {error}") from None
    if hashlib.sha256(raw).hexdigest() != part["sha256"]:
        raise RecordError(f"the {name} does not have the digest that stands beside it")
    return raw
