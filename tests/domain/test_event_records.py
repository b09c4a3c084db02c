"""An event as a line: nothing is lost on the way, and a line that is not what was written is noticed."""

from __future__ import annotations

import json

import pytest

from gitbridge_console.domain.event_records import EventRecord, RecordError, decode, encode, receipt, verify
from gitbridge_console.domain.event_views import EventDetail
from gitbridge_console.domain.events import IncomingEvent, Priority


def record(event_id: str = "0000000100", payload: bytes = b'{"a": 1}', diff: bytes | None = None, *, pinned: bool = False) -> EventRecord:
    detail = EventDetail(
        id=event_id,
        delivery=f"d-{event_id}",
        type="push",
        repository="acme/shop",
        subject="main",
        kind="general",
        priority="high",
        state="failed",
        received_at="2026-11-22T21:00:00.000Z",
    )
    return EventRecord(detail, "webhook", payload, diff, pinned)


def line(own: EventRecord) -> bytes:
    return encode(own, at_ms=1_795_000_000_000, by="ops-3-1")


@pytest.mark.parametrize("payload", [b"{}", b"", '{"é": "\u202e\x1b[31m\\n"}'.encode(), b"\xff\xfe\x00not utf-8", b"one\r\ntwo\n"])
@pytest.mark.parametrize("diff", [None, b"diff --git a/x b/x\n+\xc3\xa9\n", b"\xff"])
def test_bytes_come_back_as_they_went_in(payload: bytes, diff: bytes | None) -> None:
    own = record(payload=payload, diff=diff, pinned=True)
    assert decode(line(own)) == own


def test_a_line_is_one_line_of_ascii() -> None:
    written = line(record(payload='{"é": "\u202e\u2028"}\n{"b": 2}'.encode()))
    assert written.isascii()
    assert written.count(b"\n") == 1
    assert written.endswith(b"\n")


def test_it_can_be_handed_in_as_it_stood_at_the_door() -> None:
    event = decode(line(record(diff=b"diff", pinned=True))).incoming()
    assert event == IncomingEvent("d-0000000100", "push", b'{"a": 1}', "webhook", Priority.HIGH, "diff")
    assert decode(line(record())).incoming().priority is None


@pytest.mark.parametrize(
    "change",
    [
        {"format": "gitbridge-event/2"},
        {"event": {"id": "0000000100"}},
        {"event": None},
        {"payload": None},
        {"payload": {"encoding": "text", "body": "{}", "sha256": "0" * 64}},
        {"payload": {"encoding": "base64", "body": "?", "sha256": "0" * 64}},
        {"payload": {"encoding": "text", "body": 7, "sha256": "0" * 64}},
        {"diff": {"encoding": "text"}},
    ],
)
def test_a_line_that_is_no_record_is_said_in_one_line(change: dict[str, object]) -> None:
    document = json.loads(line(record())) | change
    with pytest.raises(RecordError) as error:
        decode(json.dumps(document).encode())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 50_000])
def test_what_is_no_json_object_is_no_record(text: bytes) -> None:
    with pytest.raises(RecordError):
        decode(text)


def test_what_was_written_is_verified() -> None:
    own = [record("0000000100"), record("0000000200", b"\xff", b"diff")]
    lines = [line(each) for each in own]
    verify(iter(lines), [receipt(each, text) for each, text in zip(own, lines, strict=True)])


@pytest.mark.parametrize(
    "fault", ["one is missing", "one too many", "another order", "another payload", "another run", "a field was changed"]
)
def test_anything_else_is_not(fault: str) -> None:
    own = [record("0000000100"), record("0000000200")]
    lines = [line(each) for each in own]
    receipts = [receipt(each, text) for each, text in zip(own, lines, strict=True)]
    match fault:
        case "one is missing":
            lines.pop()
        case "one too many":
            lines.append(lines[1])
        case "another order":
            lines.reverse()
        case "another payload":
            lines[1] = line(record("0000000200", b'{"a": 2}'))
        case "another run":
            lines[1] = lines[1].replace(b'"run":1', b'"run":2')
        case "a field was changed":
            lines[1] = lines[1].replace(b"acme/shop", b"acme/shed")
    with pytest.raises(RecordError):
        verify(iter(lines), receipts)
