"""What an operator is told before a write: how much waits, what it may cost, who is left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gitbridge_console.console.views.cells import money

if TYPE_CHECKING:
    from gitbridge_console.domain.snapshots import FleetSnapshot

WORKING = ("ok", "slow", "limited", "half_open")
SEATS = 2
"""Seats an event usually has; what it would really get is decided when it is routed."""


def healthy_providers(snapshot: FleetSnapshot) -> list[str]:
    """Providers that take work now, the least loaded first."""
    names = [name for name, provider in snapshot.providers.items() if provider.state in WORKING]
    return sorted(names, key=lambda name: waiting_in(snapshot, name))


def waiting_in(snapshot: FleetSnapshot, lane: str) -> int:
    """Jobs of a lane that nobody works on yet."""
    status = snapshot.lanes.get(lane)
    return status.depth + status.waiting + status.held if status is not None else 0


def replay_cost(snapshot: FleetSnapshot, count: int, providers: Sequence[str] = ()) -> str:
    """``, about $0.12``, from what calls cost in the last 15 minutes; empty where no price is known.

    Without ``providers`` an event is taken to have :data:`SEATS` seats anywhere.
    """
    known = [p for name, p in snapshot.providers.items() if (not providers or name in providers) and p.cost_usd is not None]
    calls = sum(p.calls.get("15m", 0) for p in known)
    if not calls:
        return ""
    each = sum(p.cost_usd or 0.0 for p in known) / calls
    return f", about {money(each * count * (1 if providers else SEATS))}"
