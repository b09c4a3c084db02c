"""A process that is killed outright, between its intent and the call or between the call and the record, leaves one review."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.actions.desk import Desk
from tests.actions.github_wire import SILENT_AFTER, WiredHost

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("dies", ["intent", "record"])
async def test_an_engine_killed_on_the_way_posts_once(desk: Desk, github: WiredHost, valkey_url: str, dies: str) -> None:
    desk.hasty()
    one = await desk.event()
    # Its answer never comes: the process is killed while it waits for it, after the host took the review.
    github.faults(*([SILENT_AFTER] if dies == "record" else []))
    settings = desk.settings.model_dump_json() if dies == "intent" else slow(desk)
    words = [valkey_url, desk.namespace, settings, one, dies]
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "providers")])
    engine = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.actions.mortal", *words, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}
    )
    if dies == "record":
        taken = asyncio.Event()
        github.seen = lambda method, path: taken.set() if method == "POST" else None
        async with asyncio.timeout(60):
            await taken.wait()
        engine.kill()
    assert await engine.wait() == -signal.SIGKILL
    assert len(github.host.of("reviews")) == (0 if dies == "intent" else 1)
    stored = await desk.store.read(one)
    assert stored is not None
    assert stored["writes"][0]["state"] == "intended"
    # As if the time had passed in which the dead process's call could have been under way.
    await desk.client.delete(*[key async for key in desk.client.scan_iter(f"{desk.queue.keys.tag}:i:*")])
    await desk.settle(one)
    assert len(github.host.of("reviews")) == 1
    assert (await desk.shown(one)).state == "resolved"


def slow(desk: Desk) -> str:
    """Settings with which a call may take long enough to be killed in the middle of it."""
    github = desk.settings.hosts.github.model_copy(update={"timeout_s": 60.0, "timeout_total_s": 60.0})
    return desk.settings.model_copy(update={"hosts": desk.settings.hosts.model_copy(update={"github": github})}).model_dump_json()
