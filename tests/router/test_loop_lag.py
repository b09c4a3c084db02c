"""A loop that stood still is known for it for a moment, and no longer."""

from __future__ import annotations

import asyncio
import time

import pytest

from gitbridge_console.router import loop_lag
from gitbridge_console.router.loop_lag import LoopLag

pytestmark = pytest.mark.anyio


def stall(seconds: float) -> None:
    """Keep the loop from running, as work that never yields does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


async def test_a_stall_is_seen_while_it_is_dealt_with_and_then_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_lag, "REMEMBER_S", 0.3)
    lag = LoopLag()
    lag.start()
    try:
        stall(0.5)
        assert lag() >= 0.35, "before the timer could notice"
        for _ in range(5):
            await asyncio.sleep(0)
        assert lag() >= 0.35, "and after it did"
        async with asyncio.timeout(10):
            while lag() > 0.25:
                await asyncio.sleep(0.01)
    finally:
        lag.stop()


async def test_what_is_not_watched_is_never_late() -> None:
    lag = LoopLag()
    stall(0.2)
    assert lag() == 0.0
    lag.start()
    lag.stop()
    stall(0.2)
    assert lag() == 0.0
