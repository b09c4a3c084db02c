"""The command line starts fast because it imports little, and each library stays in its room."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = (
    "textual",
    "rich",
    "redis",
    "anthropic",
    "openai",
    "plotext",
    "uvicorn",
    "starlette",
    "genai_prices",
    "httpx2",
    "pydantic",
    "asyncio",
)
START_LIMIT_S = 0.150


def loaded_by(module: str) -> set[str]:
    """Top-level packages in memory after importing a module in a fresh interpreter."""
    code = f"import {module}, sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_command_line_imports_nothing_heavy() -> None:
    assert not loaded_by("gitbridge_console.cli") & set(HEAVY)


def test_the_command_line_is_imported_in_a_blink() -> None:
    """The best of five: the machine may be busy, the import may not."""
    code = "import time; t = time.perf_counter(); import gitbridge_console.cli; print(time.perf_counter() - t)"
    times = [
        float(subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout) for _ in range(5)
    ]
    assert min(times) < START_LIMIT_S


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("gitbridge_console.domain.events", {"redis", "textual", "httpx2", "anthropic", "openai"}),
        ("gitbridge_console.settings", {"redis", "textual", "httpx2", "anthropic", "openai"}),
        ("gitbridge_console.consensus.manager", {"redis", "textual", "httpx2", "anthropic", "openai"}),
        ("gitbridge_console.operations.session", {"textual", "rich", "plotext", "anthropic", "openai", "genai_prices", "uvicorn"}),
        ("gitbridge_console.commands.status", {"textual", "rich", "plotext", "anthropic", "openai", "genai_prices"}),
    ],
)
def test_rooms_do_not_drag_in_what_is_not_theirs(module: str, forbidden: set[str]) -> None:
    assert not loaded_by(module) & forbidden
