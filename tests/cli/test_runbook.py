"""The runbook: every key it names does on its screen what it says, and every command can be given like that."""

from __future__ import annotations

import re
import shlex

import click
import pytest

from gitbridge_console import cli as entry
from gitbridge_console.console.actions import NAMES, actions_for
from gitbridge_console.operations.manual import read_topic

SIGNS = {sign: name for name, sign in NAMES.items()}
MODES = {
    "1": "pulse",
    "2": "queue",
    "3": "providers",
    "4": "failures",
    "5": "consensus",
    "6": "log",
    "7": "fleet",
    "8": "docs",
    "b": "bulk",
}
RUNBOOK = read_topic("runbook")
SITUATIONS = re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", RUNBOOK, re.M | re.S)
KEYS = [(title, re.search(r"^- Keys: (.+)$", text, re.M)) for title, text in SITUATIONS]
COMMANDS = re.findall(r"gitbridge-console ([^`\n]+)`", RUNBOOK)


def test_there_are_ten_situations_each_with_keys_and_a_command() -> None:
    numbered = [(title, text) for title, text in SITUATIONS if title[0].isdigit()]
    assert [title.split(".")[0] for title, _ in numbered] == [str(n) for n in range(1, 11)]
    for title, text in numbered:
        assert text.count("- Keys: ") == text.count("- Command: ") == 1, title


@pytest.mark.parametrize("title", [title for title, keys in KEYS if keys])
def test_its_keys_exist_on_the_screens_they_are_pressed_on(title: str) -> None:
    line = next(keys[1] for name, keys in KEYS if name == title and keys)
    screen = "pulse"
    for word in re.findall(r"`([^`]+)`", line):
        if "=" in word and word != "=":
            assert re.fullmatch(r"[a-z]+=\S+", word)
            continue
        if word in ("act", "y"):  # a lane the cursor is put on, and the answer to a question
            continue
        known = {key: action.id for action in actions_for(screen) for key in action.keys.split(",")}
        assert SIGNS.get(word, word) in known, f"{title}: {word} on {screen}"
        screen = MODES.get(word, screen)


@pytest.mark.parametrize("words", COMMANDS)
def test_its_commands_can_be_given(words: str) -> None:
    given = shlex.split(words)
    command: click.Command = entry.root
    with click.Context(entry.root, info_name="gitbridge-console") as ctx:
        while isinstance(command, click.Group):
            name = given.pop(0)
            below = command.get_command(ctx, name)
            assert below is not None, name
            command = below
        command.make_context(name, given, parent=ctx)
