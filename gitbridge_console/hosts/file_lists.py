"""What code hosts' lists of changed files have in common: read as a diff, as far as they hold one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitbridge_console.domain.names import SHA
from gitbridge_console.hosts.base import HostProblem


def check_commits(base: str, head: str) -> None:
    """Let two commits pass, or with an empty ``base`` one.

    Raises:
        HostProblem: they are no commits, and must not stand in a path.
    """
    if not SHA.fullmatch(head) or (base and not SHA.fullmatch(base)):
        raise HostProblem("the event names no commits that could be compared")


def files_in(found: Any) -> list[Mapping[str, Any]]:
    """The files of a list; none where it is no list."""
    return [file for file in found if isinstance(file, dict)] if isinstance(found, list) else []


def file_diff(old: Any, new: Any, hunks: Any, *, added: bool, removed: bool, renamed: bool) -> str:
    """One file, as it would stand in a diff; without ``hunks``, as hosts give large and binary ones, only its names."""
    after = str(new or "").replace("\n", " ")
    before = str(old or after).replace("\n", " ")
    status = "new file mode 100644\n" if added else "deleted file mode 100644\n" if removed else ""
    status += f"rename from {before}\nrename to {after}\n" if renamed else ""
    names = f"--- {'/dev/null' if added else f'a/{before}'}\n+++ {'/dev/null' if removed else f'b/{after}'}\n"
    body = f"{names}{hunks.rstrip(chr(10))}\n" if isinstance(hunks, str) and hunks else ""
    return f"diff --git a/{before} b/{after}\n{status}{body}"
