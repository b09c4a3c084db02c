"""``worker --drain``: work until nothing is claimable or due soon, then say what was done and what was left."""

from __future__ import annotations

import asyncio
from typing import Any

from gitbridge_console.domain.events import EventState
from gitbridge_console.domain.snapshots import FleetSnapshot
from gitbridge_console.operations.errors import OperationError
from gitbridge_console.operations.session import Session
from gitbridge_console.store.trouble import STORE_AWAY

LOOK_EVERY_S = 0.25
CALM_LOOKS = 2
"""So many looks in a row must find nothing to do: between two stages an event is in no lane for a moment."""

MAY_PASS: tuple[type[Exception], ...] = (OperationError, *STORE_AWAY)
"""What a look may meet while the store is away: it is looked again."""

LEFT_STATES = (EventState.PARKED, EventState.AWAITING_APPROVAL, EventState.FAILED)


async def wait_drained(session: Session, wait_s: float, stop: asyncio.Event) -> dict[str, Any]:
    """Wait until no lane has anything claimable or due within ``wait_s`` seconds, or until ``stop`` is set.

    Paused lanes, parked events and events that await approval do not keep it. Returns the JSON summary of the command.
    """
    before = session.at_start or await session.operations.status()
    calm = 0
    while calm < CALM_LOOKS and not stop.is_set():
        try:
            calm = calm + 1 if await session.store.reader.nothing_due(session.operations.lanes, wait_s) else 0
        except MAY_PASS:
            calm = 0
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                await stop.wait()
        except TimeoutError:
            continue
    after = await session.operations.status()
    return summary(before, after, drained=calm >= CALM_LOOKS)


def summary(before: FleetSnapshot, after: FleetSnapshot, *, drained: bool) -> dict[str, Any]:
    """What changed between two snapshots, and what is left where."""
    done = {name: count - before.totals.get(name, 0) for name, count in after.totals.items()}
    return {
        "drained": drained,
        "finished": {
            name: count for name, count in done.items() if count and name in ("resolved", "ignored", "failed", "superseded", "cancelled")
        },
        "left": {
            "lanes": {
                name: lane.depth + lane.waiting + lane.leased
                for name, lane in after.lanes.items()
                if lane.depth + lane.waiting + lane.leased
            },
            "paused": [name for name, lane in after.lanes.items() if lane.paused is not None],
            **{state.value: after.events[state] for state in LEFT_STATES},
        },
    }
