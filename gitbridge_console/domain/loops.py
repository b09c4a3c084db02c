"""Which events are our own doing come back to us: answering them would never end. Pure.

What we publish arrives as an event of its own. It is known by who sent it, by the App that made it, and by the marker in
its text, which works where nobody told us who we are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gitbridge_console.domain.events import EventFacts

MARKER_START = "<!-- gitbridge:"
"""How the hidden line of everything we publish begins."""
_MARKED = re.compile(rf"^ {{0,3}}{re.escape(MARKER_START)}", re.MULTILINE)

SAID = frozenset({"commit_comment", "discussion_comment", "issue_comment", "pull_request_review", "pull_request_review_comment"})
"""Types in which somebody says something about something."""
RUNS = frozenset({"check_run", "check_suite", "status"})
LABELLED = frozenset({"labeled", "unlabeled"})
"""What our actions cause beside words."""


@dataclass(frozen=True, slots=True)
class Ourselves:
    """Who we are on a code host as far as the settings say, all in lower case, and the bots whose words are answered.

    ``apps`` are ids and slugs of Apps.
    """

    logins: frozenset[str] = frozenset()
    apps: frozenset[str] = frozenset()
    answered_bots: frozenset[str] = frozenset()


def is_marked(said: str) -> bool:
    """Whether a text carries our marker. A quoted one does not count: who quotes us is somebody else."""
    return MARKER_START in said and _MARKED.search(said) is not None


def loop_reason(facts: EventFacts, ourselves: Ourselves) -> str | None:
    """Why an event is not to be answered: we did it, or a bot said it that nobody asked us to listen to.

    What is to be looked at for its own sake (a pull request, a push, an issue) is no loop, whoever made it.
    """
    sender, author = facts.sender.lower(), facts.author.lower()
    ours = sender in ourselves.logins
    by_our_app = any(app.lower() in ourselves.apps for app in facts.apps)
    if facts.type in SAID:
        if facts.marked:
            return "our own words: they carry our marker"
        if by_our_app or {sender, author} & ourselves.logins:
            return f"our own words: {facts.author or facts.sender} is us"
        if facts.author_is_bot and not {sender, sender.removesuffix("[bot]")} & ourselves.answered_bots:
            return f"bots are not answered: {facts.sender or 'the sender'} is one"
    if facts.type in RUNS and (ours or by_our_app):
        return f"our own {facts.type.replace('_', ' ')}"
    if facts.action in LABELLED and ours:
        return f"our own label: {facts.sender} is us"
    return None
