"""Group commit: transitions of concurrent callers share round trips.

When nothing is under way a transition leaves at once; while round trips are under way the next ones gather and leave
together as soon as one is back. There is no timer, so nothing ever waits for company. What the server had no time for in
one call goes with the next, before all others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any

FLIGHTS_MAX = 2
"""Round trips under way at once: one is worked on by the server, the other written or read."""
TOGETHER_MAX = 64
"""Weight of one script call: its fixed cost is shared well enough, and others wait about two milliseconds for it."""
WEIGHT = 2
"""Of a transition with arguments of its own; what is done alike for many jobs weighs one for each."""
BYTES_MAX = 1 << 20
"""Bytes of arguments in one call, but always at least one transition."""

LEFT = b"LEFT"
"""The reply about what a call left, for it had taken long enough: nothing of it is done."""

Transition = tuple[str, Sequence[Any]]


def size_of(args: Sequence[Any]) -> int:
    """Length of a transition's arguments, as far as they are text or bytes."""
    try:
        return sum(map(len, args))
    except TypeError:
        return sum(len(arg) for arg in args if isinstance(arg, str | bytes | tuple))


def loads_of(items: Iterable[Sequence[Any]], most: int) -> Iterator[list[Sequence[Any]]]:
    """Arguments of many transitions in their order, divided so that each part is within ``most`` and :data:`BYTES_MAX`, or one."""
    load: list[Sequence[Any]] = []
    size = 0
    for args in items:
        own = size_of(args)
        if load and (len(load) >= most or size + own > BYTES_MAX):
            yield load
            load, size = [], 0
        load.append(args)
        size += own
    if load:
        yield load


class GroupCommit:
    """Sends transitions through ``send``, which returns a reply or an exception for each.

    Callers are bounded by their slots, and so is what gathers here.
    """

    def __init__(self, send: Callable[[list[Transition]], Awaitable[list[Any]]]) -> None:
        self._send = send
        self._gathered: deque[tuple[Transition, int, asyncio.Future[Any]]] = deque()
        self._flights: set[asyncio.Task[None]] = set()
        self._flying = 0
        self._departing = False

    async def run(self, name: str, args: Sequence[Any], weight: int = WEIGHT) -> Any:
        """Run one transition and return its reply; while nothing is under way without a task or a turn of the event loop in between.

        Raises:
            redis.exceptions.RedisError: what the server answered, or that it is away; then it may have happened or not.
        """
        if self._flying or self._gathered:
            return await self.submit(name, args, weight)
        self._flying += 1
        try:
            (reply,) = await self._send([(name, args)])
        finally:
            self._flying -= 1
            self._depart()
        if reply == LEFT:
            return await self.submit(name, args, weight)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def submit(self, name: str, args: Sequence[Any], weight: int = WEIGHT) -> asyncio.Future[Any]:
        """Run one transition, with whatever else is submitted in the same turn of the event loop. The future ends as :meth:`run` does."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._gathered.append(((name, args), weight, future))
        self._depart()
        return future

    def _depart(self) -> None:
        """Have a flight leave in the next turn of the event loop with what has gathered by then, and somebody still waits for."""
        if self._gathered and not self._departing and self._flying < FLIGHTS_MAX:
            self._departing = True
            self._flying += 1
            flight = asyncio.create_task(self._fly(), name="group commit")
            self._flights.add(flight)
            flight.add_done_callback(self._landed)

    def _load(self) -> list[tuple[Transition, int, asyncio.Future[Any]]]:
        load: list[tuple[Transition, int, asyncio.Future[Any]]] = []
        size = heavy = 0
        while self._gathered:
            transition, weight, future = self._gathered[0]
            if future.done():
                self._gathered.popleft()
                continue
            size += size_of(transition[1])
            heavy += weight
            if load and (size > BYTES_MAX or heavy > TOGETHER_MAX):
                break
            self._gathered.popleft()
            load.append((transition, weight, future))
        return load

    def _landed(self, flight: asyncio.Task[None]) -> None:
        self._flights.discard(flight)
        self._flying -= 1
        if flight.cancelled():
            # Perhaps before it began: others fly for it.
            self._departing = False
        self._depart()

    async def _fly(self) -> None:
        self._departing = False
        load = self._load()
        self._depart()
        if not load:
            return
        try:
            replies = await self._send([transition for transition, _, _ in load])
        except asyncio.CancelledError:
            for _, _, future in load:
                future.cancel()
            raise
        except Exception as error:
            replies = [error] * len(load)
        left = []
        for one, reply in zip(load, replies, strict=True):
            future = one[2]
            if future.done():
                continue
            if reply == LEFT:
                left.append(one)
            elif isinstance(reply, Exception):
                future.set_exception(reply)
            else:
                future.set_result(reply)
        self._gathered.extendleft(reversed(left))
