"""The engine's thread: begun without waiting, shown a first frame, stopped at any time."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitbridge_console.operations.errors import StoreAway
from gitbridge_console.operations.thread import EngineThread
from gitbridge_console.settings.model import RedisSettings, Settings


def test_a_thread_begun_without_waiting_tells_later_why_it_failed_and_can_be_stopped_before_it_ran(tmp_path: Path) -> None:
    settings = Settings(state_dir=str(tmp_path), redis=RedisSettings(url="redis://127.0.0.1:1/0"))
    fleet = EngineThread(settings, role="console", engine=False)
    fleet.begin()
    assert fleet.failed is None
    fleet.shown()
    with pytest.raises(StoreAway):
        fleet.wait_open()
    assert isinstance(fleet.failed, StoreAway)
    never_shown = EngineThread(Settings(state_dir=str(tmp_path)), role="console", engine=False)
    never_shown.begin()
    assert never_shown.stop(20), "it waited for a first frame that never came"
