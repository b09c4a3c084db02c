"""Turns snippets into the unified diffs of believable changes."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

from gitbridge_console.simulator.snippets import Snippet


@dataclass(frozen=True, slots=True)
class FileDiff:
    """A filled-in snippet: its path, unified diff and line counts."""

    path: str
    diff: str
    additions: int
    deletions: int


def fill(snippet: Snippet, rng: random.Random, noun: str) -> FileDiff:
    """The snippet as a file of a unified diff, at a line drawn from ``rng``."""
    words = {"@noun@": noun, "@Noun@": noun.capitalize(), "@num@": str(rng.choice((20, 50, 100, 250, 500)))}
    path, context, body = (_replaced(text, words) for text in (snippet.path, snippet.context, snippet.body))
    lines = body.rstrip("\n").split("\n")
    added = sum(line.startswith("+") for line in lines)
    removed = sum(line.startswith("-") for line in lines)
    kept = len(lines) - added - removed
    start = rng.randint(3, 240)
    blobs = hashlib.sha1(path.encode()).hexdigest(), hashlib.sha1(body.encode()).hexdigest()
    head = f"diff --git a/{path} b/{path}\nindex {blobs[0][:9]}..{blobs[1][:9]} 100644\n--- a/{path}\n+++ b/{path}\n"
    hunk = f"@@ -{start},{kept + removed} +{start},{kept + added} @@ {context}".rstrip()
    return FileDiff(path, f"{head}{hunk}\n" + "\n".join(lines) + "\n", added, removed)


def _replaced(text: str, words: dict[str, str]) -> str:
    for token, word in words.items():
        text = text.replace(token, word)
    return text
