"""What a review needs of GitLab: the diff of a merge request or of two commits, read-only and bounded.

https://docs.gitlab.com/api/merge_requests/ and https://docs.gitlab.com/api/repositories/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from gitbridge_console.hosts.base import HostDiff, HostProblem, sha_in
from gitbridge_console.hosts.file_lists import check_commits, file_diff, files_in
from gitbridge_console.hosts.reading import HostReader
from gitbridge_console.settings.hosts import GitLabSettings

PATH = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}/){1,20}[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")
"""A project's full path: groups may lie within groups."""
PAGE, PAGES_MAX = 100, 3


class GitLabClient:
    """Asks for diffs."""

    def __init__(self, settings: Callable[[], GitLabSettings]) -> None:
        self._reader = HostReader(settings, lambda token: {"private-token": token})

    @property
    def available(self) -> bool:
        """Whether it may be asked at all."""
        return self._reader.available

    async def pull_diff(self, repository: str, number: int, max_bytes: int) -> HostDiff:
        """The diff of a merge request against its merge base; of servers before 17.10 put together from its files.

        Raises:
            HostProblem: there is none to be had.
        """
        path = f"{_project(repository)}/merge_requests/{int(number)}"
        try:
            return await self._reader.text(f"{path}/raw_diffs", max_bytes)
        except HostProblem as problem:
            if problem.status != 404:
                raise
        return await self._from_files(f"{path}/diffs", max_bytes)

    async def pull_head(self, repository: str, number: int) -> str:
        """The head commit of a merge request by now.

        Raises:
            HostProblem: the host does not say.
        """
        return sha_in(await self._reader.json(f"{_project(repository)}/merge_requests/{int(number)}"), "sha")

    async def compare_diff(self, repository: str, base: str, head: str, max_bytes: int) -> HostDiff:
        """The diff from one commit to another; from nothing, with an empty ``base``, that of the head alone.

        Raises:
            HostProblem: there is none to be had.
        """
        check_commits(base, head)
        path = f"{_project(repository)}/repository"
        if not base:
            return await self._from_files(f"{path}/commits/{head}/diff", max_bytes)
        found = await self._reader.json(f"{path}/compare?from={base}&to={head}&straight=true")
        if not isinstance(found, dict) or found.get("compare_timeout") is True:
            raise HostProblem("the host could not compare the commits in time", retry_in_s=0.0)
        return _joined(files_in(found.get("diffs")), max_bytes, more=False)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._reader.aclose()

    async def _from_files(self, path: str, max_bytes: int) -> HostDiff:
        files: list[Mapping[str, Any]] = []
        size, more = 0, True
        for page in range(1, PAGES_MAX + 1):
            found = files_in(await self._reader.json(f"{path}?per_page={PAGE}&page={page}"))
            files += found
            size += sum(len(_as_diff(file)) for file in found)
            more = len(found) == PAGE
            if not more or size > max_bytes:
                break
        return _joined(files, max_bytes, more=more)


def _project(repository: str) -> str:
    if not PATH.fullmatch(repository):
        raise HostProblem("the event names no usable project")
    return f"/projects/{quote(repository, safe='')}"


def _joined(files: list[Mapping[str, Any]], max_bytes: int, *, more: bool) -> HostDiff:
    """Files as one diff. Of those over the host's limits it gives only the names: then it is cut."""
    raw = "".join(map(_as_diff, files)).encode("utf-8", "replace")
    left_out = any(file.get("too_large") is True or file.get("collapsed") is True for file in files)
    return HostDiff(raw[: max_bytes + 1], more or left_out or len(raw) > max_bytes)


def _as_diff(file: Mapping[str, Any]) -> str:
    added, removed, renamed = (file.get(name) is True for name in ("new_file", "deleted_file", "renamed_file"))
    return file_diff(file.get("old_path"), file.get("new_path"), file.get("diff"), added=added, removed=removed, renamed=renamed)
