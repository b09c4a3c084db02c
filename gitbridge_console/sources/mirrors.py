"""Diffs from a git repository on this host: a mirror, found by the repository's name. Nothing is fetched, and only git is run."""

from __future__ import annotations

import asyncio
import fnmatch
from collections.abc import Mapping
from pathlib import Path

from gitbridge_console.domain.names import REPOSITORY, SHA
from gitbridge_console.hosts.base import HostDiff, HostProblem

ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/nonexistent",
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
}
"""No settings but the repository's own, no questions, no network."""

PLAIN = ("--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "-U3")
CHUNK = 65_536


def mirror_of(mirrors: Mapping[str, str], repository: str) -> Path | None:
    """The folder of a repository's mirror, by the first pattern that matches; ``None`` where there is none for it."""
    if not REPOSITORY.fullmatch(repository):
        return None
    owner, _, name = repository.partition("/")
    for pattern, place in mirrors.items():
        if fnmatch.fnmatchcase(repository.lower(), pattern.lower()):
            return Path(place.replace("{owner}", owner).replace("{name}", name)).expanduser()
    return None


async def mirror_diff(mirror: Path, base: str, head: str, max_bytes: int, timeout_s: float) -> HostDiff:
    """The diff from the merge base of two commits to the second; with an empty ``base`` that of the head alone.

    Raises:
        HostProblem: git or the repository is not there, or it lacks the commits.
    """
    if not SHA.fullmatch(head) or (base and not SHA.fullmatch(base)):
        raise HostProblem("the event names no commits that could be compared")
    what = ("diff", *PLAIN, f"{base}...{head}") if base else ("show", "--format=", *PLAIN, head)
    # A mirror belongs to whoever fetches it; that it may be read is what the settings say.
    command = ("git", "-c", f"safe.directory={mirror}", "-c", "core.fsmonitor=false", "-C", str(mirror), "--no-pager", *what, "--")
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=ENVIRONMENT
        )
    except OSError as error:
        raise HostProblem(f"git cannot be run: {error.strerror or error}") from None
    try:
        async with asyncio.timeout(timeout_s):
            found = await _output(process, max_bytes)
            if found.cut:
                return found
            complaint = await process.stderr.read(500) if process.stderr else b""
            if await process.wait() != 0:
                raise HostProblem(f"the mirror {mirror} gives no diff: {' '.join(complaint.decode('utf-8', 'replace').split())[:160]}")
            return found
    except TimeoutError:
        raise HostProblem(f"git took longer than {timeout_s:g} s in {mirror}", retry_in_s=0.0) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _output(process: asyncio.subprocess.Process, max_bytes: int) -> HostDiff:
    assert process.stdout is not None
    raw = bytearray()
    while len(raw) <= max_bytes and (part := await process.stdout.read(CHUNK)):
        raw += part
    return HostDiff(bytes(raw[: max_bytes + 1]), len(raw) > max_bytes)
