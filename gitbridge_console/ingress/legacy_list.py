"""The Redis list older producers push to: reading its two envelopes, and pumping it into the queue.

An entry is moved to the processing list, stored, and only then removed; its delivery id is the hash of its bytes, so
an entry that is seen twice after a crash is stored once.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn, Protocol

from gitbridge_console.domain.events import IncomingEvent, Priority
from gitbridge_console.ingress.legacy_payload import github_payload
from gitbridge_console.store.records import BackPressure, PayloadTooLarge
from gitbridge_console.store.trouble import STORE_AWAY

logger = logging.getLogger(__name__)

SWEEP_EVERY_S = 15.0
REPORT_EVERY_S = 60.0
"""While the list waits it says why so often, not at every look."""
PAUSE_FIRST_S = 0.5
PAUSE_MAX_S = 10.0
_WORDS = {"urgent": Priority.CRITICAL, "medium": Priority.NORMAL, "default": Priority.NORMAL}
_RANKS = (Priority.CRITICAL, Priority.HIGH, Priority.NORMAL, Priority.LOW, Priority.BULK)


class MalformedEntry(ValueError):
    """An entry of the list that is neither envelope; the message says why in one line."""


class Source(Protocol):
    """What the pump needs of the list, see :class:`gitbridge_console.store.legacy.LegacyStore`."""

    max_entry_bytes: int

    async def take(self) -> bytes | None: ...

    async def done(self, raw: bytes) -> None: ...

    async def give_back(self, raw: bytes) -> bool: ...

    async def sweep(self) -> int: ...


class Quarantine(Protocol):
    """Keeps what could not be read."""

    async def __call__(self, raw: bytes, *, source: str, error: str) -> object: ...


def parse_envelope(raw: bytes) -> IncomingEvent:
    """Read either envelope: ``{"event", "payload", "metadata"}`` or the flat ``{"event_type", "repo", "user", …}``.

    Raises:
        MalformedEntry: it is neither.
    """
    try:
        entry = json.loads(raw, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedEntry(f"not JSON: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(entry, dict):
        raise MalformedEntry(f"a JSON {type(entry).__name__}, not an object")
    if "event" in entry:
        name, payload = _event_type(entry["event"], "event"), _payload(entry.get("payload"))
        event_type, _, action = name.partition(".")
        if action:
            payload.setdefault("action", action)
    elif "event_type" in entry:
        event_type, _, action = _event_type(entry["event_type"], "event_type").partition(".")
        payload = github_payload(event_type, action, entry)
    else:
        raise MalformedEntry("neither `event` nor `event_type` is there")
    try:
        text = json.dumps(payload, separators=(",", ":"))
    except RecursionError:
        raise MalformedEntry("nested too deeply") from None
    return IncomingEvent(
        delivery=hashlib.sha256(raw).hexdigest(),
        type=event_type,
        payload=text.encode(),
        source="legacy",
        priority=read_priority(entry.get("metadata")),
    )


def read_priority(metadata: object) -> Priority | None:
    """Priority of an entry's metadata, ``None`` where it says nothing usable.

    Words are ours, ``urgent`` or ``medium``; numbers from 100 are ranks as this program stores them, smaller ones
    count from 0 (critical) to 4 (bulk): the lower, the more urgent.
    """
    value = metadata.get("priority") if isinstance(metadata, Mapping) else None
    if isinstance(value, str):
        word = value.strip().lower()
        if word.isascii() and word.isdecimal() and len(word) < 7:
            value = int(word)
        else:
            known = {priority.label: priority for priority in Priority} | _WORDS
            return known.get(word)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    if value < 100:
        return _RANKS[min(value, 4)]
    return next((priority for priority in reversed(Priority) if value >= priority), Priority.CRITICAL)


def _event_type(value: object, field: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise MalformedEntry(f"`{field}` is not a text")
    return value.strip().lower().replace(":", ".")[:120]


def _payload(value: object) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            raise MalformedEntry("`payload` is a text that is not JSON") from None
    if not isinstance(value, dict):
        raise MalformedEntry("`payload` is not an object")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


async def pump(
    source: Source,
    submit: Callable[[IncomingEvent], Awaitable[object]],
    quarantine: Quarantine,
    stop: asyncio.Event,
    *,
    come_again: tuple[type[Exception], ...] = (),
    has_room: Callable[[], bool] = lambda: True,
) -> None:
    """Move entries from the list into the queue until ``stop`` is set.

    What cannot be read goes to the quarantine and never blocks. While the queue takes nothing more, entries stay in
    the list and the pump waits, at most ten seconds between looks; so it does while ``has_room`` says no, which leaves
    the rest of the queue to those who cannot wait, but for one entry at each look: others never keep the list out for good.
    ``come_again`` as for the webhook.
    """
    not_now: tuple[type[Exception], ...] = (BackPressure, *STORE_AWAY, *come_again)
    pause_s, swept_at = PAUSE_FIRST_S, -SWEEP_EVERY_S
    said_at = -REPORT_EVERY_S
    taken_at = time.monotonic()
    while not stop.is_set():
        try:
            if time.monotonic() - swept_at >= SWEEP_EVERY_S:
                swept_at = time.monotonic()
                await source.sweep()
            raw = await source.take() if has_room() or time.monotonic() - taken_at >= PAUSE_MAX_S else None
            if raw is not None:
                taken_at = time.monotonic()
                await _handle(source, raw, submit, quarantine, not_now)
        except not_now as error:
            if time.monotonic() - said_at >= REPORT_EVERY_S:
                said_at = time.monotonic()
                logger.warning("the legacy list waits: %s", " ".join(str(error).split()) or type(error).__name__)
        except Exception:
            # A key that is no list, for one: said every time, but the engine beside it goes on.
            logger.exception("the legacy list waits %.1f s", pause_s)
        else:
            if has_room():
                pause_s = PAUSE_FIRST_S
                continue
        await _pause(stop, pause_s)
        pause_s = min(PAUSE_MAX_S, pause_s * 2)


async def _handle(
    source: Source,
    raw: bytes,
    submit: Callable[[IncomingEvent], Awaitable[object]],
    quarantine: Quarantine,
    not_now: tuple[type[Exception], ...],
) -> None:
    """Store one entry and remove it; whatever keeps it from being stored now puts it back."""
    try:
        try:
            if len(raw) > source.max_entry_bytes:
                raise MalformedEntry(f"{len(raw):,} bytes, legacy.max_entry_bytes is {source.max_entry_bytes:,}")
            await submit(parse_envelope(raw))
        except (MalformedEntry, PayloadTooLarge) as error:
            await quarantine(raw, source="legacy", error=str(error))
    except not_now:
        await source.give_back(raw)
        raise
    except Exception as error:
        # One entry nobody foresaw must not stop all others: it is kept for an operator, and the log says why.
        logger.exception("a legacy entry could not be stored")
        await quarantine(raw, source="legacy", error=f"{type(error).__name__}: {error}")
    await source.done(raw)


async def _pause(stop: asyncio.Event, for_s: float) -> None:
    try:
        async with asyncio.timeout(for_s):
            await stop.wait()
    except TimeoutError:
        return
