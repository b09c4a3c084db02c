"""What a review needs of Gitea or Forgejo: the diff of a pull request or of one commit, read-only and bounded.

Their API compares two commits by naming those between them, without a diff: a push of several commits has none to be
fetched, and is reviewed by a mirror's (``sources.mirrors``) or without.
"""

from __future__ import annotations

from collections.abc import Callable

from gitbridge_console.domain.names import REPOSITORY
from gitbridge_console.hosts.base import HostDiff, HostProblem, sha_in
from gitbridge_console.hosts.file_lists import check_commits
from gitbridge_console.hosts.reading import HostReader
from gitbridge_console.settings.hosts import GiteaSettings


class GiteaClient:
    """Asks for diffs."""

    def __init__(self, settings: Callable[[], GiteaSettings]) -> None:
        self._reader = HostReader(settings, lambda token: {"authorization": f"token {token}"})

    @property
    def available(self) -> bool:
        """Whether it may be asked at all."""
        return self._reader.available

    async def pull_diff(self, repository: str, number: int, max_bytes: int) -> HostDiff:
        """The diff of a pull request against its merge base.

        Raises:
            HostProblem: there is none to be had.
        """
        return await self._reader.text(f"{_place(repository)}/pulls/{int(number)}.diff", max_bytes)

    async def pull_head(self, repository: str, number: int) -> str:
        """The head commit of a pull request by now.

        Raises:
            HostProblem: the host does not say.
        """
        return sha_in(await self._reader.json(f"{_place(repository)}/pulls/{int(number)}"), "head", "sha")

    async def compare_diff(self, repository: str, base: str, head: str, max_bytes: int) -> HostDiff:
        """The diff of the head commit, where it is the only one after ``base`` or there is no base.

        Raises:
            HostProblem: there is none to be had.
        """
        check_commits(base, head)
        place = _place(repository)
        if base:
            found = await self._reader.json(f"{place}/compare/{base}...{head}")
            if not isinstance(found, dict) or found.get("total_commits") != 1:
                raise HostProblem("the host gives no diff of several commits; a mirror does, see sources.mirrors")
        return await self._reader.text(f"{place}/git/commits/{head}.diff", max_bytes)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._reader.aclose()


def _place(repository: str) -> str:
    if not REPOSITORY.fullmatch(repository):
        raise HostProblem("the event names no usable repository")
    return f"/repos/{repository}"
