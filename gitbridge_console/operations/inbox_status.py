"""The ways in beside the webhook, as ``status`` tells them, and when they want the operator. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gitbridge_console.domain.snapshots import Alert, LegacyStatus, ReconcileStatus
from gitbridge_console.domain.timestamps import iso_from_ms
from gitbridge_console.settings.model import LegacySettings
from gitbridge_console.store.inbox_board import LEGACY, RECONCILE

FORGET_AFTER_MS = 60_000
"""What no engine has looked at for so long is not known any more."""


def legacy_status(settings: LegacySettings, inbox: Mapping[str, Mapping[str, Any]], now_ms: int) -> LegacyStatus | None:
    """The legacy list, as far as an engine has looked at it lately."""
    found = inbox.get(LEGACY)
    if found is None or now_ms - found["at_ms"] > FORGET_AFTER_MS:
        return None
    return LegacyStatus(
        at=iso_from_ms(found["at_ms"]),
        waiting=found.get("waiting", 0),
        processing=found.get("processing", 0),
        max_waiting=settings.max_waiting,
        problem=found.get("problem", ""),
    )


def legacy_alerts(legacy: LegacyStatus | None, fill: float, at: str) -> Iterable[Alert]:
    """A list that fills up: its producers are not told, and its server's memory is not ours."""
    if legacy is None:
        return
    if legacy.problem:
        yield Alert(level="critical", code="legacy_away", text=f"the legacy list cannot be read: {legacy.problem}", since=at)
    elif legacy.waiting >= legacy.max_waiting * fill:
        share = f"{100 * legacy.waiting / legacy.max_waiting:.0f} % full: {legacy.waiting:,} of {legacy.max_waiting:,}"
        level = "critical" if legacy.waiting >= legacy.max_waiting else "warning"
        yield Alert(
            level=level, code="legacy_full", text=f"legacy list {share}; slow its producers or start more engines", since=at, jump="queue"
        )


def reconcile_status(inbox: Mapping[str, Mapping[str, Any]]) -> ReconcileStatus | None:
    """What the last look for missed deliveries found."""
    found = inbox.get(RECONCILE)
    if found is None:
        return None
    # Another version of the program may have written it: what is not known here is passed over.
    own = {name: found[name] for name in ReconcileStatus.model_fields if name in found}
    return ReconcileStatus(**own | {"at": iso_from_ms(found["at_ms"])})


def reconcile_alerts(reconcile: ReconcileStatus | None) -> Iterable[Alert]:
    """Deliveries that are missing and nobody asks for, and looks that came to nothing."""
    if reconcile is None:
        return
    if reconcile.problem:
        yield Alert(level="warning", code="reconcile_failed", text=f"reconcile: {reconcile.problem}", since=reconcile.at)
    if reconcile.missed and not reconcile.applied:
        text = f"{reconcile.missed:,} deliveries never arrived: gitbridge-console reconcile --apply has them sent again"
        yield Alert(level="warning", code="missed_deliveries", text=text, since=reconcile.at)
    if reconcile.given_up:
        text = f"{reconcile.given_up:,} deliveries were asked for again and again and never arrived; the log names them"
        yield Alert(level="warning", code="deliveries_given_up", text=text, since=reconcile.at)
