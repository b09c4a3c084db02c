"""The store stops under a stream of deliveries, and the receiver is killed in between: what was answered is stored, in order, once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis as SyncRedis
from redis.asyncio import Redis

from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.keys import Keys
from tests.ingress.door import Door, body_of, running

SHORT_S, LONG_S = 4.0, 30.0
NAMESPACE = "away"


@contextmanager
def stopped(url: str) -> Iterator[None]:
    """The server stands still, as on a host that swaps or a disk that hangs."""
    with SyncRedis.from_url(url) as client:
        pid = int(client.info("server")["process_id"])
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def stored(url: str) -> list[str]:
    """Delivery ids in the order they would be worked on."""
    client = Redis.from_url(url)
    try:
        queue = RedisEventQueue(client, Keys(NAMESPACE))
        found: list[str] = []
        while jobs := (await queue.claim("route", 500)).jobs:
            found += [job.header["dl"] for job in jobs]
        return found
    finally:
        await client.aclose()


def stream(door: Door, sent: list[str], answered: list[str], for_s: float) -> list[float]:
    """Deliveries one after another; returns how long each answer took, in seconds."""
    took, end = [], time.monotonic() + for_s
    while time.monotonic() < end:
        delivery = f"d{len(sent)}"
        sent.append(delivery)
        if (answer := door.post(body_of(len(sent)), delivery)) is not None:
            assert answer[0] == 202, answer
            answered.append(delivery)
            took.append(answer[2])
        time.sleep(0.02)
    return took


async def outage(folder: Path, url: str, for_s: float) -> None:
    with running(Door(folder, "--redis", url, "--namespace", NAMESPACE, settings="source_requests_per_s = 0\n")) as door:
        door.wait_ready(lambda parts: parts["store"] == "ok")
        sent: list[str] = []
        answered: list[str] = []
        stream(door, sent, answered, 0.5)
        assert sent == answered
        with stopped(url):
            took = stream(door, sent, answered, for_s / 2)
            assert max(took) < 2, "an answer does not wait for the store"
            assert sent == answered, "every one is answered 202"
            door.kill()
            sent.append("nobody listens")
            assert door.post(body_of(0), "nobody listens") is None
            door.start()
            stream(door, sent, answered, for_s / 2)
            parts = json.loads(door.get("/readyz")[1])
            assert (parts["ready"], parts["store"]) == (True, "away")
            assert parts["spool"]["records"] > 10
            assert b"gitbridge_store_up 0.0" in door.get("/metrics")[1]
        door.wait_ready(lambda parts: parts["store"] == "ok" and parts["spool"]["records"] == 0)
        stream(door, sent, answered, 0.3)
        assert door.stop() == 0
        found = await stored(url)
        assert found == answered, "in order, none lost, none twice"
        assert "Traceback" not in door.said()


@pytest.mark.anyio
async def test_a_store_that_stops_and_a_receiver_that_is_killed_lose_nothing(tmp_path: Path, start_server: Callable[..., str]) -> None:
    await outage(tmp_path, start_server(), SHORT_S)


@pytest.mark.anyio
@pytest.mark.soak
async def test_the_same_for_half_a_minute(tmp_path: Path, start_server: Callable[..., str]) -> None:
    await outage(tmp_path, start_server(), LONG_S)


@pytest.mark.anyio
async def test_a_full_store_is_spooled_for(tmp_path: Path, start_server: Callable[..., str]) -> None:
    """BACKPRESSURE is no reason to turn a sender away who does not come again."""
    url = start_server()
    settings = "[queue]\nmax_waiting = 5\n[shedding]\nenabled = false\n"
    with running(Door(tmp_path, "--redis", url, "--namespace", NAMESPACE, settings=settings)) as door:
        door.wait_ready(lambda parts: parts["store"] == "ok")
        answers = [door.post(body_of(n), f"d{n}") for n in range(12)]
        assert [answer[0] for answer in answers] == [202] * 12
        assert [answer[1]["status"] for answer in answers] == ["new"] * 5 + ["spooled"] * 7
        client = Redis.from_url(url)
        queue = RedisEventQueue(client, Keys(NAMESPACE))
        found: list[str] = []
        deadline = time.monotonic() + 60
        while len(found) < 12:
            assert time.monotonic() < deadline, (found, door.said())
            for job in (await queue.claim("route", 5)).jobs:
                found.append(job.header["dl"])
                await queue.cancel([job.id], by="test", why="room for others")
            await asyncio.sleep(0.05)
        await client.aclose()
        assert found == [f"d{n}" for n in range(12)]
        door.wait_ready(lambda parts: parts["spool"]["records"] == 0)


def test_a_second_receiver_of_one_folder_is_refused_in_one_line(tmp_path: Path, start_server: Callable[..., str]) -> None:
    url = start_server()
    with running(Door(tmp_path, "--redis", url, "--namespace", NAMESPACE)) as door:
        other = Door(tmp_path, "--redis", url, "--namespace", NAMESPACE)
        with pytest.raises(AssertionError, match=r"the spool folder .* is used by process \d+: one receiver per folder"):
            other.start()
        assert door.get("/healthz") is not None


def test_it_starts_without_a_store_and_waits_for_it(tmp_path: Path, start_server: Callable[..., str]) -> None:
    socket = tmp_path / "late.sock"
    with running(Door(tmp_path, "--redis", f"unix://{socket}", "--namespace", NAMESPACE)) as door:
        assert door.post(body_of(1), "early")[1] == {"status": "spooled"}
        assert "deliveries are spooled until it can be used" in door.said()
        socket.symlink_to(start_server().removeprefix("unix://").partition("?")[0])
        door.wait_ready(lambda parts: parts["store"] == "ok" and parts["spool"]["records"] == 0)
        assert door.post(body_of(1), "early")[1]["status"] == "duplicate"
        assert door.stop() == 0


def test_a_worker_listens_with_the_same_door(tmp_path: Path, start_server: Callable[..., str]) -> None:
    with running(Door(tmp_path, "--redis", start_server(), "--namespace", NAMESPACE, words=("worker",))) as door:
        door.wait_ready(lambda parts: parts["store"] == "ok" and parts["engines"] == 1)
        assert door.post(body_of(1), "d1")[:2] == (202, {"id": "0000000100", "status": "new"})
        assert (tmp_path / "state" / "spool" / "lock").exists()
        assert door.stop() == 0


def test_an_embedded_store_that_is_killed_is_started_again_by_a_receiver_alone(tmp_path: Path) -> None:
    with running(Door(tmp_path)) as door:
        door.wait_ready(lambda parts: parts["store"] == "ok")
        assert door.post(body_of(1), "before")[1]["status"] == "new"
        pid = int((tmp_path / "state" / "store" / "server.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        answers = [door.post(body_of(n), f"d{n}") for n in range(5)]
        assert [answer[0] for answer in answers] == [202] * 5
        door.wait_ready(lambda parts: parts["store"] == "ok" and parts["spool"]["records"] == 0)
        assert [door.post(body_of(n), f"d{n}")[1]["status"] for n in range(5)] == ["duplicate"] * 5
        assert door.post(body_of(1), "before")[1]["status"] == "duplicate"
        assert door.stop() == 0
