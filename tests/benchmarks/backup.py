"""Backup and restoration: ``python -m tests.benchmarks.backup [--events 20000]``.

A namespace with so many events, in the states a night leaves, is written to a file and restored into another one of the same server. One
JSON document says how long each took, how much CPU this process and the server spent, how many script calls a restoration made, and
the longest of them, which says how long other clients of the server had to wait.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from gitbridge_console.operations.operations import Operations
from gitbridge_console.settings.model import LegacySettings, QueueSettings, RedisSettings, Settings
from gitbridge_console.store.connection import make_client
from gitbridge_console.store.store import open_store
from gitbridge_console.store.unavailable import STORE_AWAY_ERRORS
from tests.conftest import _server_binary
from tests.operations.backup_stores import crowd, store_of, written

SLOWER_THAN_US = 100


async def measured(client: Any, run: Callable[[], Awaitable[Any]]) -> dict[str, float]:
    """What ``run`` took, here and on the server."""
    await client.config_resetstat()
    await client.slowlog_reset()
    before, ours, started = await client.info("cpu"), time.process_time(), time.monotonic()
    await run()
    took, own = time.monotonic() - started, time.process_time() - ours
    after, stats = await client.info("cpu"), await client.info("commandstats")
    calls = stats.get("cmdstat_fcall", {"calls": 0, "usec": 0})
    slowest = [entry["duration"] for entry in await client.slowlog_get(10_000) if entry["command"].startswith(b"FCALL")]
    return {
        "seconds": round(took, 2),
        "own_cpu_s": round(own, 2),
        "server_cpu_s": round(sum(after[name] - before[name] for name in ("used_cpu_user", "used_cpu_sys")), 2),
        "script_calls": calls["calls"],
        "script_mean_ms": round(calls["usec"] / max(1, calls["calls"]) / 1000, 3),
        "script_p99_ms": sorted(slowest)[int(len(slowest) * 0.99)] / 1000 if slowest else 0.0,
        "script_longest_ms": max(slowest, default=0) / 1000,
    }


async def measure(folder: Path, events: int) -> dict[str, Any]:
    """Fill, write, restore."""
    url, path = f"unix://{folder / 'socket'}", folder / "many.gbb"

    def settings(namespace: str) -> Settings:
        queue = QueueSettings(partitions=2, max_waiting=10_000_000)
        return Settings(namespace=namespace, redis=RedisSettings(url=url), legacy=LegacySettings(enabled=False), queue=queue)

    async with open_store(settings("old"), folder) as one, open_store(settings("new"), folder) as other:
        old, new = (Operations(store, lambda: settings("any")) for store in (one, other))
        await crowd(old, events)
        client = store_of(old).client
        found: dict[str, Any] = {"events": events, "backup": await measured(client, lambda: written(old, path))}
        found["bytes"] = path.stat().st_size
        found["restore"] = await measured(client, lambda: new.restore(path))
    return found


def main() -> None:
    """Start a server, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gb-") as name:
        folder = Path(name)
        options = ("--port", "0", "--unixsocket", "socket", "--save", "", "--dir", name)
        slow = ("--slowlog-log-slower-than", str(SLOWER_THAN_US), "--slowlog-max-len", "10000")
        server = subprocess.Popen([_server_binary(), *options, *slow], stdout=subprocess.DEVNULL)
        try:
            asyncio.run(_answers(f"unix://{folder / 'socket'}"))
            print(json.dumps(asyncio.run(measure(folder, given.events)), indent=2))
        finally:
            server.terminate()
            server.wait()


async def _answers(url: str) -> None:
    client, until = make_client(RedisSettings(url=url)), time.monotonic() + 10
    while True:
        try:
            await client.ping()
            break
        except STORE_AWAY_ERRORS:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.02)
    await client.aclose()


if __name__ == "__main__":
    main()
