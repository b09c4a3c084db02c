"""Every action of the table, made from the table: its key, pressed on a screen that has it, does it."""

from __future__ import annotations

from typing import Any

import pytest
from driving import Driver, driving

from gitbridge_console.console.actions import ACTIONS, Action

pytestmark = pytest.mark.anyio

WAYS = {
    "all": "1",
    "pulse": "1",
    "queue": "2",
    "providers": "3",
    "failures": "4",
    "consensus": "5",
    "log": "6",
    "fleet": "7",
    "docs": "8",
    "bulk": "b",
    "groups": "4 d",
    "event": "5 enter",
    "provider": "3 enter",
    "help": "question_mark",
    "themes": "ctrl+t",
}
"""Keys to a screen of each scope."""
ENDS = {"app.quit"}
WITH_KEYS = [action for action in ACTIONS if action.keys]


def owner_of(d: Driver, action: Action) -> tuple[Any, str]:
    name = action.method.partition("(")[0]
    return (d.app, name.removeprefix("app.")) if name.startswith("app.") else (d.screen, name)


@pytest.mark.parametrize("action", WITH_KEYS, ids=[action.id for action in WITH_KEYS])
async def test_the_key_does_it(action: Action, monkeypatch: pytest.MonkeyPatch) -> None:
    async with driving() as d:
        await d.press(*WAYS[action.scope[0]].split())
        owner, name = owner_of(d, action)
        done: list[str] = []
        original = getattr(type(owner), f"action_{name}")

        def noted(self: Any, *given: Any) -> Any:
            done.append(name)
            return original(self, *given) if action.id not in ENDS else None

        monkeypatch.setattr(type(owner), f"action_{name}", noted)
        await d.pilot.press(action.keys.split(",")[0])
        await d.pilot.pause()
        assert done == [name]
        assert d.app.is_running
        if action.write:
            assert d.writes or d.screen.bottom.asking or d.bottom.strip(), "a write is done, asked about, or refused in words"


def test_every_action_can_be_reached() -> None:
    """By a key, or, where it has none, by its name."""
    for action in ACTIONS:
        assert action.keys or action.id == "app.doctor", action.id
        assert action.scope[0] in WAYS, action.id
