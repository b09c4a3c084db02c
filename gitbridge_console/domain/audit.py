"""The audit: what an operator is about to do, what came of it, and the language in which it is searched.

Each write makes two records of one chain: an :class:`Intent` before it runs and an :class:`Outcome` after it, which names the first.
"""

from __future__ import annotations

import difflib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from gitbridge_console.domain.filters import moment_ms
from gitbridge_console.domain.timestamps import ms_from_iso

if TYPE_CHECKING:
    from gitbridge_console.domain.event_views import AuditEntry

FORMAT = "gitbridge-audit/1"
STATE_MAX = 4_000
"""Characters of JSON that are kept of what was there before or after; what does not fit is counted."""

UNFINISHED = "not known: it did not finish"


@dataclass(frozen=True, slots=True)
class Actor:
    """A person and where they sit: ``ana as root`` on ``ops-3 (ssh from 10.0.0.7)``.

    ``account`` and ``login`` come from the kernel: whose rights the process has, and who logged in, empty where nobody knows.
    ``sudo_user`` and ``ssh`` are what the environment says.
    """

    who: str
    host: str
    account: str = ""
    login: str = ""
    sudo_user: str = ""
    ssh: str = ""
    tty: str = ""
    role: str = ""


OF_ACTOR = {"who": 100, "host": 100, "account": 64, "login": 64, "sudo_user": 64, "ssh": 64, "tty": 64, "role": 20}
"""What is kept of an actor, and how many characters of it."""


@dataclass(frozen=True, slots=True)
class Intent:
    """One write before it runs. ``planned`` is how many things it is meant for, ``None`` where nobody counted."""

    actor: Actor
    what: str
    target: str
    reason: str = ""
    filter: str = ""
    planned: int | None = None
    before: Mapping[str, Any] = field(default_factory=dict)

    def record(self, number: int, at_ms: int) -> dict[str, Any]:
        """As it is hashed and kept, within bounds."""
        by = {name: getattr(self.actor, name)[:most] for name, most in OF_ACTOR.items()}
        said = {
            "what": self.what[:60],
            "target": self.target[:1000],
            "reason": self.reason[:500],
            "filter": self.filter[:500],
            "planned": self.planned,
            "before": within(self.before),
        }
        return {"n": number, "at_ms": at_ms, "by": _said(by), **_said(said)}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. ``before`` holds what only the write itself could tell, ``affected`` how many things it changed."""

    result: str
    affected: int | None = None
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)

    def record(self, number: int, at_ms: int, of: int) -> dict[str, Any]:
        """As it is hashed and kept, within bounds."""
        said = {"affected": self.affected, "before": within(self.before), "after": within(self.after)}
        return {"n": number, "at_ms": at_ms, "of": of, "result": self.result[:500], **_said(said)}


def _said(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is empty."""
    return {name: value for name, value in fields.items() if value not in (None, "", {})}


def within(state: Mapping[str, Any], most: int = STATE_MAX) -> dict[str, Any]:
    """As much of a state as fits into ``most`` characters of JSON; what was left out is counted under ``…``."""
    kept: dict[str, Any] = {}
    room = most
    for name, value in state.items():
        room -= len(json.dumps({name: value}, default=str))
        if room < 0:
            return {**kept, "…": f"{len(state) - len(kept)} more"}
        kept[name] = json.loads(json.dumps(value, default=str))
    return kept


def entry_of(number: int, at: str, intent: Mapping[str, Any], outcome: Mapping[str, Any] | None) -> AuditEntry:
    """Both records of a write as one row."""
    by = intent.get("by") or {}
    done = outcome or {"result": UNFINISHED}
    # Who may do what is asked before the first frame, when no model is built yet: this one is imported where it is.
    from gitbridge_console.domain.event_views import AuditEntry

    return AuditEntry(
        n=number,
        at=at,
        **{name: by.get(name, "") for name in OF_ACTOR},
        what=intent.get("what", ""),
        target=intent.get("target", ""),
        reason=intent.get("reason", ""),
        filter=intent.get("filter", ""),
        planned=intent.get("planned"),
        result=str(done.get("result", "")),
        affected=done.get("affected"),
        before={**intent.get("before", {}), **done.get("before", {})},
        after=done.get("after", {}),
    )


FIELDS = ("who", "host", "tty", "role", "what", "target", "reason", "filter", "result")
KEYS = {name: name for name in FIELDS} | {"provider": "target", "subject": "target", "event": "target"}


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Conditions that must all hold, in the tone of the FILTER language: ``who=ana what=pause since=2h words anywhere``.

    A value is looked for anywhere in its field, a word anywhere, ``*`` stands for anything; ``!`` in front inverts the whole.
    """

    fields: tuple[tuple[str, str], ...] = ()
    words: tuple[str, ...] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    inverted: bool = False

    @classmethod
    def parse(cls, line: str, *, now_ms: int | None = None) -> AuditFilter:
        """Read one line.

        Raises:
            ValueError: an unknown key, no time, or quotes that do not close; one line.
        """
        now = round(datetime.now(UTC).timestamp() * 1000) if now_ms is None else now_ms
        line = line.strip()
        try:
            parts = shlex.split(line.removeprefix("!"))
        except ValueError as error:
            raise ValueError(f"filter {line!r}: {str(error).lower()}") from None
        found: list[tuple[str, str]] = []
        words: list[str] = []
        times: dict[str, int] = {}
        for part in parts:
            key, equals, value = part.partition("=")
            if not equals or key == "text":
                words.append((value if equals else part).lower())
            elif key in ("since", "until"):
                times[f"{key}_ms"] = moment_ms(value, now)
            elif key in KEYS:
                found.append((KEYS[key], value.lower()))
            else:
                near = difflib.get_close_matches(key, [*KEYS, "since", "until", "text"], 1)
                hint = f", did you mean {near[0]!r}" if near else ""
                raise ValueError(f"unknown filter key {key!r}{hint}; the audit is asked for {', '.join(KEYS)}, since, until, text")
        return cls(tuple(found), tuple(words), inverted=line.startswith("!"), **times)

    def matches(self, entry: AuditEntry) -> bool:
        """Whether an entry passes."""
        return self._holds(entry) != self.inverted

    def _holds(self, entry: AuditEntry) -> bool:
        at = ms_from_iso(entry.at)
        whole = " ".join(str(getattr(entry, name)) for name in FIELDS).lower()
        return (
            (self.since_ms is None or at >= self.since_ms)
            and (self.until_ms is None or at <= self.until_ms)
            and all(fnmatchcase(str(getattr(entry, name)).lower(), f"*{value}*") for name, value in self.fields)
            and all(fnmatchcase(whole, f"*{word}*") for word in self.words)
        )
