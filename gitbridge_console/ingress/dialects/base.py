"""The one protocol a code host is heard through. A dialect is pure: it reads headers and bytes, and does no I/O.

The transport calls it in the order of what it costs: ``speaks`` and ``unproven`` before a byte of the body is read,
``verify`` on the raw body, ``read`` on what was proven to be from the host and to be a JSON object. Headers come as a
mapping of lower-case names; one of :attr:`Dialect.headers` that was sent twice is refused before that. ``verify`` and
``read`` of large bodies run in a thread.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

EVENT_TYPE = re.compile(r"[a-z][a-z0-9_]{0,59}")
DELIVERY = re.compile(r"[A-Za-z0-9._:-]{1,100}")


class NotUnderstood(ValueError):
    """A delivery that is not what the host sends; the message is one line that may be shown to the sender."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery in the words of the rest of the product.

    ``id`` is the same when the host sends the same delivery again, and differs otherwise; ``type`` is GitHub's name of
    the event (``pull_request``, ``push``, ``issues``, ``issue_comment``); ``payload`` is JSON text of GitHub's shape, which is
    what :func:`gitbridge_console.domain.facts.read_facts` reads. A host of other shapes is rewritten into it, and its own
    payload kept under a key of its name.
    """

    id: str
    type: str
    payload: bytes
    ping: bool = False
    """It only asks whether anybody is there: answered, never stored."""
    known: bool = True
    """Whether the host is known to send such events. Others are ignored with a 2xx, unless a rule of the settings names their type."""


class Dialect(Protocol):
    """What one code host sends."""

    @property
    def name(self) -> str:
        """The host's name, a label of metrics: ``github``."""
        ...

    @property
    def source(self) -> str:
        """What the event says it came from: ``webhook`` for GitHub, ``webhook:NAME`` for others."""
        ...

    @property
    def headers(self) -> frozenset[str]:
        """The headers it reads, in lower case."""
        ...

    def speaks(self, headers: Mapping[str, str]) -> bool:
        """Whether a request with these headers is this host's."""
        ...

    def unproven(self, headers: Mapping[str, str]) -> str | None:
        """Which proof of origin is missing, in one line; ``None`` when there is one to be verified."""
        ...

    def verify(self, body: bytes, headers: Mapping[str, str], secrets: Sequence[bytes]) -> bool:
        """Whether the proof holds for the raw body under any of the secrets, compared in constant time; each of them is tried."""
        ...

    def read(self, headers: Mapping[str, str], payload: dict[str, Any], text: bytes) -> Delivery:
        """The delivery; ``payload`` is ``text`` parsed.

        Raises:
            NotUnderstood: a header or a field it cannot do without is missing or unusable.
        """
        ...


def required(headers: Mapping[str, str], name: str, pattern: re.Pattern[str]) -> str:
    """The value of a header, named as the host writes it.

    Raises:
        NotUnderstood: it is missing or not of the pattern.
    """
    value = headers.get(name.lower(), "")
    if not value:
        raise NotUnderstood(f"{name} is missing")
    if not pattern.fullmatch(value):
        raise NotUnderstood(f"{name} is not usable")
    return value
