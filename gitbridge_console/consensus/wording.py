"""The same odd words from several services: a sign that the text under review told them what to say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gitbridge_console.domain.decisions import Answer

RUN = 10
"""Words in a row. Of pairs of independent AI reviewers on fifty real pull requests 2 in a thousand share ten, none twelve, 11 eight."""

TEXTS_MAX = 20_000
"""Characters of one answer that are looked at: many times what a review of fifteen findings has."""

_WORD = re.compile(r"[^\W_]+")
_CODE = re.compile(r"`[^`]*`")
_END = re.compile(r"[.!?;:](?=\s|$)|\n")
NO_PROSE = frozenset("/_\\<>=(){}[]")
"""Signs of a path or of code, which all quote alike: what has one ends a run, as the end of a sentence does."""


def runs(text: str) -> set[tuple[str, ...]]:
    """All runs of :data:`RUN` words within one sentence, without the code and the paths in it. Takes linear time, whatever the text."""
    found: set[tuple[str, ...]] = set()
    for sentence in _END.split(_CODE.sub("\n", text)):
        words: list[str] = []
        for part in [*sentence.split(), "/"]:
            if NO_PROSE.isdisjoint(part) and "." not in part.strip("."):
                words += [word.lower() for word in _WORD.findall(part)]
                continue
            found.update(tuple(words[n : n + RUN]) for n in range(len(words) - RUN + 1))
            words = []
    return found


def prose(payload: Mapping[str, Any]) -> Iterable[str]:
    """What an answer says in its own words: no evidence, no code."""
    for key in ("summary", "suggested_reply", "release_note", "abstain_reason"):
        if isinstance(text := payload.get(key), str):
            yield text
    for finding in [*(payload.get("findings") or ()), *(payload.get("edits") or ())]:
        yield from (str(finding.get(key) or "") for key in ("title", "body", "suggestion"))


def identical_wording(answers: Sequence[Answer]) -> tuple[tuple[str, ...], str] | None:
    """Who says the same run of words, and the words; ``None`` where all use their own."""
    said: dict[tuple[str, ...], set[str]] = {}
    for answer in answers:
        own: set[tuple[str, ...]] = set()
        left = TEXTS_MAX
        for text in prose(answer.payload or {}):
            own |= runs(text[:left])
            left -= min(left, len(text))
        for run in own:
            said.setdefault(run, set()).add(answer.vendor or answer.provider)
    shared = [(run, who) for run, who in said.items() if len(who) > 1]
    if not shared:
        return None
    run, who = min(shared, key=lambda found: (-len(found[1]), found[0]))
    return tuple(sorted(who)), " ".join(run)
