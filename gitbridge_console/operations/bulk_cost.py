"""What a bulk operation will ask of providers, as far as settings and the last calls tell."""

from __future__ import annotations

from collections.abc import Mapping

from gitbridge_console.domain.bulk import BulkKind, Deed
from gitbridge_console.settings.model import Settings
from gitbridge_console.store.metrics_window import ProviderWindow

SEATS = 2
"""Seats of an event whose kind is not known yet."""


def expected_calls(settings: Settings, deed: Deed, kinds: Mapping[str, int], count: int, pointless: int) -> int:
    """Calls to providers: a replay asks a panel for each event, ``pointless`` ones excepted; a task that is moved is asked once.

    First attempts only; retries, hedges and questions of the second round come on top.
    """
    if deed.kind in (BulkKind.FAILOVER, BulkKind.FAILBACK):
        return count
    if deed.kind is not BulkKind.REPLAY or not count:
        return 0
    seats = sum(n * _seats(settings, kind) for kind, n in kinds.items())
    return round(seats * (count - pointless) / count)


def _seats(settings: Settings, kind: str) -> int:
    policy = settings.kinds.get(kind)  # type: ignore[call-overload]  # "not routed" and kinds of another version are no keys
    return SEATS if policy is None else int(policy.seats)


def expected_cost(deed: Deed, calls: int, providers: Mapping[str, ProviderWindow]) -> float | None:
    """US dollars of so many calls, at the mean price of those of the last 15 minutes; ``None`` where no price is known."""
    asks = deed.lane if deed.kind is BulkKind.FAILBACK else deed.to
    asked = [window for name, window in providers.items() if window.cost_usd is not None and (not asks or name == asks)]
    known = sum(window.calls_15m for window in asked)
    return round(calls * sum(window.cost_usd or 0.0 for window in asked) / known, 4) if known else None
