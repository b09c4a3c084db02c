"""How much one source may send, from where, and how many connections it may hold."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.ingress.addresses import contains, networks, read_address, sender, source_key
from gitbridge_console.ingress.counters import Counters
from gitbridge_console.ingress.keeper import Keeper, Kept
from gitbridge_console.ingress.server import Connections, serve_ingress
from gitbridge_console.ingress.source_limits import SourceLimits
from gitbridge_console.ingress.webhook import build_ingress_app
from gitbridge_console.settings.ingress import IngressSettings
from gitbridge_console.settings.model import Settings
from tests.ingress.door import SECRET, signed

PROXY = networks(("10.0.0.0/8", "::1"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["192.0.2.1"], "203.0.113.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["6.6.6.6, 192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["6.6.6.6", "192.0.2.1, 10.0.0.2"], "192.0.2.1"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("::ffff:10.0.0.1", ["2001:db8::7"], "2001:db8::7"),
        ("::1", ["192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["nobody"], None),
        ("10.0.0.1", ["192.0.2.1, "], None),
        ("", [], None),
        ("testclient", ["192.0.2.1"], None),
    ],
)
def test_who_sends_is_what_the_nearest_trusted_proxy_says(peer: str, forwarded: list[str], address: str | None) -> None:
    found = sender(peer, forwarded, PROXY)
    assert (None if found is None else str(found)) == address


@given(st.text(max_size=60), st.lists(st.text(max_size=60), max_size=40))
def test_no_header_makes_it_fail(peer: str, forwarded: list[str]) -> None:
    source_key(sender(peer, forwarded, PROXY))
    source_key(sender("10.0.0.1", forwarded, PROXY))


def test_a_source_is_an_address_or_a_network_of_one_customer() -> None:
    assert source_key(read_address("192.0.2.1")) == "192.0.2.1"
    assert source_key(read_address("2001:db8:1:2:3::4")) == source_key(read_address("2001:db8:1:2::5")) == "2001:db8:1:2::/64"
    assert source_key(None) == "unknown"
    assert not contains(networks(("0.0.0.0/0",)), read_address("::1"))


def test_a_bucket_lets_a_burst_through_and_then_the_rate() -> None:
    now = [100.0]
    limits = SourceLimits(clock=lambda: now[0])
    assert [limits.take("a", 2.0) for _ in range(4)] == [0.0] * 4
    assert limits.take("a", 2.0) == 0.5
    assert limits.take("b", 2.0) == 0.0, "another source has its own"
    now[0] += 0.5
    assert limits.take("a", 2.0) == 0.0
    assert limits.take("a", 2.0) > 0
    now[0] += 1000
    assert [limits.take("a", 2.0) for _ in range(5)] == [0.0] * 4 + [0.5], "a long silence saves up no more than a burst"
    assert limits.take("a", 0.0) == 0.0, "no limit"


def test_the_table_of_sources_is_bounded() -> None:
    limits = SourceLimits(sources_max=100)
    for n in range(10_000):
        limits.take(str(n), 0.001)
    assert len(limits._buckets) == 100
    assert limits.take("9999", 0.001) > 0, "the newest are remembered"
    assert limits.take("0", 0.001) == 0


@pytest.mark.parametrize("text", ["here", "192.0.2.0/33", "", "192.0.2.1-5"])
def test_a_network_that_is_none_is_an_error_of_the_settings(text: str) -> None:
    with pytest.raises(ValidationError, match=r"is no network: write 192\.0\.2\.0/24"):
        IngressSettings(source_networks=(text,))


def test_connections_are_counted_by_source_but_not_those_of_this_host_or_a_proxy() -> None:
    connections = Connections(IngressSettings(max_connections=10, max_connections_per_source=2, trusted_proxies=("10.0.0.0/8",)))
    assert [connections.enter("192.0.2.1", 1) for _ in range(3)] == ["192.0.2.1", "192.0.2.1", None]
    assert connections.enter("192.0.2.2", 1) == "192.0.2.2"
    assert None not in [connections.enter(peer, 1) for peer in ("127.0.0.1", "::1", "10.0.0.9") for _ in range(5)]
    connections.leave("192.0.2.1")
    assert connections.enter("192.0.2.1", 1) == "192.0.2.1"
    assert connections.enter("127.0.0.1", 21) is None, "beyond twice of all there may be nobody comes in"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITBRIDGE_WEBHOOK_SECRET", SECRET)


@asynccontextmanager
async def served(**changes: Any) -> AsyncIterator[tuple[int, list[IncomingEvent]]]:
    """A receiver that keeps events in a list; its port and the list."""
    settings, events = Settings(ingress=IngressSettings(**changes)), []

    async def submit(event: IncomingEvent) -> Kept:
        events.append(event)
        return Kept("1", "new")

    async def nothing() -> Any:
        return {}

    counters, stop = Counters(), asyncio.Event()
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    app = build_ingress_app(lambda: settings, Keeper(submit, lambda: settings.ingress, counters), counters, nothing, nothing)
    serving = asyncio.create_task(serve_ingress(app, "127.0.0.1", 0, stop, lambda _, port: listening.set_result(port), settings.ingress))
    try:
        yield await listening, events
    finally:
        stop.set()
        await serving


async def post(port: int, delivery: str = "d", **more: str) -> httpx2.Response:
    async with httpx2.AsyncClient(timeout=20) as client:
        return await client.post(f"http://127.0.0.1:{port}/webhook", content=b"{}", headers=signed(b"{}", delivery) | more)


@pytest.mark.anyio
async def test_too_much_from_one_source_is_told_when_to_come_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with served(source_requests_per_s=0.01, trusted_proxies=("127.0.0.1",)) as (port, events):
        first = await post(port, "a", **{"X-Forwarded-For": "192.0.2.1"})
        second = await post(port, "b", **{"X-Forwarded-For": "192.0.2.1"})
        other = await post(port, "c", **{"X-Forwarded-For": "192.0.2.2"})
        assert [first.status_code, second.status_code, other.status_code] == [202, 429, 202]
        assert (await post(port, "d", **{"X-Forwarded-For": "192.0.2.2"})).status_code == 429
        assert caplog.text.count("too many requests from this source") == 1, "a flood does not fill the log"
        assert 90 <= int(second.headers["retry-after"]) <= 100
    assert [event.delivery for event in events] == ["a", "c"]


@pytest.mark.anyio
async def test_only_networks_that_may_send_are_heard() -> None:
    async with served(source_networks=("192.0.2.0/24",), trusted_proxies=("127.0.0.1",)) as (port, events):
        assert (await post(port, "a", **{"X-Forwarded-For": "192.0.2.77"})).status_code == 202
        refused = await post(port, "b", **{"X-Forwarded-For": "203.0.113.1"})
        assert (refused.status_code, refused.json()) == (403, {"error": "this source may not send here"})
        assert (await post(port, "c", **{"X-Forwarded-For": "192.0.2.77, 203.0.113.1"})).status_code == 403
    async with served(source_networks=("192.0.2.0/24",)) as (port, _):
        assert (await post(port, "d", **{"X-Forwarded-For": "192.0.2.77"})).status_code == 403, "nobody is trusted by default"
    assert [event.delivery for event in events] == ["a"]


@pytest.mark.anyio
async def test_connections_that_say_nothing_cannot_fill_the_door() -> None:
    async with served(max_connections=5, headers_timeout_s=1.5) as (port, _):
        with ExitStack() as silent:
            sockets = [silent.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(5)]
            assert (await post(port)).status_code == 503, "all are taken"
            more = [silent.enter_context(socket.create_connection(("127.0.0.1", port), 5)) for _ in range(10)]
            closed = await asyncio.to_thread(lambda: sum(_is_closed(one) for one in more[-4:]))
            assert closed == 4, "what comes beyond twice as many is closed at once"
            for one in (*sockets, *more[:5]):
                one.settimeout(10)
                assert await asyncio.to_thread(_is_closed, one), "and those within it when they bring nothing"
            assert (await post(port)).status_code == 202


def _is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.anyio
async def test_a_sender_that_waits_for_leave_to_send_too_much_is_answered_at_once() -> None:
    async with served() as (port, events):
        head = f"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {30 * 2**20}\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{head}Expect: 100-continue\r\nX-Hub-Signature-256: sha256={'0' * 64}\r\n\r\n".encode())
        async with asyncio.timeout(5):
            assert b" 413 " in await reader.readline(), "without a byte of the body"
            await reader.read()
        writer.close()
        await writer.wait_closed()
    assert not events
