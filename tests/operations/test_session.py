"""Sessions and the engine's thread: opened, drained and closed in order, whatever happens inside."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.operations.drain import wait_drained
from gitbridge_console.operations.errors import OperationError, StoreAway
from gitbridge_console.operations.places import state_dir
from gitbridge_console.operations.session import open_session
from gitbridge_console.operations.thread import EngineThread
from gitbridge_console.settings.model import LegacySettings, RedisSettings, Settings


@pytest.fixture
def own(settings: Settings) -> Settings:
    """No provider has a key, so nothing is ever called."""
    return settings.model_copy(
        update={"legacy": LegacySettings(enabled=True, events_key=f"{settings.namespace}:in", processing_key=f"{settings.namespace}:p")}
    )


def star(delivery: str = "d1") -> IncomingEvent:
    return IncomingEvent(delivery, "star", b'{"action": "created"}', "test")


@pytest.mark.anyio
async def test_a_store_that_is_away_is_one_line(tmp_path: Path) -> None:
    away = Settings(redis=RedisSettings(url=f"unix://{tmp_path}/nobody"), state_dir=str(tmp_path))
    with pytest.raises(StoreAway) as error:
        async with open_session(away, role="cli", engine=False):
            pass
    assert "\n" not in str(error.value)


@pytest.mark.anyio
async def test_a_drained_worker_says_what_it_did_and_what_it_left(own: Settings) -> None:
    async with open_session(own, role="worker", engine=True) as session:
        await session.operations.submit(star())
        await session.operations.submit(IncomingEvent("d2", "release", b'{"action": "published"}', "test"))
        async with asyncio.timeout(20):
            summary = await wait_drained(session, 1.0, asyncio.Event())
    assert summary["drained"] is True
    assert summary["finished"] == {"ignored": 1}
    assert summary["left"]["parked"] == 1


@pytest.mark.anyio
async def test_entries_of_the_legacy_list_come_in_by_both_envelopes(own: Settings) -> None:
    async with open_session(own, role="worker", engine=True) as session:
        client = session.store.client
        await client.lpush(own.legacy.events_key, b'{"event": "star", "payload": {"action": "created"}, "metadata": {}}')
        await client.lpush(
            own.legacy.events_key, b'{"event_type": "star", "repo": "acme/shop", "user": "kim", "message": "hi", "files": []}'
        )
        await client.lpush(own.legacy.events_key, b"not an envelope")
        async with asyncio.timeout(20):
            while (
                len([e for e in await session.operations.list_events() if e.state == "ignored"]) < 2
                or not await session.operations.list_quarantine()
            ):
                await asyncio.sleep(0.02)
            while await client.llen(own.legacy.processing_key):
                await asyncio.sleep(0.02)


@pytest.mark.anyio
async def test_an_engine_that_ends_by_a_fault_of_its_own_ends_the_session_with_a_line(
    own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("gitbridge_console.router.engine.Engine.run", broken)
    with pytest.raises(OperationError, match="fault of its own"):
        async with open_session(own, role="worker", engine=True), asyncio.timeout(20):
            await asyncio.Event().wait()


def test_the_thread_carries_results_errors_and_snapshots(own: Settings) -> None:
    fleet = EngineThread(own, role="console", refresh_s=0.05)
    fleet.start(20)
    try:
        assert fleet.call(lambda door: door.submit(star())).result(10).status == "new"
        with pytest.raises(OperationError, match="no event ffff"):
            fleet.call(lambda door: door.show_event("ffff")).result(10)
        while fleet.snapshot is None or not fleet.snapshot.engines:
            fleet.call(lambda door: door.status()).result(10)
        assert [engine.role for engine in fleet.snapshot.engines] == ["console"]
    finally:
        assert fleet.stop(20)
    with pytest.raises(OperationError, match="stopped"):
        fleet.call(lambda door: door.status()).result(10)


def test_a_thread_whose_store_is_away_does_not_start(tmp_path: Path) -> None:
    fleet = EngineThread(Settings(redis=RedisSettings(url=f"unix://{tmp_path}/nobody")), role="console")
    with pytest.raises(StoreAway):
        fleet.start(20)


def test_the_state_folder_can_be_named(tmp_path: Path) -> None:
    assert state_dir(Settings(state_dir=str(tmp_path))) == tmp_path
    assert state_dir(Settings()).name == "gitbridge"
