"""The folder of a demo goes with it, and that of one that was killed with the next; nobody's folder is taken away while it is used."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from gitbridge_console.simulator.demo_folder import PREFIX, demo_folder

HOLDER = """
import sys, tempfile
tempfile.tempdir = sys.argv[1]
from gitbridge_console.simulator.demo_folder import demo_folder
with demo_folder() as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_it_goes_with_its_demo(parent: Path) -> None:
    with demo_folder() as folder:
        (folder / "data").write_text("x")
        assert folder.parent == parent
    assert list(parent.iterdir()) == []


def test_that_of_a_demo_that_was_killed_goes_with_the_next_and_that_of_one_that_runs_stays(parent: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", HOLDER, str(parent)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        theirs = Path(other.stdout.readline().strip())
        with demo_folder():
            assert theirs.exists()
        other.send_signal(signal.SIGKILL)
        other.wait()
        with demo_folder():
            assert not theirs.exists()
    finally:
        other.kill()
        other.communicate()


def test_a_folder_that_only_has_such_a_name_stays(parent: Path) -> None:
    mine = parent / f"{PREFIX}notes"
    mine.mkdir()
    with demo_folder():
        pass
    assert mine.exists()
