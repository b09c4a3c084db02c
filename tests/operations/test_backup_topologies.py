"""A backup of one server goes onto a Cluster and back; what cannot go anywhere is refused in one line."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from gitbridge_console.operations.actor import Actor
from gitbridge_console.operations.errors import Refused
from gitbridge_console.operations.operations import Operations
from gitbridge_console.settings.model import LegacySettings, QueueSettings, RedisSettings, Settings
from gitbridge_console.store.store import open_store
from tests.operations.backup_stores import contents, filled, store_of, written
from tests.store.servers import Server, cluster_of_three

pytestmark = pytest.mark.anyio

_numbers = itertools.count(1)
Place = Callable[..., Any]


@pytest.fixture(scope="module")
def cluster(server_binary: str) -> Iterator[list[Server]]:
    with cluster_of_three(server_binary) as nodes:
        yield nodes


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """Gives doors to empty namespaces of the server a URL names."""
    async with AsyncExitStack() as stores:

        async def open_one(url: str, partitions: int = 4) -> Operations:
            settings = Settings(
                namespace=f"bt{os.getpid()}-{next(_numbers)}",
                redis=RedisSettings(url=url),
                legacy=LegacySettings(enabled=False),
                queue=QueueSettings(partitions=partitions, max_waiting=1_000_000),
            )
            store = await stores.enter_async_context(open_store(settings, tmp_path))
            return Operations(store, lambda: settings, actor=Actor("ana", "ops-3"))

        yield open_one


@pytest.mark.parametrize(("source", "target"), [("server", "cluster"), ("cluster", "server"), ("cluster", "cluster")])
async def test_a_backup_goes_from_one_topology_to_another(
    cluster: list[Server], valkey_url: str, place: Place, tmp_path: Path, source: str, target: str
) -> None:
    urls = {"server": valkey_url, "cluster": f"redis+cluster://127.0.0.1:{cluster[0].port}"}
    old, new = await place(urls[source]), await place(urls[target])
    ids = await filled(old, 120)
    facts = await new.restore(await written(old, tmp_path / "night.gbb"))
    assert facts.events == len(ids) == len(set(ids))
    before, after = await contents(old), await contents(new)
    assert before == after
    was, now = await store_of(old).queue.stats(), await store_of(new).queue.stats()
    assert (now.states, now.bytes_by_state, now.counters) == (was.states, was.bytes_by_state, was.counters)
    assert set(now.pauses) == {"grok"}
    assert len({key.partition("}")[0] for key in after}) == 4, "every partition has some of it"
    assert [entry.what for entry in await new.list_audit(2)] == ["restore", "backup"]
    assert not (await new.verify_audit()).problem
    with pytest.raises(Refused, match="is in use"):
        await new.restore(tmp_path / "night.gbb")


async def test_a_cluster_of_other_partitions_refuses_it_before_anything_is_written(
    cluster: list[Server], valkey_url: str, place: Place, tmp_path: Path
) -> None:
    old = await place(valkey_url, partitions=2)
    new = await place(f"redis+cluster://127.0.0.1:{cluster[0].port}", partitions=4)
    await filled(old, 20)
    path = await written(old, tmp_path / "night.gbb")
    with pytest.raises(Refused, match=r"it has 2 partitions of layout \d+, this store 4 .*: set queue.partitions"):
        await new.restore(path)
    assert await contents(new) == {}
    assert await new.list_audit() == []
