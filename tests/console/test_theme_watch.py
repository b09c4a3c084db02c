"""Folders of themes are looked at again: what changed is read, what broke stays as it was."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitbridge_console.console import theme_watch
from gitbridge_console.console.theme_watch import ThemesFound, ThemeWatch
from gitbridge_console.console.themes import ThemeFile, shipped_folder

DARK = Path(shipped_folder() / "gitbridge-dark.toml").read_text("utf-8").replace("gitbridge-dark", "mine")


def put(path: Path, content: str, at: int) -> None:
    """Write a file as if at that second: what two looks within one tick of the clock see differs, too."""
    path.write_text(content, "utf-8")
    os.utime(path, (at, at))


def changed(watch: ThemeWatch) -> ThemesFound:
    found = watch.check()
    assert found is not None
    return found


def test_nothing_is_found_twice(tmp_path: Path) -> None:
    put(tmp_path / "a.toml", DARK, 1)
    watch = ThemeWatch([tmp_path])
    assert list(changed(watch).themes) == ["mine"]
    assert watch.check() is None


def test_only_the_file_that_changed_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "a.toml", DARK, 1)
    put(tmp_path / "b.toml", DARK.replace("mine", "other"), 1)
    watch = ThemeWatch([tmp_path])
    changed(watch)
    read: list[str] = []
    real = theme_watch.read_theme

    def noted(path: Path) -> ThemeFile:
        read.append(path.name)
        return real(path)

    monkeypatch.setattr(theme_watch, "read_theme", noted)
    put(tmp_path / "b.toml", DARK.replace("mine", "other").replace("#14171c", "#000000"), 2)
    assert changed(watch).themes["other"].background == "#000000"
    assert read == ["b.toml"]


def test_a_file_that_breaks_stays_as_it_was_and_is_told_once(tmp_path: Path) -> None:
    put(tmp_path / "a.toml", DARK, 1)
    watch = ThemeWatch([tmp_path])
    before = changed(watch).themes
    put(tmp_path / "a.toml", DARK.replace("#14171c", "black"), 2)
    broken = changed(watch)
    assert broken.themes == before
    assert broken.new == broken.problems
    assert broken.new[0].endswith("; it stays as it was")
    put(tmp_path / "b.toml", DARK.replace("mine", "other"), 3)
    later = changed(watch)
    assert later.problems == broken.problems
    assert later.new == ()
    put(tmp_path / "a.toml", DARK, 4)
    assert changed(watch).problems == ()


def test_a_file_that_breaks_in_another_way_is_told_again(tmp_path: Path) -> None:
    put(tmp_path / "a.toml", "x", 1)
    watch = ThemeWatch([tmp_path])
    changed(watch)
    put(tmp_path / "a.toml", "name = 'xy'", 2)
    assert "missing" in changed(watch).new[0]


def test_a_file_that_goes_takes_its_theme_along(tmp_path: Path) -> None:
    put(tmp_path / "a.toml", DARK, 1)
    watch = ThemeWatch([tmp_path])
    changed(watch)
    (tmp_path / "a.toml").unlink()
    assert changed(watch).themes == {}


def test_a_folder_may_come_later(tmp_path: Path) -> None:
    watch = ThemeWatch([tmp_path / "themes"])
    assert changed(watch).themes == {}
    (tmp_path / "themes").mkdir()
    put(tmp_path / "themes" / "a.toml", DARK, 1)
    assert list(changed(watch).themes) == ["mine"]


def test_the_later_folder_wins_and_gives_back_what_it_covered(tmp_path: Path) -> None:
    for folder in ("shipped", "own"):
        (tmp_path / folder).mkdir()
    put(tmp_path / "shipped" / "z.toml", DARK, 1)
    put(tmp_path / "own" / "a.toml", DARK.replace("#14171c", "#000000"), 1)
    watch = ThemeWatch([tmp_path / "shipped", tmp_path / "own"])
    first = changed(watch)
    assert first.themes["mine"].background == "#000000"
    assert first.problems == ()
    (tmp_path / "own" / "a.toml").unlink()
    assert changed(watch).themes["mine"].background == "#14171c"


def test_two_themes_of_one_name_in_a_folder_are_named(tmp_path: Path) -> None:
    put(tmp_path / "a.toml", DARK, 1)
    put(tmp_path / "b.toml", DARK.replace("#14171c", "#000000"), 1)
    found = changed(ThemeWatch([tmp_path]))
    assert found.themes["mine"].background == "#14171c"
    assert found.problems == ("theme b.toml skipped: name: mine is the name of a.toml already",)


def test_a_folder_of_very_many_files_is_read_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(theme_watch, "FILES_MAX", 2)
    for n in range(4):
        put(tmp_path / f"{n}.toml", DARK.replace("mine", f"mine-{n}"), 1)
    found = changed(ThemeWatch([tmp_path]))
    assert list(found.themes) == ["mine-0", "mine-1"]
    assert found.problems == ("of 4 themes in one folder the first 2 are read",)


def test_a_name_of_a_file_cannot_write_on_the_screen(tmp_path: Path) -> None:
    put(tmp_path / "\x1b[2Jevil\n.toml", "x", 1)
    assert changed(ThemeWatch([tmp_path])).problems[0].isprintable()
