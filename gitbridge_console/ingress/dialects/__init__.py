"""What the code hosts send, each in its own words, behind one protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gitbridge_console.ingress.dialects.base import Dialect
from gitbridge_console.ingress.dialects.gitea import GiteaDialect
from gitbridge_console.ingress.dialects.github import GitHubDialect
from gitbridge_console.ingress.dialects.gitlab import GitLabDialect

DIALECTS: tuple[Dialect, ...] = (GitLabDialect(), GiteaDialect(), GitHubDialect())
"""Asked in this order. GitHub comes last: hosts that imitate it send its headers beside their own."""


def dialect_of(headers: Mapping[str, str], dialects: Sequence[Dialect] = DIALECTS) -> Dialect:
    """Who speaks these headers; the last one where nobody does, so that its words for what is missing are the answer."""
    return next((dialect for dialect in dialects if dialect.speaks(headers)), dialects[-1])
