"""A store with one of everything an operator can act on, on a server that has a user for each role."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.operations.actor import Actor
from gitbridge_console.operations.operations import Operations
from gitbridge_console.operations.roles import Role
from gitbridge_console.settings.model import LegacySettings, RedisSettings, Settings
from gitbridge_console.store.acl import acl_lines
from gitbridge_console.store.records import RoutePlan
from gitbridge_console.store.store import Store, open_store
from tests.operations.test_decisions import decided

PASSWORD = "only-for-this-test"

PULL_REQUEST = b'{"action": "opened", "number": 7, "pull_request": {"number": 7}, "repository": {"id": 1, "full_name": "acme/shop"}}'


@dataclass(frozen=True, slots=True)
class Stock:
    """Ids of what there is to act on."""

    waiting: str
    failed: str
    decided: str
    quarantined: str


@dataclass(frozen=True, slots=True)
class Guarded:
    """A server with users. ``door(role)`` opens the operations with the store's user of that role, as one whom the program lets do all."""

    url: str
    stock: Stock
    everything: Redis
    door: Callable[[Role], AbstractAsyncContextManager[Operations]]
    client: Callable[[Role], AbstractAsyncContextManager[Redis]]


async def stock_up(store: Store) -> Stock:
    """One event that waits, one that failed, one that awaits approval, something in quarantine, some counts."""
    chosen = await decided(store)
    failed = await store.queue.enqueue(IncomingEvent("failed", "pull_request", PULL_REQUEST, "test", diff="diff --git a/x b/x\n"))
    (job,) = (await store.queue.claim("route", 1)).jobs
    await store.queue.hand_on(job, "", EventState.FAILED, header={"err": "silent"}, texts={"error": "nobody home"})
    waiting = await store.queue.enqueue(IncomingEvent("waiting", "pull_request", PULL_REQUEST, "test", diff="diff --git a/x b/x\n"))
    (job,) = (await store.queue.claim("route", 1)).jobs
    await store.queue.route(job, RoutePlan("code_review", Priority.NORMAL, ("claude", "grok"), 2, 15, 120, 3600))
    quarantined = await store.queue.quarantine(b"not json", source="test", error="no JSON")
    store.metrics.record_attempt("claude", "ok", 900.0)
    await store.metrics.flush()
    return Stock(waiting.id, failed.id, chosen, quarantined)


@pytest.fixture
async def guarded(start_server: Callable[..., str], connect_to: Callable[[str], Redis], tmp_path: Path) -> Guarded:
    url = start_server()
    everything = connect_to(url)
    for role, line in acl_lines().items():
        rules = re.findall(r"\([^)]*\)|\S+", line.split(" ", 2)[2])
        await everything.execute_command("ACL", "SETUSER", f"gitbridge-{role}", *rules, "on", f">{PASSWORD}")

    def url_of(role: Role) -> str:
        return url.replace("unix://", f"unix://gitbridge-{role.word}:{PASSWORD}@")

    def settings_of(its_url: str) -> Settings:
        return Settings(redis=RedisSettings(url=its_url), legacy=LegacySettings(enabled=False))

    async with open_store(settings_of(url), tmp_path) as store:
        stock = await stock_up(store)

    @asynccontextmanager
    async def door(role: Role) -> AsyncIterator[Operations]:
        settings = settings_of(url_of(role))
        async with open_store(settings, tmp_path) as its_store:
            yield Operations(its_store, lambda: settings, actor=Actor("ana", "ops-3"))
            await its_store.metrics.flush()

    @asynccontextmanager
    async def client(role: Role) -> AsyncIterator[Redis]:
        its_client = Redis.from_url(url_of(role))
        yield its_client
        await its_client.aclose()

    return Guarded(url, stock, everything, door, client)
