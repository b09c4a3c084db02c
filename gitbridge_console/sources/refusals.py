"""A code host that refuses the credential diffs are read with: told once, shown to the whole fleet, forgotten when it works again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from gitbridge_console.hosts.base import HostProblem
from gitbridge_console.store.host_board import HostBoard
from gitbridge_console.store.trouble import STORE_AWAY, StoreTrouble

logger = logging.getLogger(__name__)

TOLD_EVERY_S = 60.0
SCOPES_MAX = 200


class Refusals:
    """What this engine knows of it. ``board`` is where the fleet keeps what is wrong with credentials.

    Bounded: at most :data:`SCOPES_MAX` hosts and repositories are remembered, and each is told of once a minute.
    """

    def __init__(self, board: HostBoard, trouble: StoreTrouble, clock: Callable[[], float] = time.monotonic) -> None:
        self._board = board
        self._trouble = trouble
        self._clock = clock
        self._told: dict[tuple[str, str], float] = {}
        self._works: set[tuple[str, str]] = set()

    async def refused(self, host: str, repository: str, problem: HostProblem) -> None:
        """A diff could not be read for want of a credential; of the whole host where the token itself is refused."""
        scope = (host, "" if problem.status == 401 or not problem.status else repository)
        self._works -= {(host, ""), (host, repository)}
        last = self._told.get(scope)
        if last is not None and self._clock() - last < TOLD_EVERY_S:
            return
        if len(self._told) >= SCOPES_MAX:
            self._told.pop(next(iter(self._told)))
        self._told[scope] = self._clock()
        where = f" for {scope[1]}" if scope[1] else ""
        logger.error("no diffs of %s can be read%s: %s; check hosts.%s", host, where, problem, host)
        try:
            await self._board.unread(host, scope[1], str(problem), TOLD_EVERY_S)
        except STORE_AWAY as error:
            self._trouble.report(error)

    async def works(self, host: str, repository: str) -> None:
        """A diff was read. Looked up in the store at an engine's first time too: the one that was refused may be gone."""
        scopes = {(host, ""), (host, repository)}
        if scopes <= self._works:
            return
        if len(self._works) >= SCOPES_MAX:
            self._works.clear()
        try:
            await self._board.read_again(host, repository)
        except STORE_AWAY as error:
            self._trouble.report(error)
            return
        self._works |= scopes
        for scope in scopes:
            self._told.pop(scope, None)
