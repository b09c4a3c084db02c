"""Reads that are asked for at the same time leave together and cost one round trip, however many places ask.

A picture of the fleet is put together from a dozen parts of the store, and each asks for its own. By itself a question takes its way
through the pool, a system call to send it, another to receive the answer, and timers around both: all that is most of what it costs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

TURNS = 3
"""How often whoever is ready to run gets a turn before what was asked for leaves: tasks that begin further tasks need some."""

Command = tuple[Any, Any]
"""Its words and options, as redis-py keeps what a pipeline is to send."""


class _Asked:
    """What was asked of a client and has not left yet."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._waiting: list[tuple[Sequence[Command], asyncio.Future[list[Any]]]] = []
        self._sending: set[asyncio.Task[None]] = set()

    async def ask(self, commands: Sequence[Command]) -> list[Any]:
        """The replies, errors of the server among them.

        Raises:
            redis.exceptions.RedisError: the server is away.
        """
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._send, TURNS)
        answer: asyncio.Future[list[Any]] = loop.create_future()
        self._waiting.append((commands, answer))
        return await answer

    def _send(self, turns: int) -> None:
        if turns:
            asyncio.get_running_loop().call_soon(self._send, turns - 1)
            return
        asked, self._waiting = self._waiting, []
        task = asyncio.create_task(self._exchange(asked), name="shared reads")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _exchange(self, asked: Sequence[tuple[Sequence[Command], asyncio.Future[list[Any]]]]) -> None:
        pipe = Pipeline(self._client.connection_pool, self._client.response_callbacks, transaction=False, shard_hint=None)
        pipe.command_stack = [command for commands, _ in asked for command in commands]
        try:
            replies = iter(await pipe.execute(raise_on_error=False))
        except BaseException as error:
            for _, answer in asked:
                if not answer.done():
                    if isinstance(error, Exception):
                        answer.set_exception(error)
                    else:
                        answer.cancel()
            if not isinstance(error, Exception):
                raise
            return
        for commands, answer in asked:
            own = [next(replies) for _ in commands]
            if not answer.done():  # nobody waits for it any more
                answer.set_result(own)


class _PerClient(dict[Redis, _Asked]):
    def __missing__(self, client: Redis) -> _Asked:
        self[client] = asked = _Asked(client)
        return asked


_asked: ContextVar[_PerClient | None] = ContextVar("asked", default=None)


@contextmanager
def shared_reads() -> Iterator[None]:
    """In the block, and in tasks begun in it, what a :class:`SharingClient` and its pipelines are asked shares round trips."""
    if _asked.get() is not None:
        yield
        return
    token = _asked.set(_PerClient())
    try:
        yield
    finally:
        _asked.reset(token)


class SharingClient(Redis):
    """A client of one server that can share round trips. What is a transaction never does."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command and return its reply."""
        asked = _asked.get()
        if asked is None:
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        (reply,) = await asked[self].ask([(args, options)])
        if isinstance(reply, Exception):
            raise reply
        return reply

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """Commands to be sent together."""
        asked = _asked.get()
        if asked is None or transaction:
            return super().pipeline(transaction, shard_hint)
        return _SharingPipeline(asked[self], self.connection_pool, self.response_callbacks, transaction, shard_hint)


class _SharingPipeline(Pipeline):
    def __init__(self, asked: _Asked, *given: Any) -> None:
        super().__init__(*given)
        self._asked = asked

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        stack, self.command_stack = self.command_stack, []
        if not stack:
            return []
        replies = await self._asked.ask(stack)
        if raise_on_error:
            self.raise_first_error(stack, replies)
        return replies
