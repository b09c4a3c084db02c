"""What a review needs of GitHub: the diff of a pull request or of two commits, read-only and bounded.

The body is read in parts, for a diff may be larger than anybody wants to hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gitbridge_console.domain.names import REPOSITORY
from gitbridge_console.hosts.base import HostDiff, HostProblem, TooLarge, sha_in
from gitbridge_console.hosts.file_lists import check_commits, file_diff, files_in
from gitbridge_console.hosts.github_api import JSON, GitHubApi, read_body

DIFF = "application/vnd.github.diff"
PAGES_MAX = 3
PAGE_BYTES_MAX = 8 * 1024**2


class GitHubClient:
    """Asks for diffs."""

    def __init__(self, api: GitHubApi) -> None:
        self._api = api

    @property
    def available(self) -> bool:
        """Whether it may be asked at all."""
        return self._api.may_read

    async def pull_diff(self, repository: str, number: int, max_bytes: int) -> HostDiff:
        """The diff of a pull request against its merge base.

        Raises:
            HostProblem: there is none to be had.
        """
        path = f"/repos/{_checked(repository)}/pulls/{int(number)}"
        try:
            return await self._diff(path, max_bytes)
        except TooLarge:
            return await self._from_files(f"{path}/files", max_bytes)

    async def pull_head(self, repository: str, number: int) -> str:
        """The head commit of a pull request by now.

        Raises:
            HostProblem: the host does not say.
        """
        found = await self._api.call("GET", f"/repos/{_checked(repository)}/pulls/{int(number)}")
        return sha_in(found.data, "head", "sha")

    async def compare_diff(self, repository: str, base: str, head: str, max_bytes: int) -> HostDiff:
        """The diff from one commit to another; from nothing, with an empty ``base``, that of the head alone.

        Raises:
            HostProblem: there is none to be had.
        """
        check_commits(base, head)
        where = f"compare/{base}...{head}" if base else f"commits/{head}"
        return await self._diff(f"/repos/{_checked(repository)}/{where}", max_bytes)

    async def _diff(self, path: str, max_bytes: int) -> HostDiff:
        try:
            async with self._api.answer("GET", path, accept=DIFF) as response:
                return await read_body(response, max_bytes)
        except HostProblem as problem:
            if problem.status in (406, 422):
                raise TooLarge("the host gives no diff of that size", status=problem.status) from None
            raise

    async def _from_files(self, path: str, max_bytes: int) -> HostDiff:
        """The same from the list of files, where the host says that the diff is too large."""
        parts: list[str] = []
        size, more = 0, True
        for page in range(1, PAGES_MAX + 1):
            async with self._api.answer("GET", f"{path}?per_page=100&page={page}", accept=JSON) as response:
                body = await read_body(response, PAGE_BYTES_MAX)
            files = _files(body)
            if files is None:
                more = True
                break
            for file in files:
                parts.append(_as_diff(file))
                size += len(parts[-1])
            more = len(files) == 100
            if not more or size > max_bytes:
                break
        raw = "".join(parts).encode("utf-8", "replace")
        return HostDiff(raw[: max_bytes + 1], more or len(raw) > max_bytes)


def _checked(repository: str) -> str:
    if not REPOSITORY.fullmatch(repository):
        raise HostProblem("the event names no usable repository")
    return repository


def _files(body: HostDiff) -> list[Mapping[str, Any]] | None:
    """The files of a page, ``None`` where it cannot be read."""
    try:
        files = json.loads(body.raw) if not body.cut else None
    except (ValueError, RecursionError):
        return None
    return files_in(files) if isinstance(files, list) else None


def _as_diff(file: Mapping[str, Any]) -> str:
    status = file.get("status")
    return file_diff(
        file.get("previous_filename"),
        file.get("filename"),
        file.get("patch"),
        added=status == "added",
        removed=status == "removed",
        renamed=status == "renamed",
    )
