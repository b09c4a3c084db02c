"""The HTTP door, spoken to as code hosts and as people with worse intentions speak to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from starlette.applications import Starlette

from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.domain.snapshots import Alert, FleetSnapshot, LaneStatus, PauseInfo, Percentiles, ProviderStatus, StoreStatus
from gitbridge_console.ingress import webhook as webhook_module
from gitbridge_console.ingress.body import BodyReader
from gitbridge_console.ingress.counters import Counters
from gitbridge_console.ingress.exposition import exposition
from gitbridge_console.ingress.keeper import Keeper
from gitbridge_console.ingress.server import CannotListen, parse_listen, serve_ingress
from gitbridge_console.ingress.signature import sign
from gitbridge_console.ingress.webhook import build_ingress_app
from gitbridge_console.settings.ingress import IngressSettings
from gitbridge_console.settings.model import Settings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.records import BackPressure, PayloadTooLarge

SECRET = "It's a Secret to Everybody"
PAYLOADS = Path(__file__).resolve().parents[3] / "shared" / "data" / "webhooks"


@dataclass(frozen=True, slots=True)
class Result:
    id: str
    status: str


@dataclass
class Receiver:
    """Stores in a list, as duplicates what it has, or raises what it is told to."""

    settings: Settings = field(default_factory=Settings)
    stored: list[IncomingEvent] = field(default_factory=list)
    failure: Exception | None = None
    parts: dict[str, Any] = field(default_factory=lambda: {"ready": True, "store": "ok"})

    async def submit(self, event: IncomingEvent) -> Result:
        if self.failure is not None:
            raise self.failure
        known = any(event.delivery == other.delivery for other in self.stored)
        if not known:
            self.stored.append(event)
        return Result("0000001a00", "duplicate" if known else "new")

    async def ready(self) -> dict[str, Any]:
        if self.failure is not None:
            raise self.failure
        return self.parts

    async def metrics(self) -> bytes:
        if self.failure is not None:
            raise self.failure
        return b"gitbridge_up 1\n"

    def app(self) -> Starlette:
        counters = Counters()
        keeper = Keeper(self.submit, lambda: self.settings.ingress, counters, come_again=(LookupError,))
        return build_ingress_app(lambda: self.settings, keeper, counters, self.ready, self.metrics)

    def client(self, address: str = "192.0.2.1") -> httpx2.AsyncClient:
        transport = httpx2.ASGITransport(app=self.app(), client=(address, 4000))
        return httpx2.AsyncClient(transport=transport, base_url="http://receiver")

    def configure(self, **changes: Any) -> None:
        self.settings = Settings(ingress=IngressSettings(**changes))


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Receiver:
    monkeypatch.setenv("GITBRIDGE_WEBHOOK_SECRET", SECRET)
    return Receiver()


def headers(
    body: bytes, event: str = "pull_request", delivery: str = "72d3162e-cc78-11e3-81ab-4c9367dc0958", **more: str
) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": delivery,
        "X-Hub-Signature-256": sign(body, SECRET.encode()),
        **more,
    }


async def send(receiver: Receiver, body: bytes, drop: str = "", address: str = "192.0.2.1", **more: str) -> httpx2.Response:
    sent = headers(body) | more
    sent.pop(drop, None)
    async with receiver.client(address) as client:
        return await client.post("/webhook", content=body, headers=sent)


@pytest.mark.anyio
async def test_a_delivery_is_stored_byte_for_byte_and_once(receiver: Receiver) -> None:
    body = b'{"action": "opened",  "z": "\xc3\xbc"}'
    first, second = await send(receiver, body), await send(receiver, body)
    assert (first.status_code, first.json()) == (202, {"id": "0000001a00", "status": "new"})
    assert (second.status_code, second.json()["status"]) == (202, "duplicate")
    (event,) = receiver.stored
    assert event.payload == body
    assert (event.type, event.source, event.delivery) == ("pull_request", "webhook", "72d3162e-cc78-11e3-81ab-4c9367dc0958")


@pytest.mark.anyio
async def test_a_form_is_signed_as_sent_and_stored_as_json(receiver: Receiver) -> None:
    payload = b'{"a": "1+1 & \xc3\xbc"}'
    body = urlencode({"payload": payload}).encode()
    answer = await send(receiver, body, **{"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})
    assert answer.status_code == 202
    assert receiver.stored[0].payload == payload


@pytest.mark.anyio
async def test_ping_is_answered_and_not_stored(receiver: Receiver) -> None:
    answer = await send(receiver, b'{"zen": "x"}', **{"X-GitHub-Event": "ping"})
    assert (answer.status_code, answer.json()) == (200, {"status": "pong"})
    assert not receiver.stored


@pytest.mark.anyio
@pytest.mark.skipif(not PAYLOADS.is_dir(), reason="the example payloads are not here")
async def test_real_payloads_are_taken(receiver: Receiver) -> None:
    files = [path for path in sorted(PAYLOADS.glob("*.json")) if path.name != "ping.json"]
    for path in files:
        body = path.read_bytes()
        event = path.name.partition(".")[0]
        assert (await send(receiver, body, **{"X-GitHub-Event": event, "X-GitHub-Delivery": path.name})).status_code == 202
    assert [event.payload for event in receiver.stored] == [path.read_bytes() for path in files]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "drop", "more", "status"),
    [
        (b"{}", "X-Hub-Signature-256", {}, 401),
        (b"{}", "X-Hub-Signature-256", {"X-Hub-Signature": "sha1=0123"}, 401),
        (b"{}", "", {"X-Hub-Signature-256": "sha256=" + "0" * 64}, 401),
        (b"{}", "", {"X-Hub-Signature-256": "sha256=%C3"}, 401),
        (b"{}", "X-GitHub-Event", {}, 400),
        (b"{}", "X-GitHub-Delivery", {}, 400),
        (b"{}", "", {"X-GitHub-Delivery": "a b"}, 400),
        (b"{}", "", {"X-GitHub-Delivery": "x" * 101}, 400),
        (b"{}", "", {"X-GitHub-Event": "../../etc"}, 400),
        (b"{}", "", {"Content-Type": "text/plain"}, 415),
        (b"{}", "Content-Type", {}, 415),
        (b"", "", {}, 400),
        (b"[]", "", {}, 400),
        (b"7", "", {}, 400),
        (b'{"a": NaN}', "", {}, 400),
        (b'{"a": "\xff"}', "", {}, 400),
        (b'{"a":' * 100_000, "", {}, 400),
        (b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}", "", {}, 400),
        (b'{"a":' + b"1" * 10_000 + b"}", "", {}, 400),
        (b"other=1", "", {"Content-Type": "application/x-www-form-urlencoded"}, 400),
        (b"&".join([b"a=1"] * 100), "", {"Content-Type": "application/x-www-form-urlencoded"}, 400),
    ],
)
async def test_what_is_refused(receiver: Receiver, body: bytes, drop: str, more: dict[str, str], status: int) -> None:
    answer = await send(receiver, body, drop, **more)
    assert answer.status_code == status
    assert "error" in answer.json()
    assert not receiver.stored


@pytest.mark.anyio
async def test_sha1_is_named_as_the_reason(receiver: Receiver) -> None:
    answer = await send(receiver, b"{}", "X-Hub-Signature-256", **{"X-Hub-Signature": "sha1=0"})
    assert "SHA-1" in answer.json()["error"]


@pytest.mark.anyio
async def test_a_large_body_is_read_off_the_loop_and_taken(receiver: Receiver) -> None:
    body = json.dumps({"blob": "x" * 3_000_000}).encode()
    assert (await send(receiver, body)).status_code == 202


@pytest.mark.anyio
async def test_too_large_by_its_header_or_by_its_length(receiver: Receiver) -> None:
    receiver.configure(max_body_bytes=2048)
    body = b'{"a": "' + b"x" * 4096 + b'"}'
    assert (await send(receiver, body)).status_code == 413
    assert (await send(receiver, b"{}", **{"Content-Length": "9" * 5000})).status_code == 413

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    async with receiver.client() as client:
        answer = await client.post("/webhook", content=chunks(), headers=headers(body))
    assert (answer.status_code, answer.headers["connection"]) == (413, "close")


@pytest.mark.anyio
async def test_memory_for_bodies_is_shared_and_given_back(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_module, "BodyReader", lambda: BodyReader(1000))
    async with receiver.client() as client:
        for _ in range(5):
            body = b'{"a": "' + b"x" * 800 + b'"}'
            assert (await client.post("/webhook", content=body, headers=headers(body))).status_code == 202
            body = b'{"a": "' + b"x" * 1200 + b'"}'
            answer = await client.post("/webhook", content=body, headers=headers(body))
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


@pytest.mark.anyio
async def test_a_body_that_never_ends_is_given_up(receiver: Receiver) -> None:
    receiver.configure(body_timeout_s=0.05)

    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    messages: list[dict[str, Any]] = []
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/webhook",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers(b"{}").items()],
        "client": ("192.0.2.1", 1),
    }
    parts = slow()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": await anext(parts), "more_body": True}

    async def respond(message: Any) -> None:
        messages.append(message)

    await receiver.app()(scope, receive, respond)
    assert messages[0]["status"] == 408


@pytest.mark.anyio
async def test_a_sender_that_hangs_up_is_not_stored(receiver: Receiver) -> None:
    messages: list[Any] = []
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/webhook",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers(b"{}").items()],
        "client": None,
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def respond(message: Any) -> None:
        messages.append(message)

    await receiver.app()(scope, receive, respond)
    assert messages[0]["status"] == 400
    assert not receiver.stored


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (BackPressure("10,000 events are undecided"), 503),
        (RedisConnectionError("Connection refused by redis://:hunter2@h"), 503),
        (LookupError("a caller's own"), 503),
        (TimeoutError(), 503),
        (PayloadTooLarge("big"), 413),
        (RuntimeError("boom hunter2"), 500),
    ],
)
async def test_what_is_not_stored_is_never_acknowledged(receiver: Receiver, failure: Exception, status: int) -> None:
    receiver.failure = failure
    answer = await send(receiver, b"{}")
    assert answer.status_code == status
    assert ("retry-after" in answer.headers) == (status == 503)
    assert "hunter2" not in answer.text


@pytest.mark.anyio
async def test_without_a_secret_nothing_is_taken(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITBRIDGE_WEBHOOK_SECRET")
    receiver.configure()
    answer = await send(receiver, b"{}")
    assert answer.status_code == 503
    assert "no webhook secret" in answer.json()["error"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("address", "more", "drop", "status"),
    [
        ("127.0.0.1", {}, "X-Hub-Signature-256", 202),
        ("::1", {}, "X-Hub-Signature-256", 202),
        ("::ffff:127.0.0.1", {}, "X-Hub-Signature-256", 202),
        ("192.0.2.1", {}, "X-Hub-Signature-256", 401),
        ("testclient", {}, "X-Hub-Signature-256", 401),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, "X-Hub-Signature-256", 401),
        ("127.0.0.1", {"X-Hub-Signature-256": "sha256=0"}, "", 401),
    ],
)
async def test_unsigned_only_from_this_host(receiver: Receiver, address: str, more: dict[str, str], drop: str, status: int) -> None:
    receiver.configure(allow_unsigned_loopback=True)
    assert (await send(receiver, b"{}", drop, address, **more)).status_code == status


@pytest.mark.anyio
async def test_probes(receiver: Receiver) -> None:
    async with receiver.client() as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert (await client.get("/readyz")).status_code == 200
        metrics = await client.get("/metrics")
        assert "gitbridge_up 1" in metrics.text.splitlines()
        assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
        receiver.parts = {"ready": False, "store": "away"}
        assert ((await client.get("/readyz")).status_code) == 503
        receiver.failure = RedisConnectionError("gone")
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).json() == {"ready": False}
        assert "gitbridge_store_up 0.0" in (await client.get("/metrics")).text.splitlines()
        assert (await client.get("/webhook")).status_code == 405


@asynccontextmanager
async def served(app: Starlette, settings: IngressSettings | None = None) -> AsyncIterator[str]:
    """The application on a real socket."""
    stop, address = asyncio.Event(), asyncio.get_running_loop().create_future()
    ready: Callable[[str, int], None] = lambda name, port: address.set_result((name, port))  # noqa: E731
    task = asyncio.create_task(serve_ingress(app, "127.0.0.1", 0, stop, ready, settings))
    name, port = await address
    try:
        yield f"http://{name}:{port}"
    finally:
        stop.set()
        await task


@pytest.mark.anyio
async def test_over_a_real_socket(receiver: Receiver) -> None:
    body = b'{"action": "opened"}'
    async with served(receiver.app()) as url, httpx2.AsyncClient(base_url=url) as client:
        assert (await client.post("/webhook", content=body, headers=headers(body))).status_code == 202
        port = int(url.rpartition(":")[2])
        with pytest.raises(CannotListen, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            await serve_ingress(receiver.app(), "127.0.0.1", port, asyncio.Event())
    assert len(receiver.stored) == 1


@pytest.mark.anyio
async def test_a_connection_that_brings_no_request_is_closed(receiver: Receiver) -> None:
    async with served(receiver.app(), IngressSettings(headers_timeout_s=0.05)) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in await reader.readline()
        writer.write(b"POST /webhook HTTP/1.1\r\nHost:")
        async with asyncio.timeout(5):
            await reader.read()
        writer.close()
        await writer.wait_closed()


@pytest.mark.anyio
async def test_what_is_acknowledged_is_in_the_queue(receiver: Receiver, queue: RedisEventQueue) -> None:
    counters = Counters()
    keeper = Keeper(queue.enqueue, lambda: receiver.settings.ingress, counters)
    app = build_ingress_app(lambda: receiver.settings, keeper, counters, receiver.ready, receiver.metrics)
    body = b'{"action": "opened"}'
    async with served(app) as url, httpx2.AsyncClient(base_url=url) as client:
        answers = [await client.post("/webhook", content=body, headers=headers(body)) for _ in range(2)]
    assert [answer.json()["status"] for answer in answers] == ["new", "duplicate"]
    claim = await queue.claim("route", 10)
    assert [(job.id, job.payload) for job in claim.jobs] == [(answers[0].json()["id"], body)]


@pytest.mark.parametrize(
    ("text", "address"),
    [("0.0.0.0:8080", ("0.0.0.0", 8080)), ("[::1]:80", ("::1", 80)), (":9000", ("127.0.0.1", 9000)), ("h:0", ("h", 0))],
)
def test_listen_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_listen(text) == address


@pytest.mark.parametrize("text", ["", "8080", "h:", "h:x", "h:70000", "::1:80", "h:²"])
def test_unusable_listen_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        parse_listen(text)


def test_the_fleet_as_prometheus_text() -> None:
    snapshot = FleetSnapshot(
        at="2026-11-22T21:00:00Z",
        namespace="gitbridge",
        store=StoreStatus(url="unix", ok=True),
        lanes={"claude": LaneStatus(depth=12, paused=PauseInfo(by="ops", reason='so"\n', since="x"))},
        providers={"claude": ProviderStatus(state="ok", latency_ms=Percentiles(p50=900), in_flight=4)},
        events={"resolved": 3},
        totals={"resolved": 9},
        alerts=(Alert(level="critical", code="x", text="y", since="z"),),
    )
    lines = exposition(snapshot).decode().splitlines()
    for line in (
        'gitbridge_lane_jobs{lane="claude",place="ready"} 12.0',
        'gitbridge_lane_paused{lane="claude"} 1.0',
        'gitbridge_provider_latency_seconds{provider="claude",quantile="0.5"} 0.9',
        'gitbridge_events{state="resolved"} 3.0',
        'gitbridge_events_total{state="resolved"} 9.0',
        'gitbridge_alerts{level="critical"} 1.0',
        "gitbridge_store_up 1.0",
    ):
        assert line in lines
    assert not any(line.startswith("gitbridge_provider_cost_usd{") for line in lines), "unknown is not zero"
