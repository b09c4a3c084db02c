"""Deliveries of a webhook as its host lists them: which never arrived, and how far a look has come. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from gitbridge_console.domain.facts import number, table, text
from gitbridge_console.domain.snapshots import View
from gitbridge_console.domain.timestamps import iso_from_ms

Outcome = Literal["found", "asked", "waiting", "left", "refused", "given_up"]
"""What became of a missed delivery: only found (a dry run), asked for again, asked for a moment ago, left for the next run,
refused by the host, or given up after being asked for too often."""
HANDLED = frozenset({"given_up"})
"""Outcomes after which nothing more is tried."""


@dataclass(frozen=True, slots=True)
class HookDelivery:
    """One attempt of a host to deliver something. Attempts of the same thing share a ``guid``."""

    id: int
    guid: str
    at_ms: int
    ok: bool
    status: str = ""
    event: str = ""
    action: str = ""


class MissedDelivery(View):
    """Something that no attempt has delivered. ``attempt`` is the one to be repeated, ``status`` what the host says of it."""

    guid: str
    attempt: int
    event: str = ""
    action: str = ""
    first_at: str = ""
    attempts: int = 1
    status: str = ""
    outcome: Outcome = "found"
    why: str = ""


class HookReport(View):
    """What was found at one webhook. ``complete``: everything since ``since`` was looked at; ``problem``: why it was not."""

    hook: str
    since: str = ""
    listed: int = 0
    known: int = 0
    """Failed for the host, yet here: the answer came too late, or it was handed in otherwise."""
    missed: tuple[MissedDelivery, ...] = ()
    complete: bool = True
    problem: str = ""


class ReconcileReport(View):
    """One run over every configured webhook."""

    at: str
    applied: bool
    hooks: tuple[HookReport, ...] = ()
    problem: str = ""
    retry_in_s: float | None = None

    def count(self, *outcomes: Outcome) -> int:
        """How many missed deliveries came to this, all of them without a word."""
        return sum(1 for hook in self.hooks for one in hook.missed if not outcomes or one.outcome in outcomes)

    @property
    def problems(self) -> tuple[str, ...]:
        """What went wrong, each once."""
        return tuple(dict.fromkeys(filter(None, (self.problem, *(hook.problem for hook in self.hooks)))))


def read_delivery(row: Any) -> HookDelivery | None:
    """A row of the host's list; ``None`` where it names no attempt, thing or time."""
    entry = table(row)
    attempt, guid, at_ms = number(entry.get("id")), text(entry.get("guid"), 100), _ms(entry.get("delivered_at"))
    if attempt is None or not guid or at_ms is None:
        return None
    status, code = text(entry.get("status"), 100), number(entry.get("status_code")) or 0
    ok = status == "OK" or 200 <= code < 300
    return HookDelivery(attempt, guid, at_ms, ok, status or str(code), text(entry.get("event"), 60), text(entry.get("action"), 60))


def missed(deliveries: Iterable[HookDelivery], *, before_ms: int) -> list[MissedDelivery]:
    """What no attempt has delivered, oldest first; not yet what the host tried after ``before_ms``, for it may be on its way."""
    attempts: dict[str, dict[int, HookDelivery]] = {}
    for delivery in deliveries:
        attempts.setdefault(delivery.guid, {})[delivery.id] = delivery
    found = []
    for guid, own in attempts.items():
        first, last = min(own.values(), key=_when), max(own.values(), key=_when)
        if not any(one.ok for one in own.values()) and last.at_ms <= before_ms:
            one = MissedDelivery(
                guid=guid,
                attempt=last.id,
                event=last.event,
                action=last.action,
                first_at=iso_from_ms(first.at_ms),
                attempts=len(own),
                status=last.status,
            )
            found.append((_when(first), one))
    return [one for _, one in sorted(found, key=lambda pair: pair[0])]


def still_missing(before: Iterable[MissedDelivery], deliveries: Sequence[HookDelivery], *, before_ms: int) -> list[MissedDelivery]:
    """What was missing before and has not arrived since, and what is missing now, oldest first.

    What the host tries at the moment is not left out: it is ``waiting``.
    """
    arrived = {one.guid for one in deliveries if one.ok}
    under_way = {one.guid for one in deliveries if one.at_ms > before_ms}
    found = {one.guid: one for one in missed(deliveries, before_ms=before_ms)}
    for old in before:
        if old.guid in arrived:
            continue
        if (new := found.get(old.guid)) is not None:
            first = {"first_at": min(old.first_at, new.first_at), "attempts": max(old.attempts, new.attempts)}
            found[old.guid] = new.model_copy(update=first)
        elif old.guid in under_way:
            found[old.guid] = old.model_copy(update={"outcome": "waiting", "why": "the host tried it a moment ago"})
        else:
            found[old.guid] = old.model_copy(update={"outcome": "found", "why": ""})
    return sorted(found.values(), key=lambda one: (one.first_at, one.attempt))


def next_since(deliveries: Sequence[HookDelivery], open_guids: Iterable[str], *, since_ms: int, before_ms: int) -> int:
    """From where the next look has to begin, in ms: before the first attempt of what nobody remembers otherwise.

    Never behind the newest attempt that was seen since ``since_ms``: the host's clock may be slower than ours.
    """
    still_open = set(open_guids)
    newest = max([since_ms, *(one.at_ms for one in deliveries)])
    return min([before_ms, newest, *(one.at_ms - 1 for one in deliveries if one.guid in still_open)])


def _when(delivery: HookDelivery) -> tuple[int, int]:
    return delivery.at_ms, delivery.id


def _ms(value: Any) -> int | None:
    try:
        return round(datetime.fromisoformat(value).timestamp() * 1000) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None
