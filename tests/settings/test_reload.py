"""An edited file takes hold; a bad edit changes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitbridge_console.settings import Settings, SettingsHolder, SettingsWatcher, fingerprint, load_settings


class Edited:
    """A settings file under watch."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "own.toml"
        self.told: list[str] = []
        self.write("")
        self.holder = SettingsHolder(self.load().settings)
        self.watcher = SettingsWatcher(self.holder, [self.path], self.load, on_problem=self.told.append)

    def load(self):
        return load_settings(self.path, env={"HOME": str(self.path.parent / "nobody")})

    def write(self, text: str) -> None:
        before = self.path.stat().st_mtime_ns if self.path.exists() else 0
        self.path.write_text(text)
        os.utime(self.path, ns=(before + 10**9, before + 10**9))


@pytest.fixture
def edited(tmp_path: Path) -> Edited:
    return Edited(tmp_path)


def test_an_untouched_file_is_not_read_again(edited: Edited) -> None:
    before = edited.holder.current
    assert edited.watcher.check() is False
    assert edited.holder.current is before


def test_an_edit_swaps_the_whole_object(edited: Edited) -> None:
    before = edited.holder.current
    edited.write("[retry]\nattempts_max = 7\n")
    assert edited.watcher.check() is True
    assert edited.holder.current.retry.attempts_max == 7
    assert before.retry.attempts_max == 4


def test_a_bad_edit_keeps_what_held_and_tells_the_line(edited: Edited, caplog: pytest.LogCaptureFixture) -> None:
    before = edited.holder.current
    edited.write("[retry]\nattempts_max = 0\nfoo = 1\n")
    assert edited.watcher.check() is False
    assert edited.holder.current is before
    assert edited.holder.problem is not None
    assert f"{edited.path}:2: retry.attempts_max: should be greater than or equal to 1, not 0 (and 1 more)" in edited.holder.problem
    assert edited.told == [edited.holder.problem]
    assert "the settings from before still hold" in caplog.text


def test_the_next_good_edit_clears_the_problem(edited: Edited) -> None:
    edited.write("nonsense")
    edited.watcher.check()
    edited.write("[retry]\nattempts_max = 5\n")
    assert edited.watcher.check() is True
    assert edited.holder.problem is None


def test_where_the_store_is_does_not_change_under_a_running_process(edited: Edited, caplog: pytest.LogCaptureFixture) -> None:
    edited.write("namespace = 'other'\n[redis]\nurl = 'redis://elsewhere'\n[retry]\nattempts_max = 5\n")
    assert edited.watcher.check() is True
    assert edited.holder.current.namespace == "gitbridge"
    assert edited.holder.current.redis.url is None
    assert edited.holder.current.retry.attempts_max == 5
    assert "namespace, redis" in caplog.text


def test_a_file_that_vanishes_and_comes_back_is_noticed(edited: Edited) -> None:
    edited.path.unlink()
    assert edited.watcher.check() is False
    assert edited.holder.problem is not None
    edited.path.write_text("[retry]\nattempts_max = 6\n")
    assert edited.watcher.check() is True


@pytest.mark.anyio
async def test_it_looks_every_interval(tmp_path: Path) -> None:
    """The sleeps are counted instead of slept; the third one ends the test."""
    edited = Edited(tmp_path)
    waits: list[float] = []

    class Enough(Exception):
        pass

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            edited.write("[retry]\nattempts_max = 9\n")
        if len(waits) == 4:
            raise Enough

    changes: list[Settings] = []
    watcher = SettingsWatcher(edited.holder, [edited.path], edited.load, sleep=sleep, on_change=changes.append)
    with pytest.raises(Enough):
        await watcher.run()
    assert waits == [2.0] * 4
    assert [settings.retry.attempts_max for settings in changes] == [9]


def test_the_fingerprint_tells_behaviour_apart_and_nothing_else() -> None:
    plain = Settings()
    assert fingerprint(plain) == fingerprint(
        Settings.model_validate({"redis": {"url": "redis://a:b@c"}, "console": {"mouse": True}, "state_dir": "/x"})
    )
    assert fingerprint(plain) != fingerprint(Settings.model_validate({"retry": {"attempts_max": 3}}))
    assert len(fingerprint(plain)) == 12
