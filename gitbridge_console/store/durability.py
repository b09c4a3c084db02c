"""Durability: what ``redis.durability`` asks of a server, and how to wait until a write is on disk.

``everysec`` and ``always`` are the server's own doing (its ``appendfsync``). ``waitaof`` lets the server sync about once
a second and waits for it only where something is acknowledged: see :class:`DiskWait`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from redis.asyncio.client import Pipeline
from redis.exceptions import ResponseError

from gitbridge_console.settings.model import Durability
from gitbridge_console.store.records import BackPressure

logger = logging.getLogger(__name__)

APPENDFSYNC: Mapping[Durability, str] = {"everysec": "everysec", "always": "always", "waitaof": "everysec"}
"""The ``appendfsync`` each level needs."""
_WEAKEST_FIRST = ("no", "everysec", "always")

FIRST_WITH_WAITAOF = (7, 2)
"""Redis version that has ``WAITAOF``; every Valkey has it and says it is compatible with 7.2 at least."""

DISK_WAIT_S = 3.0
"""Longest wait for the disk. A quiet server answers within a tenth of a second, a busy one within about two."""
SHARE_OF_SOCKET_TIMEOUT = 0.75
"""The wait must end before the connection gives its server up."""

HAND_IN_AGAIN = "hand it in again with the same delivery id, it is stored once"
LOOK_FIRST = "it is done and will most likely stay; look before doing it again"


class NotDurable(BackPressure):
    """A write went through, but the server did not say in time that it is on disk: it may be lost if the host crashes now."""


def asks_for_more(durability: Durability, appendfsync: str) -> bool:
    """Whether a level needs more than a server with this ``appendfsync`` gives."""
    known = appendfsync if appendfsync in _WEAKEST_FIRST else "no"
    return _WEAKEST_FIRST.index(APPENDFSYNC[durability]) > _WEAKEST_FIRST.index(known)


def durability_warnings(durability: Durability, *, append_only: bool, version: Sequence[int], appendfsync: str | None) -> Iterable[str]:
    """What a server lacks for a level, one line each that says what to set. ``appendfsync`` is ``None`` where it may not be read."""
    wanted = APPENDFSYNC[durability]
    if durability == "waitaof" and not append_only:
        yield "redis.durability is waitaof, but the append-only file is off: new events are refused; set appendonly yes on the server"
    if durability == "waitaof" and tuple(version) < FIRST_WITH_WAITAOF:
        yield (
            "redis.durability is waitaof, which needs Redis 7.2 or any Valkey: nothing waits for the disk; "
            "use a newer server, or appendfsync always with redis.durability always"
        )
    if not append_only:
        return
    if appendfsync is None:
        yield f"redis.durability {durability} could not be checked (no leave to CONFIG GET): the server needs appendfsync {wanted}"
    elif asks_for_more(durability, appendfsync):
        yield f"redis.durability is {durability}, but the server has appendfsync {appendfsync}: set appendfsync {wanted} on the server"


class DiskWait:
    """Waits, where ``durability`` is ``waitaof``, until writes are on the disk of the server they were sent to.

    ``WAITAOF`` looks at the writes of its own connection only, so it travels in the same pipeline as the write, behind it.
    A pipeline that wrote nothing (a duplicate that changes no key, say) is confirmed at once and means nothing. One wait
    serves a whole batch. The connection is held until the answer comes, at most ``timeout_s``.
    """

    def __init__(
        self, durability: Durability = "everysec", *, timeout_s: float = DISK_WAIT_S, socket_timeout_s: float | None = None
    ) -> None:
        self.timeout_s = timeout_s if socket_timeout_s is None else min(timeout_s, SHARE_OF_SOCKET_TIMEOUT * socket_timeout_s)
        self._waits = durability == "waitaof"

    @property
    def waits(self) -> bool:
        """Whether anything is waited for at all."""
        return self._waits

    async def execute(self, pipe: Pipeline, *, advice: str = HAND_IN_AGAIN) -> list[Any]:
        """Send the pipe and, where asked for, wait for the disk; returns the replies of its commands only.

        Commands that failed have their exception for a reply, as with ``raise_on_error=False``; where all of them failed
        nothing was stored and nothing is waited for.

        Raises:
            NotDurable: something was stored but is not confirmed; the message ends with ``advice``.
            redis.exceptions.RedisError: the store is away.
        """
        waits = self.append(pipe)
        replies: list[Any] = await pipe.execute(raise_on_error=False)
        if waits:
            reply = replies.pop()
            if not all(isinstance(one, Exception) for one in replies):
                self.check(reply, advice=advice)
        return replies

    def append(self, pipe: Pipeline) -> bool:
        """Put the wait behind what the pipe holds; whether there is one, and so one more reply, for :meth:`check`."""
        if self._waits:
            if pipe.is_transaction:
                raise ValueError("inside MULTI nothing can be waited for: use pipeline(transaction=False)")
            pipe.execute_command("WAITAOF", 1, 0, round(self.timeout_s * 1000))
        return self._waits

    def check(self, reply: Any, *, advice: str = HAND_IN_AGAIN) -> None:
        """Judge the reply of the wait. A server that does not know the command is said once, and not asked again.

        Raises:
            NotDurable: not confirmed; the message ends with ``advice``.
        """
        if isinstance(reply, ResponseError) and "unknown command" in str(reply).lower():
            if self._waits:
                self._waits = False
                logger.warning("this server has no WAITAOF (Redis 7.2 and any Valkey have): nothing waits for the disk")
        elif isinstance(reply, ResponseError):
            why = "the server's append-only file is off" if "appendonly is disabled" in str(reply) else " ".join(str(reply).split())[:200]
            raise NotDurable(f"stored, but cannot be confirmed on disk: {why}; {advice}")
        elif int(reply[0]) < 1:
            raise NotDurable(f"stored, but not confirmed on disk within {self.timeout_s:g} s; {advice}")
