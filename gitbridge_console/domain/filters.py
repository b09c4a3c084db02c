"""The FILTER language of console and command line: ``state=failed provider=grok error=timeout repo=acme/* since=2h``."""

from __future__ import annotations

import difflib
import fnmatch
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gitbridge_console.domain.events import EventState, Kind
from gitbridge_console.domain.failures import FailureClass
from gitbridge_console.domain.timestamps import ms_from_iso

if TYPE_CHECKING:
    from gitbridge_console.domain.event_views import EventSummary

KEYS = {
    "id": "id",
    "delivery": "delivery",
    "state": "state",
    "kind": "kind",
    "provider": "provider",
    "error": "error",
    "repo": "repository",
    "repository": "repository",
    "subject": "subject",
    "since": "since_ms",
    "until": "until_ms",
    "age": "until_ms",
    "text": "text",
}
"""``age=2h`` are those that came in two hours ago or earlier."""
ERROR_ALIASES = {
    "timeout": FailureClass.SILENT,
    "auth": FailureClass.CREDENTIAL,
    "refusal": FailureClass.POLICY,
    "invalid": FailureClass.INVALID_OUTPUT,
}
SAVED = re.compile(r"(?<!\S)@([a-z0-9_-]+)(?!\S)")
"""A word that stands for a filter that was saved under that name."""
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


def duration_s(words: str) -> float:
    """Seconds of ``15m``, ``2h``, ``1d`` or ``90`` (seconds).

    Raises:
        ValueError: not a duration.
    """
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smhdw]?)", words.strip().lower())
    if match is None:
        raise ValueError(f"{words!r} is no duration: use 90s, 15m, 2h or 3d")
    return float(match[1]) * UNITS_S[match[2] or "s"]


def moment_ms(words: str, now_ms: int) -> int:
    """Milliseconds since the epoch of ``2h`` (ago) or an ISO 8601 time; without an offset it is UTC.

    Raises:
        ValueError: neither.
    """
    try:
        return now_ms - round(duration_s(words) * 1000)
    except ValueError:
        pass
    try:
        return ms_from_iso(words)
    except ValueError:
        pass
    try:
        return round(datetime.fromisoformat(words).replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        raise ValueError(f"{words!r} is no time: use 15m, 2h, 3d (ago) or 2026-11-22T21:00Z") from None


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Conditions that must all hold; an empty one matches everything. ``repository`` may hold ``*``."""

    state: str | None = None
    kind: str | None = None
    provider: str | None = None
    error: str | None = None
    repository: str | None = None
    subject: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    text: str | None = None
    id: str | None = None
    delivery: str | None = None
    inverted: bool = False

    @classmethod
    def build(cls, *, now_ms: int | None = None, inverted: bool = False, **words: str | None) -> EventFilter:
        """Build from words by key, checking each.

        Raises:
            ValueError: an unknown key or value; one line that names the nearest.
        """
        now = round(datetime.now(UTC).timestamp() * 1000) if now_ms is None else now_ms
        fields: dict[str, Any] = {}
        for key, value in words.items():
            if value is None:
                continue
            name = _known_key(key)
            if name in fields:
                raise ValueError(f"{name.removesuffix('_ms')} is given twice in the filter")
            if key == "age":
                duration_s(value)
            fields[name] = moment_ms(value, now) if name.endswith("_ms") else _checked(name, value)
        return cls(inverted=inverted, **fields)

    @classmethod
    def parse(cls, line: str, *, now_ms: int | None = None) -> EventFilter:
        """Read one line; a leading ``!`` inverts it, words without ``=`` are looked for in title, subject, reason and error.

        Raises:
            ValueError: as :meth:`build`, or quotes that do not close.
        """
        line = line.strip()
        inverted = line.startswith("!")
        try:
            parts = shlex.split(line.removeprefix("!"))
        except ValueError as error:
            raise ValueError(f"filter {line!r}: {str(error).lower()}") from None
        words: dict[str, str] = {}
        free: list[str] = []
        for part in parts:
            key, equals, value = part.partition("=")
            if equals:
                _known_key(key)
                if key in words:
                    raise ValueError(f"{key} is given twice in the filter")
                words[key] = value
            else:
                free.append(part)
        if free and "text" in words:
            raise ValueError(f"text= is given, and words without = too: {' '.join(free)}")
        if free:
            words["text"] = " ".join(free)
        return cls.build(now_ms=now_ms, inverted=inverted, **words)

    def rules_out(self, event_id: str, *, state: str, kind: str, error: str, received_ms: int) -> bool:
        """Whether the little that is quickly known of an event is enough to say that it does not pass."""
        return not self.inverted and not (
            (self.state is None or state == self.state)
            and (self.kind is None or kind == self.kind)
            and (self.error is None or error == self.error)
            and (self.since_ms is None or received_ms >= self.since_ms)
            and (self.until_ms is None or received_ms <= self.until_ms)
            and (self.id is None or event_id.endswith(self.id.lower()))
        )

    def matches(self, event: EventSummary, providers: Sequence[str] = ()) -> bool:
        """Whether an event passes; ``providers`` are those of its panel."""
        return self._holds(event, providers) != self.inverted

    def _holds(self, event: EventSummary, providers: Sequence[str]) -> bool:
        received = ms_from_iso(event.received_at) if self.since_ms or self.until_ms else 0
        return (
            (self.state is None or event.state == self.state)
            and (self.kind is None or event.kind == self.kind)
            and (self.error is None or event.error_class == self.error)
            and (self.provider is None or self.provider in providers)
            and (self.repository is None or fnmatch.fnmatchcase(event.repository.lower(), self.repository.lower()))
            and (self.subject is None or self.subject.lower() in event.subject.lower())
            and (self.since_ms is None or received >= self.since_ms)
            and (self.until_ms is None or received <= self.until_ms)
            and (self.id is None or event.id.endswith(self.id.lower()))
            and (self.delivery is None or fnmatch.fnmatchcase(event.delivery, self.delivery))
            and (self.text is None or self.text.lower() in _said(event))
        )


def _said(event: EventSummary) -> str:
    """Everything a word is looked for in."""
    return f"{event.id} {event.title} {event.subject} {event.reason} {event.error_text}".lower()


def _known_key(key: str) -> str:
    """The field a key stands for."""
    if key not in KEYS:
        raise ValueError(f"unknown filter key {key!r}{_nearest(key, KEYS)}; keys are {', '.join(KEYS)}")
    return KEYS[key]


def _checked(name: str, value: str) -> str:
    if name == "state":
        return _one_of("state", value, [state.value for state in EventState])
    if name == "kind":
        return _one_of("kind", value, [kind.value for kind in Kind])
    if name == "error":
        return ERROR_ALIASES.get(value) or _one_of("error", value, [*FailureClass, *ERROR_ALIASES])
    return value


def _one_of(name: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise ValueError(f"unknown {name} {value!r}{_nearest(value, known)}; there are {', '.join(known)}")
    return value


def _nearest(word: str, known: Sequence[str] | dict[str, str]) -> str:
    close = difflib.get_close_matches(word, list(known), 1)
    return f", did you mean {close[0]!r}" if close else ""
