"""Every example payload, sent as a code host sends it: stored once, routed, dropped when it comes again, run again when it had failed."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

import httpx2
import pytest

from gitbridge_console.domain.events import EventState, IncomingEvent
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.ingress.server import serve_ingress
from gitbridge_console.operations.checks import check_settings
from gitbridge_console.operations.receiver import Receiver, open_spool
from gitbridge_console.operations.session import Session, open_session
from gitbridge_console.settings.holder import SettingsHolder
from gitbridge_console.settings.ingress import IngressSettings
from gitbridge_console.settings.model import LegacySettings, QueueSettings, RedisSettings, Settings
from tests.ingress.door import SECRET, signed

pytestmark = pytest.mark.anyio

PAYLOADS = Path(os.environ.get("GITBRIDGE_TEST_PAYLOADS", Path(__file__).resolve().parents[3] / "shared" / "data" / "webhooks"))
MEGABYTE = 1024 * 1024


def examples() -> list[tuple[str, str, bytes]]:
    """Name, event type and body of each file, one payload each, that is no ping."""
    files = sorted(PAYLOADS.glob("*.json")) if PAYLOADS.is_dir() else []
    return [(path.name, path.name.partition(".")[0], path.read_bytes()) for path in files if not path.name.startswith("ping")]


@asynccontextmanager
async def receiving(session: Session) -> AsyncIterator[httpx2.AsyncClient]:
    """The whole way in over a session, on a real socket."""
    receiver = Receiver(session.holder, lambda: session, await open_spool(session.holder.current))
    running, stop = asyncio.create_task(receiver.run()), asyncio.Event()
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    door = asyncio.create_task(serve_ingress(receiver.app(), "127.0.0.1", 0, stop, lambda _, port: listening.set_result(port)))
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{await listening}", timeout=60) as client:
            yield client
    finally:
        stop.set()
        await door
        await receiver.close(running)


Opened = Callable[..., object]


@pytest.fixture
def opened(valkey_url: str, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """``async with opened(engine=True) as session``."""
    monkeypatch.setenv("GITBRIDGE_WEBHOOK_SECRET", SECRET)
    settings = Settings(
        namespace=namespace, state_dir=str(tmp_path), redis=RedisSettings(url=valkey_url), legacy=LegacySettings(enabled=False)
    )
    return lambda **how: open_session(SettingsHolder(settings), role="worker", **how)


async def post(client: httpx2.AsyncClient, body: bytes, delivery: str, event: str) -> tuple[int, str]:
    answer = await client.post("/webhook", content=body, headers=signed(body, delivery, event))
    return answer.status_code, answer.json().get("status", "")


@pytest.mark.skipif(not examples(), reason="the example payloads are not here")
async def test_all_examples_are_stored_once_and_routed(opened: Opened) -> None:
    async with opened(engine=True) as session, receiving(session) as client:
        for name, event, body in examples():
            assert await post(client, body, name, event) == (202, "new"), name
        for name, event, body in examples():
            assert await post(client, body, name, event) == (202, "duplicate"), name
        operations = session.operations
        async with asyncio.timeout(60):
            while any(event.state == "received" for event in await operations.list_events(EventFilter(), 1000)):
                await asyncio.sleep(0.05)
        events = await operations.list_events(EventFilter(), 1000)
        snapshot = await operations.status()
    assert sorted(event.delivery for event in events) == [name for name, _, _ in examples()]
    assert {event.state for event in events} <= {"ignored", "routed", "parked", "superseded"}, "no provider has a key here"
    assert {event.type for event in events if event.state != "ignored"} >= {"pull_request", "push", "issues"}
    assert snapshot.duplicates == len(examples())
    assert snapshot.quarantined == 0


async def test_a_redelivery_of_a_failed_one_runs_it_again(opened: Opened) -> None:
    body = json.dumps({"action": "opened", "issue": {"number": 1, "title": "x"}, "repository": {"id": 1, "full_name": "a/b"}}).encode()
    async with opened(engine=False) as session, receiving(session) as client:
        assert await post(client, body, "d1", "issues") == (202, "new")
        (job,) = (await session.store.queue.claim("route", 10)).jobs
        assert await session.store.queue.hand_on(job, "", EventState.FAILED)
        assert await post(client, body, "d1", "issues") == (202, "requeued")
        (event,) = await session.operations.list_events(EventFilter(), 10)
        assert event.state == "received"
        assert await post(client, body, "d1", "issues") == (202, "duplicate")


async def test_a_push_of_many_megabytes_is_stored_as_it_was_sent(opened: Opened) -> None:
    commits = [{"id": f"{n:040x}", "message": "x" * 200, "modified": [f"src/file_{n}_{m}.py" for m in range(40)]} for n in range(9_000)]
    body = json.dumps({"ref": "refs/heads/main", "commits": commits, "repository": {"id": 1, "full_name": "a/b"}}).encode()
    assert 7 * MEGABYTE < len(body) < 25 * MEGABYTE
    async with opened(engine=False) as session, receiving(session) as client:
        assert await post(client, body, "big", "push") == (202, "new")
        (job,) = (await session.store.queue.claim("fetch", 10)).jobs
        assert (await session.store.queue.load(job)).payload == body


@pytest.mark.parametrize("over", [0, 1])
async def test_the_limit_of_a_body_is_exact(opened: Opened, over: int) -> None:
    limit = IngressSettings().max_body_bytes
    body = b'{"a":"' + b"x" * (limit - 8 + over) + b'"}'
    async with opened(engine=False) as session, receiving(session) as client:
        status, _ = await post(client, body, "largest", "issues")
    assert status == (413 if over else 202)


async def test_a_form_of_every_byte_is_read_as_it_was_signed(opened: Opened) -> None:
    payload = '{"action":"opened","title":"1+1 & 2 = ü%41 ☃"}'.encode()
    body = urlencode({"payload": payload}).encode()
    headers = signed(body, "form", "issues") | {"Content-Type": "application/x-www-form-urlencoded"}
    async with opened(engine=False) as session, receiving(session) as client:
        assert (await client.post("/webhook", content=body, headers=headers)).status_code == 202
        (job,) = (await session.store.queue.claim("route", 10)).jobs
        assert job.payload == payload


async def test_an_unknown_event_is_ignored_unless_a_rule_names_it(opened: Opened) -> None:
    async with opened(engine=False) as session, receiving(session) as client:
        assert await post(client, b"{}", "d1", "brand_new") == (202, "ignored")
        assert not await session.operations.list_events(EventFilter(), 10)
        rules = [{"when": {"type": "brand_*"}, "kind": "general"}]
        session.holder.current = Settings.model_validate(session.holder.current.model_dump() | {"rules": rules})
        assert await post(client, b"{}", "d1", "brand_new") == (202, "new")


async def test_readiness_and_status_tell_of_the_spool(opened: Opened) -> None:
    async with opened(engine=False) as session, receiving(session) as client:
        settings = session.holder.current
        full = settings.model_copy(
            update={"queue": QueueSettings(max_waiting=1), "shedding": settings.shedding.model_copy(update={"enabled": False})}
        )
        session.holder.current = full
        session.store.queue.use(full.queue, full.retry, full.retention, full.shedding)
        assert [await post(client, b"{}", f"d{n}", "issues") for n in range(3)] == [(202, "new"), (202, "spooled"), (202, "spooled")]
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["store"], ready.json()["spool"]["records"]) == (200, "ok", 2)
        deadline = time.monotonic() + 20
        while not (snapshot := await session.operations.status()).receivers or not snapshot.receivers[0].spool.records:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        (receiver,) = snapshot.receivers
        assert receiver.spool.records == 2
        (alert,) = [alert for alert in snapshot.alerts if alert.code == "spooled"]
        assert "has spooled 2 deliveries" in alert.text
        text = (await client.get("/metrics")).text
        assert "gitbridge_ingress_spool_deliveries 2.0" in text.splitlines()
        assert 'gitbridge_ingress_spooled_total{reason="refused"} 1.0' in text.splitlines()


async def test_a_spool_that_is_switched_off_with_deliveries_in_it_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(state_dir=str(tmp_path))
    spool = await open_spool(settings)
    await spool.append(IncomingEvent("d", "issues", b"{}", "webhook"))
    await spool.aclose()
    off = settings.model_copy(update={"ingress": IngressSettings(spool_max_bytes=0)})
    assert await open_spool(off) is None
    assert f"deliveries wait in {tmp_path}/spool, but ingress.spool_max_bytes is 0" in caplog.text


async def test_doctor_looks_at_the_spool(tmp_path: Path) -> None:
    def finding(**changes: object) -> tuple[str, str]:
        settings = Settings(state_dir=str(tmp_path), ingress=IngressSettings(**changes))
        (check,) = [check for check in check_settings(settings) if check.name == "spool"]
        return check.level, check.text

    assert finding() == ("ok", f"{tmp_path}/spool, 1,073,741,824 bytes at most")
    assert finding(spool_max_bytes=0)[1] == "off: deliveries get 503 while the store is away"
    level, text = finding(spool_max_bytes=10**18)
    assert level == "warn"
    assert f"bytes are free in {tmp_path}, ingress.spool_max_bytes is" in text
