"""What every code host answers with: a diff within bounds, or a problem that says when to ask again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HostDiff:
    """A unified diff, as bytes; ``cut`` when there was more than was asked for."""

    raw: bytes
    cut: bool = False


class HostProblem(Exception):
    """The host gave no diff; the message is one line without any secret.

    ``retry_in_s``: when it may be asked again, ``None``: it would say the same. ``credential``: the token is at fault.
    """

    def __init__(self, message: str, *, retry_in_s: float | None = None, credential: bool = False) -> None:
        super().__init__(message)
        self.retry_in_s = retry_in_s
        self.credential = credential


class TooLarge(HostProblem):
    """The host makes no diff of that size."""
