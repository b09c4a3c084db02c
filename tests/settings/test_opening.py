"""What the first frame is drawn with: the same layers as the settings, without the models, and never in the way of their check."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitbridge_console.settings import Settings, SettingsError, load_settings
from gitbridge_console.settings.holder import UnreadSettings
from gitbridge_console.settings.opening import Opening, opening_settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "own.toml"
    path.write_text('[console]\ntheme = "amber-tube"\nascii = true\n[queue]\ndrain_s = 7\n', "utf-8")
    return path


def home(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}


def test_its_defaults_are_those_of_the_settings() -> None:
    opening, settings = Opening(), Settings()
    for key in ("theme", "mouse", "ascii"):
        assert getattr(opening.console, key) == getattr(settings.console, key)
    assert opening.queue.drain_s == settings.queue.drain_s


@pytest.mark.parametrize(
    ("env", "overrides"),
    [
        ({}, {}),
        ({"GITBRIDGE_CONSOLE__THEME": "deep-sea", "GITBRIDGE_CONSOLE__MOUSE": "yes", "GITBRIDGE_QUEUE__DRAIN_S": "3"}, {}),
        ({"GITBRIDGE_CONSOLE__ASCII": "false", "GITBRIDGE_CONSOLE__THEME": ""}, {"console.theme": "sixteen", "console.mouse": True}),
    ],
)
def test_the_layers_lie_in_the_same_order(tmp_path: Path, file: Path, env: dict[str, str], overrides: dict[str, object]) -> None:
    opening = opening_settings(file, home(tmp_path) | env, overrides)
    settings = load_settings(file, home(tmp_path) | env, overrides).settings
    for key in ("theme", "mouse", "ascii"):
        assert getattr(opening.console, key) == getattr(settings.console, key), key
    assert opening.queue.drain_s == settings.queue.drain_s


@pytest.mark.parametrize(
    "text",
    [
        "console = 3",
        "[console]\ntheme = 3\nascii = []\nmouse = 'perhaps'",
        "[queue]\ndrain_s = 'soon'",
        "[queue]\ndrain_s = -1",
        "[queue]\ndrain_s = nan",
    ],
)
def test_what_is_wrong_is_left_to_the_check_of_the_whole(tmp_path: Path, text: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text, "utf-8")
    assert opening_settings(path, home(tmp_path)) == Opening()
    with pytest.raises(SettingsError):
        load_settings(path, home(tmp_path))


def test_a_file_that_cannot_be_read_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        opening_settings(tmp_path / "none.toml", home(tmp_path))
    (tmp_path / "bad.toml").write_text("not toml", "utf-8")
    with pytest.raises(SettingsError, match=r"bad.toml:1: not TOML"):
        opening_settings(tmp_path / "bad.toml", home(tmp_path))


def test_unread_settings_are_read_once_by_whoever_needs_them() -> None:
    reads: list[Settings] = []

    def read() -> Settings:
        reads.append(Settings(namespace="late"))
        return reads[-1]

    holder = UnreadSettings(read)
    assert holder.known is None
    holder.read()
    holder.read()
    assert holder.current.namespace == "late"
    assert holder.known is holder.current
    assert len(reads) == 1
