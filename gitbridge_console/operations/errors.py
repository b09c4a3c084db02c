"""What an operation can answer instead of doing it. The exit codes are those of the command line."""

from __future__ import annotations


class OperationError(Exception):
    """Could not be done. The message is one line for the operator."""

    exit_code = 1

    @property
    def message(self) -> str:
        """The line itself."""
        return str(self)


class Usage(OperationError):
    """Asked for wrongly."""

    exit_code = 2


class Refused(OperationError):
    """Understood and refused: read-only, policy, or a confirmation is missing."""

    exit_code = 3


class NotFound(OperationError):
    """There is no such thing."""

    exit_code = 4


class StoreAway(OperationError):
    """The store does not answer; nothing was changed, or it is not known."""


class EndedEarly(OperationError):
    """Asked to end before the store was open."""


class NotConfirmed(OperationError):
    """Done, but the store did not say in time that it is on disk."""


class BackPressure(OperationError):
    """The store takes no new work now."""
