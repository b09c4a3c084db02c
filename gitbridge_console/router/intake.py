"""The one way in: whatever brought an event, this stores it, once, or says why not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gitbridge_console.domain.events import GITHUB, EventFacts, IncomingEvent, Priority
from gitbridge_console.domain.facts import read_facts
from gitbridge_console.domain.prompt_choice import PromptChoice
from gitbridge_console.router.classifier import classify
from gitbridge_console.settings.model import Rule
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.records import ASKED, ASKED_PROMPT, PayloadTooLarge

TYPE_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,59}")
NEEDS_FILES = frozenset({"pull_request", "push"})
"""Types whose reviewers want to see the change: without a diff they pass through ``fetch`` first."""


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """What became of something submitted: ``new``, ``duplicate``, ``requeued``, ``shed`` or ``quarantined`` (then ``id`` is its entry)."""

    id: str
    status: str
    error: str = ""


class NotAnEvent(ValueError):
    """What came in cannot be read as an event; one line says why."""


class Intake:
    """Checks, reads the few facts a list shows, stores."""

    def __init__(self, queue: RedisEventQueue, metrics: Metrics, rules: Callable[[], Sequence[Rule]] = tuple) -> None:
        self._queue = queue
        self._metrics = metrics
        self._rules = rules

    async def submit(self, event: IncomingEvent, *, edited_from: str = "") -> SubmitResult:
        """Store an event; what cannot be read as one goes to the quarantine, never nowhere.

        Raises:
            BackPressure: the store takes no more now.
            redis.exceptions.RedisError: the store is away; nothing was stored.
        """
        try:
            return await self.accept(event, edited_from=edited_from)
        except NotAnEvent as error:
            entry = await self._queue.quarantine(event.payload, source=event.source, error=str(error))
            return SubmitResult(entry, "quarantined", str(error))

    async def accept(
        self, event: IncomingEvent, *, edited_from: str = "", panel: Sequence[str] = (), prompt: PromptChoice | None = None
    ) -> SubmitResult:
        """Store an event, or keep nothing of it. ``panel``: an edited one is put to just these providers; ``prompt``: with this question.

        Raises:
            NotAnEvent: it cannot be read as one.
            BackPressure: the store takes no more now.
            redis.exceptions.RedisError: the store is away; nothing was stored.
        """
        try:
            payload = json.loads(event.payload)
        except (ValueError, RecursionError) as error:
            raise NotAnEvent(f"the payload is not JSON: {' '.join(str(error).split())}") from None
        if not isinstance(payload, dict):
            raise NotAnEvent(f"the payload is a JSON {type(payload).__name__}, not an object")
        if not TYPE_PATTERN.fullmatch(event.type):
            raise NotAnEvent(f"{event.type[:60]!r} is no event type: lower-case letters, digits and _")
        facts = read_facts(event.type, payload, event.diff)
        texts = {"repository": facts.repository, "subject": facts.subject, "title": facts.title, "author": facts.author, "url": facts.url}
        texts |= {"head": facts.head_sha} if facts.head_sha else {}
        texts |= {ASKED: ", ".join(panel)} if panel else {}
        texts |= {ASKED_PROMPT: prompt.line} if prompt is not None else {}
        lane = "fetch" if event.type in NEEDS_FILES and event.diff is None else "route"
        try:
            stored = await self._queue.enqueue(
                event,
                lane=lane,
                priority=self._likely_priority(facts),
                action=facts.action,
                repository=_place(facts),
                edited_from=edited_from,
                texts=texts,
            )
        except PayloadTooLarge as error:
            raise NotAnEvent(str(error)) from None
        self._metrics.count("duplicates" if stored.status == "duplicate" else "in")
        return SubmitResult(stored.id, stored.status)

    def _likely_priority(self, facts: EventFacts) -> Priority:
        """The class it will most likely be routed with, so that what is urgent is urgent from the first lane on."""
        verdict = classify(facts, self._rules())
        return Priority.NORMAL if verdict.ignored else verdict.priority


def _place(facts: EventFacts) -> str:
    """One word for each repository of each host; every host counts its own from one."""
    place = str(facts.repository_id or facts.repository)
    return place if facts.host == GITHUB or not place else f"{facts.host}:{place}"
