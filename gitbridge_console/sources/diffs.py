"""Unified diffs into bounded material. Tolerant: whatever the text is, nothing is raised."""

from __future__ import annotations

import re
from dataclasses import replace

from gitbridge_console.domain.events import ChangedFile, EventFacts, Material
from gitbridge_console.settings.model import SourceSettings

HUNK = re.compile(r"^@@ -\d{1,9}(?:,(\d{1,9}))? \+\d{1,9}(?:,(\d{1,9}))? @@")
_QUOTED = r'"(?:[^"\\]|\\.)*"'
HEADER = re.compile(rf"^diff --git (?:{_QUOTED}|a/.+?) (?P<new>{_QUOTED}|b/.+)$")
PATH_LINE = re.compile(rf"^(?:---|\+\+\+) (?P<path>{_QUOTED}|[^\t]+)")
ESCAPED = re.compile(rb"\\([0-7]{3}|.)")
ESCAPES = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r"}
STATUS_LINES = {"new file mode": "added", "deleted file mode": "removed", "rename from": "renamed"}


def parse_unified_diff(text: str, bounds: SourceSettings) -> Material:
    """Files of a diff with their patches, within ``sources``' bounds; what was cut is said in the note."""
    cut = len(text.encode("utf-8", "replace")) > bounds.max_diff_bytes
    if cut:
        text = text.encode("utf-8", "replace")[: bounds.max_diff_bytes].decode("utf-8", "ignore")
    files = [_file(block) for block in _blocks(text)]
    known = [file for file in files if file is not None]
    notes = [f"the diff was cut at {bounds.max_diff_bytes:,} bytes"] if cut else []
    missing = cut or len(known) > bounds.max_files
    if len(known) > bounds.max_files:
        notes.append(f"{len(known) - bounds.max_files} of {len(known)} files are left out")
        known = known[: bounds.max_files]
    shown = tuple(_within(file, bounds.max_file_bytes) for file in known)
    shortened = sum(1 for before, after in zip(known, shown, strict=True) if before.patch != after.patch)
    if shortened:
        notes.append(f"{shortened} long files were shortened")
    if not shown:
        return Material(note="metadata only: the diff given holds no file", origin="none")
    return Material(shown, "diff", bool(notes), "; ".join(notes), missing)


def material_from(facts: EventFacts, diff: str | None, bounds: SourceSettings) -> Material:
    """What reviewers can be shown of an event: the diff if there is one, else the file list, else the metadata alone."""
    if diff:
        return parse_unified_diff(diff, bounds)
    if facts.files:
        missing = len(facts.files) > bounds.max_files
        return Material(facts.files[: bounds.max_files], "payload", missing, "file list only: no diff was available", missing)
    return Material(note="metadata only: no diff and no file list was available")


def _blocks(text: str) -> list[list[str]]:
    """The lines of each file. Hunks are counted out, so that no line in one passes for a header."""
    blocks: list[list[str]] = []
    old = new = 0
    lines = text.split("\n")
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        in_hunk = old > 0 or new > 0
        plain = line.startswith("--- ") and following.startswith("+++ ") and not (blocks and blocks[-1][0].startswith("diff "))
        if line.startswith("diff --git ") or (plain and not in_hunk):
            blocks.append([line])
            old = new = 0
        elif blocks:
            blocks[-1].append(line)
            if in_hunk:
                old -= not line.startswith(("+", "\\"))
                new -= not line.startswith(("-", "\\"))
            elif (hunk := HUNK.match(line)) is not None:
                old, new = int(hunk[1] or 1), int(hunk[2] or 1)
    return blocks


def _file(block: list[str]) -> ChangedFile | None:
    path, status = "", "modified"
    if (match := HEADER.match(block[0])) is not None:
        path = _name(match["new"])
    at = len(block)
    for n, line in enumerate(block):
        if line.startswith("@@"):
            at = n
            break
        status = next((word for prefix, word in STATUS_LINES.items() if line.startswith(prefix)), status)
        if line.startswith(("+++ ", "--- ")) and (match := PATH_LINE.match(line)) and (name := _name(match["path"])) != "/dev/null":
            path = name
    if not path:
        return None
    hunks = block[at:]
    while hunks and not hunks[-1]:
        hunks.pop()
    added = sum(1 for line in hunks if line.startswith("+"))
    removed = sum(1 for line in hunks if line.startswith("-"))
    return ChangedFile(path[:500], status, added, removed, "\n".join(hunks) if hunks else None)


def _name(written: str) -> str:
    """A path as it is called; git quotes those with characters beyond ASCII, and writes their bytes in octal."""
    written = written.strip()
    if written.startswith('"'):
        meant = ESCAPED.sub(_unescaped, written[1:-1].encode("utf-8", "replace")).decode("utf-8", "replace")
        # A line break or a control character in a name stays as git wrote it.
        written = meant if meant.isprintable() else written[1:-1]
    return written[2:] if written.startswith(("a/", "b/")) else written


def _unescaped(found: re.Match[bytes]) -> bytes:
    what = found[1]
    return bytes([int(what, 8) & 0xFF]) if len(what) == 3 else ESCAPES.get(what, what)


def _within(file: ChangedFile, max_bytes: int) -> ChangedFile:
    if file.patch is None or len(file.patch.encode("utf-8", "replace")) <= max_bytes:
        return file
    kept: list[str] = []
    size = 0
    for line in file.patch.split("\n"):
        size += len(line.encode("utf-8", "replace")) + 1
        if size > max_bytes:
            break
        kept.append(line)
    return replace(file, patch="\n".join(kept))
