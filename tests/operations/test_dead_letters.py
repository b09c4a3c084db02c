"""Dead letters and the quarantine as an operator meets them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from gitbridge_console.domain.events import EventState, IncomingEvent
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.operations.actor import Actor
from gitbridge_console.operations.errors import NotFound, OperationError, Refused, Usage
from gitbridge_console.operations.operations import Operations
from gitbridge_console.operations.session import open_session
from gitbridge_console.settings.model import QueueSettings, RetentionSettings, Settings
from gitbridge_console.store.store import Store
from tests.claims import claim_all

pytestmark = pytest.mark.anyio


async def quarantined(door: Operations, raw: bytes = b'{"action": "created"}') -> str:
    return (await door.submit(IncomingEvent("d1", "No Type", raw, "webhook"))).id


async def dead(store: Store, count: int) -> list[str]:
    ids = [(await store.queue.enqueue(IncomingEvent(f"d{n}", "star", b"{}", "test"))).id for n in range(count)]
    for job in await claim_all(store.queue, "route", count):
        await store.queue.hand_on(job, "", EventState.FAILED)
    return ids


async def test_a_running_engine_exports_and_every_console_says_so(
    settings: Settings, store: Store, door: Operations, tmp_path: Path
) -> None:
    await dead(store, 102)
    own = settings.model_copy(update={"state_dir": str(tmp_path / "state"), "retention": RetentionSettings(dead_max=100)})
    async with open_session(own, role="worker", engine=True), asyncio.timeout(20):
        while not (alerts := [alert for alert in (await door.status()).alerts if alert.code == "dead_exported"]):
            await asyncio.sleep(0.02)
    (alert,) = alerts
    assert alert.level == "warning"
    assert "7 dead letters left the store" in alert.text
    (path,) = (tmp_path / "state" / "dead-letters").iterdir()
    assert path.name in alert.text
    assert (await store.dead_letters.look(1)).total == 95


async def test_a_failed_export_is_an_alert(store: Store, door: Operations) -> None:
    await store.dead_letters.complain("no room", engine="ops-3-1")
    (alert,) = [alert for alert in (await door.status()).alerts if alert.code == "dead_export_failed"]
    assert alert.text == "dead letters could not be exported by ops-3-1: no room"


async def test_a_retried_entry_becomes_an_event_and_leaves_the_quarantine(door: Operations) -> None:
    entry = await quarantined(door)
    result = await door.retry_quarantined(entry, event_type="star")
    assert result.status == "new"
    shown = await door.show_event(result.id, payload=True)
    assert (shown.type, shown.delivery, shown.payload_text) == ("star", f"quarantine-{entry}", '{"action": "created"}')
    assert await door.list_quarantine() == []
    (written,) = await door.list_audit()
    assert (written.what, written.target, written.result) == ("quarantine retry", entry, f"new: event {result.id}")


async def test_an_entry_that_is_still_no_event_stays_alone(door: Operations) -> None:
    entry = await quarantined(door, b"not json")
    with pytest.raises(OperationError, match=f"{entry} stays in quarantine: the payload is not JSON"):
        await door.retry_quarantined(entry, event_type="star")
    assert [own.id for own in await door.list_quarantine()] == [entry]
    assert (await door.list_audit())[0].result.startswith("failed: ")


async def test_the_type_must_be_known(door: Operations) -> None:
    entry = await quarantined(door)
    with pytest.raises(Usage, match="--type"):
        await door.retry_quarantined(entry)


async def test_what_the_door_recorded_of_an_entry_is_used(door: Operations, store: Store) -> None:
    raw = (await store.client.xrange(store.keys.quarantine))[0] if await quarantined(door) else None
    assert raw is not None
    entry = (await store.client.xadd(store.keys.quarantine, {**raw[1], b"type": b"star", b"delivery": b"guid-1"})).decode()
    result = await door.retry_quarantined(entry)
    shown = await door.show_event(result.id)
    assert (shown.type, shown.delivery) == ("star", "guid-1")


async def test_a_delivery_id_that_another_event_has_keeps_the_entry(door: Operations) -> None:
    first = await door.submit(IncomingEvent("guid-1", "star", b"{}", "webhook"))
    entry = await quarantined(door)
    with pytest.raises(OperationError, match=first.id):
        await door.retry_quarantined(entry, event_type="star", delivery="guid-1")
    assert len(await door.list_quarantine()) == 1


async def test_a_retry_that_was_cut_off_after_it_was_accepted_comes_in_once(
    door: Operations, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = await quarantined(door)

    async def cut_off(_: str) -> bool:
        raise ConnectionError("gone")

    with monkeypatch.context() as away:
        away.setattr(store.quarantine, "drop", cut_off)
        with pytest.raises(OperationError):
            await door.retry_quarantined(entry, event_type="star")
    assert (await door.retry_quarantined(entry, event_type="star")).status == "duplicate"
    assert len(await door.list_events()) == 1
    assert await door.list_quarantine() == []


async def test_an_entry_of_which_only_the_beginning_was_kept_is_refused(door: Operations, store: Store) -> None:
    store.queue.settings = QueueSettings(payload_max_bytes=1024)
    entry = await quarantined(door, b"{" + b" " * 2000 + b"}")
    with pytest.raises(Refused, match="first 1,024 of 2,002 bytes"):
        await door.retry_quarantined(entry, event_type="star")
    assert len(await door.list_quarantine()) == 1


async def test_a_dropped_entry_is_gone_and_audited_with_its_reason(door: Operations) -> None:
    kept, entry = await quarantined(door), await quarantined(door)
    with pytest.raises(Usage):
        await door.drop_quarantined(entry, " ")
    assert (await door.drop_quarantined(entry, "noise")).changed == 1
    assert [own.id for own in await door.list_quarantine()] == [kept]
    (written,) = await door.list_audit()
    assert (written.what, written.target, written.reason, written.result) == ("quarantine drop", entry, "noise", "dropped")


@pytest.mark.parametrize("entry", ["no-such", "1-1", "", "99999999999999999999-1", "-", "+", "1", "1-1\n"])
async def test_an_entry_that_is_not_there_is_not_found(door: Operations, entry: str) -> None:
    await quarantined(door)
    for ask in (
        door.show_quarantined(entry),
        door.retry_quarantined(entry, event_type="star"),
        door.drop_quarantined(entry, "noise"),
    ):
        with pytest.raises(NotFound):
            await ask
    assert len(await door.list_quarantine()) == 1


async def test_one_entry_is_shown_without_reading_the_others(door: Operations, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = await quarantined(door)
    monkeypatch.setattr(store.client, "xrevrange", None)
    assert (await door.show_quarantined(entry)).sample == '{"action": "created"}'


async def test_who_may_only_look_changes_nothing_in_quarantine_but_may_export(store: Store, settings: Settings, door: Operations) -> None:
    entry = await quarantined(door)
    await dead(store, 1)
    viewer = Operations(store, lambda: settings, actor=Actor("eve", "ops-3"), read_only=True)
    for write in (viewer.retry_quarantined(entry, event_type="star"), viewer.drop_quarantined(entry, "noise")):
        with pytest.raises(Refused, match="read-only"):
            await write
    assert await door.list_audit() == []
    assert len([line async for line in viewer.export_events(EventFilter(), pytest.fail)]) == 1


async def test_an_event_that_cannot_be_read_is_left_out_and_told(store: Store, door: Operations) -> None:
    damaged, whole = await dead(store, 2)
    await store.client.set(store.keys.payload(damaged), b"not what was stored")
    told: list[str] = []
    lines = [json.loads(line) async for line in door.export_events(EventFilter(), told.append)]
    assert [line["event"]["id"] for line in lines] == [whole]
    assert damaged in told[0]
