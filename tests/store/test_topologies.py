"""A store behind Sentinels and on a Cluster: real servers, the same queue, and what cannot be had is said in one line."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import RedisError

from gitbridge_console.domain.events import EventState, IncomingEvent
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.settings.model import LegacySettings, QueueSettings, RedisSettings, Settings
from gitbridge_console.store.addresses import Address, redact_url, secrets_of
from gitbridge_console.store.connection import StoreUnavailable
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.legacy import legacy_warnings
from gitbridge_console.store.records import Enqueued
from gitbridge_console.store.store import Store, open_store
from gitbridge_console.store.unavailable import STORE_AWAY_ERRORS
from tests.store.servers import PATIENCE_S, SERVICE, Server, cluster_of_three, watched_pair


@pytest.fixture(scope="module")
def cluster(server_binary: str) -> Iterator[list[Server]]:
    with cluster_of_three(server_binary) as nodes:
        yield nodes


@pytest.fixture(scope="module")
def pair(server_binary: str) -> Iterator[tuple[Server, Server, list[Server]]]:
    with watched_pair(server_binary) as found:
        yield found


def settings_on(url: str, namespace: str, **redis: Any) -> Settings:
    return Settings(
        namespace=namespace, redis=RedisSettings(url=url, **redis), queue=QueueSettings(partitions=4), legacy=LegacySettings(enabled=False)
    )


async def push(store: Store, n: int) -> None:
    """One event of its own."""
    body = b'{"action":"published","repository":{"id":%d,"full_name":"acme/shop"}}' % n
    await store.queue.enqueue(IncomingEvent(f"d{n}", "release", body, "test"), repository=f"id{n}")


async def take_all(store: Store, n: int) -> list[str]:
    """Claim and complete until ``n`` are done."""
    done: list[str] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(done) < n:
            for job in (await store.queue.claim("route", 16, 30.0)).jobs:
                await store.queue.hand_on(job, "", EventState.IGNORED)
                done.append(job.id)
    return done


@pytest.mark.parametrize(
    ("url", "topology", "server", "hosts", "service"),
    [
        ("redis://ops:pw@h:7000/2", "standalone", "redis://ops:pw@h:7000/2", (), ""),
        ("redis+sentinel://ops:pw@a:1,b/main", "sentinel", "redis://ops:pw@a:1/0", (("a", 1), ("b", 26379)), "main"),
        ("rediss+sentinel://a/main/3?ssl_ca_certs=x", "sentinel", "rediss://a:26379/3?ssl_ca_certs=x", (("a", 26379),), "main"),
        ("redis+cluster://[::1]:7001,b:7002", "cluster", "redis://[::1]:7001/0", (("::1", 7001), ("b", 7002)), ""),
    ],
)
def test_a_url_names_the_topology(url: str, topology: str, server: str, hosts: tuple[tuple[str, int], ...], service: str) -> None:
    address = Address.parse(url)
    assert (address.topology, address.server, address.hosts, address.service) == (topology, server, hosts, service)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://h", "use redis://"),
        ("redis+sentinel://a:1,b:2", "name the service"),
        ("redis+sentinel://a/main/x", "no number"),
        ("redis+cluster://a/3", "no databases"),
        ("redis+cluster://a,,b", "one of the hosts"),
        ("redis+cluster://" + ",".join(["h"] * 40), "40 hosts"),
    ],
)
def test_a_url_that_cannot_be_used_says_why(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Address.parse(url)


def test_no_password_of_any_topology_is_shown() -> None:
    url = "redis+sentinel://ops:alpha@a:1,b:2/main?sentinel_password=beta&sentinel_username=w"
    assert redact_url(url) == "redis+sentinel://ops:***@a:1,b:2/main?sentinel_password=***&sentinel_username=w"
    assert secrets_of(url) == ["alpha", "beta"]
    assert redact_url("redis+sentinel://ops:alpha@a:1") == "(unreadable URL)"


@pytest.mark.anyio
async def test_a_cluster_holds_the_queue_over_its_nodes(cluster: list[Server], namespace: str, tmp_path: Path) -> None:
    url = f"redis+cluster://127.0.0.1:{cluster[1].port}"
    async with open_store(settings_on(url, namespace), tmp_path) as store:
        for n in range(24):
            await push(store, n)
        used = [node.client.dbsize() for node in cluster]
        assert len(set(await take_all(store, 24))) == 24
        store.metrics.record_attempt("claude", "ok", 120.0)
        store.metrics.count("in", 24)
        await store.metrics.flush()
        window = await store.metrics.read(providers=["claude"])
        state = await store.server.look()
        assert store.queue.standing is None, "there is no one list to wait at"
        many = await store.queue.enqueue_many([IncomingEvent(f"m{n}", "release", b"{}", "test") for n in range(200)])
        assert [one.status for one in many if isinstance(one, Enqueued)] == ["new"] * 200
    assert all(used), "every node has some of it"
    assert (window.counts["in"], window.providers["claude"].calls_15m) == (24, 1)
    assert state.memory_bytes > 0
    assert any("append-only" in line for line in state.warnings)


@pytest.mark.anyio
async def test_hints_of_new_work_reach_a_listener_from_every_node_of_a_cluster(
    cluster: list[Server], namespace: str, tmp_path: Path
) -> None:
    url = f"redis+cluster://127.0.0.1:{cluster[2].port}"
    async with open_store(settings_on(url, namespace), tmp_path) as store:
        told = asyncio.Event()
        store.wakeups.subscribe("route", told)
        listening = asyncio.create_task(store.wakeups.listen())
        heard: set[int] = set()
        n = 0
        async with asyncio.timeout(PATIENCE_S):
            while len(heard) < 4:
                n += 1
                told.clear()
                await push(store, n)
                try:
                    await asyncio.wait_for(told.wait(), 0.5)
                except TimeoutError:
                    continue
                heard.update(part for part in range(4) if any(has_delivery(node, namespace, part, n) for node in cluster))
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    assert heard == {0, 1, 2, 3}


@pytest.mark.anyio
async def test_a_node_that_is_gone_is_a_store_that_is_away_and_comes_back(server_binary: str, namespace: str, tmp_path: Path) -> None:
    with cluster_of_three(server_binary) as nodes:
        settings = settings_on(f"redis+cluster://127.0.0.1:{nodes[0].port}", namespace, socket_timeout_s=1.0, connect_timeout_s=1.0)
        async with open_store(settings, tmp_path) as store:
            for n in range(8):
                await push(store, n)
            nodes[1].kill()
            errors: list[Exception] = []
            async with asyncio.timeout(PATIENCE_S):
                while len(errors) < 30:
                    for ask in (
                        partial(push, store, 100 + len(errors)),
                        partial(store.queue.claim, "route", 1, 0.05),
                        partial(store.reader.list_events, EventFilter()),
                    ):
                        try:
                            await ask()
                        except Exception as error:
                            errors.append(error)
            nodes[1].start_again()
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    try:
                        for n in range(200, 208):
                            await push(store, n)
                        await store.queue.claim("decide", 1, 30.0)
                    except STORE_AWAY_ERRORS:
                        await asyncio.sleep(0.05)
                    else:
                        break
    assert {type(error) for error in errors if not isinstance(error, STORE_AWAY_ERRORS)} == set()


@pytest.mark.anyio
async def test_metrics_of_a_cluster_are_kept_for_the_node_that_is_away_and_not_added_twice(
    cluster: list[Server], namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"redis+cluster://127.0.0.1:{cluster[0].port}"
    async with open_store(settings_on(url, namespace), tmp_path) as store:
        store.metrics.count("in", 3)
        store.metrics.record_attempt("claude", "ok", 1.0)
        write = store.metrics._write

        async def one_is_away(scopes: list[str], *given: Any) -> None:
            if scopes == ["claude"]:
                raise STORE_AWAY_ERRORS[1]("its node is away")
            await write(scopes, *given)

        with monkeypatch.context() as broken:
            broken.setattr(store.metrics, "_write", one_is_away)
            with pytest.raises(STORE_AWAY_ERRORS):
                await store.metrics.flush()
        await store.metrics.flush()
        window = await store.metrics.read()
    assert (window.counts["in"], window.providers["claude"].calls_15m) == (3, 1)


@pytest.mark.anyio
async def test_one_node_or_a_sentinel_named_as_a_server_is_refused_with_the_url_to_use(
    cluster: list[Server], namespace: str, tmp_path: Path
) -> None:
    with pytest.raises(StoreUnavailable, match=r"is a node of a Cluster: name it as redis\+cluster://"):
        async with open_store(settings_on(f"redis://127.0.0.1:{cluster[0].port}", namespace), tmp_path):
            pass
    url = f"redis+cluster://127.0.0.1:{cluster[0].port}"
    with pytest.raises(StoreUnavailable, match="waitaof cannot be had of a Cluster"):
        async with open_store(settings_on(url, namespace, durability="waitaof"), tmp_path):
            pass


def test_the_legacy_lists_need_one_slot_in_a_cluster() -> None:
    url = "redis+cluster://h"
    (line,) = legacy_warnings(url, LegacySettings())
    assert "must share a hash tag" in line
    assert not legacy_warnings(url, LegacySettings(events_key="{gitbridge}:events", processing_key="{gitbridge}:processing"))
    assert not legacy_warnings(url, LegacySettings(url="redis://other"))
    assert not legacy_warnings("redis://h", LegacySettings())
    assert not legacy_warnings(None, LegacySettings())


@pytest.mark.anyio
async def test_a_connection_to_a_primary_that_became_a_replica_is_given_up(
    pair: tuple[Server, Server, list[Server]], namespace: str, tmp_path: Path
) -> None:
    primary, replica, sentinels = pair
    url = f"redis+sentinel://127.0.0.1:{sentinels[0].port}/{SERVICE}"
    async with open_store(settings_on(url, namespace), tmp_path) as store:
        await push(store, 1)
        sentinels[0].client.execute_command("SENTINEL FAILOVER", SERVICE)
        n = 1
        async with asyncio.timeout(PATIENCE_S):
            while role_of(replica) != "master":
                await asyncio.sleep(0.01)
            while True:
                n += 1
                try:
                    await push(store, n)
                except (*STORE_AWAY_ERRORS, RedisError):
                    await asyncio.sleep(0.02)
                    continue
                if any(has_delivery(replica, namespace, part, n) for part in range(4)):
                    break
                # The old primary takes them until it is told, for ten seconds perhaps, and has room for ten thousand.
                await asyncio.sleep(0.01)
            while role_of(primary) != "slave":
                await asyncio.sleep(0.01)


@pytest.mark.anyio
async def test_the_primary_is_followed_through_a_failover(
    pair: tuple[Server, Server, list[Server]], namespace: str, tmp_path: Path
) -> None:
    first, second, sentinels = pair
    primary, replica = (first, second) if role_of(first) == "master" else (second, first)
    assert role_of(replica) == "slave"
    hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in sentinels)
    url = f"redis+sentinel://{hosts}/{SERVICE}"
    with pytest.raises(StoreUnavailable, match=r"is a Sentinel: name it as redis\+sentinel://"):
        async with open_store(settings_on(f"redis://127.0.0.1:{sentinels[0].port}", namespace), tmp_path):
            pass
    async with open_store(settings_on(url, namespace, socket_timeout_s=1.0, connect_timeout_s=1.0), tmp_path) as store:
        await push(store, 1)
        async with asyncio.timeout(PATIENCE_S):
            while replica.client.info("replication")["master_repl_offset"] != primary.client.info("replication")["master_repl_offset"]:
                await asyncio.sleep(0.01)
        primary.kill()
        refused = 0
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    await push(store, 2)
                except STORE_AWAY_ERRORS:
                    refused += 1
                    await asyncio.sleep(0.05)
                else:
                    break
        taken = await take_all(store, 2)
    assert refused, "nobody said that it went through while there was no primary"
    assert len(taken) == 2, "what was there before the failover, and what came after"
    assert role_of(replica) == "master"


def role_of(server: Server) -> str:
    return str(server.client.info("replication")["role"])


def has_delivery(server: Server, namespace: str, part: int, n: int) -> bool:
    """Whether a server has the event with that delivery in that partition; a node of a Cluster has none of what others keep."""
    day = int(server.client.time()[0]) // 86_400
    try:
        return bool(server.client.hexists(Keys(namespace, part).deliveries(day), f"d{n}"))
    except RedisError:
        return False
