"""Finds the changed files and their lines in a prompt, whatever the prompt wraps around them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HUNK = re.compile(r"^@@ -\d+(?:,\d+)? \+(\d+)(?:,\d+)? @@ ?(.*)$")
_FILE = re.compile(r"^(?:\+\+\+ (?:b/)?|diff --git a/\S+ b/)(\S+)")
_PATH = re.compile(r"[\w@.-]*(?:/[\w@.-]+)*/?[\w@-]+\.[A-Za-z]\w{0,9}")
_NUMBER = re.compile(r"^ *\d* \|")
_FUNCTION = re.compile(r"\b(?:def|func|function|fn|class|void)\s+(?:\([^)]*\)\s*)?([A-Za-z_]\w+)")
MAX_LINES = 20_000


@dataclass(frozen=True, slots=True)
class AddedLine:
    """A line the change adds: its number on the new side, its text, and the function it seems to stand in."""

    path: str
    number: int
    text: str
    function: str


def added_lines(prompt: str) -> list[AddedLine]:
    """Every added line of every unified diff found in the prompt, in order; at most ``MAX_LINES`` lines are read.

    Line numbers in front, as ``   12 |+text``, are passed over.
    """
    found: list[AddedLine] = []
    path, function, number = "", "", 0
    for numbered in prompt.split("\n", MAX_LINES)[:MAX_LINES]:
        line = _NUMBER.sub("", numbered)
        if header := _FILE.match(line):
            path, number = header[1], 0
        elif hunk := _HUNK.match(line):
            number, function = int(hunk[1]), _function_of(hunk[2], "")
        elif not number:
            path = _path_in(line) or path
        elif line.startswith("+"):
            function = _function_of(line, function)
            found.append(AddedLine(path, number, line[1:], function))
            number += 1
        elif line.startswith(" ") or line == "":
            function = _function_of(line, function)
            number += 1
        elif not line.startswith(("-", "\\")):
            number = 0
            path = _path_in(line) or path
    return found


def paths_in(text: str) -> list[str]:
    """Distinct things in a text that look like file paths, in order."""
    return list(dict.fromkeys(_PATH.findall(text)))


def _path_in(line: str) -> str:
    match = _PATH.search(line) if len(line) < 500 else None
    return match[0] if match else ""


def _function_of(text: str, current: str) -> str:
    match = _FUNCTION.search(text)
    return match[1] if match else current
