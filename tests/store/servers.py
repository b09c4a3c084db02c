"""Several real servers at once: a primary with a replica and its Sentinels, and a Cluster of three."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from tests.ports import free_port

PATIENCE_S = 20.0
SLOTS = 16_384
SERVICE = "gitbridge"


class Server:
    """One process; ``client`` asks it."""

    def __init__(self, binary: str, folder: Path, *options: str, env: Mapping[str, str] | None = None) -> None:
        self.port = free_port()
        self.folder = folder / str(self.port)
        self.folder.mkdir()
        self._command = [binary, *options, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        self._env = {**os.environ, **(env or {})}
        self.client = Redis(port=self.port, decode_responses=True)
        self.process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, start_new_session=True, env=self._env)
        wait_until(lambda: self.client.ping())
        return process

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait()

    def start_again(self) -> None:
        """After a crash, on the same port and with what its folder holds."""
        self.process = self._started()

    def close(self) -> None:
        """End it for good."""
        self.client.close()
        self.process.kill()
        self.process.wait()


def wait_until(holds: Callable[[], Any]) -> None:
    """Ask again until it holds; a server that does not answer yet does not hold."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            if holds():
                return
        except RedisError:
            pass
        assert time.monotonic() < end, "the servers did not come to what was waited for"
        time.sleep(0.01)


@contextmanager
def several(binary: str) -> Iterator[Callable[..., Server]]:
    """Starts servers with the options given; all end with the block."""
    folder = Path(tempfile.mkdtemp(prefix="gb-test-"))
    running: list[Server] = []

    def start(*options: str) -> Server:
        running.append(Server(binary, folder, *options))
        return running[-1]

    try:
        yield start
    finally:
        for server in running:
            server.close()
        shutil.rmtree(folder, ignore_errors=True)


PLAIN = ("--save", "", "--appendonly", "no")


@contextmanager
def cluster_of_three(binary: str) -> Iterator[list[Server]]:
    """Three primaries that share the slots."""
    with several(binary) as start:
        nodes = [start(*PLAIN, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000") for _ in range(3)]
        share = SLOTS // 3
        for n, node in enumerate(nodes):
            last = SLOTS - 1 if n == 2 else (n + 1) * share - 1
            node.client.execute_command("CLUSTER ADDSLOTSRANGE", n * share, last)
            node.client.execute_command("CLUSTER MEET", "127.0.0.1", nodes[0].port)
        for node in nodes:
            wait_until(lambda node=node: node.client.cluster("info")["cluster_state"] == "ok" and _known(node) == 3)
        yield nodes


def _known(node: Server) -> int:
    return int(node.client.cluster("info")["cluster_known_nodes"])


@contextmanager
def watched_pair(binary: str) -> Iterator[tuple[Server, Server, list[Server]]]:
    """A primary, its replica, and three Sentinels of which two decide."""
    with several(binary) as start:
        primary = start(*PLAIN)
        replica = start(*PLAIN, "--replicaof", f"127.0.0.1 {primary.port}")
        wait_until(lambda: replica.client.info("replication")["master_link_status"] == "up")
        sentinels = []
        for _ in range(3):
            config = Path(tempfile.mkstemp(dir=primary.folder, suffix=".conf")[1])
            config.write_text(
                f"sentinel monitor {SERVICE} 127.0.0.1 {primary.port} 2\n"
                f"sentinel down-after-milliseconds {SERVICE} 500\nsentinel failover-timeout {SERVICE} 5000\n"
            )
            sentinels.append(start(str(config), "--sentinel"))
        for sentinel in sentinels:
            wait_until(lambda sentinel=sentinel: _agreed(sentinel))
        yield primary, replica, sentinels


def _agreed(sentinel: Server) -> bool:
    (state,) = sentinel.client.sentinel_masters().values()
    return state["num-other-sentinels"] == 2 and state["num-slaves"] == 1
