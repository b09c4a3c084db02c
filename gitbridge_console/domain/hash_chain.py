"""A chain of records, each hashed together with the hash of the one before: what was altered, removed or moved is found, and where.

The hash proves that a record is what it was when it was written, not that it was right; and whoever can write the whole chain
anew can make another that holds. Compare a head noted elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

GENESIS = ""
"""What the first record is hashed with."""


def canonical(record: Mapping[str, Any]) -> bytes:
    """A record as the bytes that are hashed: keys sorted, ASCII only, no blanks; equal records give equal bytes.

    Raises:
        ValueError: it holds what JSON has no word for (NaN, infinity).
    """
    return json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def link_hash(prev: str, body: bytes) -> str:
    """SHA-256 of the hash before and a record's canonical bytes."""
    return hashlib.sha256(prev.encode("ascii", "replace") + b"\n" + body).hexdigest()


@dataclass(frozen=True, slots=True)
class Link:
    """One record in its chain. ``seq`` counts from 1; ``body`` are the canonical bytes."""

    seq: int
    prev: str
    hash: str
    body: bytes


@dataclass(frozen=True, slots=True)
class End:
    """Number and hash of a link: the last one there is, or the last one that was trimmed."""

    seq: int = 0
    hash: str = GENESIS


class ChainCheck:
    """Checks links one by one, from the first that is kept; ``problem`` says what does not hold, in one line, and where."""

    def __init__(self, anchor: End) -> None:
        self.last = anchor
        self.count = 0
        self.problem = ""
        self._gap: tuple[str, int] | None = None
        """Where a link is missing: the hash it would follow, and the number found in its place."""

    def add(self, link: Link) -> None:
        """The next link in the order in which they are kept."""
        self.count += 1
        if not self.problem:
            self.problem = self._look(link)
        elif self._gap is not None and link.prev == self._gap[0]:
            first, second = sorted((self._gap[1], link.seq))
            self.problem, self._gap = f"entries {first} and {second} stand in the wrong order", None
        self.last = End(link.seq, link.hash)

    def _look(self, link: Link) -> str:
        wanted = self.last.seq + 1
        if link.seq > wanted:
            self._gap = (self.last.hash, link.seq)
            gone = f"entry {wanted} is" if link.seq == wanted + 1 else f"entries {wanted} to {link.seq - 1} are"
            return f"{gone} missing"
        if link.seq < wanted:
            return f"entry {link.seq} stands behind entry {self.last.seq}"
        if link_hash(link.prev, link.body) != link.hash:
            return f"entry {link.seq} was altered: its hash is not that of what it says"
        if link.prev != self.last.hash:
            self._gap = (self.last.hash, link.seq)
            return f"entry {link.seq} does not follow the entry before it: one of the two was replaced"
        return ""

    def end(self, head: End) -> str:
        """The problem, empty where the chain holds; ``head`` is what the last link should be."""
        if not self.problem and self.last != head:
            if head.seq > self.last.seq:
                self.problem = f"entries {self.last.seq + 1} to {head.seq} are missing at the end"
            else:
                self.problem = f"the chain ends with entry {self.last.seq}, not with the one that was written last"
        return self.problem


def check_chain(links: Iterable[Link], anchor: End, head: End) -> str:
    """The first thing that does not hold, in one line; empty where all does."""
    check = ChainCheck(anchor)
    for link in links:
        check.add(link)
    return check.end(head)
