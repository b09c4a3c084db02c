"""What may hold a call back although its provider is well: limits, budgets. Reserved before the call, settled after it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gitbridge_console.domain.events import Priority
from gitbridge_console.router.attempt import Outcome

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """A call that is about to be made: an estimate of what it takes in, and the most it may put out, in tokens."""

    task_id: str
    provider: str
    tokens_in: int
    tokens_out: int
    priority: Priority


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the call may not be made now, and when to look again (``None``: not before an operator acts)."""

    reason: str
    retry_in_s: float | None = None


class Reservation(Protocol):
    """What was set aside for one call. Settled exactly once."""

    async def settle(self, outcome: Outcome | None) -> None:
        """Book what the call really took; ``None``: it was never made. Raises nothing: the call is over.

        One that was cancelled under way has a ``NEUTRAL`` failure and, on its attempt, the usage known by then; that is booked within
        a second or not at all.
        """
        ...


class Guard(Protocol):
    """One reason to hold calls back. It never waits, and a store that is away is no reason to refuse."""

    async def reserve(self, question: Question) -> Reservation | Refusal | None:
        """Set aside what the call will take; ``None`` where there is nothing to keep account of."""
        ...


class Reserved:
    """Everything set aside for one call."""

    def __init__(self, parts: Sequence[Reservation]) -> None:
        self._parts = parts

    async def settle(self, outcome: Outcome | None) -> None:
        """Settle all of it, with what the call came to or, with ``None``, because it was never made."""
        parts, self._parts = self._parts, ()
        for part in parts:
            try:
                await part.settle(outcome)
            except Exception:
                # The call is over and was paid for: no fault of the bookkeeping may cost its answer.
                logger.exception("what was set aside for a call could not be settled")


async def reserve_all(guards: Sequence[Guard], question: Question) -> Reserved | Refusal:
    """Ask every guard in turn; a refusal, a fault or a cancellation gives back what the others had set aside."""
    parts: list[Reservation] = []
    for guard in guards:
        try:
            found = await guard.reserve(question)
        except BaseException:
            await Reserved(parts).settle(None)
            raise
        if isinstance(found, Refusal):
            await Reserved(parts).settle(None)
            return found
        if found is not None:
            parts.append(found)
    return Reserved(parts)
