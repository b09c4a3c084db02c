"""What every code host answers with: a diff within bounds, a reply, or a problem that says when to ask again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol


@dataclass(frozen=True, slots=True)
class HostDiff:
    """A unified diff, as bytes; ``cut`` when there was more than was asked for."""

    raw: bytes
    cut: bool = False


@dataclass(frozen=True, slots=True)
class HostReply:
    """A successful answer: its status, what its JSON says (``None`` without a body), and the path of the next page or ``""``."""

    status: int
    data: Any
    next_page: str = ""


class HostProblem(Exception):
    """The host did not do it; the message is one line without any secret.

    ``retry_in_s``: when it may be asked again, ``None``: it would say the same. ``credential``: the token is at fault.
    ``status``: of the answer, 0 without one. ``limit``: which rate limit is reached. ``unknown``: a write that may have been done
    nevertheless. ``said``: the host's own words on a refusal, printable and short, but still outside text.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_in_s: float | None = None,
        credential: bool = False,
        status: int = 0,
        limit: Literal["", "primary", "secondary"] = "",
        unknown: bool = False,
        said: str = "",
    ) -> None:
        super().__init__(message)
        self.retry_in_s = retry_in_s
        self.credential = credential
        self.status = status
        self.limit = limit
        self.unknown = unknown
        self.said = said


def sha_in(data: Any, *names: str) -> str:
    """What an answer says under names within names, where it is a text; else empty."""
    for name in names:
        data = data.get(name) if isinstance(data, dict) else None
    return data if isinstance(data, str) else ""


class TooLarge(HostProblem):
    """The host makes no diff of that size."""


class DiffHost(Protocol):
    """Whom a diff may be asked of."""

    @property
    def available(self) -> bool:
        """Whether it may be asked at all, as the settings stand."""
        ...

    async def pull_diff(self, repository: str, number: int, max_bytes: int) -> HostDiff:
        """The diff of a pull request against its merge base. Raises :class:`HostProblem`."""
        ...

    async def pull_head(self, repository: str, number: int) -> str:
        """The head commit of a pull request by now, empty where the host names none. Raises :class:`HostProblem`."""
        ...

    async def compare_diff(self, repository: str, base: str, head: str, max_bytes: int) -> HostDiff:
        """The diff from one commit to another. Raises :class:`HostProblem`."""
        ...
