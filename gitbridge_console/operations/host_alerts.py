"""What wants the operator about a code host: credentials it refuses, limits that are reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gitbridge_console.domain.snapshots import Alert, LaneStatus
from gitbridge_console.domain.timestamps import iso_from_ms
from gitbridge_console.store.host_board import EVERYWHERE, HostFault, Publishing

FAULTS_SHOWN = 3


def host_alerts(publishing: Publishing, lanes: Mapping[str, LaneStatus], at: str) -> Iterable[Alert]:
    """Refused credentials and a reached limit; ``at``: the time of the look."""
    lane = lanes.get("act")
    waiting = lane.depth + lane.waiting if lane is not None else 0
    yield from _unread_alerts([fault for fault in publishing.faults if fault.reads is not None])
    held = [fault for fault in publishing.faults if fault.reads is None]
    for fault in held[:FAULTS_SHOWN]:
        where = "" if fault.scope == EVERYWHERE else f" for {fault.scope}"
        todo = "mend hosts.github, then resume act, or wait for the next try"
        text = f"github{where}: {fault.text}; {waiting} wait in act: {todo}"
        yield Alert(level="critical", code="host_credential", text=text, since=iso_from_ms(fault.since_ms), jump="queue")
    if (more := len(held) - FAULTS_SHOWN) > 0:
        yield Alert(level="critical", code="host_credential", text=f"github: the same for {more} more repositories", since=at, jump="queue")
    if publishing.closed_until_ms is not None:
        text = (
            f"github: a rate limit is reached, nothing is published until {iso_from_ms(publishing.closed_until_ms)}; {waiting} wait in act"
        )
        yield Alert(level="warning", code="host_limited", text=text, since=at, jump="queue")


def _unread_alerts(faults: Sequence[HostFault]) -> Iterable[Alert]:
    for fault in faults[:FAULTS_SHOWN]:
        host, repository = fault.reads or ("", "")
        more = f" ({len(faults) - FAULTS_SHOWN} more are so)" if len(faults) > FAULTS_SHOWN and fault is faults[FAULTS_SHOWN - 1] else ""
        where = f" for {repository}" if repository else ""
        text = f"{host}{where}: no diffs, {fault.text}; reviewers see descriptions only: mend hosts.{host}{more}"
        yield Alert(level="critical", code="host_unread", text=text, since=iso_from_ms(fault.since_ms), jump="consensus")
