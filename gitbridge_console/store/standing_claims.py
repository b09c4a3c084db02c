"""Claims that wait at the server until there is something to claim.

A lane has a *bell*: a list that a script puts one element into, unless it has one, when the lane gets work or a claim left some there.
Whoever would wait for work sends ``BLPOP`` of the bell and, right behind it, the claim. The server holds the connection at the first
and goes on to the second by itself, so a job needs one way to its worker and not three; and of many who wait the bell wakes one. It
is a hint all the same: after ``wait_s`` the claim runs without it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from gitbridge_console.store.claims import Request, claim_from
from gitbridge_console.store.partition import Partition
from gitbridge_console.store.records import Claim, ClaimedJob

logger = logging.getLogger(__name__)

STANDING_MAX = 256
"""Claims of one engine that may stand at the same time, each on a connection of its own; a lane without one waits and then claims."""

WITHDRAWN_S = 1.0
"""How long the answer to a claim that was withdrawn is waited for."""

REFUSED_FOR_S = 5.0
"""How long a server that would not let a claim wait is not asked again; a new primary, say, does."""


class StandingClaim:
    """One claim that waits, for one use."""

    def __init__(
        self,
        client: Redis,
        lane: str,
        bell: str,
        command: Sequence[Any],
        *,
        wait_s: float,
        answer_s: float,
        refused: Callable[[Exception], None],
    ) -> None:
        # To the server no time at all is time without end.
        self._commands = (("CLIENT", "ID"), ("BLPOP", bell, f"{max(0.001, wait_s):.3f}"), command)
        self._client = client
        self._lane = lane
        self._limit_s = wait_s + answer_s
        self._refused = refused
        self._replies: list[Any] = []
        self._withdrawal: asyncio.Task[None] | None = None
        self._withdrawn = False
        self.unwanted: Sequence[ClaimedJob] = ()
        """What it was still given after :meth:`claim` had been cancelled."""

    async def claim(self) -> Claim | None:
        """Wait for the claim. ``None``: it could not be (the server has forgotten the script, say), so claim without waiting.

        When this is cancelled the claim is withdrawn and its answer waited for, so that no job is held by nobody.

        Raises:
            redis.exceptions.RedisError: the store is away.
        """
        pool: Any = self._client.connection_pool
        try:
            # The connection has no time limit of its own, not even while it is made or looked after.
            async with asyncio.timeout(self._limit_s):
                connection = await self._send(pool)
        except TimeoutError:
            raise RedisTimeoutError(f"no claim could be made to stand for lane {self._lane}") from None
        try:
            try:
                return await self._answer(connection, self._limit_s)
            except asyncio.CancelledError:
                self.withdraw()
                # Without an answer its lease runs out.
                with suppress(RedisError, OSError):
                    claim = await self._answer(connection, WITHDRAWN_S)
                    self.unwanted = claim.jobs if claim is not None else ()
                raise
        finally:
            if len(self._replies) < len(self._commands):
                await connection.disconnect(nowait=True)
            await pool.release(connection)

    async def _send(self, pool: Any) -> Any:
        connection = await pool.get_connection()
        try:
            await connection.send_packed_command(connection.pack_commands(self._commands))
        except BaseException:
            await connection.disconnect(nowait=True)
            await pool.release(connection)
            raise
        return connection

    def withdraw(self) -> None:
        """Claim now, whether there is something or not."""
        self._withdrawn = True
        if self._replies and self._withdrawal is None and not isinstance(self._replies[0], Exception):
            self._withdrawal = asyncio.create_task(self._unblock(int(self._replies[0])), name=f"{self._lane}: withdraw")

    async def _unblock(self, connection_id: int) -> None:
        try:
            async with asyncio.timeout(WITHDRAWN_S):
                await self._client.client_unblock(connection_id)
        except (RedisError, OSError) as error:
            logger.debug("a standing claim of lane %s ends by itself: %s", self._lane, error)

    async def _answer(self, connection: AbstractConnection, limit_s: float) -> Claim | None:
        try:
            async with asyncio.timeout(limit_s):
                while len(self._replies) < len(self._commands):
                    try:
                        # However long it takes; cancelled, it can be asked for again.
                        reply = await connection.read_response(timeout=math.inf, disconnect_on_error=False)
                    except ResponseError as error:
                        reply = error
                    self._replies.append(reply)
                    if self._withdrawn:
                        self.withdraw()
        except TimeoutError:
            raise RedisTimeoutError(f"no answer to a claim that stood for lane {self._lane}") from None
        _, told, group = self._replies
        if isinstance(told, Exception):
            self._refused(told)
        answer = group if isinstance(group, Exception) else group[0]
        if isinstance(answer, Exception):
            logger.debug("a claim that stood for lane %s was answered with: %s", self._lane, answer)
            return None
        return claim_from(self._lane, answer)


class StandingClaims:
    """Makes claims that stand on connections of ``client``, which has no time limit on reading, for the only partition of a queue."""

    def __init__(self, client: Redis, partition: Partition, answer_s: float) -> None:
        self._client = client
        self._partition = partition
        self._answer_s = answer_s
        self._refused_until = 0.0

    def make(self, request: Request, wait_s: float) -> StandingClaim | None:
        """A claim that waits ``wait_s`` at most; its answer may take ``answer_s`` more. None while the server would not let it wait."""
        if time.monotonic() < self._refused_until:
            return None
        return StandingClaim(
            self._client,
            request.lane,
            self._partition.keys.bell(request.lane),
            self._partition.claim_command(request.args(request.n, "")),
            wait_s=wait_s,
            answer_s=self._answer_s,
            refused=self._note_refusal,
        )

    def _note_refusal(self, error: Exception) -> None:
        if self._refused_until == 0.0:
            logger.warning("the server lets no claim wait (%s): lanes look for work once a second", error)
        self._refused_until = time.monotonic() + REFUSED_FOR_S

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()
