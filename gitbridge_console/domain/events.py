"""What arrived: events, their kinds, states and priorities, and the few facts a payload yields."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum


class Priority(IntEnum):
    """Rank of a job inside its lane; the lower number is claimed first. Stored as the number."""

    CRITICAL = 100
    HIGH = 200
    NORMAL = 300
    LOW = 400
    BULK = 500

    @property
    def label(self) -> str:
        """The word used on screen, in settings and in JSON (``"high"``)."""
        return self.name.lower()

    @classmethod
    def parse(cls, word: str) -> Priority:
        """Read a priority by its word.

        Raises:
            ValueError: the word names no priority; the message lists those that exist.
        """
        try:
            return cls[word.strip().upper()]
        except KeyError:
            raise ValueError(f"unknown priority {word!r}: use one of {', '.join(p.label for p in cls)}") from None


class EventState(StrEnum):
    """Where an event stands. Exactly one at a time."""

    RECEIVED = "received"
    IGNORED = "ignored"
    ROUTED = "routed"
    PARKED = "parked"
    CONSENSUS_PENDING = "consensus_pending"
    AWAITING_APPROVAL = "awaiting_approval"
    RESOLVED = "resolved"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    SHED = "shed"
    CANCELLED = "cancelled"


FINISHED_STATES = frozenset(
    {
        EventState.IGNORED,
        EventState.RESOLVED,
        EventState.FAILED,
        EventState.SUPERSEDED,
        EventState.SHED,
        EventState.CANCELLED,
    }
)
"""States in which nothing more happens until an operator replays the event."""

REPLAYABLE_STATES = frozenset({EventState.FAILED, EventState.SHED, EventState.CANCELLED, EventState.RESOLVED})


GITHUB, GITLAB, GITEA = "github", "gitlab", "gitea"
"""Code hosts by the name their settings have; Forgejo is a ``gitea``."""
OTHER_HOST = "other"
"""A host nobody here knows: nothing is fetched from it and nothing published there."""


class Kind(StrEnum):
    """The sort of question an event asks of the AI services."""

    CODE_REVIEW = "code_review"
    PUSH_REVIEW = "push_review"
    DOCUMENTATION = "documentation"
    ISSUE_TRIAGE = "issue_triage"
    GENERAL = "general"


class Ask(StrEnum):
    """A question of the second round: about the answers of an event's panel, asked in a seat beside it."""

    VERIFY = "verify"
    ARBITER = "arbiter"


STAGE_LANES = ("fetch", "route", "decide", "act")
"""Lanes that carry events; every other lane carries tasks and is named after its provider."""


@dataclass(frozen=True, slots=True)
class IncomingEvent:
    """An event as it stands at the door, before anything is read from its payload.

    ``payload`` is the raw JSON text as received; it is kept byte for byte so that a replay sees what was sent.
    """

    delivery: str
    type: str
    payload: bytes
    source: str
    priority: Priority | None = None
    diff: str | None = None


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """One file of a change. ``patch`` is its unified diff without the file header, ``None`` where not known."""

    path: str
    status: str = "modified"
    additions: int = 0
    deletions: int = 0
    patch: str | None = None


@dataclass(frozen=True, slots=True)
class EventFacts:
    """What classification, prompts and actions need of a payload; every field survives a payload without it.

    Built by :func:`gitbridge_console.domain.facts.read_facts`. Text is outside text: unclean, bounded in length only.
    """

    type: str
    action: str = ""
    host: str = GITHUB
    """The code host it comes from: github, gitlab, gitea or other."""
    repository: str = ""
    repository_id: int = 0
    subject: str = ""
    number: int | None = None
    title: str = ""
    body: str = ""
    author: str = ""
    author_is_bot: bool = False
    sender: str = ""
    """Who caused the event, which need not be the author of what it is about."""
    apps: tuple[str, ...] = ()
    """Ids and slugs of the Apps through which it was caused."""
    marked: bool = False
    """Whether what was said in it carries our own marker, see :mod:`gitbridge_console.domain.loops`."""
    labels: tuple[str, ...] = ()
    files: tuple[ChangedFile, ...] = ()
    additions: int | None = None
    deletions: int | None = None
    changed_files: int | None = None
    head_sha: str = ""
    base_sha: str = ""
    ref: str = ""
    draft: bool = False
    deleted_ref: bool = False
    url: str = ""
    extra: tuple[tuple[str, str], ...] = field(default=())
    """Further short facts worth telling a reviewer, as (label, text) pairs: commit messages, comment body, run result."""


@dataclass(frozen=True, slots=True)
class Material:
    """What the providers are shown beside the facts: file list and diff, bounded.

    ``note`` says in plain words what is missing or cut ("metadata only: no diff was available").
    """

    files: tuple[ChangedFile, ...] = ()
    origin: str = "none"
    truncated: bool = False
    note: str = ""
    files_missing: bool = False
    """Whether files, or the end of the last one, are not counted at all; a patch that was only shortened for showing is."""
