"""What is kept of an action: the exact requests, how far each has come, and why it waits. Plain data, JSON in the store.

An action that was decided is *planned*; each of its writes is *intended* before it is sent and *done* with the host's id after it.
One that the host will not take is *refused*, and an operator decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from gitbridge_console.actions.requests import ActionPlan, ActionRequest

WriteState = Literal["planned", "intended", "done", "refused"]
NOTE_MAX = 300


def planned(plan: ActionPlan, *, run: int, at_ms: int) -> dict[str, Any]:
    """A new record. ``type``, ``dry_run``, ``marker``, ``requests`` and ``reason`` are what lists and the log of decisions show."""
    return {
        "type": plan.type,
        "dry_run": False,
        "marker": plan.marker,
        "requests": [request.record() for request in plan.requests],
        "reason": "",
        "run": run,
        "since_ms": at_ms,
        "writes": [{"state": "planned", "tries": 0} for _ in plan.requests],
    }


def not_sent(action: str, reason: str, *, dry_run: bool) -> dict[str, Any]:
    """Nothing is sent, and why."""
    return {"type": action, "dry_run": dry_run, "requests": [], "marker": "", "reason": reason}


def is_of_run(record: Mapping[str, Any] | None, run: int) -> bool:
    """Whether a stored record is of this run of its event and can be gone on with."""
    if record is None or record.get("dry_run") is not False or record.get("run") != run:
        return False
    requests, writes = record.get("requests"), record.get("writes")
    return isinstance(requests, list) and isinstance(writes, list) and len(requests) == len(writes) > 0


def request_at(record: Mapping[str, Any], number: int) -> ActionRequest:
    """One of its requests."""
    kept = record["requests"][number]
    return ActionRequest(str(kept["method"]), str(kept["path"]), dict(kept["body"]))


def next_write(record: Mapping[str, Any]) -> int | None:
    """Number of the first write that is still to be done; ``None`` where all are."""
    states = [write["state"] for write in record["writes"]]
    return next((n for n, state in enumerate(states) if state in ("planned", "intended")), None)


def is_out(record: Mapping[str, Any]) -> bool:
    """Whether something of it was published, or may have been."""
    return any(write["state"] in ("done", "intended") for write in record.get("writes", ()))


def marked(record: Mapping[str, Any], number: int, state: WriteState, **more: object) -> dict[str, Any]:
    """The record with one of its writes in another state."""
    writes = [dict(write) for write in record["writes"]]
    writes[number] |= {"state": state, **more}
    return {**record, "writes": writes}


def with_request(record: Mapping[str, Any], number: int, request: ActionRequest) -> dict[str, Any]:
    """The record with another request in the place of one that the host did not take."""
    requests: Sequence[dict[str, Any]] = [*record["requests"]]
    return {**record, "requests": [*requests[:number], request.record(), *requests[number + 1 :]]}


def told(record: Mapping[str, Any]) -> str:
    """What was done, in one line: ``review 17 posted``."""
    parts = [write["note"] for write in record["writes"] if write.get("note")]
    return "; ".join(parts)[:NOTE_MAX]
