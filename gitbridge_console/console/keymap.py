"""The operator's own keys, ``[keymap]`` in the settings, laid over the table of actions; what makes no sense is left out and said."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from textual.keys import Keys

from gitbridge_console.console.actions import NAMES, Action

CHARACTERS = {sign: name for name, sign in NAMES.items()}
"""The library's name of a key by the sign people write."""
KNOWN = {key.value for key in Keys if key.value[0] != "<"} | set(NAMES)
TAKEN_BY_TERMINALS = {
    "ctrl+i": "tab",
    "ctrl+m": "enter",
    "ctrl+h": "backspace",
    "ctrl+j": "enter",
    "ctrl+a": "screen",
    "ctrl+b": "tmux",
    "ctrl+s": "flow control",
}
"""Keys that never arrive, or arrive as another one, and as what or because of whom."""


def lay_over(actions: Sequence[Action], keymap: Mapping[str, str]) -> tuple[tuple[Action, ...], list[str]]:
    """The actions with the operator's keys, and one line for each thing that was left out.

    A key that would mean two things on one screen stays with the action that had it.
    """
    by_id = {action.id: action for action in actions}
    problems: list[str] = []
    for name, words in keymap.items():
        if name not in by_id:
            near = difflib.get_close_matches(name, by_id, 1)
            problems.append(f"keymap: there is no action {name}" + (f", did you mean {near[0]}?" if near else ": ? lists them"))
            continue
        keys, wrong = _read(words)
        problems += [f"keymap.{name}: {text}" for text in wrong]
        clashing = [(key, other) for key in keys for other in by_id.values() if _clash(by_id[name], other, key)]
        problems += [f"keymap.{name}: {sign(key)} is {other.id} already on the same screen" for key, other in clashing]
        keys = [key for key in keys if key not in {taken for taken, _ in clashing}]
        if keys:
            by_id[name] = by_id[name]._replace(keys=",".join(keys))
    return tuple(by_id.values()), problems


def sign(key: str) -> str:
    """A key as people write it."""
    return NAMES.get(key, key)


def _read(words: str) -> tuple[list[str], list[str]]:
    keys: list[str] = []
    wrong: list[str] = []
    for word in words.replace(",", " ").split() or ([","] if "," in words else []):
        key = CHARACTERS.get(word, word)
        if key in TAKEN_BY_TERMINALS:
            wrong.append(f"{word} never arrives here, terminals take it ({TAKEN_BY_TERMINALS[key]})")
        elif "alt+" in key:
            wrong.append(f"{word} does not come through every terminal: use no alt")
        elif key in KNOWN or (len(key) == 1 and key.isalnum()):
            keys.append(key)
        else:
            wrong.append(f"there is no key {word}")
    if not keys and not wrong:
        wrong.append("no key is named")
    return keys, wrong


def _clash(one: Action, other: Action, key: str) -> bool:
    if one.id == other.id or key not in other.keys.split(","):
        return False
    return "all" in one.scope or "all" in other.scope or bool(set(one.scope) & set(other.scope))
