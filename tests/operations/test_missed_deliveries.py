"""Delivered while we were down: nobody listened, GitHub gave up, and reconcile brings all of it in, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from wire import scripted_server

from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.ingress.server import serve_ingress
from gitbridge_console.ingress.signature import sign
from gitbridge_console.operations.errors import Refused, Usage
from gitbridge_console.operations.receiver import Receiver
from gitbridge_console.operations.session import Session, open_session
from gitbridge_console.settings.hosts import ReconcileSettings
from gitbridge_console.settings.model import GitHubSettings, HostSettings, LegacySettings, RedisSettings, Settings
from tests.ingress.hook_host import HOOK_URL, TOKEN, HookHost, body_of

pytestmark = pytest.mark.anyio

SECRET = "a-long-webhook-secret"


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITBRIDGE_WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("GITBRIDGE_GITHUB_TOKEN", TOKEN)


@pytest.fixture
async def host() -> AsyncIterator[HookHost]:
    import time

    async with scripted_server() as server:
        yield HookHost(server, now=time.time())


@asynccontextmanager
async def opened(valkey_url: str, namespace: str, host: HookHost, folder: Path, **more: Any) -> AsyncIterator[Session]:
    settings = Settings(
        namespace=namespace,
        state_dir=str(folder),
        redis=RedisSettings(url=valkey_url),
        legacy=LegacySettings(enabled=False),
        hosts=HostSettings(github=GitHubSettings(base_url=host.url)),
        reconcile=ReconcileSettings(repositories=("acme/shop",), hook_url=HOOK_URL, spacing_s=0),
        **more,
    )
    async with open_session(settings, role="engine", engine=False) as session:
        yield session


@asynccontextmanager
async def listening(session: Session) -> AsyncIterator[int]:
    """Our receiver on a free port, for as long as the block lasts."""
    stop, port = asyncio.Event(), asyncio.get_running_loop().create_future()
    receiver = Receiver(session.holder, lambda: session, None)
    serving = asyncio.create_task(
        serve_ingress(receiver.app(), "127.0.0.1", 0, stop, lambda _, n: port.set_result(n), session.holder.current.ingress)
    )
    yield await port
    stop.set()
    await serving


def deliver_to(port: int) -> Any:
    """How the host delivers: signed, to the receiver if it listens."""

    async def deliver(row: dict[str, Any]) -> int:
        body = body_of(row["guid"])
        headers = {
            "content-type": "application/json",
            "x-github-event": row["event"],
            "x-github-delivery": row["guid"],
            "x-hub-signature-256": sign(body, SECRET.encode()),
        }
        async with httpx2.AsyncClient() as client:
            try:
                return (await client.post(f"http://127.0.0.1:{port}/webhook", content=body, headers=headers)).status_code
            except httpx2.ConnectError:
                return 0

    return deliver


async def test_what_was_delivered_while_we_were_down(valkey_url: str, namespace: str, host: HookHost, tmp_path: Path) -> None:
    async with opened(valkey_url, namespace, host, tmp_path) as session:
        door = session.operations
        guids = [f"0b989ba4-242f-11e5-81e1-c7b6966d25{n:02d}" for n in range(5)]
        async with listening(session) as port:
            host.tried(guids[0], 900, await deliver_to(port)({"guid": guids[0], "event": "pull_request"}))
        for n, guid in enumerate(guids[1:]):
            host.tried(guid, 800 - n, await deliver_to(port)({"guid": guid, "event": "pull_request"}))
        assert [row["status_code"] for row in host.rows] == [202, 502, 502, 502, 502]

        plan = await door.reconcile()
        assert plan.count("found") == 4
        assert len(await door.list_events(EventFilter())) == 1

        async with listening(session) as port:
            host.arrives = deliver_to(port)
            report = await door.reconcile(apply=True)
            assert report.count("asked") == 4
            async with asyncio.timeout(20):
                while len(events := await door.list_events(EventFilter())) < 5:
                    await asyncio.sleep(0.01)
            assert {event.delivery for event in events} == set(guids)
            assert (await door.reconcile(apply=True)).count() == 0
            host.now += 600
            assert (await door.reconcile()).count() == 0
        assert (await door.status()).duplicates == 0
        status = (await door.status()).reconcile
        assert status is not None
        assert (status.applied, status.missed) == (True, 0)
        entries = [entry for entry in await door.list_audit() if entry.what == "reconcile"]
        assert [entry.result for entry in entries] == ["0 of 0 asked for again", "4 of 4 asked for again"]


async def test_who_may_and_when(valkey_url: str, namespace: str, host: HookHost, tmp_path: Path) -> None:
    host.tried("lost", 900)
    async with opened(valkey_url, namespace, host, tmp_path, read_only=True) as session:
        assert (await session.operations.reconcile()).count("found") == 1
        with pytest.raises(Refused):
            await session.operations.reconcile(apply=True)
    settings = Settings(namespace=namespace, redis=RedisSettings(url=valkey_url))
    async with open_session(settings, role="engine", engine=False) as session:
        with pytest.raises(Usage, match=r"reconcile\.repositories"):
            await session.operations.reconcile()
    assert not host.repeated


async def test_an_alert_tells_of_what_nobody_asks_for(valkey_url: str, namespace: str, host: HookHost, tmp_path: Path) -> None:
    async with opened(valkey_url, namespace, host, tmp_path) as session:
        board = session.store.inbox
        await board.put("reconcile", applied=False, missed=3, asked=0, given_up=1, problem="the host is unwell (502)")
        codes = {alert.code for alert in (await session.operations.status()).alerts}
        assert {"missed_deliveries", "deliveries_given_up", "reconcile_failed"} <= codes
        await board.put("reconcile", applied=True, missed=3, asked=3, given_up=0, problem="")
        codes = {alert.code for alert in (await session.operations.status()).alerts}
        assert not {"missed_deliveries", "deliveries_given_up", "reconcile_failed"} & codes
