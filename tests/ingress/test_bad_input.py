"""What nobody should send, over a real socket: the right status, one line in the log, nothing stored, no memory kept."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections.abc import Callable, Iterator

import pytest
from redis import Redis as SyncRedis

from gitbridge_console.ingress.signature import sign
from tests.ingress.door import SECRET, Door, running

NAMESPACE = f"bad{os.getpid()}"
JSON = b'{"action": "opened"}'
MEGABYTE = 1024 * 1024
GROWTH_MAX_BYTES = 48 * MEGABYTE
"""Of the process over all rows three times: allocators keep some of what was freed."""


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, valkey_url: str) -> Iterator[Door]:
    options = ("--redis", valkey_url, "--namespace", NAMESPACE, "--log-file", "-")
    with running(Door(tmp_path_factory.mktemp("door"), *options, settings="body_timeout_s = 1\n")) as started:
        started.wait_ready(lambda parts: parts["store"] == "ok")
        yield started


def request(body: bytes = JSON, *, drop: str = "", more: tuple[str, ...] = (), **instead: str) -> bytes:
    """A request as bytes; ``instead`` replaces headers, ``more`` adds lines, ``drop`` leaves one out."""
    names = {
        "Host": "receiver",
        "Content-Type": "application/json",
        "X-GitHub-Event": "issues",
        "X-GitHub-Delivery": "bad-1",
        "X-Hub-Signature-256": sign(body, SECRET.encode()),
        "Content-Length": str(len(body)),
        **{name.replace("_", "-"): value for name, value in instead.items()},
    }
    names.pop(drop, None)
    lines = [f"{name}: {value}" for name, value in names.items()] + list(more)
    return ("POST /webhook HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def chunked(size: int) -> Iterator[bytes]:
    """A body that never says how long it will be."""
    yield request(b"", drop="Content-Length", more=("Transfer-Encoding: chunked",))
    piece = b"x" * MEGABYTE
    for _ in range(size // MEGABYTE):
        yield f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
    yield b"0\r\n\r\n"


def declared(size: int) -> Iterator[bytes]:
    yield request(b"", Content_Length=str(size))
    for _ in range(size // MEGABYTE):
        yield b"x" * MEGABYTE


def drip() -> Iterator[bytes]:
    """One byte at a time, for longer than anybody waits."""
    yield request(b"", Content_Length="1000")
    for _ in range(8):
        time.sleep(0.2)
        yield b" "


SHA1 = "sha1=" + hmac.new(SECRET.encode(), JSON, hashlib.sha1).hexdigest()
SIGNATURE = sign(JSON, SECRET.encode())
SHAPES: dict[str, tuple[Callable[[], bytes | Iterator[bytes]], int, str]] = {
    "no signature": (lambda: request(drop="X-Hub-Signature-256"), 401, "X-Hub-Signature-256 is missing"),
    "only SHA-1": (
        lambda: request(drop="X-Hub-Signature-256", more=(f"X-Hub-Signature: {SHA1}",)),
        401,
        "X-Hub-Signature-256 is missing; SHA-1 signatures are not accepted",
    ),
    "short signature": (lambda: request(X_Hub_Signature_256=SIGNATURE[:40]), 401, "the signature does not match"),
    "no algorithm": (lambda: request(X_Hub_Signature_256=SIGNATURE[7:]), 401, "the signature does not match"),
    "wrong signature": (lambda: request(X_Hub_Signature_256="sha256=" + "0" * 64), 401, "the signature does not match"),
    "another secret": (lambda: request(X_Hub_Signature_256=sign(JSON, b"other")), 401, "the signature does not match"),
    "signature of another body": (lambda: request(b"{}", X_Hub_Signature_256=SIGNATURE), 401, "the signature does not match"),
    "signature twice": (lambda: request(more=(f"X-Hub-Signature-256: {SIGNATURE}",)), 400, "x-hub-signature-256 is there twice"),
    "event twice": (lambda: request(more=("X-GitHub-Event: push",)), 400, "x-github-event is there twice"),
    "delivery twice": (lambda: request(more=("x-github-delivery: other",)), 400, "x-github-delivery is there twice"),
    "content type twice": (lambda: request(more=("Content-Type: text/plain",)), 400, "content-type is there twice"),
    "wrong content type": (lambda: request(Content_Type="text/plain"), 415, "send application/json"),
    "no content type": (lambda: request(drop="Content-Type"), 415, "send application/json"),
    "compressed": (lambda: request(more=("Content-Encoding: gzip",)), 415, "compressed bodies are not accepted"),
    "broken JSON": (lambda: request(b'{"action": '), 400, "the payload is not valid JSON"),
    "no JSON": (lambda: request(b"hello"), 400, "the payload is not valid JSON"),
    "empty": (lambda: request(b""), 400, "the payload is not valid JSON"),
    "a list": (lambda: request(b"[1]"), 400, "the payload is not a JSON object"),
    "NaN": (lambda: request(b'{"a": NaN}'), 400, "the payload is not valid JSON"),
    "deep nesting": (lambda: request(b'{"a":' * 100_000 + b"1" + b"}" * 100_000), 400, "the payload is not valid JSON"),
    "not UTF-8": (lambda: request(b'{"a": "\xff\xfe"}'), 400, "the payload is not valid JSON"),
    "UTF-16": (lambda: request(JSON.decode().encode("utf-16")), 400, "the payload is not valid JSON"),
    "half a character": (lambda: request(b'{"a": "\xed\xa0\x80"}'), 400, "the payload is not valid JSON"),
    "form without payload": (
        lambda: request(b"other=1", Content_Type="application/x-www-form-urlencoded"),
        400,
        "the form has no payload field",
    ),
    "no event": (lambda: request(drop="X-GitHub-Event"), 400, "X-GitHub-Event is missing"),
    "no delivery": (lambda: request(drop="X-GitHub-Delivery"), 400, "X-GitHub-Delivery is missing"),
    "delivery with a space": (lambda: request(X_GitHub_Delivery="a b"), 400, "X-GitHub-Delivery is not usable"),
    "event with a path": (lambda: request(X_GitHub_Event="../etc"), 400, "X-GitHub-Event is not usable"),
    "26 MB by its length": (lambda: declared(26 * MEGABYTE), 413, "the body is over 26,214,400 bytes"),
    "26 MB in chunks": (lambda: chunked(26 * MEGABYTE), 413, "the body is over 26,214,400 bytes"),
    "a slow body": (drip, 408, "the body did not arrive within 1 s"),
    "shorter than it says": (lambda: request(Content_Length="4000"), 408, "the body did not arrive within 1 s"),
    "longer than it says": (lambda: request(Content_Length="5"), 401, "the signature does not match"),
    "two lengths": (lambda: request(more=("Content-Length: 5",)), 400, "Invalid HTTP request received"),
    "length and chunks": (
        lambda: request(more=("Transfer-Encoding: chunked",)),
        400,
        "content-length and transfer-encoding are both there",
    ),
    "an unknown coding": (lambda: request(drop="Content-Length", more=("Transfer-Encoding: gzip, chunked",)), 400, "Invalid HTTP request"),
    "a header bomb": (lambda: request(more=tuple(f"X-{n}: {'y' * 100}" for n in range(4000))), 400, "Invalid HTTP request received"),
    "no HTTP": (lambda: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "Invalid HTTP request received"),
    "an unknown event": (lambda: request(X_GitHub_Event="brand_new", X_GitHub_Delivery="bad-2"), 202, "delivery bad-2 ignored"),
}


def log_lines(door: Door, since: int, wanted: int) -> list[str]:
    """Lines of the log beyond ``since``, once there are as many as are wanted and no more come."""
    deadline = time.monotonic() + 5
    while len(lines := door.said().splitlines()[since:]) < wanted and time.monotonic() < deadline:
        time.sleep(0.02)
    return lines


def stored(url: str) -> list[bytes]:
    """Keys of events, of delivery ids and of the quarantine."""
    with SyncRedis.from_url(url) as client:
        return [key for key in client.scan_iter(f"{{{NAMESPACE}:*") if b":j:" in key or b":d:" in key or key.endswith(b":q")]


@pytest.mark.parametrize("name", SHAPES)
def test_it_is_refused_with_one_line(name: str, door: Door, valkey_url: str) -> None:
    make, status, text = SHAPES[name]
    # Other tests of this file may come first, in any order.
    before = set(stored(valkey_url))
    since = len(door.said().splitlines())
    assert door.raw(make()) == status
    (line,) = log_lines(door, since, 1)
    assert text in line
    assert SECRET not in line
    assert set(stored(valkey_url)) == before


def test_all_of_it_again_and_again_keeps_no_memory(door: Door) -> None:
    rows = [make for name, (make, _, _) in SHAPES.items() if name not in {"a slow body", "shorter than it says"}]
    for make in rows:
        door.raw(make())
    before = door.resident_bytes()
    for make in rows * 3:
        door.raw(make())
    assert door.resident_bytes() - before < GROWTH_MAX_BYTES
    assert door.get("/healthz") == (200, b'{"status":"ok"}')


def test_what_was_refused_is_counted_by_reason(door: Door) -> None:
    door.raw(request(drop="X-Hub-Signature-256"))
    text = door.get("/metrics")[1].decode()
    assert 'gitbridge_ingress_refused_total{code="401",reason="unsigned"}' in text
    assert 'gitbridge_ingress_deliveries_total{host="github",outcome="new"}' not in text


def test_a_refused_request_takes_the_next_one_on_its_connection_with_it(door: Door) -> None:
    """Whatever follows a body that was not read is never taken for a request."""
    good = request(X_GitHub_Delivery="smuggled")
    assert door.raw(request(b"", drop="X-Hub-Signature-256", Content_Length=str(len(good))) + good) == 401
    assert door.raw(request(more=("Transfer-Encoding: chunked",)) + good) == 400
    text = door.get("/metrics")[1].decode()
    assert 'outcome="new"' not in text


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_other_methods(door: Door, method: str) -> None:
    assert door.raw(request().replace(b"POST", method.encode(), 1)) == 405


def test_in_the_end_a_good_one_is_taken_without_a_word(door: Door, valkey_url: str) -> None:
    since = len(door.said().splitlines())
    assert door.raw(request()) == 202
    assert len(stored(valkey_url)) == 2
    assert not door.said().splitlines()[since:]
