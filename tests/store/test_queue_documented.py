"""The page about the queue names every key and every script."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from gitbridge_console.store import keys

PAGE = resources.files("gitbridge_console").joinpath("docs", "queue.md").read_text("utf-8")
SCRIPTS = sorted(entry.name.removesuffix(".lua") for entry in resources.files("gitbridge_console.store").joinpath("scripts").iterdir())


@pytest.mark.parametrize("key", sorted(set(re.findall(r"``(<tag>:[^`]+)``", keys.__doc__ or ""))))
def test_every_key_has_a_row(key: str) -> None:
    assert f"`{key}`" in PAGE


@pytest.mark.parametrize("script", [name for name in SCRIPTS if name[0].isalpha()])
def test_every_script_has_a_row(script: str) -> None:
    assert f"| `{script}` |" in PAGE
