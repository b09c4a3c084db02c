"""Durability: what a server must give for each level, and waiting until a write is on its disk."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gitbridge_console.domain.audit import Actor, Intent, Outcome
from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.settings.model import Durability, RedisSettings
from gitbridge_console.store.connection import connect
from gitbridge_console.store.durability import DiskWait, NotDurable, asks_for_more, durability_warnings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.journal import AuditJournal
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.records import BackPressure

Start = Callable[..., str]
ConnectTo = Callable[[str], Redis]

ON_DISK = ("--appendonly", "yes", "--appendfsync", "always")
NEVER_SYNCED = ("--appendonly", "yes", "--appendfsync", "no")


@pytest.mark.parametrize(
    ("durability", "in_force", "more"),
    [
        ("everysec", "no", True),
        ("everysec", "everysec", False),
        ("everysec", "always", False),
        ("always", "everysec", True),
        ("always", "always", False),
        ("waitaof", "no", True),
        ("waitaof", "everysec", False),
        ("waitaof", "a word of tomorrow", True),
    ],
)
def test_levels_are_compared_with_what_is_in_force(durability: Durability, in_force: str, more: bool) -> None:
    assert asks_for_more(durability, in_force) is more


@pytest.mark.parametrize(
    ("durability", "append_only", "version", "in_force", "words"),
    [
        ("everysec", True, (6, 2), "everysec", []),
        ("waitaof", True, (7, 2), "always", []),
        ("always", True, (7, 2), "everysec", ["set appendfsync always on the server"]),
        ("everysec", True, (7, 2), "no", ["set appendfsync everysec on the server"]),
        ("always", True, (7, 2), None, ["could not be checked"]),
        ("waitaof", True, (7, 0), "everysec", ["needs Redis 7.2 or any Valkey"]),
        ("waitaof", False, (7, 2), "everysec", ["set appendonly yes on the server"]),
        ("always", False, (7, 2), "no", []),
    ],
)
def test_what_a_server_lacks_is_said_with_what_to_set(
    durability: Durability, append_only: bool, version: tuple[int, int], in_force: str | None, words: list[str]
) -> None:
    lines = list(durability_warnings(durability, append_only=append_only, version=version, appendfsync=in_force))
    assert len(lines) == len(words)
    assert all(word in line for word, line in zip(words, lines, strict=True))


@pytest.mark.anyio
async def test_an_outside_server_that_gives_less_is_warned_of_and_left_as_it_is(start_server: Start) -> None:
    url = start_server("--appendonly", "yes", "--appendfsync", "everysec")
    async with connect(RedisSettings(url=url, durability="always"), "unused") as store:
        assert store.info.warnings == (
            "redis.durability is always, but the server has appendfsync everysec: set appendfsync always on the server",
        )
        assert await store.client.config_get("appendfsync") == {"appendfsync": "everysec"}
    async with connect(RedisSettings(url=url, durability="waitaof"), "unused") as store:
        assert store.info.warnings == ()


@pytest.mark.anyio
async def test_where_config_is_forbidden_it_is_said_that_nothing_could_be_checked(start_server: Start, connect_to: ConnectTo) -> None:
    url = start_server(*ON_DISK)
    await connect_to(url).execute_command("ACL", "SETUSER", "limited", "on", ">pw", "~*", "&*", "+@all", "-config")
    async with connect(RedisSettings(url=url.replace("unix://", "unix://limited:pw@"), durability="always"), "unused") as store:
        (line,) = store.info.warnings
        assert "could not be checked" in line
        assert "appendfsync always" in line


@pytest.mark.anyio
async def test_a_write_on_disk_is_confirmed_and_its_replies_come_alone(start_server: Start, connect_to: ConnectTo) -> None:
    client = connect_to(start_server(*ON_DISK))
    async with client.pipeline(transaction=False) as pipe:
        pipe.set("a", "1")
        pipe.incr("a")
        assert await DiskWait("waitaof").execute(pipe) == [True, 2]


@pytest.mark.anyio
async def test_a_write_that_is_not_on_disk_in_time_is_stored_and_refused_as_back_pressure(
    start_server: Start, connect_to: ConnectTo
) -> None:
    client = connect_to(start_server(*NEVER_SYNCED))
    async with client.pipeline(transaction=False) as pipe:
        pipe.set("a", "1")
        with pytest.raises(NotDurable) as caught:
            await DiskWait("waitaof", timeout_s=0.05).execute(pipe)
    assert (
        str(caught.value)
        == "stored, but not confirmed on disk within 0.05 s; hand it in again with the same delivery id, it is stored once"
    )
    assert isinstance(caught.value, BackPressure)
    assert await client.get("a") == b"1"


@pytest.mark.anyio
async def test_without_an_append_only_file_the_reason_is_said(client: Redis, namespace: str) -> None:
    async with client.pipeline(transaction=False) as pipe:
        pipe.set(f"{namespace}:a", "1", ex=60)
        with pytest.raises(NotDurable, match="append-only file is off"):
            await DiskWait("waitaof").execute(pipe)


@pytest.mark.anyio
@pytest.mark.parametrize("durability", ["everysec", "always"])
async def test_the_other_levels_wait_for_nothing(client: Redis, namespace: str, durability: Durability) -> None:
    async with client.pipeline(transaction=False) as pipe:
        pipe.set(f"{namespace}:a", "1", ex=60)
        assert await DiskWait(durability).execute(pipe) == [True]


@pytest.mark.anyio
async def test_writes_that_all_failed_are_not_called_stored(start_server: Start, connect_to: ConnectTo) -> None:
    client = connect_to(start_server(*NEVER_SYNCED))
    disk = DiskWait("waitaof", timeout_s=0.05)
    await client.set("text", "x")
    async with client.pipeline(transaction=False) as pipe:
        pipe.evalsha("0" * 40, 0)
        (reply,) = await disk.execute(pipe)
        assert isinstance(reply, ResponseError)
    async with client.pipeline(transaction=False) as pipe:
        pipe.incr("text")
        pipe.incr("number")
        with pytest.raises(NotDurable):
            await disk.execute(pipe)


@pytest.mark.anyio
async def test_a_server_without_waitaof_is_said_once(start_server: Start, connect_to: ConnectTo, caplog: pytest.LogCaptureFixture) -> None:
    client = connect_to(start_server(*ON_DISK, "--rename-command", "WAITAOF", ""))
    disk = DiskWait("waitaof")
    with caplog.at_level(logging.WARNING):
        for n in range(3):
            async with client.pipeline(transaction=False) as pipe:
                pipe.incr("a")
                assert await disk.execute(pipe) == [n + 1]
    assert [record.getMessage() for record in caplog.records] == [
        "this server has no WAITAOF (Redis 7.2 and any Valkey have): nothing waits for the disk"
    ]


def test_a_transaction_cannot_wait() -> None:
    with pytest.raises(ValueError, match="MULTI"):
        DiskWait("waitaof").append(Redis().pipeline(transaction=True))


def test_the_wait_ends_before_the_connection_gives_up() -> None:
    assert DiskWait("waitaof", socket_timeout_s=2.0).timeout_s == 1.5
    assert DiskWait("waitaof", socket_timeout_s=60.0).timeout_s == 3.0


@pytest.mark.anyio
async def test_an_operators_write_is_acknowledged_only_once_it_is_on_disk(start_server: Start, connect_to: ConnectTo) -> None:
    for options, confirmed in ((ON_DISK, True), (NEVER_SYNCED, False)):
        client = connect_to(start_server(*options))
        journal = AuditJournal(client, Keys("t"), keep=lambda: 1000, disk=DiskWait("waitaof", timeout_s=0.05))
        entry = await journal.begin(Intent(Actor("ana", "h"), "pause", "claude", "test"))
        if confirmed:
            await journal.end(entry, Outcome("done"))
        else:
            with pytest.raises(NotDurable, match="look before doing it again"):
                await journal.end(entry, Outcome("done"))
        (line,) = await journal.newest()
        assert (line.what, line.result) == ("pause", "done")


@pytest.mark.anyio
async def test_an_accepted_event_is_acknowledged_only_once_it_is_on_disk(start_server: Start, connect_to: ConnectTo) -> None:
    for options, confirmed in ((ON_DISK, True), (NEVER_SYNCED, False)):
        disk = DiskWait("waitaof", timeout_s=3.0 if confirmed else 0.3)
        queue = RedisEventQueue(connect_to(start_server(*options)), Keys("t"), disk=disk)
        event = IncomingEvent("d1", "push", b"{}", "test")
        if confirmed:
            found = await asyncio.gather(queue.enqueue(event), queue.enqueue(replace(event, delivery="d2")))
            assert [one.status for one in found] == ["new", "new"]
            assert await queue.quarantine(b"?", source="test", error="no JSON")
        else:
            with pytest.raises(NotDurable, match="same delivery id"):
                await queue.enqueue(event)
            with pytest.raises(NotDurable):
                await queue.quarantine(b"?", source="test", error="no JSON")
            assert (await queue.stats()).states["received"] == 1, "stored all the same, and once"
