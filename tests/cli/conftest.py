"""The command line run in this process, over a real store, with every file in a folder of the test."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gitbridge_console.cli import run


@dataclass(frozen=True, slots=True)
class Result:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class CommandLine:
    """``cli("status", "--json")``; global options that keep the test to itself go in front."""

    def __init__(self, capsys: pytest.CaptureFixture[str], folder: Path, before: list[str]) -> None:
        self._capsys = capsys
        self.folder = folder
        self.before = before

    def __call__(self, *words: str) -> Result:
        self._capsys.readouterr()
        code = run([*self.before, *words])
        out, err = self._capsys.readouterr()
        assert "Traceback" not in out + err
        return Result(code, out, err)


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No file of whoever runs the tests is read, and the log handlers of a command do not outlive its test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.raiseExceptions
    yield
    for handler in root.handlers[:]:
        if getattr(handler, "ours", False):
            root.removeHandler(handler)
            handler.close()
    root.setLevel(before[1])
    logging.raiseExceptions = before[2]
    logging.captureWarnings(False)


@pytest.fixture
def bare(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> CommandLine:
    """The command line without a store."""
    return CommandLine(capsys, tmp_path, ["--state-dir", str(tmp_path / "state")])


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path, valkey_url: str, namespace: str) -> CommandLine:
    """The command line over the test server, in a namespace of its own."""
    return CommandLine(capsys, tmp_path, ["--state-dir", str(tmp_path / "state"), "--redis", valkey_url, "--namespace", namespace])
