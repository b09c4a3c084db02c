"""An embedded server takes its memory from jemalloc where it can, and starts in any case."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitbridge_console.operations.checks import check_settings
from gitbridge_console.settings.model import Settings
from gitbridge_console.store import allocator
from gitbridge_console.store.allocator import C_LIBRARY, has_jemalloc, memory_environment
from gitbridge_console.store.embedded_files import find_server_binary

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the loader of other systems has no such list")

ON_EVERY_MACHINE = "libm.so.6"
"""In the place of the real one, which not every machine has."""


@pytest.fixture(autouse=True)
def forget_trials() -> Iterator[None]:
    has_jemalloc.cache_clear()
    yield
    has_jemalloc.cache_clear()


def program(folder: Path, text: str) -> str:
    path = folder / "a-server"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return str(path)


def told() -> str:
    return next(f"{check.level} {check.text} {check.todo}" for check in check_settings(Settings()) if check.name == "embedded server")


def test_a_library_the_loader_finds_is_loaded_before_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator, "JEMALLOC", ON_EVERY_MACHINE)
    assert memory_environment(find_server_binary()) == {"LD_PRELOAD": ON_EVERY_MACHINE}
    assert "jemalloc" not in told()


def test_one_that_is_not_there_is_done_without_and_doctor_says_what_it_would_be_worth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator, "JEMALLOC", "libno-such-allocator.so.9")
    assert memory_environment(find_server_binary()) == C_LIBRARY
    assert told().startswith("ok ")
    assert "install libjemalloc2" in told()


@pytest.mark.parametrize("text", ["exit 134", "echo '<jemalloc>: Unsupported system page size' >&2"], ids=["aborts", "complains"])
def test_one_that_the_program_does_not_run_with_is_not_loaded(text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(allocator, "JEMALLOC", ON_EVERY_MACHINE)
    assert memory_environment(program(tmp_path, text)) == C_LIBRARY


def test_a_program_that_cannot_be_run_at_all_is_nothing_to_stumble_over_here(tmp_path: Path) -> None:
    assert memory_environment(str(tmp_path / "no-such-server")) == C_LIBRARY


def test_a_program_that_hangs_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(allocator, "TRIAL_TIMEOUT_S", 0.05)
    assert memory_environment(program(tmp_path, "exec sleep 60")) == C_LIBRARY
