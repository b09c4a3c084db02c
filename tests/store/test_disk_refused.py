"""A server that takes no writes: for want of disk it is "full", as at its memory limit; told, waited for, and never a lost job."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gitbridge_console.domain.events import EventState, IncomingEvent
from gitbridge_console.settings.model import Durability, RedisSettings, Settings
from gitbridge_console.store.patient_connection import Parser
from gitbridge_console.store.records import BackPressure
from gitbridge_console.store.store import open_store
from gitbridge_console.store.trouble import STORE_AWAY, is_full


@asynccontextmanager
async def no_disk(client: Redis, folder: Path) -> AsyncIterator[None]:
    """Takes the server's folder away and lets it try to save: it refuses to write then, as with a full disk."""
    shutil.rmtree(folder)
    await client.bgsave()
    try:
        async with asyncio.timeout(10):
            while (await client.info("persistence"))["rdb_last_bgsave_status"] == "ok":
                continue
        yield
    finally:
        await client.config_set("save", "")  # else it neither writes again nor ever stops


@pytest.mark.anyio
@pytest.mark.parametrize("durability", ["everysec", "waitaof"])
async def test_a_full_disk_of_the_server_means_try_again_later(
    start_server: Callable[..., str], tmp_path: Path, durability: Durability
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    log = ("--appendonly", "yes") if durability == "waitaof" else ()
    settings = Settings(redis=RedisSettings(url=start_server("--dir", str(disk), "--save", "3600 1000", *log), durability=durability))
    async with open_store(settings, tmp_path) as store:
        await store.queue.enqueue(IncomingEvent("before", "push", b"{}", "test"))
        (job,) = (await store.queue.claim("route", 1)).jobs
        async with no_disk(store.client, disk):
            with pytest.raises(BackPressure, match="disk takes no writes"):
                await store.queue.enqueue(IncomingEvent("during", "push", b"{}", "test"))
            for write in (store.queue.hand_on(job, "", EventState.RESOLVED), store.client.set("anything", 1)):
                with pytest.raises(STORE_AWAY) as refused:
                    await write
                assert is_full(refused.value), "it answers: starting it again would help nobody"
        assert await store.queue.hand_on(job, "", EventState.RESOLVED), "the job is still ours once there is room"
        assert (await store.queue.enqueue(IncomingEvent("during", "push", b"{}", "test"))).status == "new"


@pytest.mark.anyio
async def test_a_server_that_waits_for_its_replicas_means_try_again_later(start_server: Callable[..., str], tmp_path: Path) -> None:
    async with open_store(Settings(redis=RedisSettings(url=start_server())), tmp_path) as store:
        await store.client.config_set("min-replicas-to-write", "1")
        with pytest.raises(STORE_AWAY, match="replicas"):
            await store.queue.enqueue(IncomingEvent("during", "push", b"{}", "test"))
        await store.client.config_set("min-replicas-to-write", "0")
        assert (await store.queue.enqueue(IncomingEvent("during", "push", b"{}", "test"))).status == "new"


def test_a_server_that_runs_a_long_script_means_try_again_later() -> None:
    said = "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
    assert isinstance(Parser.parse_error(said), STORE_AWAY)
