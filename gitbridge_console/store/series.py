"""A series of events on their way into the queue: what is sent next, and what came of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from typing import Any, NamedTuple

from redis.exceptions import OutOfMemoryError

from gitbridge_console.store.group_commit import LEFT, Transition
from gitbridge_console.store.scripts_loader import packed


class _Load(NamedTuple):
    """Events of one call. The first of them is the ``start``-th of the series, ``before`` the delivery id of the one before it."""

    start: int
    before: str
    events: Sequence[Sequence[Any]]


class Series:
    """Events taken in in their order, while the next call is sent before the one before it is answered.

    What the server had no time for in a call goes before all others. What was sent behind it meanwhile says which event it
    comes after, and is left as well.
    """

    def __init__(self, bounds: Sequence[Any], loads: Iterator[Sequence[Sequence[Any]]]) -> None:
        self.replies: list[Any] = []
        """A reply or an exception for each event of what was sent; ``None`` until there is one."""
        self._bounds = bounds
        self._loads = loads
        self._left: deque[_Load] = deque()
        self._sent: deque[tuple[_Load, Sequence[int]]] = deque()
        self._last = ""
        """The delivery id of the last event taken from ``loads``."""

    def _next_load(self) -> _Load | None:
        if self._left:
            return self._left.popleft()
        events = next(self._loads, None)
        if events is None:
            return None
        load = _Load(len(self.replies), self._last, events)
        self._last = _delivery_of(events[-1])
        self.replies += [None] * len(events)
        return load

    def next_group(self) -> Sequence[bytes] | None:
        """The arguments of the next call; ``None`` while there is nothing to send."""
        load = self._next_load()
        if load is None:
            return None
        merged, counts = _merged(load.events)
        self._sent.append((load, counts))
        follows = load.start > 0 and self.replies[load.start - 1] is None
        return packed([("bounds", self._bounds), *([("after", [load.before])] if follows else []), *merged])

    def answered(self, answer: Any) -> None:
        """Take the answer to the call that was sent first of those not answered yet.

        Raises:
            redis.exceptions.ResponseError: what the server says, but for one that is full, which is what came of each event.
        """
        load, counts = self._sent.popleft()
        if isinstance(answer, Exception) and not isinstance(answer, OutOfMemoryError):
            raise answer
        found = [answer] * len(load.events) if isinstance(answer, Exception) else _unmerged(answer[-len(counts) :], counts)
        done = found.index(LEFT) if LEFT in found else len(found)
        self.replies[load.start : load.start + done] = found[:done]
        if done < len(found):
            before = _delivery_of(load.events[done - 1]) if done else load.before
            self._left.append(_Load(load.start + done, before, load.events[done:]))


def _delivery_of(event: Sequence[Any]) -> str:
    return str(event[1] if isinstance(event, tuple) else event[0])


def _unmerged(replies: Sequence[Any], counts: Sequence[int]) -> list[Any]:
    """A reply or an exception for each event of a load."""
    found: list[Any] = []
    for reply, count in zip(replies, counts, strict=True):
        if count == 0:
            found.append(reply)
        else:
            found += reply if isinstance(reply, list) else [reply] * count
    return found


def _merged(events: Sequence[Sequence[Any]]) -> tuple[list[Transition], list[int]]:
    """Events as transitions, neighbours that are alike as one; and how many each is about, 0 for an event with arguments of its own."""
    merged: list[Transition] = []
    counts: list[int] = []
    for common, alike in groupby(events, lambda args: args[0] if isinstance(args, tuple) else None):
        if common is None:
            own = list(alike)
            merged += [("enqueue", args) for args in own]
            counts += [0] * len(own)
        else:
            _, deliveries, payloads = zip(*alike, strict=True)
            # Payloads in one piece: arguments of their own take the server longer to read than parts of one.
            merged.append(("enqueue_all", [*common, b"".join(payloads), *chain(*zip(deliveries, map(len, payloads), strict=True))]))
            counts.append(len(deliveries))
    return merged, counts
