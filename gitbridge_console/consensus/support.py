"""Whether what a reviewer points at is there: findings held against the diff, without asking anybody.

A finding that names a file, a line or code that the change does not have keeps its place on the screen and loses its vote.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitbridge_console.consensus.matching import normal_path
from gitbridge_console.domain.decisions import Answer, finding_ref
from gitbridge_console.domain.events import ChangedFile, Material

HUNK = re.compile(r"^@@ -\d+(?:,\d+)? \+(\d+)(?:,\d+)? @@")
NUMBERED = re.compile(r"^\s*\d{1,6} ?\|")
NEAR_LINES = 3
"""Reviewers miscount by a few lines; what is this near to a shown line is taken to mean it."""
EVIDENCE_MIN = 4
"""Shorter lines of evidence (a brace, an ``else``) are found anywhere and prove nothing."""

EVIDENCE_LINES_MAX, PLACED_BY = 20, 3
"""Lines of one finding's evidence that are looked for, and by how many of those found its place is put right."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One file as it was shown: ``lines`` of the new side by number; as one ``text`` also what was removed. Both squeezed."""

    path: str
    lines: Mapping[int, str]
    text: str


@dataclass(frozen=True, slots=True)
class Support:
    """What :class:`~gitbridge_console.domain.decisions.Basis` keeps of it."""

    checked: bool
    unsupported: dict[str, str]
    places: dict[str, tuple[str, int, int]]


def check(answers: Sequence[Answer], material: Material) -> Support:
    """Hold all findings of a panel against the diff. With a diff that is cut, or none, nothing can be disproved: all stand."""
    if material.origin != "diff" or material.truncated or not any(file.patch for file in material.files):
        return Support(False, {}, {})
    files = {file.path: shown(file) for file in material.files}
    unsupported: dict[str, str] = {}
    places: dict[str, tuple[str, int, int]] = {}
    for answer in answers:
        for n, finding in enumerate((answer.payload or {}).get("findings") or ()):
            ref = finding_ref(answer.provider, n)
            outcome = _look(finding, files)
            if isinstance(outcome, str):
                unsupported[ref] = outcome
            elif outcome is not None:
                places[ref] = outcome
    return Support(True, unsupported, places)


def shown(file: ChangedFile) -> Shown | None:
    """A file's patch by line; ``None`` where its text was not shown (a binary, a mode change)."""
    if not file.patch:
        return None
    lines: dict[int, str] = {}
    removed: list[str] = []
    at: int | None = None
    for text in file.patch.split("\n"):
        if match := HUNK.match(text):
            at = int(match[1])
        elif at is None or text.startswith("\\"):
            continue
        elif text.startswith("-"):
            removed.append(squeezed(text[1:]))
        else:
            lines[at] = squeezed(text[1:])
            at += 1
    return Shown(file.path, lines, "\n".join((*lines.values(), *removed)))


def squeezed(text: str) -> str:
    """A line of code without its blanks, which no reviewer copies faithfully."""
    return "".join(text.split())


def evidence_lines(evidence: str) -> list[str]:
    """The lines of code in an evidence that say something, squeezed: without line numbers and the signs of a diff."""
    found = []
    for text in evidence.split("\n"):
        bare = NUMBERED.sub("", text)
        for candidate in (bare, bare.lstrip()[1:] if bare.lstrip()[:1] in {"+", "-"} else bare):
            line = squeezed(candidate.strip("`"))
            if len(line) >= EVIDENCE_MIN:
                found.append(line)
    return list(dict.fromkeys(found))[:EVIDENCE_LINES_MAX]


def _look(finding: Mapping[str, Any], files: Mapping[str, Shown | None]) -> str | tuple[str, int, int] | None:
    """Why it does not stand; its true place, where it named that otherwise; ``None`` where it stands as it is."""
    said = str(finding.get("path", ""))
    evidence = evidence_lines(str(finding.get("evidence", "")))
    if not normal_path(said):
        everywhere = [file for file in files.values() if file is not None]
        if evidence and len(everywhere) == len(files) and not any(_has(file, evidence) for file in everywhere):
            return "its evidence is nowhere in the diff"
        return None
    path = find_path(said, files)
    if path is None:
        return "its path is not in the diff"
    file = files[path]
    start, end = int(finding.get("start_line", 0)), int(finding.get("end_line", 0))
    if file is None:
        return (path, start, end) if path != said else None
    if evidence:
        if not _has(file, evidence):
            return "its evidence is not in that file's diff"
        place = (path, *_nearest(file, evidence, start, end))
    elif start and not _is_near(file, start, max(start, end)):
        return f"line {start} is not in the diff"
    else:
        place = (path, start, end)
    return place if place != (said, start, end) else None


def find_path(said: str, paths: Iterable[str]) -> str | None:
    """The path of the diff that is meant: the same, or the only one of which one is the end of the other."""
    wanted = normal_path(said)
    exact = [path for path in paths if path == said] or [path for path in paths if normal_path(path) == wanted]
    if len(exact) == 1:
        return exact[0]
    ends = [path for path in paths if f"/{normal_path(path)}".endswith(f"/{wanted}") or f"/{wanted}".endswith(f"/{normal_path(path)}")]
    return ends[0] if len(ends) == 1 else None


def _has(file: Shown, evidence: Sequence[str]) -> bool:
    return any(line in file.text for line in evidence)


def _is_near(file: Shown, start: int, end: int) -> bool:
    return any(start - NEAR_LINES <= number <= end + NEAR_LINES for number in file.lines)


def _nearest(file: Shown, evidence: Sequence[str], start: int, end: int) -> tuple[int, int]:
    """The lines the evidence stands on, nearest to those named; those named where it was only removed, or where they are right."""
    there = [line for line in evidence if line in file.text][:PLACED_BY]
    found = sorted(number for number, text in file.lines.items() if any(line in text for line in there))
    if not found or any(start <= number <= max(start, end) for number in found):
        return start, end
    best = min(found, key=lambda number: (abs(number - start), number))
    return best, best + max(0, end - start if start else 0)
