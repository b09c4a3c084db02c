"""The one family of exceptions that means "the store is away": nothing is lost, try again later."""

from __future__ import annotations

from redis.exceptions import ClusterDownError, OutOfMemoryError, ReadOnlyError, ResponseError, TryAgainError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError


class StoreUnavailable(Exception):
    """The store cannot be used; the message is one line for an operator and never holds a password."""

    @property
    def message(self) -> str:
        """The line itself."""
        return str(self)


class DiskRefused(OutOfMemoryError):
    """The server answers, but takes no writes because its disk takes none (``MISCONF``): full, as it is at its memory limit."""


class TakesNoWrites(ResponseError):
    """The server answers, but not to this now: too few of its replicas are there (``NOREPLICAS``), or a script runs (``BUSY``)."""


def full_text(error: BaseException) -> str:
    """What is full, in words."""
    return "the store's disk takes no writes" if isinstance(error, DiskRefused) else "the store is at its memory limit"


class EmbeddedUnavailable(StoreUnavailable):
    """The embedded server cannot be found, started, joined or reached."""


STORE_AWAY_ERRORS: tuple[type[Exception], ...] = (
    StoreUnavailable,
    RedisConnectionError,
    RedisTimeoutError,
    ReadOnlyError,
    TakesNoWrites,
    ClusterDownError,
    TryAgainError,
)
"""What a call to the store raises while the server is down, loading, failing over or cut off. Use in ``except``."""
